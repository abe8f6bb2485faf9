"""Whole Locust runs as child processes: alone, with --processes, stopped in the middle, listened to, killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from capacity.plan import Plan
from capacity.runfolder import Anchor, create, read_attempts, read_failures, read_levels
from capacity.summary import label_counts
from scoring.endpoint import Endpoint
from tests.locustfiles.faultserver import FaultServer, answer, sends, stalls

ROOT = Path(__file__).parents[2]
CLOSED_LOOP = ROOT / "locustfiles" / "closed_loop.py"
KEY = "k3y-that-nobody-may-see"
BUSY = answer(b"Too many requests", "503 Service Unavailable")


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], FaultServer]]:
    """Starts servers that give one answer to everything; they are gone after the test."""
    servers: list[FaultServer] = []

    def start(data: bytes = answer()) -> FaultServer:
        servers.append(FaultServer(sends(data, keep=True)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def locust(
    cwd: Path, *arguments: str, environment: dict[str, str] | None = None, files: str = str(CLOSED_LOOP)
) -> subprocess.Popen[str]:
    """A headless Locust with our file, started in `cwd`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST", "REDLINE"))}
    return subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary", *arguments],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "HOME": str(cwd)} | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(child: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything the child said."""
    said, _ = child.communicate(timeout=60)
    return child.returncode, said


def run_folder(parent: Path, server: FaultServer, **plan: Any) -> Path:
    """A folder that asks for a fixed load on the server."""
    values = {"users": 4, "duration_s": 1.0, "harm_budget": 1_000_000} | plan
    endpoint = values.pop("endpoint", Endpoint("local", server.uri))
    made = Plan(values.pop("command", "load"), endpoint, **values)
    anchor = Anchor(datetime.now(UTC), time.monotonic_ns())
    return create(parent, made, versions={}, anchor=anchor)


def counted(said: str) -> tuple[int, int]:
    """Requests and failures in the last totals that Locust printed."""
    total = re.findall(r"Aggregated +(\d+) +(\d+)\(", said)[-1]
    return int(total[0]), int(total[1])


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two processes"])
def test_a_plain_run_counts_what_the_server_counts(
    tmp_path: Path, serve: Callable[..., FaultServer], processes: tuple[str, ...]
) -> None:
    """Without a run folder Locust's own statistics show every request the server saw, no more and no less."""
    server = serve()
    options = ("--host", server.uri, "-u", "6", "-r", "6", "-t", "1s", *processes)
    code, said = finished(locust(tmp_path, *options))
    assert code == 0, said
    assert len(server.requests) > 100
    assert counted(said) == (len(server.requests), 0)


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two processes"])
def test_a_recorded_load_has_a_record_for_every_request(
    tmp_path: Path, serve: Callable[..., FaultServer], processes: tuple[str, ...]
) -> None:
    """Disk, Locust's statistics and the server agree, and every id on disk is one the server has seen."""
    server = serve()
    folder = run_folder(tmp_path, server)
    code, said = finished(locust(folder, "--run-folder", str(folder), *processes))
    assert code == 0, said
    rows = read_attempts(folder)
    assert len(rows) == len(server.requests) > 100
    assert counted(said) == (len(rows), 0)
    seen = {request.partition(b"x-ms-client-request-id: ")[2][:32].decode() for request in server.requests}
    assert {row.tobytes().hex() for row in rows["id"]} == seen
    (level,) = read_levels(folder)
    assert (level["users"], level["ended_by"], level["spoiled"]) == (4, "max_s", None)
    assert level["attempt_count"] == len(rows)


SHARES = [
    pytest.param((), 20, id="alone"),
    pytest.param(("--processes", "2"), 10, id="two processes"),  # a worker that has used up its half ends the hold
]


@pytest.mark.parametrize(("processes", "fewest"), SHARES)
def test_a_load_ends_with_the_last_rejection_it_may_cause(
    tmp_path: Path, serve: Callable[..., FaultServer], processes: tuple[str, ...], fewest: int
) -> None:
    """Beyond the budget come at most the requests that were already in flight, one for each user."""
    server = serve(BUSY)
    folder = run_folder(tmp_path, server, harm_budget=20, duration_s=30.0)
    code, said = finished(locust(folder, "--run-folder", str(folder), *processes))
    assert code == 0, said
    assert fewest <= len(server.requests) <= 24
    assert label_counts(read_attempts(folder)) == {"503": len(server.requests)}
    assert len(read_failures(folder)) == len(server.requests)
    assert read_levels(folder)[0]["ended_by"] == "allowance"


def test_a_rejected_user_waits_as_long_as_the_endpoint_asks(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """With Retry-After: 1 no user sends a second request within the second after its answer."""
    server = serve(answer(b"busy", "429 Too Many Requests", "Retry-After: 1"))
    folder = run_folder(tmp_path, server, users=2, duration_s=1.5)
    code, said = finished(locust(folder, "--run-folder", str(folder)))
    assert code == 0, said
    rows = read_attempts(folder)
    assert len(rows) == 4
    first_two, last_two = rows[:2], rows[2:]
    assert last_two["sent_ns"].min() - first_two["done_ns"].min() >= 1_000_000_000


def test_listeners_of_others_hear_every_request_once(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """A second locustfile that listens to events.request gets each attempt, and Locust counts none twice."""
    server = serve(BUSY)
    (tmp_path / "listener.py").write_text(
        "from locust import events\n"
        "heard = []\n"
        "@events.request.add_listener\n"
        "def hear(response_time, exception, **_): heard.append((response_time, str(exception)))\n"
        "@events.quit.add_listener\n"
        "def tell(**_): open('heard.txt', 'w').write(f'{len(heard)} {set(e for _, e in heard)}')\n"
    )
    files = f"{CLOSED_LOOP},{tmp_path / 'listener.py'}"
    options = ("--host", server.uri, "-u", "2", "-r", "2", "-t", "1s", "--exit-code-on-error", "0")
    code, said = finished(locust(tmp_path, *options, files=files))
    assert code == 0, said
    assert (tmp_path / "heard.txt").read_text() == f"{len(server.requests)} {{'503'}}"
    assert counted(said) == (len(server.requests), len(server.requests))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_keeps_everything(
    tmp_path: Path, serve: Callable[..., FaultServer], number: signal.Signals
) -> None:
    """A signal in the middle: what was in flight ends, everything is on disk, and the level says it was stopped."""
    server = serve()
    folder = run_folder(tmp_path, server, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder))
    wait_for(lambda: len(server.requests) > 50, child)
    child.send_signal(number)
    finished(child)
    rows = read_attempts(folder)
    assert label_counts(rows) == {"200": len(server.requests)}
    assert read_levels(folder)[0]["ended_by"] == "stopped"


def test_what_outlasts_a_stop_is_recorded_as_aborted(tmp_path: Path) -> None:
    """Requests that are still unanswered a few seconds after the stop have a record each that says so."""
    server = FaultServer(stalls)
    folder = run_folder(tmp_path, server, users=3, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder))
    wait_for(lambda: len(server.requests) == 3, child)
    child.terminate()
    finished(child)
    server.close()
    assert label_counts(read_attempts(folder)) == {"aborted": 3}
    assert {line["detail"].partition(",")[0] for line in read_failures(folder)} == {
        "the run ended while waiting for the answer"
    }


def test_a_killed_run_is_readable(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """SIGKILL loses at most the last tenth of a second."""
    server = serve()
    folder = run_folder(tmp_path, server, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder))
    wait_for(lambda: len(read_attempts(folder)) > 0, child)
    child.kill()
    finished(child)
    assert 0 < len(read_attempts(folder)) <= len(server.requests)


def test_a_silent_worker_spoils_the_hold(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """A worker process that is frozen for more than a second is noticed, and the level says so."""
    server = serve()
    folder = run_folder(tmp_path, server, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder), "--processes", "2")
    wait_for(lambda: len(list(folder.glob("attempts-*.bin"))) == 2, child)
    worker = int(Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()[0])
    os.kill(worker, signal.SIGSTOP)
    try:
        wait_for(lambda: bool(read_levels(folder)), child)
    finally:
        os.kill(worker, signal.SIGCONT)
    finished(child)
    assert read_levels(folder)[0]["spoiled"].endswith("fell silent")


def test_no_output_of_a_run_shows_the_key(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """Page, CSV files, log, run folder and arguments are searched for the key, which the server did receive."""
    server = serve(answer(f"refused: Bearer {KEY}".encode(), "401 Unauthorized"))
    endpoint = Endpoint("local", server.uri, auth="key", key_env="SCORING_KEY")
    folder = run_folder(tmp_path, server, endpoint=endpoint)
    options = ("--run-folder", str(folder), "--csv", "out", "--html", "out.html", "--loglevel", "DEBUG")
    child = locust(folder, *options, environment={"SCORING_KEY": KEY})
    wait_for(lambda: bool(server.requests), child)
    arguments = Path(f"/proc/{child.pid}/cmdline").read_bytes()
    _, said = finished(child)
    assert f"Authorization: Bearer {KEY}".encode() in server.requests[0]
    everything = [arguments, said.encode(), *(file.read_bytes() for file in folder.rglob("*") if file.is_file())]
    assert all(KEY.encode() not in text for text in everything)
    assert len(read_failures(folder)) > 0


MISTAKES = [
    pytest.param(("--host", "ftp://x/"), 2, "`ftp://x/` is no http or https address", id="a strange URI"),
    pytest.param((), 2, "no scoring URI is given", id="no URI"),
    pytest.param(
        ("--host", "http://127.0.0.1:1/", "--key-env", "NO_SUCH_KEY"), 4, "NO_SUCH_KEY is not set", id="no key"
    ),
    pytest.param(("--host", "http://127.0.0.1:1/", "--deadline", "soon"), 2, "`soon` is not a duration", id="a word"),
    pytest.param(("--host", "http://127.0.0.1:1/", "--goal", "fast"), 2, "`fast` is not a goal", id="no goal"),
    pytest.param(("--run-folder", "gone"), 2, "there is no run folder gone", id="no run folder"),
]


@pytest.mark.parametrize(("options", "code", "words"), MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, options: tuple[str, ...], code: int, words: str) -> None:
    """Wrong options end the run before it starts, with our exit code, a hint, and no traceback."""
    found, said = finished(locust(tmp_path, *options, "-t", "1s"))
    assert found == code, said
    assert words in said
    assert "hint: " in said
    assert "Traceback" not in said


def test_progress_is_told_on_the_given_descriptor(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """JSON lines: the trial begins, ticks with counts, ends."""
    server = serve()
    folder = run_folder(tmp_path, server)
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(CLOSED_LOOP), "--headless", "--only-summary"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDLINE_RUN": str(folder)}
        | {"REDLINE_PROGRESS_FD": str(writing)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(writing,),
    )
    os.close(writing)
    with open(reading) as stream:
        messages = [json.loads(line) for line in stream]
    assert child.wait(30) == 0
    kinds = [message["kind"] for message in messages]
    assert (kinds[0], kinds[-1]) == ("trial", "trial_end")
    last = [message for message in messages if message["kind"] == "tick"][-1]
    assert last["labels"]["200"] > 100
    assert (last["users"], last["rejected_count"]) == (4, 0)


def test_a_run_whose_starter_is_gone_ends_itself(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """REDLINE_PARENT names a process that has ended: the run stops instead of loading the endpoint for an hour."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = run_folder(tmp_path, serve(), duration_s=3_600.0)
    child = locust(folder, "--run-folder", str(folder), environment={"REDLINE_PARENT": str(gone.pid)})
    _, said = finished(child)
    assert "the process that started this run has ended" in said


def wait_for(seen: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    """Returns once `seen` is true; fails when the child ends before."""
    pause = threading.Event()
    while not seen():
        assert child.poll() is None, child.communicate()[0]
        pause.wait(0.02)
