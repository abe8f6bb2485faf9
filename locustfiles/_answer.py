"""The bytes of one HTTP/1.1 answer, read as they come. Pure: any split of the same bytes gives the same answer.

Status, Content-Length, chunked with trailers, close-delimited and HTTP/1.0 bodies; 1xx answers are skipped. Nothing is
decompressed: redline asks for `identity`.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from scoring.attempt import Failure

MAX_HEAD_BYTES = 65_536
MAX_LINE_BYTES = 4_096  # a chunk's size line, or one trailer
MAX_RETRY_AFTER_S = 60  # an absurd wish is cut to this
NO_BODY = frozenset({204, 304})

_HEAD, _LENGTH, _UNTIL_CLOSE, _SIZE, _CHUNK, _CHUNK_END, _TRAILER, _DONE = range(8)
_PREFIX = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\r\n]*)?\Z")
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?\Z", re.DOTALL)


class Broken(Exception):
    """The attempt has failed without a whole answer; `failure` says how, `detail` at which point."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(failure, detail)
        self.failure = failure
        self.detail = detail


def header_mark(name: bytes) -> bytes:
    """What precedes the value of the header in lower-case head bytes.

    >>> header_mark(b"Date")
    b'\\r\\ndate:'
    """
    return b"\r\n" + name.lower() + b":"


_CONNECTION, _CODING, _LENGTH_MARK = map(header_mark, (b"Connection", b"Transfer-Encoding", b"Content-Length"))

_PLAIN = b"HTTP/1.1 200 OK\r\n"


@lru_cache(maxsize=256)
def _status_of(line: bytes) -> tuple[int, bool]:
    """The status, and whether the version is 1.1 and not 1.0."""
    found = _STATUS_LINE.match(line)
    if found is None:
        raise Broken(Failure.PROTOCOL_ERROR, "the status line is no HTTP/1.0 or 1.1 status line")
    return int(found[2]), found[1] == b"1"


class AnswerReader:
    """One answer at a time: `start`, then `feed` until it returns True, or `end` where the peer closes."""

    __slots__ = (
        "_body_left",
        "_parts",
        "_pending",
        "_phase",
        "body",
        "head",
        "keep_alive",
        "max_bytes",
        "received_bytes",
        "status",
    )

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._parts: list[bytes] = []
        self.start()

    def start(self) -> None:
        """Nothing has been read."""
        self._phase = _HEAD
        self._pending = b""
        if self._parts:
            self._parts = []
        self.received_bytes = 0  # of the body, so far
        self.status = 0
        self.head = b""  # lower case, from the status line to the last header's line break
        self.body = b""  # whole once the answer is complete
        self.keep_alive = False

    def header(self, mark: bytes) -> bytes | None:
        """Value of the first header with that mark (see `header_mark`), in lower case; None where there is none."""
        at = self.head.find(mark)
        if at < 0:
            return None
        at += len(mark)
        return self.head[at : self.head.index(b"\r\n", at)].strip()

    def feed(self, data: bytes) -> bool:
        """Whether the answer is complete. Raises Broken as soon as it cannot become one.

        Bytes after the end of the answer belong to nobody: the connection is not to be used again.
        """
        if self._phase == _HEAD:
            if self._pending:
                data = self._pending + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return self._more_head(data)
            return self._is_plain(data, end) or self._read_head(data, end)
        if self._phase == _LENGTH:
            return self._more_length(data)
        if self._phase == _UNTIL_CLOSE:
            self._keep(data)
            return False
        return self._more_chunks(data)

    def end(self) -> None:
        """The peer has closed: the answer is complete as it stands, or Broken is raised."""
        if self._phase == _HEAD:
            if not self._pending:
                raise Broken(Failure.EMPTY_REPLY, "the connection was closed before any byte of the answer")
            raise Broken(Failure.BODY_TRUNCATED, "the connection was closed within the headers")
        if self._phase == _UNTIL_CLOSE:
            self.body = b"".join(self._parts)
            self._phase = _DONE
        elif self._phase != _DONE:
            raise Broken(Failure.BODY_TRUNCATED, f"the connection was closed after {self.received_bytes} body bytes")

    def _more_head(self, data: bytes) -> bool:
        if not data.startswith(_PREFIX[: len(data)]):
            raise Broken(Failure.PROTOCOL_ERROR, "the answer does not start with HTTP/1.")
        if len(data) > MAX_HEAD_BYTES:
            raise Broken(Failure.PROTOCOL_ERROR, f"the headers are longer than {MAX_HEAD_BYTES} bytes")
        self._pending = data
        return False

    def _is_plain(self, data: bytes, end: int) -> bool:
        """Reads the answer if it is whole and of the plainest kind: a short way for what `_read_head` reads too."""
        head = data[: end + 2].lower()
        body = data[end + 4 :]
        length = len(body)
        if (
            b"\r\ncontent-length: %d\r\n" % length not in head
            or not data.startswith(_PLAIN)
            or head.count(_LENGTH_MARK) > 1
            or _CODING in head
            or b"close" in head
            or length > self.max_bytes
            or end > MAX_HEAD_BYTES
        ):
            return False
        self.status = 200
        self.head = head
        self.body = body
        self.keep_alive = True
        self.received_bytes = length
        self._phase = _DONE
        return True

    def _read_head(self, data: bytes, end: int) -> bool:
        if end > MAX_HEAD_BYTES:
            raise Broken(Failure.PROTOCOL_ERROR, f"the headers are longer than {MAX_HEAD_BYTES} bytes")
        self.status, is_1_1 = _status_of(data[: data.find(b"\r\n")])
        self.head = data[: end + 2].lower()
        rest = data[end + 4 :]
        if self.status < 200:
            return self._skip_interim(rest)
        tokens = self.header(_CONNECTION) or b""
        self.keep_alive = b"close" not in tokens if is_1_1 else b"keep-alive" in tokens
        return self._read_body(rest)

    def _skip_interim(self, rest: bytes) -> bool:
        if self.status == 101:
            raise Broken(Failure.PROTOCOL_ERROR, "the endpoint switches protocols unasked")
        self._pending, self.status, self.head = b"", 0, b""
        return self.feed(rest) if rest else False

    def _read_body(self, rest: bytes) -> bool:
        """Decides how the body ends (RFC 9112 section 6.3) and reads what is there of it."""
        self._pending = b""
        if self.status in NO_BODY:
            return self._complete(b"", rest)
        coding = self.header(_CODING)
        if coding is not None and coding.endswith(b"chunked"):
            self._phase = _SIZE
            return self._more_chunks(rest)
        length = self.header(_LENGTH_MARK) if coding is None else None
        if length is None:
            self._phase, self.keep_alive = _UNTIL_CLOSE, False
            self._keep(rest)
            return False
        self._body_left = self._checked_length(length)
        if len(rest) >= self._body_left:
            self.received_bytes = self._body_left
            return self._complete(rest[: self._body_left], rest[self._body_left :])
        self._phase = _LENGTH
        return self._more_length(rest)

    def _checked_length(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 18:
            raise Broken(Failure.PROTOCOL_ERROR, "Content-Length is no number")
        if self.head.count(_LENGTH_MARK) > 1:
            raise Broken(Failure.PROTOCOL_ERROR, "Content-Length stands there twice")
        length = int(text)
        if length > self.max_bytes:
            raise Broken(Failure.BODY_TOO_LARGE, f"the body has {length} bytes, more than {self.max_bytes}")
        return length

    def _more_length(self, data: bytes) -> bool:
        left = self._body_left
        self._keep(data[:left])
        self._body_left = left - min(left, len(data))
        return False if self._body_left else self._complete(b"".join(self._parts), data[left:])

    def _keep(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self.received_bytes > self.max_bytes:
            raise Broken(Failure.BODY_TOO_LARGE, f"the body has more than {self.max_bytes} bytes")
        if data:
            self._parts.append(data)

    def _complete(self, body: bytes, excess: bytes) -> bool:
        self.body = body
        self._phase = _DONE
        if excess:
            self.keep_alive = False
        return True

    def _more_chunks(self, data: bytes) -> bool:
        """The chunked coding (RFC 9112 section 7.1): size line, data, line break, until size 0 and the trailers."""
        data = self._pending + data
        self._pending = b""
        at = 0
        while True:
            if self._phase == _CHUNK:
                taken = data[at : at + self._body_left]
                self._keep(taken)
                at += len(taken)
                self._body_left -= len(taken)
                if self._body_left:
                    return False
                self._phase = _CHUNK_END
            end = data.find(b"\r\n", at)
            if (len(data) if end < 0 else end) - at > MAX_LINE_BYTES:
                raise Broken(Failure.PROTOCOL_ERROR, "a line of the chunked body is too long")
            if end < 0:
                self._pending = data[at:]
                return False
            line, at = data[at:end], end + 2
            if self._chunk_line(line):
                return self._complete(b"".join(self._parts), data[at:])

    def _chunk_line(self, line: bytes) -> bool:
        """Takes one line between chunks; whether it was the last of the answer."""
        if self._phase == _CHUNK_END:
            if line:
                raise Broken(Failure.PROTOCOL_ERROR, "a chunk is longer than its size")
            self._phase = _SIZE
        elif self._phase == _SIZE:
            found = _SIZE_LINE.match(line)
            if found is None:
                raise Broken(Failure.PROTOCOL_ERROR, "a chunk's size is no hexadecimal number")
            self._body_left = int(found[1], 16)
            if self.received_bytes + self._body_left > self.max_bytes:
                raise Broken(Failure.BODY_TOO_LARGE, f"the body has more than {self.max_bytes} bytes")
            self._phase = _CHUNK if self._body_left else _TRAILER
        else:
            return not line
        return False


def retry_after_ns(value: bytes | None, date: bytes | None) -> int | None:
    """What Retry-After asks for, never below 0; None where it says nothing that can be understood.

    A date counts from the answer's own Date header, so that the clocks of the two sides do not matter.

    >>> retry_after_ns(b"2", None), retry_after_ns(b"-5", None), retry_after_ns(b"soon", None)
    (2000000000, None, None)
    """
    if value is None:
        return None
    if value.isdigit():
        return min(int(value[:9]), MAX_RETRY_AFTER_S) * 10**9
    try:
        until, since = (parsedate_to_datetime(text.decode("ascii")) for text in (value, date or b""))
        seconds = (until - since).total_seconds()
    except (ValueError, TypeError, IndexError):
        return None
    return int(min(max(seconds, 0.0), MAX_RETRY_AFTER_S) * 1e9)


def date_s(value: bytes | None) -> float | None:
    """Seconds since 1970 of a Date header; None where there is none that can be read.

    >>> date_s(b"thu, 01 jan 1970 00:01:40 gmt"), date_s(b"thu, 01 jan 1970 00:01:40 -0000"), date_s(b"soon")
    (100.0, 100.0, None)
    """
    try:
        told = parsedate_to_datetime((value or b"").decode("ascii"))
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
