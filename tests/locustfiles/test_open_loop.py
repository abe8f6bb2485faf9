"""Open loops as whole Locust runs: what is due is sent when due, and what is not is told."""

from __future__ import annotations

import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capacity.arrivals import Rate, due_times
from capacity.runfolder import read_attempts, read_levels
from capacity.summary import RECORD_DTYPE, label_counts
from scoring.attempt import FLAG_NEW_CONNECTION, FLAG_RENEWED
from scoring.endpoint import Endpoint
from scoring.units import S
from tests.locustfiles.faultserver import Behaviour, FaultServer, answer, sends
from tests.locustfiles.keyserver import KeyServer, put
from tests.locustfiles.test_run import ROOT, counted, finished, locust, run_folder, wait_for

OPEN_LOOP = str(ROOT / "locustfiles" / "open_loop.py")
BUSY = answer(b"Too many requests", "503 Service Unavailable", "Retry-After: 30")
TWO = ("--processes", "2")
Serve = Callable[[Behaviour], FaultServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that behave as told; they are gone after the test."""
    servers: list[FaultServer] = []

    def start(behaviour: Behaviour) -> FaultServer:
        servers.append(FaultServer(behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def open_folder(parent: Path, server: FaultServer, **plan: Any) -> Path:
    """A folder that asks for an open load on the server: 100 a second for 1 s, unless told otherwise."""
    values = {"is_open": True, "rps": 100.0, "spacing": "constant", "users": None, "max_users": 200} | plan
    return run_folder(parent, server, **values)


def held(folder: Path, *options: str) -> dict[str, Any]:
    """What the load of the folder says of itself, once it is over."""
    code, said = finished(locust(folder, "--run-folder", str(folder), *options, files=OPEN_LOOP))
    assert code == 0, said
    (level,) = read_levels(folder)
    return level


def due_since_opening(folder: Path, level: dict[str, Any]) -> list[int]:
    """When the recorded requests were due, each request once."""
    rows = read_attempts(folder)
    rows = rows[(rows["flags"] & FLAG_RENEWED) == 0]
    return sorted((rows["due_ns"] - level["opened_monotonic_ns"]).tolist())


def scheduled(rate: Rate, spacing: str, seed: int, seconds: float) -> list[int]:
    return list(takewhile(lambda due_ns: due_ns < seconds * S, due_times(rate, spacing, seed)))


def longest_in_table_ms(said: str) -> int:
    """The longest response of Locust's last table: failures, average, least, most."""
    return int(re.findall(r"Aggregated +\d+ +\d+\([\d.]+%\) *\| +\d+ +\d+ +(\d+)", said)[-1])


SCHEDULES = [
    pytest.param({"spacing": "constant"}, Rate(100), id="constant"),
    pytest.param({"spacing": "poisson", "seed": 5, "rps": 150.0}, Rate(150), id="poisson"),
    pytest.param({"spacing": "poisson", "rps": 20.0, "last_rps": 200.0}, Rate(20, 200, 1.0), id="ramp"),
]


@pytest.mark.parametrize(("plan", "rate"), SCHEDULES)
def test_what_is_due_is_sent_and_nothing_else(tmp_path: Path, serve: Serve, plan: dict[str, Any], rate: Rate) -> None:
    """The due times on disk are the schedule to the nanosecond, and the server saw as many requests."""
    server = serve(sends(answer(), keep=True))
    folder = open_folder(tmp_path, server, **plan)
    level = held(folder)
    assert due_since_opening(folder, level) == scheduled(rate, plan["spacing"], plan.get("seed", 1), 1.0)
    assert len(server.requests) == level["attempt_count"] == len(read_attempts(folder))
    assert (level["unsent_count"], level["exhausted_count"], level["spoiled"]) == (0, 0, None)
    rows = read_attempts(folder)
    assert (rows["sent_ns"] >= rows["due_ns"]).all()


def test_two_processes_send_one_schedule(tmp_path: Path, serve: Serve) -> None:
    """Each has every second request of it, and together they send what one alone would."""
    server = serve(sends(answer(), keep=True))
    folder = open_folder(tmp_path, server, spacing="poisson", rps=200.0)
    held(folder, *TWO)
    whole = scheduled(Rate(200), "poisson", 1, 1.0)
    files = [np.fromfile(file, dtype=RECORD_DTYPE) for file in folder.glob("attempts-*.bin")]
    gaps = sorted(np.diff(np.sort(rows["due_ns"])).tolist() for rows in files)
    assert gaps == sorted(np.diff(whole[part::2]).tolist() for part in range(2))
    assert sum(map(len, files)) == len(server.requests) == len(whole)


def test_a_replay_is_sent_at_the_recorded_distances(tmp_path: Path, serve: Serve) -> None:
    """Twice as fast, in the order of time, the first at once."""
    (tmp_path / "instants").write_text("7.0\n5\n5.5\n5.5\n6.25\n")
    server = serve(sends(answer(), keep=True))
    replay = {"rps": None, "replay": str(tmp_path / "instants"), "speed": 2.0, "duration_s": 1.1}
    folder = open_folder(tmp_path, server, **replay)
    assert due_since_opening(folder, held(folder)) == [0, S // 4, S // 4, S * 5 // 8, S]


def test_a_replay_that_is_not_there_is_told_in_one_line(tmp_path: Path, serve: Serve) -> None:
    """As on a worker of another machine; no request is sent."""
    server = serve(sends(answer(), keep=True))
    folder = open_folder(tmp_path, server, rps=None, replay=str(tmp_path / "gone.csv"))
    code, said = finished(locust(folder, "--run-folder", str(folder), files=OPEN_LOOP))
    assert code == 2, said
    assert "gone.csv cannot be read: No such file or directory" in said
    assert "Traceback" not in said
    assert not server.requests


def test_requests_go_on_while_no_answer_comes(tmp_path: Path, serve: Serve) -> None:
    """A server that answers nobody before the 25th request has come gets it: nobody waits for an answer to send."""
    enough = threading.Event()

    def behave(peer: socket.socket, _request: bytes) -> bool:
        if len(server.requests) >= 25:
            enough.set()
        enough.wait(30)
        peer.sendall(answer())
        return True

    server = serve(behave)
    level = held(open_folder(tmp_path, server))
    assert level["attempt_count"] == len(server.requests) == 100
    assert level["exhausted_count"] == 0


def test_a_low_rate_keeps_one_connection_warm(tmp_path: Path, serve: Serve) -> None:
    """The connection used last is used next, so that the pool is opened only as far as it is needed."""
    server = serve(sends(answer(), keep=True))
    folder = open_folder(tmp_path, server, rps=20.0)
    held(folder)
    rows = read_attempts(folder)
    assert len(rows) == 20
    assert server.connections == np.count_nonzero(rows["flags"] & FLAG_NEW_CONNECTION)
    assert server.connections < 10


def test_a_pool_that_runs_out_is_said_and_nothing_is_dropped(tmp_path: Path, serve: Serve) -> None:
    """Of 100 due over one connection that answers 20 in that time, each is sent in its turn or counted as unsent."""
    turn = threading.Event()

    def behave(peer: socket.socket, _request: bytes) -> bool:
        turn.wait(0.05)
        peer.sendall(answer())
        return True

    server = serve(behave)
    folder = open_folder(tmp_path, server, max_users=1)
    code, said = finished(locust(folder, "--run-folder", str(folder), files=OPEN_LOOP))
    assert code == 0, said
    (level,) = read_levels(folder)
    rows = read_attempts(folder)
    assert 1 <= len(rows) == len(server.requests) <= 21
    assert len(rows) + level["unsent_count"] == 100
    assert due_since_opening(folder, level) == scheduled(Rate(100), "constant", 1, 1.0)[: len(rows)]
    assert (np.diff(rows["due_ns"]) > 0).all(), "requests that wait are sent in order"
    assert 80 <= level["exhausted_count"] <= 99
    assert "were due while the one connection was in use: raise --max-users" in level["spoiled"]
    longest_ms = int((rows["done_ns"] - rows["due_ns"]).max()) / 1e6
    assert abs(longest_in_table_ms(said) - longest_ms) <= 1, "Locust's table counts from when due too"


@pytest.mark.parametrize(("processes", "fewest"), [((), 20), (TWO, 10)], ids=["alone", "two processes"])
def test_rejections_hold_no_request_back_but_end_the_load(
    tmp_path: Path, serve: Serve, processes: tuple[str, ...], fewest: int
) -> None:
    """Nobody waits for the 30 s that the endpoint asks for; the budget of harm closes the gate all the same."""
    server = serve(sends(BUSY, keep=True))
    folder = open_folder(tmp_path, server, harm_budget=20, duration_s=30.0, max_users=8)
    level = held(folder, *processes)
    assert fewest <= len(server.requests) <= 28
    assert label_counts(read_attempts(folder)) == {"503": len(server.requests)}
    assert (level["ended_by"], level["rejected_count"]) == ("allowance", len(server.requests))


def test_an_open_load_that_is_stopped_has_told_of_everything_due(tmp_path: Path, serve: Serve) -> None:
    """After SIGINT what was due until then is on disk or counted as never sent, and the server saw the former."""
    server = serve(sends(answer(), keep=True))
    folder = open_folder(tmp_path, server, spacing="poisson", duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder), files=OPEN_LOOP)
    wait_for(lambda: len(server.requests) > 50, child)
    child.send_signal(signal.SIGINT)
    finished(child)
    (level,) = read_levels(folder)
    due = scheduled(Rate(100), "poisson", 1, level["seconds"])
    assert level["ended_by"] == "stopped"
    assert len(server.requests) == len(read_attempts(folder))
    assert len(server.requests) + level["unsent_count"] == len(due)
    assert due_since_opening(folder, level) == due[: len(server.requests)]


def test_a_renewal_in_the_middle_loses_no_request(tmp_path: Path) -> None:
    """What was answered 401 is sent again and keeps the time at which it was due; nothing due is left out."""
    server = KeyServer("first-key-0a1b2c")
    put(tmp_path / "key", "first-key-0a1b2c")
    endpoint = Endpoint("local", server.uri, auth="key", key_file=str(tmp_path / "key"))
    folder = open_folder(tmp_path, server, endpoint=endpoint, duration_s=2.0)
    child = locust(folder, "--run-folder", str(folder), files=OPEN_LOOP)
    server.until_asked(50)
    put(tmp_path / "key", "second-key-3d4e5f")
    server.keys = frozenset({"second-key-3d4e5f"})
    code, said = finished(child)
    server.close()
    assert code == 0, said
    (level,) = read_levels(folder)
    assert level["renewed_count"] == server.refused_count >= 1
    assert due_since_opening(folder, level) == scheduled(Rate(100), "constant", 1, 2.0)
    rows = read_attempts(folder)
    refused = rows[(rows["flags"] & FLAG_RENEWED) != 0]
    assert set(refused["due_ns"]) <= set(rows["due_ns"][(rows["flags"] & FLAG_RENEWED) == 0])
    assert label_counts(rows[(rows["flags"] & FLAG_RENEWED) == 0]) == {"200": 200}


def test_the_file_runs_in_a_plain_locust(tmp_path: Path, serve: Serve) -> None:
    """`locust -f open_loop.py --rps 60`: Locust's statistics show what the server saw."""
    server = serve(sends(answer(), keep=True))
    options = ("--host", server.uri, "--rps", "60", "--spacing", "constant", "--max-users", "8", "-t", "1s")
    code, said = finished(locust(tmp_path, *options, files=OPEN_LOOP))
    assert code == 0, said
    assert counted(said) == (len(server.requests), 0)
    assert 30 <= len(server.requests) <= 60


CLOSED_LOOP = str(ROOT / "locustfiles" / "closed_loop.py")
MISTAKES = [
    pytest.param(OPEN_LOOP, (), "no rate is given for an open loop", "add --rps 50", id="no rate"),
    pytest.param(OPEN_LOOP, ("--rps", "-5"), "--rps -5.0 is no rate", "add --rps 50", id="below 0"),
    pytest.param(OPEN_LOOP, ("--rps", "nan"), "--rps nan is no rate", "add --rps 50", id="not a number"),
    pytest.param(CLOSED_LOOP, ("--rps", "5"), "this file is a closed one", "locust -f open_loop.py", id="closed"),
]


@pytest.mark.parametrize(("file", "options", "words", "hint"), MISTAKES)
def test_a_rate_that_cannot_be_is_told_in_one_line(
    tmp_path: Path, serve: Serve, file: str, options: tuple[str, ...], words: str, hint: str
) -> None:
    """With a hint, and no request is sent."""
    server = serve(sends(answer(), keep=True))
    code, said = finished(locust(tmp_path, "--host", server.uri, *options, "-t", "1s", files=file))
    assert code == 2, said
    assert words in said
    assert f"hint: {hint}" in said
    assert "Traceback" not in said
    assert not server.requests
