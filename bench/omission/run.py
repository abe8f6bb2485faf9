"""What load generators say of a server that stands still for 2 s, beside the truth (coordinated omission).

    python bench/omission/run.py [TOOL ...]

400 requests a second for 15 s at a server of 20 ms (server.py), which stands still from its 2,400th request on. The
truth is what a request of the schedule meets that is sent when due. Generators without a rate have 8 users, which come
to 400 a second while nothing is slow. A tool that is not there is said to be not installed. About two minutes.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "generator"), str(ROOT)]

import numpy as np  # noqa: E402
from server import finished_ns  # noqa: E402
from tools import KEY as BENCH_KEY  # noqa: E402
from tools import KEY_VARIABLE, REQUEST_ID, Load, arguments, environment, installed, prepare, run  # noqa: E402

from capacity.arrivals import Rate, due_times  # noqa: E402
from capacity.runfolder import read_levels  # noqa: E402
from capacity.stats import nearest_rank  # noqa: E402

RPS, SECONDS, USERS = 400, 15, 8
STALL_FROM_S = 6.0
Pair = tuple[float | None, float | None]
"""p99 and p99.9 in milliseconds; None: the tool does not tell it."""


def main() -> None:
    given = arguments(__doc__, TOOLS)
    print(f"{'generator':34}{'p99 ms':>10}{'p99.9 ms':>10}{'truth':>10}{'truth':>10}{'off by':>18}")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        for tool in given.part or TOOLS:
            program, measure = TOOLS[tool]
            if not installed(program):
                print(f"{tool:34}{'not installed':>14}")
                continue
            with standing_still(Path(name)) as ready:
                port = json.loads(ready.read_text())["port"]
                load = Load(f"http://127.0.0.1:{port}/score", Path(name), USERS, SECONDS)
                for row, found, truth in measure(load, ready):
                    _print(row, found, truth)


@contextlib.contextmanager
def standing_still(folder: Path) -> Iterator[Path]:
    """The ready file of a fresh server."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, str(HERE / "server.py"), str(ready)])
    try:
        for _ in range(200):
            if ready.exists() or process.poll() is not None:
                break
            time.sleep(0.02)
        yield ready
    finally:
        process.terminate()
        process.wait()


def truth(spacing: str = "constant", opened_ns: int = 0, stall_from_ns: int = int(STALL_FROM_S * 1e9)) -> Pair:
    """p99 and p99.9 of the schedule against a server that stands still then."""
    due_ns = takewhile(lambda since_ns: since_ns < SECONDS * 10**9, due_times(Rate(RPS), spacing, 1))
    took_ns = sorted(finished_ns(opened_ns + at, stall_from_ns) - opened_ns - at for at in due_ns)
    p99, p999 = (nearest_rank(np.array(took_ns), share) / 1e6 for share in (0.99, 0.999))
    return p99, p999


Row = tuple[str, Pair, Pair]


def redline_open(spacing: str) -> Callable[[Load, Path], list[Row]]:
    """From when due, and beside it from sending."""

    def measure(load: Load, ready: Path) -> list[Row]:
        rate = ("--rps", str(RPS), "--arrivals", spacing, "--max-users", "1000")
        told, folder = _redline(load, *rate)
        (level,) = read_levels(folder)
        true = truth(spacing, level["opened_monotonic_ns"], json.loads(ready.read_text())["from_ns"])
        schedule = told["schedule"]
        if schedule["sent_count"] != schedule["due_count"]:
            print(f"  {schedule['due_count']} due, {schedule['sent_count']} sent")
        return [
            (f"redline --rps, {spacing}", _percentiles(told, "from_due_ms"), true),
            ("  from sending", _percentiles(told, "ms"), true),
        ]

    return measure


def redline_closed(load: Load, _ready: Path) -> list[Row]:
    told, _ = _redline(load, "--users", str(load.users))
    return [
        ("redline --users, corrected", _percentiles(told, "corrected_ms"), truth()),
        ("  raw", _percentiles(told, "ms"), truth()),
    ]


def fast_http_user(load: Load, _ready: Path) -> list[Row]:
    """Locust's own statistics."""
    file = HERE.parent / "generator" / "fast_http_user.py"
    more = ["--host", load.uri.removesuffix("/score"), "-u", str(load.users), "-r", "100", "-t", f"{load.seconds}s"]
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary", *more]
    with open(load.folder / "locust", "w") as said:
        subprocess.run(command, cwd=load.folder, env=environment(load.folder), stdout=said, stderr=said, check=True)
    text = (load.folder / "locust").read_text()
    numbers = re.findall(r"Aggregated +((?:\d+ +){11}\d+)", text)[-1].split()
    return [("Locust FastHttpUser", (float(numbers[7]), float(numbers[8])), truth())]


def ab(load: Load, _ready: Path) -> list[Row]:
    csv = load.folder / "ab.csv"
    options = ["-q", "-k", "-t", str(load.seconds), "-n", "2000000", "-c", str(load.users), "-e", str(csv)]
    options += ["-p", str(load.body), "-T", "application/json", "-H", f"Authorization: Bearer {BENCH_KEY}"]
    run(["ab", *options, load.uri], load.folder)
    shares = dict(line.split(",") for line in csv.read_text().splitlines()[1:])
    return [("ab", (float(shares["99"]), None), truth())]


def hey(load: Load, _ready: Path) -> list[Row]:
    options = ["-z", f"{load.seconds}s", "-c", str(load.users), "-q", str(RPS // load.users), "-m", "POST"]
    options += ["-D", str(load.body), "-T", "application/json", "-H", f"x-ms-client-request-id: {REQUEST_ID}"]
    ended = run(["hey", *options, load.uri], load.folder)
    (seconds,) = re.findall(r"99% in ([\d.]+) secs", ended.stdout)
    return [("hey -q", (float(seconds) * 1e3, None), truth())]


def wrk(load: Load, _ready: Path) -> list[Row]:
    options = ["-t1", f"-c{load.users}", f"-d{load.seconds}s", "--latency", "-s", str(load.folder / "post.lua")]
    ended = run(["wrk", *options, load.uri], load.folder)
    ((number, unit),) = re.findall(r"99%\s+([\d.]+)(ms|s)", ended.stdout)
    return [("wrk", (float(number) * (1 if unit == "ms" else 1e3), None), truth())]


TOOLS: dict[str, tuple[str, Callable[[Load, Path], list[Row]]]] = {
    "constant": ("locust", redline_open("constant")),
    "poisson": ("locust", redline_open("poisson")),
    "closed": ("locust", redline_closed),
    "fast-http-user": ("locust", fast_http_user),
    "ab": ("ab", ab),
    "hey": ("hey", hey),
    "wrk": ("wrk", wrk),
}
"""By the word of the command line: the program it needs, and how to run it."""


def _redline(load: Load, *rate: str) -> tuple[dict[str, Any], Path]:
    """The report, and the run folder."""
    folder = load.folder / f"run-{time.monotonic_ns()}"
    words = ["load", "--url", load.uri, "--key-env", KEY_VARIABLE, "--payload", str(load.body), "--quiet", "--json"]
    words += [*rate, "--for", f"{load.seconds}s", "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words],
        cwd=load.folder,
        env=environment(load.folder),
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), folder


def _percentiles(told: dict[str, Any], name: str) -> Pair:
    found = {one["name"]: one[name] for one in told["latency_ms"]["percentiles"]}
    return found["p99"], found["p99.9"]


def _print(row: str, found: Pair, true: Pair) -> None:
    pairs = list(zip(found, true, strict=True))
    off = ["–" if one is None or other is None else f"{one / other - 1:+.1%}" for one, other in pairs]
    numbers = "".join(f"{'–' if ms is None else f'{ms:,.0f}':>10}" for ms in (*found, *true))
    print(f"{row:34}{numbers}{', '.join(off):>18}", flush=True)


if __name__ == "__main__":
    main()
