"""Six endpoints on real sockets: `redline limit` against `redline serve`, whose limit in virtual time is known.

    python bench/limits/sockets.py                        # five runs of each, one after the other: about an hour
    python bench/limits/sockets.py --only cliff --runs 1
    python bench/limits/sockets.py --at-once 2            # other endpoints at the same time: quicker, less quiet

The truth is that of the same service in virtual time (truth.py), which knows no sockets: front end and kernel add a few
tenths of a millisecond to each answer. Results are kept in --results, one line each, and not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.endpoints import served  # noqa: E402
from bench.limits.endpoint import Service  # noqa: E402
from bench.limits.scenario import Scenario  # noqa: E402
from bench.limits.truth import Band, binding  # noqa: E402
from bench.limits.tuned import TUNED  # noqa: E402
from capacity.goals import with_defaults  # noqa: E402

PAYLOAD = '{"data": [[1, 2, 3]]}'
_TUNED = {scenario.name: scenario for scenario in TUNED}
_STALLS = Service(servers=16, service_s=0.05, stall_every_s=20.0, stall_s=0.1, stall_fixed=True)


@dataclass(frozen=True)
class Case:
    """A service in virtual time, and the flags that make `redline serve` the same."""

    scenario: Scenario
    serve: tuple[str, ...]
    options: tuple[str, ...] = ()


def _case(scenario: Scenario, serve: str, options: str = "") -> Case:
    asked = tuple(word for goal in scenario.goals for word in ("--goal", goal))
    rejects = scenario.service.room is not None
    goals = with_defaults(scenario.goals) if rejects else scenario.goals  # where any fail, those nobody asked for count
    return Case(replace(scenario, goals=goals), tuple(serve.split()), (*asked, *options.split()))


CASES = (
    _case(_TUNED["cliff of 8, 20 ms"], "--hosting aks --instances 4 --max-concurrent 2 --service-time 20ms"),
    _case(
        _TUNED["routed, 4 x 4, 2 %"],
        "--hosting aks --instances 4 --max-concurrent 4 --routing random --service-time 50ms",
    ),
    _case(_TUNED["p95, queue of 4"], "--hosting aci --max-concurrent 4 --service-time 50ms"),
    _case(
        replace(_TUNED["p99, stalls"], name="p99, a stall every 20 s", service=_STALLS),
        "--hosting aci --max-concurrent 16 --service-time 50ms --stall-every 20s --stall-for 100ms",
    ),
    _case(
        _TUNED["p95, cold for 30 s"],
        "--hosting aci --max-concurrent 8 --service-time 50ms --cold-start 30s --cold-slowdown 5",
    ),
    _case(
        _TUNED["open, p95, queue of 8"],
        "--hosting aci --max-concurrent 8 --service-time 50ms",
        "--open --max-rps 2000",
    ),
)


def measured(case: Case, seed: int) -> dict[str, Any]:
    """One run of `redline limit --json` against an endpoint of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "payload.json").write_text(PAYLOAD)
        server, ready = served((*case.serve, "--seed", str(seed), "--no-telemetry", "--no-identity"), folder)
        try:
            command = [sys.executable, "-m", "cli", "limit", "local", "--config", ready["config"], "--json", "--quiet"]
            command += ["--payload", str(folder / "payload.json"), "--out", str(folder / "run"), "--seed", str(seed)]
            load = os.getloadavg()[0]
            done = subprocess.run([*command, *case.options], cwd=ROOT, capture_output=True, timeout=1200)
        finally:
            server.terminate()
            server.wait()
    told = json.loads(done.stdout) if done.stdout else {"verdict": done.stderr.decode()[:200]}
    return {"name": case.scenario.name, "seed": seed, "exit": done.returncode, "load": load, **_short(told)}


def _short(told: dict[str, Any]) -> dict[str, Any]:
    """What the table needs of the JSON."""
    limits = told.get("rate_limits") or told.get("limits") or []
    one = next((limit for limit in limits if limit["goal"] == told.get("binding_goal")), {})
    cost = told.get("cost") or {}
    return {
        "verdict": told["verdict"],
        "limit": one.get("rps", one.get("users")),
        "interval": one.get("interval"),
        "fair": (told.get("client") or {}).get("valid"),
        "seconds": cost.get("seconds"),
        "attempt_count": cost.get("attempt_count"),
        "rejected_count": (told.get("harm") or {}).get("rejected_count"),
    }


def line(scenario: Scenario, runs: list[dict[str, Any]]) -> str:
    """One row of the table."""
    band = binding(scenario)
    found = [run for run in runs if run["limit"] is not None]
    limits = ", ".join(f"{run['limit']:.4g}" for run in found)
    cells = [
        scenario.name,
        f"{band[1]:.4g}",
        limits,
        f"{sum(run['verdict'] == 'FOUND' for run in runs)} of {len(runs)}",
        f"{100 * max((_error(run['limit'], band) for run in found), key=abs, default=0.0):+.1f} %",
        f"{sum(_covers(run['interval'], band) for run in found)} of {len(found)}",
        *(f"{median(run[name] or 0 for run in runs):.0f}" for name in ("seconds", "attempt_count", "rejected_count")),
        f"{max(run['load'] for run in runs):.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _error(level: float, band: Band) -> float:
    """How far the level lies outside of the band, in units of the true limit."""
    low, limit, high = band
    return (level - min(max(level, low), high)) / limit


def _covers(interval: list[float | None], band: Band) -> bool:
    low, high = interval
    return (low or 0.0) <= band[2] and (high is None or band[0] <= high)


def main() -> None:
    """Measures what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("sockets-results.jsonl"))
    asked = parser.parse_args()
    cases = [case for case in CASES if asked.only in case.scenario.name]
    kept = asked.results.read_text().splitlines() if asked.results.exists() else []
    runs = {(run["name"], run["seed"]): run for run in map(json.loads, kept)}
    seeds = range(1, asked.runs + 1)
    missing = [(case, seed) for seed in seeds for case in cases if (case.scenario.name, seed) not in runs]
    with ThreadPoolExecutor(asked.at_once) as pool, asked.results.open("a") as file:
        for run in pool.map(lambda job: measured(*job), missing):
            runs[run["name"], run["seed"]] = run
            print(json.dumps(run), file=file, flush=True)
            print(json.dumps(run), file=sys.stderr)
    print("| endpoint | true limit | found | FOUND | worst error | covered | s | requests | rejected | load |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        ours = [runs[case.scenario.name, seed] for seed in seeds]
        print(line(case.scenario, ours))


if __name__ == "__main__":
    main()
