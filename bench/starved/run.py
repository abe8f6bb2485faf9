"""A generator that shares its core with busy programs: is the server's limit ever named when it is the client's?

    python bench/starved/run.py                  # ten runs starved, ten quiet: about fifteen minutes
    python bench/starved/run.py starved --runs 2

The endpoint has core 0, the generator and the programs that starve it core 1. It has 16 workers of 20 ms and a queue,
so `p95<=41ms` holds up to 32 users. A run is disturbed where other programs kept the endpoint itself waiting for its
core for more than a fiftieth of the time: then its limit is not known. Where root runs this, the endpoint, what starves
the generator, and a generator that is not starved go before other programs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.endpoints import PAYLOAD, served  # noqa: E402

SERVE = "--hosting aci --max-concurrent 16 --service-time 20ms --service-spread 0 --no-telemetry --no-identity"
OPTIONS = "--goal p95<=41ms --max-users 64 --json --quiet"
TRUTH_USERS, NEAR_RATIO = 32, 0.05
SERVER_CORE, CLIENT_CORE = 0, 1
HOGS, AHEAD = 3, -10
HOG = "import time\nend = time.monotonic() + 300\nwhile time.monotonic() < end: sum(range(10_000))"
WAITING_RATIO = 0.02


def main() -> None:
    given = arguments()
    for way in given.way or ("starved", "quiet"):
        runs = [measured(given.keep and given.keep / f"{way}-{n}", starved=way == "starved") for n in range(given.runs)]
        report(way, runs)


def arguments() -> argparse.Namespace:
    asking = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.add_argument("way", nargs="*", choices=("starved", "quiet"))
    asking.add_argument("--runs", type=int, default=10)
    asking.add_argument("--keep", type=Path, help="a folder for the run folders")
    return asking.parse_args()


def measured(kept: Path | None, *, starved: bool) -> dict[str, Any]:
    """One run of `redline limit` on the client's core, against an endpoint of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "payload.json").write_text(PAYLOAD)
        server, ready = served(tuple(SERVE.split()), folder)
        os.sched_setaffinity(server.pid, {SERVER_CORE})
        weigh(server.pid, AHEAD)
        began_ns, waited_ns = time.monotonic_ns(), waiting_ns(server.pid)
        command = [sys.executable, "-m", "cli", "limit", "local", "--config", ready["config"], *OPTIONS.split()]
        command += ["--payload", str(folder / "payload.json"), "--out", str(kept or folder / "run")]
        try:
            with hogs(HOGS if starved else 0):
                pinned = ["taskset", "-c", str(CLIENT_CORE), *command]
                running = subprocess.Popen(pinned, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                if not starved:
                    weigh_child(running.pid)
                out, err = running.communicate(timeout=700)
            waited = (waiting_ns(server.pid) - waited_ns) / (time.monotonic_ns() - began_ns)
        finally:
            server.terminate()
            server.wait()
    told = json.loads(out) if out else {"verdict": err.decode()[:200]}
    run = {"server_waited_ratio": round(waited, 3), **_short(told)}
    print(json.dumps(run), flush=True)
    return run


def _short(told: dict[str, Any]) -> dict[str, Any]:
    limit = next((one for one in told.get("limits", ()) if one["goal"] == told.get("binding_goal")), {})
    seconds = (told.get("cost") or {}).get("seconds", 0.0)
    why = (told.get("client") or {}).get("reasons", [])
    return {"verdict": told["verdict"], "users": limit.get("users"), "seconds": round(seconds, 1), "reasons": why}


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many programs use the client's core as much as they can."""
    started = [subprocess.Popen([sys.executable, "-c", HOG], start_new_session=True) for _ in range(count)]
    for hog in started:
        os.sched_setaffinity(hog.pid, {CLIENT_CORE})
        weigh(hog.pid, AHEAD)
    try:
        yield
    finally:
        for hog in started:
            hog.kill()
            hog.wait()


def weigh(pid: int, nice: int) -> None:
    """The process, and its session where the kernel shares cores between sessions, goes before others; if we may."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def weigh_child(pid: int) -> None:
    """The generator that the program starts, in a session of its own, goes before others."""
    for _ in range(200):
        children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        leader = next((child for child in children if os.getsid(child) == child), None)
        if leader is not None:
            weigh(leader, AHEAD)
            return
        time.sleep(0.05)


def waiting_ns(pid: int) -> int:
    """How long the process has stood ready without getting its core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])


def report(way: str, runs: list[dict[str, Any]]) -> None:
    """Print how often the client was named, and how often a limit that is not the endpoint's."""
    limited = sum(run["verdict"] == "CLIENT_LIMITED" for run in runs)
    wrong = sum(run["verdict"] == "FOUND" and not is_near(run["users"]) for run in runs)
    waited = sum(run["server_waited_ratio"] > WAITING_RATIO for run in runs)
    print(
        f"{way}: {len(runs)} runs, CLIENT_LIMITED {limited}, a wrong limit named {wrong}, endpoint disturbed {waited}"
    )


def is_near(users: int) -> bool:
    """Within a twentieth of the truth."""
    return abs(users - TRUTH_USERS) <= NEAR_RATIO * TRUTH_USERS


if __name__ == "__main__":
    main()
