"""The reading of HTTP/1.1 answers: any split of the bytes, every way to end a body, every way to be broken."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locustfiles._answer import AnswerReader, Broken, header_mark, retry_after_ns
from scoring.attempt import Failure

MAX_BYTES = 1_000
Outcome = tuple[str, int, bytes]

WHOLE = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True, id="a length"),
    pytest.param(b"HTTP/1.1 200 \r\ncontent-length:0\r\n\r\n", 200, b"", True, id="no reason, no space, no body"),
    pytest.param(
        b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, id="a status line that ends after the code"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, id="keep-alive"
    ),
    pytest.param(
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 1\r\nX: close\r\n\r\nx", 429, b"x", True, id="another close"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\nx", 200, b"x", True, id="a length with a leading 0"),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, id="204 has no body"),
    pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True, id="304 has none either"),
    pytest.param(b"HTTP/1.1 503 Busy\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx", 503, b"x", False, id="close"),
    pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False, id="1.0 closes"),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        id="1.0 may keep alive",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        id="interim answers are skipped",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        b"ab0123456789",
        True,
        id="chunks",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n"
        b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
        200,
        b"x",
        True,
        id="chunked wins over a length, trailers are read",
    ),
]
BROKEN = [
    pytest.param(b"SSH-2.0-OpenSSH\r\n", Failure.PROTOCOL_ERROR, id="another protocol"),
    pytest.param(b"HTTP/2 200\r\n\r\n", Failure.PROTOCOL_ERROR, id="another version"),
    pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", Failure.PROTOCOL_ERROR, id="a status of four digits"),
    pytest.param(b"HTTP/1.1 OK\r\n\r\n", Failure.PROTOCOL_ERROR, id="no status"),
    pytest.param(b"HTTP/1.1 101 Switching\r\n\r\n", Failure.PROTOCOL_ERROR, id="a switch of protocols"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Failure.PROTOCOL_ERROR, id="a negative length"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", Failure.PROTOCOL_ERROR, id="a list of lengths"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Failure.PROTOCOL_ERROR, id="two lengths"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, Failure.PROTOCOL_ERROR, id="endless headers"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", Failure.PROTOCOL_ERROR, id="headers that end too late"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", Failure.PROTOCOL_ERROR, id="no chunk size"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", Failure.PROTOCOL_ERROR, id="a long chunk"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5_000,
        Failure.PROTOCOL_ERROR,
        id="an endless line",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", Failure.BODY_TOO_LARGE, id="a length above the limit"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", Failure.BODY_TOO_LARGE, id="a chunk above it"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_001, Failure.BODY_TOO_LARGE, id="a body until close above it"),
    pytest.param(b"", Failure.EMPTY_REPLY, id="nothing at all"),
    pytest.param(b"HTTP/1.1 20", Failure.BODY_TRUNCATED, id="half a status line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Failure.BODY_TRUNCATED, id="a length not reached"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Failure.BODY_TRUNCATED, id="half a chunk"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", Failure.BODY_TRUNCATED, id="no last chunk"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
        Failure.BODY_TRUNCATED,
        id="half the trailers",
    ),
]


def outcome(parts: list[bytes], max_bytes: int = MAX_BYTES) -> Outcome:
    """What comes of the parts, with the peer closing after the last: ("good" or the failure, status, body)."""
    reader = AnswerReader(max_bytes)
    try:
        if not any(reader.feed(part) for part in parts if part):
            reader.end()
    except Broken as broken:
        return str(broken.failure), 0, b""
    return "good", reader.status, reader.body


@pytest.mark.parametrize(("raw", "status", "body", "keep_alive"), WHOLE)
def test_a_whole_answer_is_read(raw: bytes, status: int, body: bytes, keep_alive: bool) -> None:
    """Status, body and whether the connection may be used again are as the bytes say."""
    reader = AnswerReader(MAX_BYTES)
    assert reader.feed(raw)
    assert (reader.status, reader.body, reader.keep_alive) == (status, body, keep_alive)


@pytest.mark.parametrize(("raw", "failure"), BROKEN)
def test_a_broken_answer_names_its_failure(raw: bytes, failure: Failure) -> None:
    """Each way to be broken has its own failure class, at the latest when the peer closes."""
    assert outcome([raw])[0] == failure


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """A close-delimited body is whole when the peer closes, and the connection is not used again."""
    reader = AnswerReader(MAX_BYTES)
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\nab")
    assert not reader.feed(b"cd")
    reader.end()
    assert (reader.body, reader.keep_alive) == (b"abcd", False)


def test_bytes_after_the_end_forbid_another_use_of_the_connection() -> None:
    """What follows a complete answer unasked belongs to nobody."""
    reader = AnswerReader(MAX_BYTES)
    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n")
    assert (reader.body, reader.keep_alive) == (b"x", False)


def test_a_reader_forgets_the_answer_before() -> None:
    """After `start` nothing of an earlier, broken answer is left."""
    reader = AnswerReader(MAX_BYTES)
    assert not reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na")
    reader.start()
    assert reader.feed(b"HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\nx")
    assert (reader.status, reader.body, reader.received_bytes) == (500, b"x", 1)


def test_headers_are_found_whatever_their_case() -> None:
    """Names and values come in lower case, without outer spaces; an absent header is None."""
    reader = AnswerReader(MAX_BYTES)
    reader.feed(b"HTTP/1.1 200 OK\r\nX-MS-Run-Fn-Exec-Ms:  12.5 \r\nContent-Length: 0\r\n\r\n")
    assert reader.header(header_mark(b"X-Ms-Run-Fn-Exec-Ms")) == b"12.5"
    assert reader.header(header_mark(b"run-fn-exec-ms")) is None


def cuts(raw: bytes) -> st.SearchStrategy[list[bytes]]:
    """The bytes in any number of parts."""
    places = st.lists(st.integers(0, len(raw)), max_size=12).map(sorted)
    return places.map(lambda at: [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)])


EVERY = st.sampled_from([case.values[0] for case in (*WHOLE, *BROKEN)])


@given(EVERY.flatmap(lambda raw: st.tuples(st.just(raw), cuts(raw))))
def test_any_split_gives_the_same_answer(case: tuple[bytes, list[bytes]]) -> None:
    """Where the bytes are cut on their way does not matter."""
    raw, parts = case
    assert outcome(parts) == outcome([raw])


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6).map(sorted), st.booleans())
def test_rubbish_ends_in_a_failure_and_nothing_else(rubbish: bytes, at: list[int], with_head: bool) -> None:
    """No bytes make the reader raise anything but Broken, and any split of them ends alike."""
    raw = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if with_head else b"") + rubbish
    parts = [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)]
    assert outcome(parts) == outcome([raw])


class Answered:
    """What http.client asks of a socket."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self.raw)


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=8), st.sampled_from([200, 404, 503]))
def test_well_formed_answers_are_read_as_the_standard_library_reads_them(
    body: bytes, sizes: list[int], status: int
) -> None:
    """http.client, fed the same bytes at once, gives the same status and body: length, chunks, until close."""
    head = f"HTTP/1.1 {status} X\r\n".encode()
    chunks, rest = b"", body
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        chunks += f"{len(part):x}\r\n".encode() + part + b"\r\n" if part else b""
    chunks += (f"{len(rest):x}\r\n".encode() + rest + b"\r\n" if rest else b"") + b"0\r\n\r\n"
    forms = [
        head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        head + b"\r\n" + body,
    ]
    for raw in forms:
        twin = http.client.HTTPResponse(Answered(raw), method="POST")  # type: ignore[arg-type]
        twin.begin()
        assert outcome([raw]) == ("good", twin.status, twin.read())


DATE = b"Sun, 22 Nov 2026 21:00:00 GMT"
RETRY_AFTER = [
    pytest.param(None, None, None, id="no header, no wish"),
    pytest.param(b"0", None, 0, id="0 is a wish"),
    pytest.param(b"3", None, 3_000_000_000, id="seconds"),
    pytest.param(b"86400", None, 60_000_000_000, id="a day is cut to a minute"),
    pytest.param(b"9" * 400, None, 60_000_000_000, id="an absurd number is cut too"),
    pytest.param(b"-3", None, None, id="a negative number says nothing"),
    pytest.param(b"1.5", None, None, id="a fraction is no form of the standard"),
    pytest.param(b"sun, 22 nov 2026 21:00:05 gmt", DATE, 5_000_000_000, id="a date counts from the answer's own date"),
    pytest.param(b"sun, 22 nov 2026 20:00:00 gmt", DATE, 0, id="a date gone by is no wait"),
    pytest.param(b"sun, 22 nov 2026 21:00:05 gmt", None, None, id="a date without a Date says nothing"),
    pytest.param(b"\xff\xfe", DATE, None, id="bytes that are no text say nothing"),
]


@pytest.mark.parametrize(("value", "date", "wait_ns"), RETRY_AFTER)
def test_retry_after_is_understood_or_ignored(value: bytes | None, date: bytes | None, wait_ns: int | None) -> None:
    """Seconds and dates are obeyed up to a minute; what makes no sense counts as absent."""
    assert retry_after_ns(value, date) == wait_ns


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_no_retry_after_raises(value: bytes, date: bytes | None) -> None:
    """Whatever the server writes there, the wait is None or between 0 and a minute."""
    wait_ns = retry_after_ns(value, date)
    assert wait_ns is None or 0 <= wait_ns <= 60_000_000_000
