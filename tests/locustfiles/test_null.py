"""The server that does nothing but answer, with which a generator is measured."""

from __future__ import annotations

import http.client
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from locustfiles._null import whole

ROOT = Path(__file__).parents[2]
HEAD = b"POST /score HTTP/1.1\r\nHost: null\r\nContent-Length: %d\r\n\r\n"


def test_every_request_gets_the_answer_that_was_told() -> None:
    """Two requests on one connection, the body told; it ends when its input closes."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "locustfiles._null"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b64encode(b"[0.5]") + b"\n")
    child.stdin.flush()
    connection = http.client.HTTPConnection("127.0.0.1", int(child.stdout.readline()), timeout=10)
    for body in (b"{}", b""):
        connection.request("POST", "/score", body)
        assert connection.getresponse().read() == b"[0.5]"
    connection.close()
    child.communicate(timeout=10)
    assert child.returncode == 0


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.binary(max_size=20))
def test_a_request_ends_where_its_length_says(bodies: list[bytes], beginning: bytes) -> None:
    """However many follow each other, and whatever the next one begins with."""
    data = b"".join(HEAD % len(body) + body for body in bodies) + beginning.replace(b"\r", b"")
    for body in bodies:
        end = whole(data)
        assert end == len(HEAD % len(body)) + len(body)
        data = data[end:]
    assert whole(data) is None


@given(st.binary(max_size=40), st.integers(1, 60))
def test_a_request_that_is_not_whole_waits(body: bytes, missing: int) -> None:
    """Cut anywhere, it has no end yet."""
    data = HEAD % len(body) + body
    assert whole(data[: max(len(data) - missing, 0)]) is None
