"""Requests per second of the local endpoint on one core: answers (service time 0) and rejections.

    python bench/frontend.py [--seconds 5] [--connections 32]

Needs wrk and taskset. The server has core 0, wrk has core 1. Prints wrk's rate, the server's own count by status and
its own opinion of its load, which at this rate is that it was overloaded: that is the ceiling being looked for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
wrk.method = "POST"
wrk.body = '{{"data": [[1, 2, 3]]}}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["x-ms-client-request-id"] = "0123456789abcdef0123456789abcdef"
"""
CASES = {
    "answers": ("--instances", "100", "--service-time", "0ms"),
    "rejections": ("--instances", "1", "--service-time", "1h", "--request-timeout", "1h"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    for hosting in ("aks", "managed"):
        for case, flags in CASES.items():
            measure(hosting, case, flags, given.seconds, given.connections)


def measure(hosting: str, case: str, flags: tuple[str, ...], seconds: int, connections: int) -> None:
    """Print one line: the rate, what was answered, and the server's own load."""
    with tempfile.TemporaryDirectory() as folder:
        ready_path = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "localazure", "--hosting", hosting, "--service-spread", "0", "--for", "2m"]
        server = subprocess.Popen(
            ["taskset", "-c", "0", *command, "--ready-file", str(ready_path), *flags],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        try:
            assert server.stderr is not None
            while not server.stderr.readline().startswith("stops after"):
                pass
            ready = json.loads(ready_path.read_text())
            rate_rps = drive(ready, Path(folder) / "post.lua", seconds, connections)
            figures = stats_of(ready["scoring_uri"])
        finally:
            server.terminate()
            server.wait()
    print(
        f"{hosting:8} {case:11} {rate_rps:9,.0f} requests/s   {figures['by_status']}   "
        f"lag p99 {figures['lag_p99_ms']} ms, CPU {figures['cpu_ratio']}, overloaded {figures['overloaded']}"
    )


def drive(ready: dict[str, str], script: Path, seconds: int, connections: int) -> float:
    """The rate wrk saw."""
    script.write_text(SCRIPT.format(key=ready["key"]))
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    done = subprocess.run([*command, ready["scoring_uri"]], capture_output=True, text=True, check=True)
    match = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if match is None:
        raise SystemExit(f"wrk printed no rate:\n{done.stdout}")
    return float(match[1])


def stats_of(scoring_uri: str) -> dict[str, object]:
    root = re.match(r"http://127\.0\.0\.1:\d+", scoring_uri)
    assert root is not None
    with urllib.request.urlopen(f"{root[0]}/redline/stats", timeout=10) as answer:  # noqa: S310
        figures: dict[str, object] = json.load(answer)
    return figures


if __name__ == "__main__":
    main()
