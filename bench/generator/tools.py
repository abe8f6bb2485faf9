"""Each load generator as one function: it runs, ends, and says how many requests it made at what processor time."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL

from capacity.plan import Plan
from capacity.runfolder import Anchor, create, read_attempts
from scoring.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CLOSED_LOOP = ROOT / "locustfiles" / "closed_loop.py"
OPEN_LOOP = ROOT / "locustfiles" / "open_loop.py"
WARM_S = 0.5
KEY_VARIABLE, BODY_VARIABLE = "BENCH_KEY", "BENCH_BODY"
KEY = "k" * 32
BODY = b'{"data": [' + b"0.1234567890, " * 56 + b"0.12]}"  # 800 bytes
REQUEST_ID = "0123456789abcdef" * 2
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["x-ms-client-request-id"] = "{request_id}"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
file:close()
"""


@dataclass(frozen=True)
class Load:
    """What every generator is asked for."""

    uri: str
    folder: Path  # for files; holds no Python
    users: int
    seconds: int
    pin: tuple[str, ...] = ()

    @property
    def body(self) -> Path:
        return self.folder / "body.json"


@dataclass(frozen=True)
class Figures:
    """What one run of a generator came to."""

    requests: int
    rate_rps: float
    busy_ratio: float  # processor time per second, all processes of the generator together
    failures: int = 0

    @property
    def cpu_us(self) -> float:
        """Processor time per request."""
        return self.busy_ratio / self.rate_rps * 1e6


@dataclass(frozen=True)
class Ended:
    """A child process that has ended, with what it and its own children took."""

    stdout: str
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Run:
    """One run of redline's own generator."""

    figures: Figures
    ended: Ended
    folder: Path


def arguments(about: str | None, parts: Collection[str], **defaults: int) -> argparse.Namespace:
    """`part` (those named, all when none is) and one whole number for each of the defaults."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    if unknown := set(given.part) - set(parts):
        parser.error(f"{', '.join(sorted(unknown))}: the parts are {', '.join(parts)}")
    return given


def prepare(folder: Path) -> None:
    """The request body and wrk's script are in the folder."""
    assert len(BODY) == 800
    body = folder / "body.json"
    body.write_bytes(BODY)
    (folder / "post.lua").write_text(LUA.format(key=KEY, request_id=REQUEST_ID, body=body))


def environment(folder: Path) -> dict[str, str]:
    """What every child process finds in its environment."""
    return {**os.environ, "PYTHONPATH": str(ROOT), KEY_VARIABLE: KEY, BODY_VARIABLE: str(folder / "body.json")}


def run(command: list[str], folder: Path) -> Ended:
    """Runs to its end in the folder. Ends the benchmark with what the child said when it failed."""
    with open(folder / "stderr", "w+") as errors:
        child = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert child.stdout is not None
        stdout = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        errors.seek(0)
        if child.returncode:
            raise SystemExit(f"{command} ended with {child.returncode}:\n{stdout[-1000:]}{errors.read()[-2000:]}")
    return Ended(stdout, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def wrk(load: Load) -> Figures:
    options = ["-t1", f"-c{load.users}", f"-d{load.seconds}s", "-s", str(load.folder / "post.lua")]
    ended = run([*load.pin, "wrk", *options, load.uri], load.folder)
    _all_good(ended)
    requests, took_s = _found(r"(\d+) requests in ([\d.]+)s", ended.stdout)
    return Figures(int(requests), requests / took_s, ended.cpu_s / took_s)


def hey(load: Load) -> Figures:
    options = ["-z", f"{load.seconds}s", "-c", str(load.users), "-m", "POST", "-D", str(load.body)]
    options += ["-T", "application/json", "-H", f"Authorization: Bearer {KEY}"]
    ended = run([*load.pin, "hey", *options, "-H", f"x-ms-client-request-id: {REQUEST_ID}", load.uri], load.folder)
    (took_s,) = _found(r"Total:\s+([\d.]+) secs", ended.stdout)
    (requests,) = _found(r"\[200\]\s+(\d+) responses", ended.stdout)
    return Figures(int(requests), requests / took_s, ended.cpu_s / took_s)


def ab(load: Load) -> Figures:
    options = ["-q", "-k", "-t", str(load.seconds), "-n", "2000000", "-c", str(load.users), "-p", str(load.body)]
    options += ["-T", "application/json", "-H", f"Authorization: Bearer {KEY}"]
    ended = run([*load.pin, "ab", *options, "-H", f"x-ms-client-request-id: {REQUEST_ID}", load.uri], load.folder)
    _all_good(ended)
    (took_s,) = _found(r"Time taken for tests:\s+([\d.]+) seconds", ended.stdout)
    (requests,) = _found(r"Complete requests:\s+(\d+)", ended.stdout)
    return Figures(int(requests), requests / took_s, ended.cpu_s / took_s)


def redline(load: Load, *more: str, any_body: bool = False) -> Run:
    """closed_loop.py with a run folder, every attempt on disk; `more` are options for Locust."""
    folder = _run_folder(load, any_body)
    return _recorded(folder, *_locust(load, CLOSED_LOOP, "--run-folder", str(folder), *more))


def redline_open(load: Load, rps: float) -> Run:
    """open_loop.py at that rate, Poisson arrivals, over `load.users` connections."""
    folder = _run_folder(load, any_body=False, rps=rps)
    return _recorded(folder, *_locust(load, OPEN_LOOP, "--run-folder", str(folder)))


def redline_with_workers(load: Load) -> Run:
    """The same as a master and two workers, each started by itself."""
    folder = _run_folder(load, any_body=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    joined = [sys.executable, "-m", "locust", "-f", str(CLOSED_LOOP), "--worker", "--master-port", port]
    ours = ["--run-folder", str(folder)]
    workers = [
        subprocess.Popen(
            [*joined, *ours], cwd=load.folder, env=environment(load.folder), stdout=DEVNULL, stderr=DEVNULL
        )
        for _ in range(2)
    ]
    bind = ["--master", "--expect-workers", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    try:
        return _recorded(folder, *_locust(load, CLOSED_LOOP, *bind, *ours))
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


def redline_checked(load: Load) -> Figures:
    return redline(load).figures


def redline_any_body(load: Load) -> Figures:
    return redline(load, any_body=True).figures


def redline_fresh_bodies(load: Load) -> Figures:
    """No answer equals an earlier one, so that each is parsed: a body judged good before is only looked up."""
    return redline(replace(load, uri=load.uri.replace("/score", "/fresh"))).figures


def fast_http_user(load: Load) -> Figures:
    return _locust(load, HERE / "fast_http_user.py", *_plain(load))[0]


def http_user(load: Load) -> Figures:
    return _locust(load, HERE / "http_user.py", *_plain(load))[0]


def installed(program: str) -> bool:
    """Whether the tool of that name can be run; those of Python came with the environment."""
    return program == "locust" or shutil.which(program) is not None


TOOLS: dict[str, tuple[str, Callable[[Load], Figures]]] = {
    "wrk": ("wrk", wrk),
    "ab": ("ab", ab),
    "redline, any body": ("locust", redline_any_body),
    "redline": ("locust", redline_checked),
    "redline, new bodies": ("locust", redline_fresh_bodies),
    "hey": ("hey", hey),
    "FastHttpUser": ("locust", fast_http_user),
    "HttpUser": ("locust", http_user),
}
"""By the name in the table: the program it needs, and how to run it."""


def _run_folder(load: Load, any_body: bool, rps: float | None = None) -> Path:
    """A fresh run folder that asks for the load: of an open loop where a rate is given."""
    plan = Plan(
        "load",
        Endpoint("bench", load.uri, auth="key", key_env=KEY_VARIABLE),
        payload=str(load.body),
        expect_json=not any_body,
        users=load.users,
        max_users=load.users,
        is_open=rps is not None,
        rps=rps,
        duration_s=float(load.seconds),
        budget_s=float(load.seconds),
        harm_budget=1_000_000,
    )
    anchor = Anchor(datetime.now(UTC), time.monotonic_ns())
    return create(load.folder / "runs", plan, versions={}, anchor=anchor)


def _recorded(folder: Path, figures: Figures, ended: Ended) -> Run:
    """The rate is that of the records from WARM_S on: a master hears of requests too seldom to tell it."""
    done_s = read_attempts(folder)["done_ns"] / 1e9
    since_s = done_s.min() + WARM_S
    rate_rps = float((done_s >= since_s).sum() / (done_s.max() - since_s))
    return Run(replace(figures, rate_rps=rate_rps), ended, folder)


def _plain(load: Load) -> list[str]:
    host = load.uri.removesuffix("/score")
    return ["--host", host, "-u", str(load.users), "-r", str(max(load.users, 100)), "-t", f"{load.seconds}s"]


def _locust(load: Load, file: Path, *more: str) -> tuple[Figures, Ended]:
    """Counts are those of the only process or the master; processor time is that of all processes together."""
    files = f"{file},{HERE / 'figures.py'}"
    command = [*load.pin, sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary", *more]
    ended = run(command, load.folder)
    lines = [json.loads(line) for line in re.findall(r"^FIGURES (.*)$", ended.stdout, re.MULTILINE)]
    whole = max(lines, key=lambda line: line["requests"])
    return Figures(**{**whole, "busy_ratio": sum(line["busy_ratio"] for line in lines)}), ended


def _all_good(ended: Ended) -> None:
    """wrk and ab count answers of any status as requests, and mention the bad ones."""
    if "Non-2xx" in ended.stdout:
        raise SystemExit(f"answers other than 200:\n{ended.stdout[-2000:]}")


def _found(pattern: str, text: str) -> tuple[float, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"no {pattern!r} in:\n{text[-2000:]}")
    return tuple(map(float, match.groups()))
