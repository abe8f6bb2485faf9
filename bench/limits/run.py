"""The score table of limit searches: ours beside the rules of other tools, on endpoints whose limits are known.

    python bench/limits/run.py                          # 400 seeds for ours, 50 for the others: hours
    python bench/limits/run.py --seeds 20 --only stall  # 20 seeds each, scenarios whose name contains the word
    python bench/limits/run.py --held-out               # the scenarios that the search has not been tuned on
    python bench/limits/run.py --drawn 192 --seeds 3    # scenarios drawn at random, with --held-out the odd ones

Every run is a function of scenario, rule and seed. Results are kept in --results, one line each, and not done again
while the code of the search and of the bench is the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.limits import peers, summary  # noqa: E402
from bench.limits.drawn import drawn, drawn_up_to  # noqa: E402
from bench.limits.held_out import HELD_OUT  # noqa: E402
from bench.limits.scenario import Scenario  # noqa: E402
from bench.limits.score import Found, Row, row_of  # noqa: E402
from bench.limits.truth import binding, truth  # noqa: E402
from bench.limits.tuned import TUNED  # noqa: E402
from capacity.offline import find_limit  # noqa: E402

OURS, OURS_SEEDS, PEER_SEEDS = "redline", 400, 50
SCENARIOS = {scenario.name: scenario for scenario in (*TUNED, *HELD_OUT)}
Job = tuple[str, str, int]
"""(scenario, rule, seed)."""


def searched(job: Job) -> Found:
    """One search."""
    name, rule, seed = job
    scenario = _named(name)
    endpoint = scenario.endpoint(seed)
    if rule != OURS:
        level = peers.RULES[rule](endpoint, scenario)
        counts = (endpoint.now_s, endpoint.sent_count, endpoint.rejected_count)
        return Found("FOUND" if level else "MISSED_AT_ZERO_LOAD", level, None, None, *counts)
    goals, mode, most = list(scenario.goals), scenario.mode, scenario.max_level
    verdict = find_limit(endpoint, goals, mode=mode, max_level=most, seed=seed)
    counts = (endpoint.now_s, endpoint.sent_count, endpoint.rejected_count)
    limit = verdict.binding
    if limit is None:
        return Found(str(verdict.kind), None, None, None, *counts)
    known = {} if scenario.group in ("verdict", "client") else truth(scenario)
    covered = tuple(
        one.low <= known[one.goal][2] and (one.high is None or known[one.goal][0] <= one.high)
        for one in verdict.limits
        if one.goal in known
    )
    return Found(str(verdict.kind), limit.level, limit.low, limit.high, *counts, covered)


def _named(name: str) -> Scenario:
    return SCENARIOS[name] if name in SCENARIOS else drawn(int(name.split(":")[0]))


def main() -> None:
    """Runs what is missing and prints the table."""
    asked = _asked()
    listed = HELD_OUT if asked.held_out else TUNED
    scenarios = drawn_up_to(asked.drawn, held_out=asked.held_out) if asked.drawn else listed
    chosen = [s for s in scenarios if asked.only.lower() in s.name.lower()]
    for scenario in chosen:
        if scenario.group not in ("verdict", "client"):
            truth(scenario)
    rules = [OURS, *peers.RULES] if asked.rule == "all" else asked.rule.split(",")
    jobs = list(_jobs(chosen, rules, asked.seeds))
    found = _resumed(asked.results)
    _run([job for job in jobs if job not in found], found, asked)
    print("\n", *summary.HEADER, sep="\n")
    for rule in rules:
        print(summary.line(rule, _rows(chosen, rule, jobs, found)))
    for rule in rules:
        print(f"\n{rule}\n")
        print(*HEADER, sep="\n")
        for name, (_, _, row) in _rows(chosen, rule, jobs, found).items():
            print(line(_named(name), _band(_named(name)), row))


def _band(scenario: Scenario) -> tuple[float, float, float] | None:
    return None if scenario.group in ("verdict", "client") else binding(scenario)


def _rows(
    chosen: list[Scenario], rule: str, jobs: list[Job], found: dict[Job, Found]
) -> dict[str, tuple[str, str, Row]]:
    """Scenario → (group, mode, scores of its runs under the rule)."""
    rows = {}
    for scenario in chosen:
        results = [found[job] for job in jobs if job[:2] == (scenario.name, rule)]
        if results:
            rows[scenario.name] = (scenario.group, scenario.mode, row_of(results, _band(scenario), scenario.kinds))
    return rows


HEADER = (
    "| scenario | true limit | verdict right | exact | bias | error | > 5 % too high | covered | width | s | requests |"
    " rejected |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def line(scenario: Scenario, band: tuple[float, float, float] | None, row: Row) -> str:
    """One row of the table."""

    def share(value: float | None, form: str = "{:.0f} %") -> str:
        return "" if value is None else form.format(100 * value)

    exact = share(row.exact_ratio) if scenario.group == "cliff" else ""
    cells = [
        scenario.name,
        f"{band[1]:.4g}" if band else "",
        share(row.right_ratio),
        exact,
        share(row.bias_ratio, "{:+.1f} %"),
        share(row.error_ratio, "{:.1f} %"),
        share(row.unsafe_ratio, "{:.1f} %"),
        share(row.covered_ratio),
        share(row.width_ratio),
        f"{row.seconds:.0f}",
        f"{row.sent:.0f}",
        f"{row.rejected:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=None, help="runs of each scenario; default 400, for others 50")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--rule", default="all", help="redline, or names of others, with commas between")
    parser.add_argument("--held-out", action="store_true", help="the scenarios that were looked at once")
    parser.add_argument("--drawn", type=int, default=0, help="scenarios drawn at random, of the numbers below this")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("limits-results.jsonl"))
    return parser.parse_args()


def _jobs(chosen: list[Scenario], rules: list[str], seeds: int | None) -> Iterator[Job]:
    for rule in rules:
        most = seeds or (OURS_SEEDS if rule == OURS else PEER_SEEDS)
        for scenario in chosen:
            if rule == OURS or scenario.group in ("cliff", "smooth", "client"):
                yield from ((scenario.name, rule, seed) for seed in range(1, most + 1))


def _version(rule: str) -> str:
    """Changes with every line that a result of the rule depends on."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    if rule == OURS:
        ours = [module.__file__ for name, module in sys.modules.items() if name.startswith("capacity.")]
        files += sorted(Path(file) for file in ours if file is not None)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _resumed(path: Path) -> dict[Job, Found]:
    """What an earlier run of the same code has found."""
    version = {rule: _version(rule) for rule in (OURS, *peers.RULES)}
    found = {}
    for told in map(json.loads, path.read_text().splitlines() if path.exists() else ()):
        if told["version"] == version.get(told["job"][1]):
            result = {**told["found"], "covered": tuple(told["found"]["covered"])}
            found[tuple(told["job"])] = Found(**result)
    return found


def _run(jobs: list[Job], found: dict[Job, Found], asked: argparse.Namespace) -> None:
    began_s = time.perf_counter()
    version = {rule: _version(rule) for rule in (OURS, *peers.RULES)}
    with asked.results.open("a") as results, ProcessPoolExecutor(asked.processes) as pool:
        mapped = pool.map(searched, jobs, chunksize=4) if asked.processes > 1 else map(searched, jobs)
        for done, (job, one) in enumerate(zip(jobs, mapped, strict=True), start=1):
            found[job] = one
            print(json.dumps({"version": version[job[1]], "job": job, "found": asdict(one)}), file=results, flush=True)
            if done % 20 == 0 or done == len(jobs):
                left_s = (time.perf_counter() - began_s) / done * (len(jobs) - done)
                print(f"\r{done} of {len(jobs)}, {left_s:.0f} s left  ", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
