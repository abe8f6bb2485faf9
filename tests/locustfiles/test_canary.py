"""The canary: a process that sends single requests, and a search in which it stands in for users."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capacity.plan import Plan
from capacity.runfolder import Anchor, create, read_attempts
from scoring.attempt import FLAG_CANARY, FLAG_TRANSIENT
from scoring.canary import asked_line, told_first
from scoring.endpoint import Endpoint
from tests.locustfiles.faultserver import FaultServer, answer, resets_after, sends
from tests.locustfiles.test_run import finished, locust

ROOT = Path(__file__).parents[2]
REQUEST = b"POST /score HTTP/1.1\r\nHost: local\r\nContent-Length: 2\r\n\r\n{}"
DEADLINE_NS = 2_000_000_000


class Asked:
    """A canary process, and what it says to each line."""

    def __init__(self, port: int) -> None:
        self._number = 0
        command = [sys.executable, "-P", "-m", "scoring.canary"]
        self._child = subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        endpoint = Endpoint("local", f"http://127.0.0.1:{port}/score")
        self._write(told_first(endpoint, DEADLINE_NS, 10_000))

    def prepares(self) -> bool:
        """Whether it has a connection."""
        return bool(self._says(None)["ready"])

    def sends(self, request: bytes) -> dict[str, Any]:
        """What came of the request."""
        return self._says(request)

    def _says(self, request: bytes | None) -> dict[str, Any]:
        self._number += 1
        self._write(asked_line(self._number, request))
        assert self._child.stdout is not None
        said: dict[str, Any] = json.loads(self._child.stdout.readline())
        assert said["number"] == self._number
        return said

    def _write(self, asked: bytes) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(asked)
        self._child.stdin.flush()

    def end(self) -> int:
        """Its exit code once its input has closed."""
        self._child.communicate(timeout=10)
        return self._child.returncode


@pytest.fixture
def server() -> Iterator[FaultServer]:
    made = FaultServer(sends(answer(b"[1]", "200 OK", "x-ms-run-fn-exec-ms: 12.5"), keep=True))
    yield made
    made.close()


def test_the_canary_sends_what_it_is_told_and_tells_what_came(server: FaultServer) -> None:
    """The bytes of the request as they are; status, the endpoint's own time and the body. It ends with its input."""
    canary = Asked(server.port)
    assert canary.prepares()
    said = canary.sends(REQUEST)
    assert canary.end() == 0
    assert server.requests == [REQUEST]
    assert (said["status"], said["server_us"], said["body"], said["size"]) == (200, 12_500, "WzFd", 3)
    assert said["sent_ns"] < said["done_ns"]


def test_a_connection_that_no_turn_came_for_sends_nothing(server: FaultServer) -> None:
    """Prepared twice, asked once: one request."""
    canary = Asked(server.port)
    assert [canary.prepares(), canary.prepares()] == [True, True]
    assert canary.sends(REQUEST)["status"] == 200
    canary.end()
    assert len(server.requests) == 1


def test_a_canary_without_a_connection_says_so(server: FaultServer) -> None:
    """Nothing listens: not ready, and it can be asked again."""
    server.close()
    canary = Asked(server.port)
    assert [canary.prepares(), canary.prepares()] == [False, False]
    assert canary.end() == 0


def test_a_cut_answer_is_no_answer(server: FaultServer) -> None:
    """The connection is reset in the middle: no status, and the next request has its chance."""
    server.behaviour = resets_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
    canary = Asked(server.port)
    canary.prepares()
    assert canary.sends(REQUEST)["status"] is None
    assert canary.prepares()
    canary.end()


class Counting:
    """Answers after 10 ms, and knows how many requests were there at once at most."""

    def __init__(self) -> None:
        self._lock, self._rest = threading.Lock(), threading.Event()
        self._here, self.most = 0, 0

    def __call__(self, peer: Any, _request: bytes) -> bool:
        with self._lock:
            self._here += 1
            self.most = max(self.most, self._here)
        self._rest.wait(0.01)
        with self._lock:
            self._here -= 1
        peer.sendall(answer())
        return True


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FaultServer, Counting]:
    """Six users for two seconds: the run folder, and what the server saw."""
    counting = Counting()
    server = FaultServer(counting)
    plan = Plan("limit", Endpoint("local", server.uri), max_users=6)
    anchor = Anchor(datetime.now(UTC), time.monotonic_ns())
    folder = create(tmp_path_factory.mktemp("canary"), plan, versions={}, anchor=anchor)
    child = locust(folder, environment={"REDLINE_RUN": str(folder)}, files=str(ROOT / "tests/locustfiles/one_hold.py"))
    assert finished(child)[0] == 0
    server.close()
    return folder, server, counting


def test_the_canary_never_adds_to_the_load(held: tuple[Path, FaultServer, Counting]) -> None:
    """With six users there are never seven requests at the endpoint, the canary's among them."""
    folder, _, counting = held
    canary = read_attempts(folder)["flags"] & FLAG_CANARY
    assert canary.any()
    assert counting.most == 6


def test_every_request_of_the_canary_is_on_record(held: tuple[Path, FaultServer, Counting]) -> None:
    """As many attempts as the server counted; the canary's are told, and are no evidence."""
    folder, server, _ = held
    rows = read_attempts(folder)
    canary = rows[(rows["flags"] & FLAG_CANARY) != 0]
    told = json.loads((folder / "health.json").read_text())["canary_count"]
    assert len(rows) == len(server.requests)
    assert told == len(canary)
    assert ((canary["flags"] & FLAG_TRANSIENT) != 0).all()
