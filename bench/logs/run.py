"""How fast a service log becomes a report, beside other tools that count statuses in the same file.

    python bench/logs/run.py [--mb 320] [--rounds 3] [--only redline,rg]

Makes logs in a temporary folder, seeded: the inference server's own (two lines a request, prints and tracebacks), the
same without failures, that of servers 0.7 and older, both as a container runtime wraps them in JSON, and plain access
lines. Each tool reads each file that it can read in a process of its own, in turn. MB/s are of processor time, user and
system together, the fastest round: other work on the machine disturbs that least; wall time stands beside it. Memory is
the highest resident size of any round. A tool that is not installed is left out. What a tool tells stands beside it:
only redline gives codes, percentiles, groups, exceptions, events and leaked secrets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve()
START_AT = datetime(2026, 11, 22, tzinfo=UTC)
TRACEBACK = """Encountered Exception: Traceback (most recent call last):
  File "/var/azureml-app/score.py", line 11, in run
    raise ValueError("Input contains NaN")
ValueError: Input contains NaN

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/server/routes.py", line 222, in handle_score
    timed_result = main_blueprint.user_script.invoke_run(request, timeout_ms=config.scoring_timeout)
azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception"""


@dataclass(frozen=True)
class Tool:
    """`command` with FILE in it; `tells` is what comes out."""

    name: str
    needs: str
    command: dict[str, list[str]]  # by kind of log
    tells: str


def server_log(draw: random.Random) -> Iterator[str]:
    """Lines of the inference server, three requests in a thousand of them failed."""
    at = START_AT
    while True:
        at += timedelta(milliseconds=draw.randrange(1, 40))
        stamp, pid = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}", draw.randrange(100, 104)
        status = 500 if draw.random() < 0.003 else 200
        took_ms, size = draw.lognormvariate(3, 0.5), draw.randrange(20, 90)
        if draw.random() < 0.3:
            yield f"{stamp} I [{pid}] azmlinfsrv.print - scored {draw.randrange(1000)} rows"
        if status == 500:
            yield f"{stamp} E [{pid}] azmlinfsrv - {TRACEBACK}"
        yield f"{stamp} I [{pid}] azmlinfsrv - POST /score {status} {took_ms:.3f}ms {size}"
        yield f"{stamp} I [{pid}] gunicorn.access - {access_line(at, status, size)}"


def clean_log(draw: random.Random) -> Iterator[str]:
    """The same without the requests that failed."""
    return (line for line in server_log(draw) if " 500 " not in line and "Traceback" not in line)


def old_log(draw: random.Random) -> Iterator[str]:
    """Lines of a server 0.7: three messages and an access line a request."""
    at = START_AT
    while True:
        at += timedelta(milliseconds=draw.randrange(1, 40))
        front = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} | root | INFO | "
        status = 500 if draw.random() < 0.003 else 200
        yield front + "Validation Request Content-Type"
        yield front + "Scoring Timer is set to 60.0 seconds"
        yield front + str(status)
        yield access_line(at, status, draw.randrange(20, 90))


def in_json(lines: Iterator[str], draw: random.Random) -> Iterator[str]:
    """The lines as Kubernetes keeps them."""
    at = START_AT
    for text in lines:
        for line in text.split("\n"):
            at += timedelta(milliseconds=draw.randrange(1, 10))
            stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{draw.randrange(10**9):09d}Z"
            yield json.dumps({"log": line + "\n", "stream": "stdout", "time": stamp}, separators=(",", ":"))


def access_log(draw: random.Random) -> Iterator[str]:
    at = START_AT
    while True:
        at += timedelta(milliseconds=draw.randrange(1, 40))
        yield access_line(at, 503 if draw.random() < 0.003 else 200, draw.randrange(20, 90))


def access_line(at: datetime, status: int, size: int) -> str:
    return f'127.0.0.1 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "POST /score HTTP/1.1" {status} {size} "-" "client/1.0"'


KINDS = {
    "clean": clean_log,
    "server": server_log,
    "old": old_log,
    "json": lambda draw: in_json(server_log(draw), draw),
    "old-json": lambda draw: in_json(old_log(draw), draw),
    "access": access_log,
}
"""Logs by name."""


def write(file: Path, lines: Iterator[str], size_mb: int) -> None:
    """A file of at least so many megabytes: one part, written again and again with the lines of other days."""
    part, size = [], 0
    while size < 8_000_000:
        line = next(lines)
        part.append(line)
        size += len(line) + 1
    text = "\n".join(part) + "\n"
    with file.open("w", encoding="utf-8") as stream:
        for number in range(size_mb * 1_000_000 // size + 1):
            at = START_AT + timedelta(days=number)
            stream.write(text.replace("2026-11-22", f"{at:%Y-%m-%d}").replace("22/Nov/2026", f"{at:%d/%b/%Y}"))


AWK = {
    "server": '/ azmlinfsrv - POST /{n[substr($1" "$2,1,16)" "$8]++} END {for (k in n) c++; print c}',
    "access": '{n[substr($4,2,17)" "$9]++} END {for (k in n) c++; print c}',
}
PANDAS = """
import pandas, sys
lines = pandas.read_csv(sys.argv[1], sep="\\x01", header=None, names=["line"], engine="c", quoting=3)["line"]
found = lines.str.extract(sys.argv[2])
print(found.groupby([0, 1]).size().shape)
"""
DUCKDB = """
import duckdb, sys
print(duckdb.sql(f"select count(*) from (select regexp_extract(l, '{sys.argv[2]}', ['m', 's']) k, count(*) from "
                 f"read_csv('{sys.argv[1]}', columns={{'l': 'varchar'}}, delim='\\x01', quote='', header=false, "
                 f"auto_detect=false) where regexp_matches(l, '{sys.argv[2]}') group by all)").fetchall())
"""
PATTERN = {
    "server": r"^(\d{4}-\d\d-\d\d \d\d:\d\d).{0,40} azmlinfsrv - POST /score (\d{3})",
    "access": r'\[([^ ]{17}).{0,40}" (\d{3}) ',
}


def tools() -> list[Tool]:
    """Everything that takes part, redline first."""
    ours = [sys.executable, "-m", "cli", "report", "errors", "--json", "--service-log", "FILE"]
    table = [sys.executable, "-m", "cli", "report", "minutes", "--json", "FILE"]
    both = ("server", "access")
    python = {kind: [sys.executable, "-c", "SCRIPT", "FILE", PATTERN[kind]] for kind in both}
    return [
        Tool("redline", "python", dict.fromkeys(KINDS, ours), "the whole error report"),
        Tool("redline minutes", "python", dict.fromkeys(KINDS, table), "statuses and percentiles per minute"),
        Tool("wc -l", "wc", {kind: ["wc", "-l", "FILE"] for kind in both}, "lines"),
        Tool("mawk", "mawk", {kind: ["mawk", AWK[kind], "FILE"] for kind in both}, "statuses per minute"),
        Tool("gawk", "gawk", {kind: ["gawk", AWK[kind], "FILE"] for kind in both}, "statuses per minute"),
        Tool(
            "rg | mawk",
            "rg",
            {
                "server": ["sh", "-c", f"rg -F ' azmlinfsrv - POST ' FILE | mawk '{AWK['server']}'"],
                "access": ["sh", "-c", f"rg -F POST FILE | mawk '{AWK['access']}'"],
            },
            "statuses per minute",
        ),
        Tool(
            "goaccess",
            "goaccess",
            {"access": ["goaccess", "FILE", "--log-format=COMBINED", "--no-global-config", "-o", "OUT.json"]},
            "statuses, no percentiles",
        ),
        Tool(
            "lnav",
            "lnav",
            {"access": ["lnav", "-n", "-N", "-c", ";select sc_status, count(*) from access_log group by 1", "FILE"]},
            "statuses",
        ),
        Tool(
            "pandas",
            "pandas",
            {k: [PANDAS if w == "SCRIPT" else w for w in v] for k, v in python.items()},
            "statuses per minute",
        ),
        Tool(
            "DuckDB",
            "duckdb",
            {k: [DUCKDB if w == "SCRIPT" else w for w in v] for k, v in python.items()},
            "statuses per minute",
        ),
    ]


def is_there(tool: Tool) -> bool:
    if tool.needs in ("pandas", "duckdb"):
        from importlib.util import find_spec

        return find_spec(tool.needs) is not None
    return tool.needs == "python" or shutil.which(tool.needs) is not None


def timed(command: list[str], file: Path) -> tuple[float, float, float]:
    """Processor seconds, wall seconds and the highest resident memory, in MB, of a command and its children."""
    words = [word.replace("FILE", str(file)).replace("OUT", str(file.with_suffix(""))) for word in command]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    start_s = time.perf_counter()
    actions = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    child = os.posix_spawnp(words[0], words, environment, file_actions=actions)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - start_s
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{words[0]} failed with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, seconds, used.ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--kinds", default=",".join(KINDS))
    asked = parser.parse_args()
    chosen = [tool for tool in tools() if is_there(tool) and (not asked.only or tool.name in asked.only.split(","))]
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as folder:
        for kind in asked.kinds.split(","):
            file = Path(folder) / f"{kind}.log"
            write(file, KINDS[kind](random.Random(1)), asked.mb)
            compare([tool for tool in chosen if kind in tool.command], kind, file, asked.rounds)
            file.unlink()


def compare(chosen: list[Tool], kind: str, file: Path, rounds: int) -> None:
    """Prints a table of what each tool took for the file."""
    size_mb = file.stat().st_size / 1e6
    runs: dict[str, list[tuple[float, float, float]]] = {tool.name: [] for tool in chosen}
    for _ in range(rounds):
        for tool in chosen:
            runs[tool.name].append(timed(tool.command[kind], file))
    print(f"\n| {kind} log, {size_mb:.0f} MB | MB/s | of wall time | peak MB | tells |\n|---|---|---|---|---|")
    for tool in chosen:
        cpu_s, wall_s, peak_mb = (
            pick(column) for pick, column in zip((min, min, max), zip(*runs[tool.name], strict=True), strict=True)
        )
        rates = f"{size_mb / cpu_s:,.0f} | {size_mb / wall_s:,.0f}"
        print(f"| {tool.name} | {rates} | {peak_mb:,.0f} | {tool.tells} |", flush=True)


if __name__ == "__main__":
    main()
