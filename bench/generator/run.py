"""Load generators side by side against one nginx: requests per second of a client core, counts, memory.

    python bench/generator/run.py [rate] [counts] [processes] [memory] [--rounds 3] [--seconds 3] [--users 32]

Without a word all four parts run, about four minutes; each part alone stays below two. The server has core 0 and each
generator core 1, one after the other in interleaved rounds, medians over the rounds. Needs nginx and taskset; a tool
that is not there is said to be not installed. Only ratios within one run mean anything.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from server import Server, nginx  # noqa: E402
from tools import TOOLS, Figures, Load, installed, prepare, redline  # noqa: E402

from capacity.runfolder import read_attempts  # noqa: E402

SERVER, CLIENT = ("taskset", "-c", "0"), ("taskset", "-c", "1")
BASE_MB, KB_PER_USER, FEW, MANY = 60, 20, 100, 2_100
K6_OF_WRK = 0.12
"""k6 is in no package registry: its figure is quoted from an earlier run on the same class of machine."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--users", type=int, default=32)
    given = parser.parse_args()
    if unknown := set(given.part) - PARTS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
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
    runs: dict[str, list[Figures]] = {name: [] for name in there}
    busy: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(rounds):
        for name, tool in there.items():
            before_s = server.cpu_s()
            runs[name].append(tool(load))
            busy[name].append((server.cpu_s() - before_s) / (runs[name][-1].requests / runs[name][-1].rate_rps))
    rates = {name: statistics.median(one.rate_rps for one in found) for name, found in runs.items()}
    print(f"{'generator':20}{'requests/s':>11}{'µs CPU/request':>16}{'busy':>9}{'server':>9}{'of wrk':>8}{'× FastHttpUser':>16}")
    for name in sorted(TOOLS, key=lambda name: -rates.get(name, 0)):
        if name not in there:
            print(f"{name:20}{'not installed':>14}")
            continue
        cpu_us = statistics.median(one.cpu_us for one in runs[name])
        own = statistics.median(one.busy_ratio for one in runs[name])
        shares = f"{own:9.0%}{statistics.median(busy[name]):9.0%}"
        of = [_ratio(rates[name], rates.get(other)) for other in ("wrk", "FastHttpUser")]
        failed = sum(one.failures for one in runs[name])
        print(f"{name:20}{rates[name]:11,.0f}{cpu_us:16.1f}{shares}{of[0]:>8}{of[1]:>16}{f'  {failed} FAILED' if failed else ''}")
    print()
    _goals_of_rate(rates)


def _goals_of_rate(rates: dict[str, float]) -> None:
    ours, reduced = rates["redline"], rates["redline, any body"]
    for text, value, other, least in (
        ("redline at least 0.4 of wrk", ours, "wrk", 0.4),
        ("redline at least 6 × FastHttpUser", ours, "FastHttpUser", 6.0),
        ("redline ahead of hey", ours, "hey", 1.0),
        ("redline, any body, at least 0.6 of wrk", reduced, "wrk", 0.6),
    ):
        if other in rates:
            goal(text, value / rates[other], value / rates[other] >= least)
        else:
            print(f"  {text:58} not measured: {other} is not installed")
    if "wrk" in rates:
        ratio = ours / rates["wrk"]
        goal(f"redline ahead of k6 (quoted: {K6_OF_WRK} of wrk)", ratio, ratio > K6_OF_WRK)


def counts(server: Server, load: Load, _rounds: int) -> None:
    """Print whether three ways of running count exactly what the server counted: on disk, and in Locust's totals."""
    short = replace(load, seconds=2, pin=())
    for text, more in (
        ("one process", ()),
        ("--processes 2", ("--processes", "2")),
    ):
        before = server.request_count()
        run = redline(short, *more)
        served = server.request_count() - before - 1
        recorded, counted = len(read_attempts(run.folder)), run.figures.requests
        goal(f"{text}: {served:,} served, {recorded:,} on disk, {counted:,} in Locust", None, served == recorded == counted)


def processes(_server: Server, load: Load, rounds: int) -> None:
    """Print the rate of two processes beside that of one, nothing pinned, server on the same two cores."""
    load = replace(load, pin=())
    one, two = [], []
    for _ in range(rounds):
        one.append(redline(load))
        two.append(redline(load, "--processes", "2"))
    rates = [statistics.median(run.figures.rate_rps for run in runs) for runs in (one, two)]
    print(f"one process {rates[0]:,.0f} requests/s, --processes 2 {rates[1]:,.0f} requests/s")
    goal("two processes at least 1.7 × one", rates[1] / rates[0], rates[1] / rates[0] >= 1.7)


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


def _ratio(value: float, of: float | None) -> str:
    return "–" if of is None else f"{value / of:.2f}"


PARTS = {"rate": rate, "counts": counts, "processes": processes, "memory": memory}

if __name__ == "__main__":
    main()
