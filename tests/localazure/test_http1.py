"""Requests out of bytes: the same ones however the bytes are cut, and a refusal for what is no request."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.http1 import BadRequestError, Request, RequestReader

FIXED = b"POST /score?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;note=x\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
)
BARE = b"\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


def read_all(pieces: list[bytes]) -> list[Request]:
    reader, requests = RequestReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next_request()) is not None:
            requests.append(request)
    return requests


@given(st.lists(st.sampled_from([FIXED, CHUNKED, BARE]), min_size=1, max_size=4), st.lists(st.integers(0, 400)))
def test_the_same_requests_come_out_however_the_bytes_are_cut(requests: list[bytes], cuts: list[int]):
    """Pipelined requests read in any pieces equal the same requests read one by one."""
    whole = b"".join(requests)
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    assert read_all(pieces) == [request for one in requests for request in read_all([one])]


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_bad_request(data: bytes):
    """Rubbish is a request, an unfinished one, or BadRequestError."""
    for prefix in (b"", b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            read_all([prefix + data])
        except BadRequestError as problem:
            assert problem.status in (400, 413, 431, 501, 505)  # noqa: PT017


def test_a_chunked_body_is_put_together():
    """Chunk extensions and trailers are dropped, the data is joined."""
    assert [request.body for request in read_all([CHUNKED])] == [b"hello world"]


def test_path_and_query_are_apart_and_header_names_lower_case():
    """`/score?a=1` is path /score and query a=1."""
    (request,) = read_all([FIXED])
    assert (request.path, request.query, request.headers["content-length"]) == ("/score", "a=1", "5")


def test_expect_100_continue_is_told_once_and_only_while_the_body_is_missing():
    """The head alone wants a continue; asked again it does not."""
    reader = RequestReader()
    reader.feed(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert reader.next_request() is None
    assert (reader.take_wants_continue(), reader.take_wants_continue()) == (True, False)


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
def test_keep_alive_follows_the_version_and_the_connection_header(head: bytes, keeps: bool):
    """1.1 keeps unless told to close; 1.0 closes unless told to keep."""
    assert read_all([head])[0].keep_alive is keeps


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HELLO\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nContent-Length: 100000001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", 413),
        (b"GET /" + b"a" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_refused_with_its_status(data: bytes, status: int):
    """Each malformed head or body has the status of its kind."""
    with pytest.raises(BadRequestError) as raised:
        read_all([data])
    assert raised.value.status == status
