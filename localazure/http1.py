"""Whole HTTP/1.1 requests out of bytes that arrive in pieces of any size. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

MAX_HEAD_BYTES = 65_536
MAX_BODY_BYTES = 100_000_000
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class BadRequestError(Exception):
    """Bytes that are not a request this server takes. The connection cannot be used any further."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Request:
    """A request with its whole body. Header names are lower-case; repeated headers are joined by a comma."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    keep_alive: bool
    is_http10: bool
    body: bytes = b""


class _State(Enum):
    HEAD = 0
    BODY = 1
    CHUNK_SIZE = 2
    CHUNK_DATA = 3
    CHUNK_END = 4
    TRAILER = 5


class RequestReader:
    """Feed bytes, take requests: the same requests come out however the bytes are cut."""

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._buffer = bytearray()
        self._state = _State.HEAD
        self._request: Request | None = None
        self._body = bytearray()
        self._missing_bytes = 0
        self._wants_continue = False

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += data

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def next_request(self) -> Request | None:
        """The next whole request, or None when more bytes are needed. Raises BadRequestError."""
        while True:
            if not _STEPS[self._state](self):
                return None
            request = self._request
            if self._state is _State.HEAD and request is not None:
                if self._body:
                    request.body = bytes(self._body)
                    self._body.clear()
                self._request, self._wants_continue = None, False
                return request

    def take_wants_continue(self) -> bool:
        """True once for each head that asked for `100 Continue` and whose body has not arrived."""
        wanted, self._wants_continue = self._wants_continue, False
        return wanted and not self._buffer

    def _read_head(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise BadRequestError(431, "the request head is larger than 65,536 bytes")
        if end < 0:
            return False
        head = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        self._request = request = parse_head(head)
        self._frame(request)
        return True

    def _frame(self, request: Request) -> None:
        headers = request.headers
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise BadRequestError(501, "the only transfer encoding taken is chunked")
            if "content-length" in headers:
                raise BadRequestError(400, "both Content-Length and Transfer-Encoding are given")
            self._state = _State.CHUNK_SIZE
        else:
            self._missing_bytes = self._checked_size(_content_length(headers.get("content-length", "0")))
            self._state = _State.BODY if self._missing_bytes else _State.HEAD
        self._wants_continue = self._state is not _State.HEAD and headers.get("expect", "").lower() == "100-continue"

    def _checked_size(self, size_bytes: int) -> int:
        if size_bytes > self._max_body_bytes:
            raise BadRequestError(413, f"the request body is larger than {self._max_body_bytes:,} bytes")
        return size_bytes

    def _read_bytes(self) -> bool:
        part = self._buffer[: self._missing_bytes]
        del self._buffer[: self._missing_bytes]
        self._body += part
        self._missing_bytes -= len(part)
        return self._missing_bytes == 0

    def _read_body(self) -> bool:
        if not self._read_bytes():
            return False
        self._state = _State.HEAD
        return True

    def _read_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
            raise BadRequestError(400, "a line of the chunked body is too long")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_chunk_size(self) -> bool:
        line = self._read_line()
        if line is None:
            return False
        digits = line.partition(b";")[0].strip(b" \t")
        if not _CHUNK_SIZE.fullmatch(digits):
            raise BadRequestError(400, "a chunk size is not a hexadecimal number")
        self._missing_bytes = int(digits, 16)
        self._checked_size(len(self._body) + self._missing_bytes)
        self._state = _State.CHUNK_DATA if self._missing_bytes else _State.TRAILER
        return True

    def _read_chunk_data(self) -> bool:
        if not self._read_bytes():
            return False
        self._state = _State.CHUNK_END
        return True

    def _read_chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BadRequestError(400, "a chunk is longer than its size says")
        del self._buffer[:2]
        self._state = _State.CHUNK_SIZE
        return True

    def _read_trailer(self) -> bool:
        line = self._read_line()
        if line is None:
            return False
        if line == b"":
            self._state = _State.HEAD
        return True


_STEPS = {
    _State.HEAD: RequestReader._read_head,
    _State.BODY: RequestReader._read_body,
    _State.CHUNK_SIZE: RequestReader._read_chunk_size,
    _State.CHUNK_DATA: RequestReader._read_chunk_data,
    _State.CHUNK_END: RequestReader._read_chunk_end,
    _State.TRAILER: RequestReader._read_trailer,
}


def parse_head(head: str) -> Request:
    """The request whose head this is, without its body. Raises BadRequestError."""
    lines = head.split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[0] or not parts[1]:
        raise BadRequestError(400, "the request line is not METHOD TARGET VERSION")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError(505, "the HTTP version is neither 1.1 nor 1.0")
    headers = _headers(lines)
    connection = headers.get("connection", "").lower()
    is_http10 = version == "HTTP/1.0"
    keep_alive = "keep-alive" in connection if is_http10 else "close" not in connection
    path, _, query = _origin_form(target).partition("?")
    return Request(method, path, query, headers, keep_alive, is_http10)


def _origin_form(target: str) -> str:
    if target.startswith("/") or "://" not in target:
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for position in range(1, len(lines)):
        name, colon, value = lines[position].partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise BadRequestError(400, "a header line is not NAME: VALUE")
        name = name.lower()
        value = value.strip(" \t")
        if name in headers:
            if name == "content-length" and headers[name] != value:
                raise BadRequestError(400, "Content-Length is given twice with different values")
            if name != "content-length":
                value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _content_length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise BadRequestError(400, "Content-Length is not a number")
    return int(text)
