"""What a limit report is made from, and the sentences every rendering opens with (contracts.md §2, §3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from capacity.unit import USERS, Unit
from capacity.verdict import Kind, Level, Limit, Recommended, Sizing, Verdict
from reports.words import concurrent, percent, renewed_words, sentence_case, show_rps
from scoring.endpoint import Endpoint
from scoring.told import Finding
from scoring.units import show_ratio

if TYPE_CHECKING:  # they bring numpy, and a health check reads these words too
    from capacity.coldstart import ColdStart
    from capacity.scaling import Scaling
    from capacity.wall import Wall


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What was asked and by which program: enough to do the run again."""

    tool_version: str
    versions: dict[str, str]
    seed: int | None
    configuration_hash: str
    started_at: str  # RFC 3339, UTC
    command: str
    goals: tuple[str, ...]
    harm_budget: int
    budget_s: float
    payload_count: int
    finished: bool


@dataclass(frozen=True, slots=True)
class FailureSample:
    """One failed request, for looking it up in the service's own log."""

    label: str
    users: int | None
    request_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class LimitReport:
    """One run of `redline limit`, as every rendering sees it."""

    verdict: Verdict
    endpoint: Endpoint
    decision: str | None
    decision_sentence: str | None
    recommended: Recommended
    run: str  # folder name
    run_facts: RunFacts
    failures: tuple[FailureSample, ...] = field(default=())
    causes: tuple[Finding, ...] = ()
    wall: Wall | None = None
    scaling: Scaling | None = None
    cold_start: ColdStart | None = None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One goal: the limit, its interval, and the answers it rests on, in words."""

    goal: str
    users: str
    interval: str
    rests_on: str
    bound: str  # one-sided, 95 %
    confirmed: bool
    binding: bool

    @property
    def state(self) -> str:
        """In words: confirmed or not, and whether this goal is the one that sets the limit."""
        return ("confirmed" if self.confirmed else "not confirmed") + (", binding" if self.binding else "")


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """The measured level nearest to one share of the limit."""

    share: str
    level: Level


def headline(report: LimitReport) -> str:
    """One sentence that answers the question the run was started with."""
    verdict, name = report.verdict, report.endpoint.name
    level = verdict.binding.level if verdict.binding else None
    if verdict.kind is Kind.FOUND and level is not None:
        return f"{name} takes {verdict.unit.in_full(level)}{_within(verdict)}; {first_rejection(verdict)}."
    if verdict.kind is Kind.AT_LEAST and level is not None:
        return f"{name} takes at least {verdict.unit.in_full(level)}; every goal was kept up to there."
    if verdict.kind is Kind.MISSED_AT_ZERO_LOAD:
        return f"{name} misses {verdict.binding_goal or 'its goal'} at the lowest load: not a matter of load."
    if verdict.kind is Kind.NOT_A_LOAD_PROBLEM:
        said = _clause(verdict.reason)
        return f"{said if name in said else f'{name}: {said}'}: not a matter of load."
    if verdict.kind is Kind.CLIENT_LIMITED:
        return f"The client, not {name}, set the limit of this run{_at_least(verdict)}."
    if verdict.kind is Kind.BUDGET_SPENT:
        return f"The budget ended before the limit of {name} was settled{_between(verdict)}."
    if verdict.kind is Kind.NOT_STEADY:
        return f"{name} did not answer steadily enough to say a limit: {_clause(verdict.reason)}."
    return f"{name}: {_clause(verdict.reason)}."


def title(report: LimitReport) -> str:
    """The verdict in a few words, for window titles and subject lines."""
    return f"{verdict_word(report)}: {headline(report).rstrip('.')}"


def kind_word(report: LimitReport) -> str:
    """The kind of verdict as people read it."""
    return report.verdict.kind.value.replace("_", " ")


def verdict_word(report: LimitReport) -> str:
    """The decision when one was asked for, else the kind of verdict."""
    return report.decision or kind_word(report)


def verdict_tone(report: LimitReport) -> str:
    """`good`, `bad`, `warn` or `plain`: a finding is neither good nor bad until a need is stated."""
    if report.decision is not None:
        return {"GO": "good", "NO-GO": "bad"}.get(report.decision, "warn")
    if report.verdict.kind in (Kind.FOUND, Kind.AT_LEAST):
        return "plain" if report.verdict.client.valid else "warn"
    if report.verdict.kind in (Kind.MISSED_AT_ZERO_LOAD, Kind.NOT_A_LOAD_PROBLEM):
        return "bad"
    return "warn"


def remarks(report: LimitReport) -> tuple[str, ...]:
    """What must be known beside the headline: an interruption, an unfinished run, the reason."""
    verdict = report.verdict
    said = []
    if verdict.interrupted:
        said.append("The run was interrupted; this is what had been measured until then.")
    elif not report.run_facts.finished:
        said.append("The run did not finish; this is what its folder holds.")
    if verdict.renewed_count:
        said.append(renewed_words(verdict.renewed_count))
    if verdict.reason and _clause(verdict.reason) not in headline(report):
        said.append(f"{_clause(verdict.reason)}.")
    return tuple(sentence_case(sentence) for sentence in said)


def first_rejection(verdict: Verdict) -> str:
    """`the first 503 came at 9`, or that none was seen."""
    if verdict.first_rejected_users is None:
        return "no 429 or 503 was seen" if verdict.rejected_count == 0 else "no 429 or 503 counts against a level"
    return f"the first {rejection_label(verdict)} came at {verdict.unit.number(verdict.first_rejected_users)}"


def rejection_label(verdict: Verdict) -> str:
    """The code with which this endpoint first turned a request away."""
    seen = {label: users for label, users in verdict.first_seen.items() if label in ("429", "503")}
    if seen:
        return min(sorted(seen), key=lambda label: seen[label])
    at_first = [level for level in verdict.levels if level.users == verdict.first_rejected_users]
    return next(
        (label for level in at_first for label in ("429", "503") if level.status_count.get(label)), "429 or 503"
    )


def limits_table(report: LimitReport) -> tuple[LimitRow, ...]:
    """One row per goal, the binding one first."""
    rows = [_limit_row(limit, report.verdict) for limit in report.verdict.limits]
    return tuple(sorted(rows, key=lambda row: not row.binding))


def latency_table(report: LimitReport) -> tuple[LatencyRow, ...]:
    """The measured levels nearest to 25, 50, 75 and 100 % of the limit, each level once, under its exact share."""
    limit = report.verdict.binding.level if report.verdict.binding else None
    levels = [level for level in report.verdict.levels if level.p50_ms is not None]
    if not limit or not levels:
        return tuple(LatencyRow("–", level) for level in levels[:4])
    nearest = (_nearest(levels, share * limit) for share in _SHARES)
    chosen = {(_best_seen(levels, one) if report.verdict.unit.is_open else one).users for one in nearest}
    return tuple(LatencyRow(f"{100 * level.users / limit:.0f} %", level) for level in levels if level.users in chosen)


def _best_seen(levels: Sequence[Level], at: Level) -> Level:
    """Of rates that lie close together the one with the most answers."""
    near = [level for level in levels if abs(level.users - at.users) <= BESIDE * at.users]
    return max(near, key=lambda level: level.good_count)


def judged(level: Level) -> Level:
    """The level with the latencies by which goals judge: of an open loop those from the due time."""
    if level.due_count is None:
        return level
    return replace(
        level,
        p50_ms=level.p50_from_due_ms,
        p90_ms=level.p90_from_due_ms,
        p95_ms=level.p95_from_due_ms,
        p99_ms=level.p99_from_due_ms,
        p999_ms=level.p999_from_due_ms,
        max_ms=level.max_from_due_ms,
    )


def _nearest(levels: Sequence[Level], users: float) -> Level:
    return min(levels, key=lambda level: abs(level.users - users))


def level_at(verdict: Verdict, users: int | None) -> Level | None:
    """The level measured at exactly `users`."""
    return next((level for level in verdict.levels if level.users == users), None)


def level_beside(verdict: Verdict, level: int | None) -> Level | None:
    """The level measured at exactly `level`; of rates, which have no neighbours, the nearest kept one within BESIDE."""
    if level is None or not verdict.unit.is_open:
        return level_at(verdict, level)
    near = [one for one in verdict.levels if abs(one.users - level) <= BESIDE * level and one.p50_ms is not None]
    return min(near, key=lambda one: abs(one.users - level), default=None)


def peak_words(verdict: Verdict) -> str:
    """The highest completed rate and the load at which it was reached."""
    if verdict.peak_rps <= 0 or not verdict.levels:
        return "not measured"
    best = max(verdict.levels, key=lambda level: level.timed_rps or 0.0)
    if verdict.unit.is_open:
        return f"{show_rps(verdict.peak_rps)} with {verdict.unit.number(best.users)} due"
    return f"{show_rps(verdict.peak_rps)} at {verdict.unit.words(best.users)}"


def safe_words(recommended: Recommended) -> str:
    """The load to plan with."""
    if recommended.safe_users is None:
        return "not known" if recommended.safe_rps is None else show_rps(recommended.safe_rps)
    rate = "" if recommended.safe_rps is None else f", {show_rps(recommended.safe_rps)}"
    return f"{concurrent(recommended.safe_users)}{rate}"


def sizing_words(sizing: Sizing) -> str:
    """Replicas for one target rate, by the queueing model and by Microsoft's formula, each with what it rejects."""
    return (
        f"{show_rps(sizing.target_rps)}: {sizing.replicas} replicas by the queueing model "
        f"({percent(sizing.rejected_ratio, 2)} rejected), {sizing.formula_replicas} by Microsoft's formula "
        f"({percent(sizing.formula_rejected_ratio, 2)} rejected)"
    )


_SHARES = (0.25, 0.5, 0.75, 1.0)
BESIDE = 0.05
"""A rate so close to the limit, as a share of it, shows what is seen at the limit."""


def _limit_row(limit: Limit, verdict: Verdict) -> LimitRow:
    return LimitRow(
        goal=limit.goal,
        users=_limit_words(limit, verdict.unit),
        interval=interval_words(limit, verdict.unit),
        rests_on=show_ratio(limit.bad_count, limit.attempt_count) if limit.attempt_count else "no attempts",
        bound="–" if limit.bound_ratio is None else f"{100 * limit.bound_ratio:.2g} %",
        confirmed=limit.confirmed,
        binding=limit.goal == verdict.binding_goal,
    )


def _limit_words(limit: Limit, unit: Unit) -> str:
    if limit.level is not None:
        return unit.number(limit.level)
    return "none" if limit.high == 0 else "not known"


def interval_words(limit: Limit, unit: Unit = USERS) -> str:
    """The 95 % interval, closed; open above where nothing failed."""
    if limit.high is None:
        return f"{unit.number(limit.low)} or more"
    return f"{unit.number(limit.low)} to {unit.number(limit.high)}"


def _within(verdict: Verdict) -> str:
    goal = verdict.binding_goal or ""
    return "" if goal.replace(" ", "").startswith("rejected") else f" within {goal}"


def _at_least(verdict: Verdict) -> str:
    best = verdict.binding
    return f"; it takes at least {verdict.unit.in_full(best.low)}" if best is not None and best.low > 0 else ""


def _between(verdict: Verdict) -> str:
    best = verdict.binding
    if best is None or (best.low == 0 and best.high is None):
        return ""
    if best.high is None:
        return f"; it is at least {verdict.unit.in_full(best.low)}"
    return f"; it lies between {verdict.unit.number(best.low)} and {verdict.unit.in_full(best.high)}"


def _clause(sentence: str) -> str:
    return sentence.strip().rstrip(".")


def level_marks(verdict: Verdict, users: int) -> tuple[str, ...]:
    """What is to be said of one level: limit, first rejection, knee."""
    best = verdict.binding
    marks = []
    if best is not None and best.level == users:
        marks.append("limit" if best.high is not None else "highest level kept")
    if verdict.first_rejected_users == users:
        marks.append(f"first {rejection_label(verdict)}")
    if verdict.knee_users == users:
        marks.append("knee")
    return tuple(marks)
