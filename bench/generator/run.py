"""Load generators side by side against one nginx: requests per second of a client core, counts, memory.

    python bench/generator/run.py [rate] [open] [counts] [processes] [memory] [--rounds 3] [--seconds 3] [--users 32]

Without a word all five parts run, about three minutes. The server has core 0 and each generator core 1, one
after the other in interleaved rounds, medians over the rounds; a run in which neither had its core to itself is
repeated, up to three times. Needs nginx and taskset; a tool that is not there is said to be not installed. Only ratios
within one run mean anything.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import numpy as np  # noqa: E402
from server import Server, nginx  # noqa: E402
from tools import (  # noqa: E402
    TOOLS,
    Figures,
    Load,
    arguments,
    installed,
    prepare,
    redline,
    redline_open,
    redline_with_workers,
)

from capacity.runfolder import read_attempts, read_levels  # noqa: E402

SERVER, CLIENT = ("taskset", "-c", "0"), ("taskset", "-c", "1")
BUSY, TRIES = 0.9, 4
OPEN_RATES, OPEN_POOL = (1_000.0, 5_000.0, 40_000.0), 256
BASE_MB, KB_PER_USER, FEW, MANY = 60, 20, 100, 2_100
K6_OF_WRK = 0.12
"""Quoted from an earlier run on the same class of machine, against a C server."""


def main() -> None:
    given = arguments(__doc__, PARTS, rounds=3, seconds=3, users=32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for part in given.part or PARTS:
            pin = SERVER if part != "processes" else ()
            with nginx(folder, pin) as server:
                load = Load(server.uri, folder, given.users, given.seconds, CLIENT)
                PARTS[part](server, load, given.rounds)
            print(flush=True)


def rate(server: Server, load: Load, rounds: int) -> None:
    """Print the table of all tools, then the goals."""
    there = {name: tool for name, (program, tool) in TOOLS.items() if installed(program)}
    seen: dict[str, list[Row]] = {name: [] for name in there}
    for _ in range(rounds):
        for name, tool in there.items():
            seen[name].append(undisturbed(server, tool, load))
    rows = {name: Row(*map(statistics.median, zip(*found, strict=True))) for name, found in seen.items()}
    wrk, fast = rows.get("wrk"), rows.get("FastHttpUser")
    print(
        f"{'generator':21}{'requests/s':>11}{'µs CPU':>9}{'client':>9}{'server':>9}{'of wrk':>9}{'× FastHttpUser':>16}"
    )
    for name, row in sorted(rows.items(), key=lambda item: -item[1].rate_rps):
        shares = f"{row.cpu_us:9.1f}{row.client_ratio:9.0%}{row.server_ratio:9.0%}"
        note = "  disturbed" if row.is_disturbed else ""
        print(f"{name:21}{row.rate_rps:11,.0f}{shares}{_ratio(row, wrk):>9}{_ratio(row, fast):>16}{note}")
    for name in TOOLS.keys() - there.keys():
        print(f"{name:21}{'not installed':>14}")
    print()
    _goals_of_rate({name: row.rate_rps for name, row in rows.items() if not row.is_disturbed})


class Row(NamedTuple):
    """One run of one tool: processor time per request of the tool, and how busy it and the server kept their cores."""

    rate_rps: float
    cpu_us: float
    client_ratio: float
    server_ratio: float

    @property
    def is_disturbed(self) -> bool:
        """Neither side had a core to itself: other programs took part of it, and the rate is too low."""
        return max(self.client_ratio, self.server_ratio) < BUSY


def undisturbed(server: Server, tool: Callable[[Load], Figures], load: Load) -> Row:
    """A run in which client or server had its core to itself; the last of TRIES where none was."""
    for _ in range(TRIES):
        before_s = server.cpu_s()
        one = tool(load)
        if one.failures:
            raise SystemExit(f"{one.failures} of {one.requests} requests failed")
        seconds = one.requests / one.rate_rps
        row = Row(one.rate_rps, one.cpu_us, one.busy_ratio, (server.cpu_s() - before_s) / seconds)
        if not row.is_disturbed:
            break
    return row


def _goals_of_rate(rates: dict[str, float]) -> None:
    for text, name, other, least in (
        ("redline at least 0.4 of wrk", "redline", "wrk", 0.4),
        ("redline at least 6 × FastHttpUser", "redline", "FastHttpUser", 6.0),
        ("redline ahead of hey", "redline", "hey", 1.0),
        (f"redline ahead of k6 (quoted: {K6_OF_WRK} of wrk)", "redline", "wrk", K6_OF_WRK),
        ("redline, any body, at least 0.6 of wrk", "redline, any body", "wrk", 0.6),
    ):
        if missing := {name, other} - rates.keys():
            print(f"  {text:58} not judged: {', '.join(sorted(missing))} disturbed or not installed")
        else:
            ratio = rates[name] / rates[other]
            goal(text, ratio, ratio >= least)


def open_loop(_server: Server, load: Load, _rounds: int) -> None:
    """Print the processor time of a request that is sent when it is due, and how late it left."""
    load = replace(load, users=OPEN_POOL)
    closed = redline(load).figures
    print(f"closed loop   {closed.rate_rps:8,.0f} requests/s, {closed.cpu_us:5.1f} µs CPU per request")
    for rps in OPEN_RATES:
        run = redline_open(load, rps)
        rows, (level,) = read_attempts(run.folder), read_levels(run.folder)
        late_ms = np.percentile(rows["sent_ns"] - rows["due_ns"], [50, 99, 99.9]) / 1e6
        print(
            f"{rps:8,.0f} due  {run.figures.rate_rps:8,.0f} requests/s, {run.figures.cpu_us:5.1f} µs CPU per request, "
            f"late {' / '.join(f'{one:.2f}' for one in late_ms)} ms at p50 / p99 / p99.9, "
            f"{level['exhausted_count']:,} found no free connection, {level['unsent_count']:,} never sent",
            flush=True,
        )


def counts(server: Server, load: Load, _rounds: int) -> None:
    """Print whether three ways of running count exactly what the server counted: on disk, and in Locust's totals."""
    short = replace(load, seconds=2, pin=())
    for text, started in (
        ("one process", redline),
        ("--processes 2", lambda load: redline(load, "--processes", "2")),
        ("master, 2 workers", redline_with_workers),
    ):
        before = server.request_count()
        run = started(short)
        served = server.request_count() - before - 1
        recorded, counted = len(read_attempts(run.folder)), run.figures.requests
        equal = served == recorded == counted
        goal(f"{text}: {served:,} served, {recorded:,} on disk, {counted:,} in Locust", None, equal)


def processes(server: Server, load: Load, rounds: int) -> None:
    """Print the rate of two processes beside that of one, nothing pinned, server and master on the same two cores."""
    load = replace(load, pin=())
    one, two = [], []
    for _ in range(rounds):
        one.append(undisturbed(server, lambda load: redline(load).figures, load))
        two.append(undisturbed(server, lambda load: redline(load, "--processes", "2").figures, load))
    alone, pair = (Row(*map(statistics.median, zip(*found, strict=True))) for found in (one, two))
    for text, row in (("one process", alone), ("--processes 2", pair)):
        print(
            f"{text:14} {row.rate_rps:8,.0f} requests/s, {row.cpu_us:5.1f} µs CPU per request, "
            f"{row.client_ratio:.2f} cores for the generator, {row.server_ratio:.2f} for nginx"
        )
    ratio = pair.rate_rps / alone.rate_rps
    goal("two processes at least 1.7 × one", ratio, ratio >= 1.7)
    print(f"  two cores without nginx on them, from the processor time: {2 * alone.cpu_us / pair.cpu_us:.2f} × one")


def memory(_server: Server, load: Load, _rounds: int) -> None:
    """Print the peak memory at few and at many users, and what one more user costs."""
    peaks = [redline(replace(load, users=users, seconds=3)).ended.peak_bytes for users in (FEW, MANY)]
    per_user_kb = (peaks[1] - peaks[0]) / (MANY - FEW) / 1e3
    print(f"peak of {FEW} users {peaks[0] / 1e6:.1f} MB, of {MANY:,} users {peaks[1] / 1e6:.1f} MB")
    goal(f"at most {KB_PER_USER} kB per user", per_user_kb, per_user_kb <= KB_PER_USER)
    base_mb = peaks[0] / 1e6 - FEW * KB_PER_USER / 1e3
    goal(f"at most {BASE_MB} MB without users", base_mb, base_mb <= BASE_MB)


def goal(text: str, value: float | None, met: bool) -> None:
    """Print one line: what is wanted, what came out, whether that is enough."""
    print(f"  {text:58}{'' if value is None else f'{value:8.2f}':8}  {'met' if met else 'NOT MET'}", flush=True)


def _ratio(row: Row, of: Row | None) -> str:
    return "–" if of is None else f"{row.rate_rps / of.rate_rps:.2f}"


PARTS = {"rate": rate, "open": open_loop, "counts": counts, "processes": processes, "memory": memory}

if __name__ == "__main__":
    main()
