"""How long a report over many attempts takes, how large its page is, and how much memory it needs.

    python bench/report.py --attempts 1000000

Makes a run folder of so many attempts in a temporary folder, 1 % of them rejected, and runs `redline report errors`
on it, with and without `--out`, in processes of their own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from capacity.plan import Plan
from capacity.runfolder import ATTEMPTS, Anchor, create
from scoring.attempt import FAILURE_NUMBER, RECORD_FIELDS, Failure
from scoring.endpoint import Endpoint, Hosting
from scoring.units import MS, S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    count = parser.parse_args().attempts
    with tempfile.TemporaryDirectory(prefix="redline-bench-") as folder:
        run = made(Path(folder), count)
        for words in ([], ["--json"], ["--out", str(Path(folder) / "report")]):
            seconds, rss_mb = timed(["report", "errors", "--run", str(run), *words])
            print(
                f"{count:,} attempts, {' '.join(words[:1]) or 'text':7} {seconds:5.2f} s CPU, {rss_mb:4.0f} MB at most"
            )
        page = Path(folder) / "report" / "report.html"
        print(f"report.html {page.stat().st_size / 1000:,.0f} kB")


def made(folder: Path, count: int) -> Path:
    """A run folder with so many attempts over ten minutes."""
    endpoint = Endpoint("churn", "http://127.0.0.1:9/score", Hosting.AKS, instances=2, max_concurrent=4)
    plan = Plan(command="load", endpoint=endpoint, users=32, duration_s=600.0)
    run = create(folder, plan, versions={}, anchor=Anchor(datetime.now(UTC), S))
    draw = np.random.default_rng(1)
    rows = np.zeros(count, dtype=list(RECORD_FIELDS))
    rows["id"] = np.frombuffer(draw.bytes(16 * count), dtype="V16")
    rows["sent_ns"] = np.sort(draw.integers(0, 600 * S, count)) + S
    rows["due_ns"] = rows["sent_ns"]
    took_ns = (draw.lognormal(3, 0.4, count) * MS).astype(np.int64)
    rows["done_ns"] = rows["sent_ns"] + took_ns
    rows["first_byte_ns"] = rows["done_ns"] - 1000
    rejected = draw.random(count) < 0.01
    rows["status"] = np.where(rejected, 503, 200)
    rows["failure"] = np.where(rejected, FAILURE_NUMBER[Failure.UNEXPECTED_STATUS], 0)
    rows.tofile(run / ATTEMPTS)
    return run


def timed(words: list[str]) -> tuple[float, float]:
    """CPU seconds and the highest resident memory, in MB, of one redline command."""
    start_s = time.monotonic()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "cli", *words],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"redline {' '.join(words)} failed after {time.monotonic() - start_s:.1f} s")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


if __name__ == "__main__":
    main()
