"""From what a run folder holds to the report of it. The same folder gives the same report."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from capacity.coldstart import cold_start
from capacity.need import parse_need
from capacity.recommend import decide, recommend
from capacity.scaling import scaling_of
from capacity.signs import signs_of
from capacity.verdict import Verdict
from capacity.wall import wall_of
from reports.limit import FailureSample, LimitReport, RunFacts
from scoring.told import Finding

if TYPE_CHECKING:
    from capacity.plan import Plan
    from capacity.runfolder import Run
    from capacity.summary import Rows

SAMPLES_PER_LABEL = 3


def limit_report(
    run: Run,
    verdict: Verdict,
    rows: Rows,
    failures: Sequence[Mapping[str, Any]],
    *,
    finished: bool,
    where: str,
    causes: Sequence[Finding] = (),
) -> LimitReport:
    """The report of a limit run. `where` is the run folder as the person can type it."""
    need = parse_need(run.plan.need)
    decision = decide(verdict, need.rps, need.users)
    return LimitReport(
        verdict=verdict,
        endpoint=run.plan.endpoint,
        decision=None if decision is None else decision.word,
        decision_sentence=None if decision is None else decision.sentence,
        recommended=recommend(verdict, run.plan.endpoint, need.rps, need.users, spacing=run.plan.spacing),
        run=where,
        run_facts=run_facts(run, rows, finished=finished),
        failures=samples(failures),
        causes=tuple(causes),
        wall=wall_of(verdict, run.plan.endpoint, signs_of(rows, verdict.trials, failures)),
        scaling=scaling_of(verdict),
        cold_start=cold_start(rows, verdict),
    )


def run_facts(run: Run, rows: Rows, *, finished: bool) -> RunFacts:
    """What was asked and by which program."""
    plan = run.plan
    return RunFacts(
        tool_version=run.versions.get("redline", "unknown"),
        versions=run.versions,
        seed=plan.seed,
        configuration_hash=run.configuration_hash,
        started_at=run.anchor.started_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        command=typed(plan),
        goals=plan.thresholds if plan.command == "load" else plan.goals,
        harm_budget=plan.harm_budget,
        budget_s=plan.budget_s,
        payload_count=int(rows["payload"].max()) + 1 if len(rows) else 0,
        finished=finished,
    )


def samples(failures: Iterable[Mapping[str, Any]]) -> tuple[FailureSample, ...]:
    """The first few failures of each label, in order."""
    taken: Counter[str] = Counter()
    kept = []
    for row in failures:
        label = str(row.get("label", "unknown"))
        taken[label] += 1
        if taken[label] <= SAMPLES_PER_LABEL:
            users = row.get("users")
            number = users if isinstance(users, int) else None
            kept.append(FailureSample(label, number, str(row.get("request_id", "")), str(row.get("detail", ""))))
    return tuple(kept)


def typed(plan: Plan) -> str:
    """The command that does the run again, from any folder. The place of a key file is left out."""
    endpoint = plan.endpoint
    words = ["redline", plan.command, "--url", endpoint.scoring_uri]
    words += _given("--key-env", endpoint.key_env) + ([] if endpoint.key_file is None else ["--key-file", "KEY_FILE"])
    words += _given("--payload", plan.payload)
    words += [word for name, value in plan.headers for word in ("--header", f"{name}: {value}")]
    words += _given("--hosting", endpoint.hosting)
    words += _given("--instances", endpoint.instances) + _given("--max-concurrent", endpoint.max_concurrent)
    words += [] if plan.expect_json else ["--expect-any-body"]
    words += [] if plan.deadline_ns is None else ["--deadline", f"{plan.deadline_ns / 1e9:g}s"]
    words += _load_words(plan) if plan.command == "load" else _limit_words(plan)
    return shlex.join(words)


def _limit_words(plan: Plan) -> list[str]:
    goals = [word for goal in plan.goals for word in ("--goal", goal)]
    budgets = ["--max-users", str(plan.max_users), "--harm-budget", str(plan.harm_budget)]
    budgets += ["--budget", f"{plan.budget_s:g}s", *_beyond_words(plan), "--seed", str(plan.seed)]
    return [*goals, *_given("--need", plan.need), *_open_words(plan), *budgets]


def _beyond_words(plan: Plan) -> list[str]:
    return ["--beyond", "--beyond-budget", str(plan.beyond_budget)] if plan.beyond else []


def _open_words(plan: Plan) -> list[str]:
    if not plan.is_open:
        return []
    most = None if plan.max_rps is None else f"{plan.max_rps:g}"
    return ["--open", *_given("--max-rps", most), "--arrivals", plan.spacing]


def _load_words(plan: Plan) -> list[str]:
    goals = [word for goal in plan.thresholds for word in ("--threshold", goal)]
    load = _open_load_words(plan) if plan.is_open else ["--users", str(plan.users)]
    return [*load, "--for", f"{plan.duration_s:g}s", *goals]


def _open_load_words(plan: Plan) -> list[str]:
    """How requests of an open load are due, over how many connections."""
    if plan.replay is not None:
        due = ["--replay", plan.replay, "--speed", f"{plan.speed:g}"]
    else:
        rps = f"{plan.rps:g}" if plan.last_rps is None else f"{plan.rps:g}..{plan.last_rps:g}"
        due = ["--rps", rps, "--arrivals", plan.spacing, "--seed", str(plan.seed)]
    return [*due, "--max-users", str(plan.max_users)]


def _given(option: str, value: Sequence[str] | int | None) -> list[str]:
    return [] if value is None else [option, str(value)]
