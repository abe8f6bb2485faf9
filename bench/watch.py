"""What a watcher costs, and how punctual it is while endpoints hang.

    python bench/watch.py [--endpoints 50] [--hanging 2] [--failing 0] [--every 30s] [--for 30m]

All endpoints and the webhook are one server of this process; the hanging ones answer nothing before their deadline,
20 s, and the failing ones answer ten times well and ten times 500, again and again. Prints one JSON document: how late
checks began (ms after they were due), CPU seconds, resident memory, threads and file descriptors of the watcher after a
minute and at the end, checks by outcome, missed checks, notices.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

ROOT = Path(__file__).parents[1]
SAMPLE_S = 5.0
SPELL = 10
BACKLOG = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=50)
    parser.add_argument("--hanging", type=int, default=2)
    parser.add_argument("--failing", type=int, default=0)
    parser.add_argument("--every", default="30s")
    parser.add_argument("--for", dest="duration", default="30m")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server() as (address, notices):
        folder = Path(name)
        config = folder / "redline.toml"
        config.write_text(toml(address, given.endpoints, given.hanging, given.failing, given.every))
        words = ["watch", "--config", str(config), "--state", str(folder / "state"), "--for", given.duration]
        process = subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=ROOT, stderr=subprocess.DEVNULL)
        samples = list(sampled(process))
        with sqlite3.connect(folder / "state" / "health.sqlite3") as store:
            figures_of = {**figures(store), **cost(samples), "notice_count": len(notices), "notices": notices[-10:]}
            print(json.dumps(figures_of, indent=1))


def toml(address: str, endpoints: int, hanging: int, failing: int, every: str) -> str:
    checks = f'checks = {{ every = "{every}", deadline = "20s", slo = "99.9%" }}'
    paths = ["hang"] * hanging + [f"fail/{place}" for place in range(failing)]
    paths += ["score"] * (endpoints - len(paths))
    rows = [f'[endpoints.e{place}]\nscoring_uri = "{address}/{path}"\n{checks}\n' for place, path in enumerate(paths)]
    return "".join(rows) + f'[alerts]\nwebhook = "{address}/hook"\n'


@contextmanager
def server() -> Iterator[tuple[str, list[str]]]:
    """The address of the server, and the notices that its webhook gets."""
    notices: list[str] = []
    asked: Counter[str] = Counter()
    ended = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/hang":
                ended.wait(60)
                return
            if self.path == "/hook":
                notices.append(json.loads(body)["title"])
            asked[self.path] += 1
            is_bad = self.path.startswith("/fail/") and asked[self.path] // SPELL % 2 == 1
            self.send_response(500 if is_bad else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    listening = type("Server", (ThreadingHTTPServer,), {"request_queue_size": BACKLOG})(("127.0.0.1", 0), Handler)
    listening.daemon_threads, listening.block_on_close = True, False
    Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}", notices
    finally:
        ended.set()
        listening.shutdown()
        listening.server_close()


def sampled(process: subprocess.Popen[bytes]) -> Iterator[dict[str, float]]:
    """CPU seconds, resident kB, threads and descriptors of the process, every few seconds until it ends."""
    place = Path(f"/proc/{process.pid}")
    while process.poll() is None:
        time.sleep(SAMPLE_S)
        try:
            status = (place / "status").read_text()
            ticks = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
            yield {
                "cpu_s": sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
                "rss_kb": int(status.split("VmRSS:")[1].split()[0]),
                "thread_count": int(status.split("Threads:")[1].split()[0]),
                "fd_count": len(list((place / "fd").iterdir())),
            }
        except (OSError, IndexError):
            return


def figures(store: sqlite3.Connection) -> dict[str, Any]:
    late_ms = sorted(1e3 * (began_s - due_s) for began_s, due_s in store.execute("SELECT checked_s, due_s FROM checks"))
    outcomes = store.execute("SELECT state, reason, count(*) FROM checks GROUP BY 1, 2").fetchall()
    missed = store.execute("SELECT endpoint, missed_count FROM timers WHERE missed_count > 0").fetchall()
    return {
        "check_count": len(late_ms),
        "late_ms": {"p50": late_ms[len(late_ms) // 2], "p99": late_ms[int(len(late_ms) * 0.99)], "max": late_ms[-1]},
        "outcomes": outcomes,
        "missed": missed,
    }


def cost(samples: list[dict[str, float]]) -> dict[str, Any]:
    """The first sample after a minute, the last, the highest, and by how much the memory has grown in between."""
    first, last = samples[min(int(60 / SAMPLE_S), len(samples) - 1)], samples[-1]
    highest = {name: max(sample[name] for sample in samples) for name in first}
    grown = last["rss_kb"] / first["rss_kb"] - 1
    each_minute = [int(sample["rss_kb"]) for sample in samples[int(60 / SAMPLE_S) - 1 :: int(60 / SAMPLE_S)]]
    return {
        "after_a_minute": first,
        "at_the_end": last,
        "highest": highest,
        "rss_growth_ratio": round(grown, 4),
        "rss_kb_each_minute": each_minute,
    }


if __name__ == "__main__":
    main()
