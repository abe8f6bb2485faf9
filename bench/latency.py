"""Latency as redline and as wrk report it, on the same endpoint in the same minute.

    python bench/latency.py [agreement] [added] [limited] [--rounds 2] [--seconds 4]

`agreement`: service times vary (spread 0.3), 1, 8 and 64 users; p50 and p99 within 10 % or 1 ms of wrk's.
`added`: constant service time, 10 and 100 users; what redline adds to wrk's: p50 at most 0.3 ms, p99 at most 2 ms.
`limited`: an endpoint faster than the generator; the verdict of `redline limit` says that the client was the limit.

Each run has a fresh `python -m localazure --hosting aci` with the same seed, so that both tools meet the same service
times in the same order; it queues and never rejects. The server has core 0, the generator core 1; medians over rounds.
Needs wrk and taskset, and nginx for the last part.
"""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench" / "generator"), str(ROOT)]

from server import nginx  # noqa: E402
from tools import Load, arguments, environment, prepare, redline, run  # noqa: E402

from capacity.runfolder import read_attempts  # noqa: E402
from capacity.stats import nearest_rank  # noqa: E402
from scoring.attempt import FLAG_NEW_CONNECTION  # noqa: E402

SERVICE_MS = 20
TELL = """
done = function(summary, latency, requests)
  io.write(string.format("PERCENTILES %d %d\\n", latency:percentile(50), latency:percentile(99)))
end
"""
Percentiles = tuple[float, float]  # p50_ms, p99_ms


def main() -> None:
    given = arguments(__doc__, PARTS, rounds=2, seconds=4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        script = folder / "post.lua"
        script.write_text(script.read_text() + TELL)
        for part in given.part or PARTS:
            PARTS[part](folder, given.rounds, given.seconds)
            print(flush=True)


def agreement(folder: Path, rounds: int, seconds: int) -> None:
    """Print both tools' percentiles at 1, 8 and 64 users, and whether they agree."""
    print(f"service {SERVICE_MS} ms, spread 0.3        p50, ms                      p99, ms")
    for users in (1, 8, 64):
        wrks, ours = both(folder, users, "0.3", rounds, seconds)
        pairs = tuple(zip(ours, wrks, strict=True))
        met = all(abs(our - wrk) <= max(0.1 * wrk, 1.0) for our, wrk in pairs)
        _tell(users, pairs, met, "within 10 % or 1 ms")


def added(folder: Path, rounds: int, seconds: int) -> None:
    """Print what redline adds to wrk's percentiles at 10 and 100 users."""
    print(f"service {SERVICE_MS} ms, constant          p50, ms                      p99, ms")
    for users in (10, 100):
        wrks, ours = both(folder, users, "0", rounds, seconds)
        pairs = tuple(zip(ours, wrks, strict=True))
        met = ours[0] - wrks[0] <= 0.3 and ours[1] - wrks[1] <= 2.0
        _tell(users, pairs, met, "p50 + 0.3 ms, p99 + 2 ms")


def limited(folder: Path, _rounds: int, _seconds: int) -> None:
    """Print the verdict of a search on an endpoint that is faster than the generator."""
    with nginx(folder, ("taskset", "-c", "0")) as server:
        options = ["--url", server.uri, "--payload", str(folder / "body.json"), "--max-users", "400"]
        options += ["--json", "--quiet", "--out", str(folder / "limit")]
        command = ["taskset", "-c", "1", sys.executable, "-m", "cli", "limit", *options]
        ended = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)
    if not ended.stdout:
        raise SystemExit(f"redline limit said nothing:\n{ended.stderr}")
    document = json.loads(ended.stdout)
    met = document["verdict"] == "CLIENT_LIMITED" and ended.returncode == 3
    why = "; ".join(document["client"]["reasons"])
    print(
        f"an endpoint faster than the generator: {document['verdict']}, exit {ended.returncode}, {why or 'no reason'}"
    )
    print(f"  CLIENT_LIMITED, exit 3: {'met' if met else 'NOT MET'}")


def both(folder: Path, users: int, spread: str, rounds: int, seconds: int) -> tuple[Percentiles, Percentiles]:
    """The medians over the rounds of wrk's and of redline's percentiles, taken in turns."""
    seen: tuple[list[Percentiles], list[Percentiles]] = ([], [])
    for _ in range(rounds):
        for tool, found in zip((wrk_percentiles, redline_percentiles), seen, strict=True):
            with endpoint(folder, spread) as uri:
                found.append(tool(Load(uri, folder, users, seconds, ("taskset", "-c", "1"))))
    wrks, ours = (tuple(map(statistics.median, zip(*found, strict=True))) for found in seen)
    return (wrks[0], wrks[1]), (ours[0], ours[1])


def wrk_percentiles(load: Load) -> Percentiles:
    options = ["-t1", f"-c{load.users}", f"-d{load.seconds}s", "-s", str(load.folder / "post.lua")]
    said = run([*load.pin, "wrk", *options, load.uri], load.folder).stdout
    found = re.search(r"PERCENTILES (\d+) (\d+)", said)
    if found is None or "Non-2xx" in said:
        raise SystemExit(f"wrk said:\n{said}")
    return int(found[1]) / 1e3, int(found[2]) / 1e3


def redline_percentiles(load: Load) -> Percentiles:
    """Over good answers on connections that were open already, as wrk's are."""
    rows = read_attempts(redline(load).folder)
    rows = rows[(rows["failure"] == 0) & (rows["flags"] & FLAG_NEW_CONNECTION == 0)]
    latency_ms = sorted(((rows["done_ns"] - rows["sent_ns"]) / 1e6).tolist())
    return nearest_rank(latency_ms, 0.5), nearest_rank(latency_ms, 0.99)


@contextlib.contextmanager
def endpoint(folder: Path, spread: str) -> Iterator[str]:
    """A fresh endpoint with room for 128 requests at a time; its scoring URI."""
    ready = folder / "ready.json"
    model = ["--service-time", f"{SERVICE_MS}ms", "--service-spread", spread, "--max-concurrent", "128"]
    command = [sys.executable, "-m", "localazure", "--hosting", "aci", *model, "--ready-file", str(ready)]
    server = subprocess.Popen(
        ["taskset", "-c", "0", *command, "--for", "2m", "--stop-with-parent"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(500):
            if ready.exists():
                break
            time.sleep(0.02)
        yield json.loads(ready.read_text())["scoring_uri"]
    finally:
        server.terminate()
        server.wait()


def _tell(users: int, pairs: tuple[tuple[float, float], ...], met: bool, wanted: str) -> None:
    cells = "".join(f"   redline {our:6.2f}  wrk {wrk:6.2f} ({our - wrk:+.2f})" for our, wrk in pairs)
    print(f"{users:4} users{cells}   {wanted}: {'met' if met else 'NOT MET'}", flush=True)


PARTS = {"agreement": agreement, "added": added, "limited": limited}

if __name__ == "__main__":
    main()
