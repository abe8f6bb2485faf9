"""What Azure Monitor's answers say of an endpoint's health, as checks with stable reasons. Pure.

Nothing is OK by silence: no requests, no rows, no minutes and no answer are UNKNOWN, each with a reason of its own.
What the workspace or the network between keeps from us is no fault of the endpoint and never FAILED.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.binomial import clopper_pearson
from monitor.health.reasons import next_step
from monitor.outcomes import Outcome
from monitor.rows import Row
from monitor.slices import Slice
from scoring.account import is_good
from scoring.health import REASON_OK, CheckResult, Health, worst
from scoring.redact import redact
from scoring.telemetrygoals import FailedRatioGoal, MetricGoal, TelemetryAgeGoal, TelemetryGoal
from scoring.text import harmless
from scoring.told import MetricSeries
from scoring.units import HOUR, S, show_count, show_seconds

TELEMETRY, METRICS = "telemetry", "metrics"
FEWEST_FAILED = 2
"""One failed request proves nothing, however small the goal."""
MINUTE = timedelta(minutes=1)
METRIC_LAG = timedelta(minutes=10)
"""A newest minute that is older says nothing of now."""
_RATES = frozenset(("RequestsPerMinute", "NewConnectionsPerSecond", "NetworkBytes"))
"""Metrics whose minute has to be over: until then it shows less than there was."""
_MOST_NAMED = 4
_REASONS = {
    "bad_answer": "unreachable",
    "failed": "unreachable",
    "missing_table": "not_found",
    "missing_column": "refused",
    "no_data": "not_found",
    "not_yet": "not_found",
    "refused_query": "refused",
    "wrong_workspace": "not_found",
}
"""The word of an outcome, where a check has another."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The checks of one endpoint that rest on Azure Monitor, made at one time."""

    checks: tuple[CheckResult, ...]
    retry_after_s: float | None = None  # the service asked not to be asked for so long

    @property
    def state(self) -> Health:
        """The worst of the checks; UNKNOWN without any."""
        return worst(check.outcome for check in self.checks)

    @property
    def deciding(self) -> CheckResult | None:
        """The first of the worst checks: it gives the reason."""
        return next((check for check in self.checks if check.outcome is self.state), None)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What had arrived when the service was asked, by the service's clock."""

    asked_at: datetime
    last_at: datetime | None = None  # event time of the newest row; None: no row in the time looked at
    lag: timedelta = timedelta(0)  # 99 % of the rows took no longer to arrive

    @property
    def complete_until(self) -> datetime:
        """Rows of requests before it are there."""
        return self.asked_at - self.lag


def arrivals_of(rows: Sequence[Row], now: datetime) -> Arrivals:
    """The one row of telemetry_arrivals.kql. `now` stands in where the service does not tell its time."""
    row = rows[0] if rows else {}
    lag = timedelta(milliseconds=max(0.0, row.get("lag_ms") or 0.0))
    return Arrivals(row.get("asked_at") or now, row.get("last_at") if row.get("n") else None, lag)


def looked_back(goals: Iterable[TelemetryGoal]) -> timedelta:
    """How far back rows are looked for: twice the longest of the goals, an hour at least."""
    longest_ns = max(goal.window_ns if isinstance(goal, FailedRatioGoal) else goal.bound_ns for goal in goals)
    return timedelta(seconds=max(2 * longest_ns, HOUR) / S)


def window_of(goal: FailedRatioGoal, arrivals: Arrivals) -> Slice:
    """The latest window that is complete."""
    until_at = arrivals.complete_until
    return Slice(until_at - timedelta(seconds=goal.window_ns / S), until_at)


def age_check(goal: TelemetryAgeGoal, arrivals: Arrivals, looked: timedelta) -> CheckResult:
    """Whether rows still come: the endpoint may be well, but nobody sees it where they do not."""
    bound_s = goal.bound_ns / S
    if arrivals.last_at is None:
        evidence = f"no request row in the last {show_seconds(looked.total_seconds())}, the bound is "
        return _result(goal.text, Health.DEGRADED, "telemetry_missing", evidence + show_seconds(bound_s))
    age_s = max(0.0, (arrivals.asked_at - arrivals.last_at).total_seconds())
    evidence = f"the newest request row is {show_seconds(age_s)} old, the bound is {show_seconds(bound_s)}"
    if age_s > bound_s:
        return _result(goal.text, Health.DEGRADED, "telemetry_missing", evidence)
    return _result(goal.text, Health.OK, REASON_OK, evidence)


def ratio_check(goal: FailedRatioGoal, rows: Sequence[Row], window: Slice, arrivals: Arrivals) -> CheckResult:
    """Whether few enough requests failed. FAILED only where that is proved: the whole interval is above the goal."""
    counted = _counted(rows)
    until = f"complete until {window.until_at:%Y-%m-%d %H:%M:%S} UTC"
    over = f"in {show_seconds(window.length.total_seconds())}, {until}"
    if arrivals.last_at is not None and arrivals.lag > timedelta(seconds=goal.window_ns / S):
        late = f"rows take {show_seconds(arrivals.lag.total_seconds())} to arrive, longer than the window; {until}"
        return _result(goal.text, Health.UNKNOWN, "telemetry_late", late)
    if not counted.total:
        if counted.untold:
            evidence = f"none of {show_count(counted.untold)} requests tells its status {over}"
            return _result(goal.text, Health.UNKNOWN, "no_status", evidence)
        return _result(goal.text, Health.UNKNOWN, "no_traffic", f"no traffic: no request {over}")
    low, high = clopper_pearson(min(counted.sure_failed, counted.sure_total), counted.sure_total)
    share = counted.failed / counted.total
    evidence = (
        f"{_percent(share)} of {show_count(counted.total)} requests failed ({show_count(counted.failed)}; 95 %:"
        f" {_percent(low)} to {_percent(high)}), the goal is {_percent(goal.bound_ratio)}; {over}{counted.remarks}"
    )
    if share <= goal.bound_ratio:
        return _result(goal.text, Health.OK, REASON_OK, evidence)
    is_proved = low > goal.bound_ratio and counted.sure_failed >= FEWEST_FAILED
    outcome = Health.FAILED if is_proved else Health.DEGRADED
    unsure = "" if is_proved else "; too few to be sure"
    return _result(goal.text, outcome, "failed_ratio_high", evidence + unsure)


def metric_check(goal: MetricGoal, series: Sequence[MetricSeries], now: datetime) -> CheckResult:
    """Whether the middle minute of the window is within the bound, for the worst instance or deployment.

    Minutes are neither averaged, as a percentile's average is none, nor judged one by one: one peak is no state.
    """
    named = [(name, found) for name, found in _lines(goal, series, now) if found]
    last_at = max((max(found) for _, found in named), default=None)
    if last_at is None or now - (last_at + MINUTE) > METRIC_LAG:
        newest = "" if last_at is None else f"; the newest is of {last_at:%Y-%m-%d %H:%M} UTC"
        return _result(goal.text, Health.UNKNOWN, "metric_missing", f"no value of {goal.name} for now{newest}")
    from_at = last_at + MINUTE - timedelta(seconds=goal.window_ns / S)
    middles = []
    for name, found in named:
        values = [value for at, value in found.items() if at >= from_at]
        if values:  # of two in the middle the one nearer to the bound's good side, so that it is a minute that was
            middle = statistics.median_high(values) if goal.is_floor else statistics.median_low(values)
            middles.append((middle, name, len(values)))
    value, name, count = min(middles) if goal.is_floor else max(middles)
    of = f" of {name}" if name else ""
    evidence = (
        f"{_measured(value, goal.unit)}{of} in the middle of {count} minute{'' if count == 1 else 's'} until"
        f" {min(last_at + MINUTE, now):%H:%M} UTC, the bound is {_measured(goal.bound, goal.unit)}"
    )
    if goal.is_floor and value < goal.bound:
        return _result(goal.text, Health.DEGRADED, "metric_low", evidence)
    if not goal.is_floor and value > goal.bound:
        return _result(goal.text, Health.DEGRADED, "metric_high", evidence)
    return _result(goal.text, Health.OK, REASON_OK, evidence)


def unread_check(text: str, source: str, outcome: Outcome) -> CheckResult:
    """Stands for a goal of which nothing is known, because the source did not answer, or not whole."""
    reason = f"{source}_{_REASONS.get(outcome.word, outcome.word)}"
    said = harmless(redact(outcome.said), max_chars=300)
    return _result(text, Health.UNKNOWN, reason, f"{source} could not be asked: {said}")


@dataclass(frozen=True, slots=True)
class _Counted:
    """Requests that tell their status, and as how many independent ones they count."""

    total: int
    failed: int
    untold: int
    worth_ratio: float  # independent requests per request: below 1 where the source is sampled
    remarks: str

    @property
    def sure_total(self) -> float:
        return self.total * self.worth_ratio

    @property
    def sure_failed(self) -> float:
        return self.failed * self.worth_ratio


def _counted(rows: Sequence[Row]) -> _Counted:
    codes: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    untold = corrected = squares = 0
    for row in rows:
        n, code = row.get("n") or 0, str(row.get("code") or "0")
        if code == "0":
            untold += n
            continue
        codes[harmless(code, max_chars=20)] += n
        roles[harmless(redact(str(row.get("role") or "")), max_chars=60)] += n
        corrected += row.get("corrected") or 0
        squares += row.get("squares") or n
    total = codes.total()
    failed = {code: n for code, n in codes.most_common() if not is_good(code)}
    worth = min(1.0, total / squares) if squares else 1.0  # Kish: (sum w)^2 / sum w^2 of w = itemCount
    remarks = _remarks(failed, roles, corrected, untold, round(total * worth) if worth < 1 else None)
    return _Counted(total, sum(failed.values()), untold, worth, remarks)


def _remarks(failed: dict[str, int], roles: Counter[str], corrected: int, untold: int, kept: int | None) -> str:
    """What else there is to know of the counts, each in a few words."""
    found = [_listed(failed)] if failed else []
    if len(roles) > 1:
        found.append(f"of the roles {_listed(dict(roles.most_common()))}")
    if corrected:
        found.append(f"{show_count(corrected)} statuses from the dimensions, where the columns say otherwise")
    if untold:
        found.append(f"{show_count(untold)} more tell no status")
    if kept is not None:
        found.append(f"sampled, worth {show_count(kept)}")
    return "".join(f"; {one}" for one in found)


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{name or 'unnamed'}: {show_count(n)}" for name, n in list(counts.items())[:_MOST_NAMED]]
    more = len(counts) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)


def _lines(goal: MetricGoal, series: Sequence[MetricSeries], now: datetime) -> list[tuple[str, dict[datetime, float]]]:
    """The values of each minute, by instance or deployment; of requests all codes together."""
    end = now - MINUTE if goal.name in _RATES else now
    found = [
        (", ".join(value for _, value in one.dimensions), {p.at: p.value for p in one.points if p.at <= end})
        for one in series
    ]
    if goal.name != "RequestsPerMinute":
        return found
    totals: Counter[datetime] = Counter()
    for _, minutes in found:
        totals.update(minutes)
    return [("", dict(totals))]


def _measured(value: float, unit: str) -> str:
    return f"{value:,.4g}" + (f" {unit}" if unit else "")


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"


def _result(id: str, outcome: Health, reason: str, evidence: str) -> CheckResult:
    return CheckResult(id, outcome, reason, evidence, next_step=next_step(reason, "ENDPOINT", None))
