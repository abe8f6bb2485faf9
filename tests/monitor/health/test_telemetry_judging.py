"""What telemetry and metrics come to: never OK by silence, never FAILED without proof. A row for every case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.health.telemetry_judging import (
    Arrivals,
    age_check,
    arrivals_of,
    looked_back,
    metric_check,
    ratio_check,
    unread_check,
    window_of,
)
from monitor.outcomes import Outcome
from scoring.account import OUTCOMES
from scoring.health import CheckResult, Health
from scoring.telemetrygoals import FailedRatioGoal, TelemetryAgeGoal, parse_metric_goal, parse_telemetry_goal
from scoring.told import MetricSeries, Point

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
RATIO = FailedRatioGoal("failed_ratio(15m)<=1%", 15 * 60 * 10**9, 0.01)
AGE = TelemetryAgeGoal("telemetry_age<=30m", 30 * 60 * 10**9)
FRESH = Arrivals(NOW, NOW - timedelta(seconds=3), timedelta(seconds=90))


def rows(*codes: tuple[str, int], role: str = "churn", weight: int = 1) -> list[dict[str, Any]]:
    """Rows of telemetry_counts.kql; each item stands for `weight` requests."""
    return [{"role": role, "code": code, "n": n, "squares": n * weight, "corrected": 0} for code, n in codes]


def of_ratio(*codes: tuple[str, int], arrivals: Arrivals = FRESH, weight: int = 1) -> CheckResult:
    return ratio_check(RATIO, rows(*codes, weight=weight), window_of(RATIO, arrivals), arrivals)


@pytest.mark.parametrize(
    ("codes", "outcome", "reason", "why"),
    [
        ([], Health.UNKNOWN, "no_traffic", "silence is not OK"),
        ([("0", 12)], Health.UNKNOWN, "no_status", "rows that tell no status prove nothing"),
        ([("200", 1)], Health.OK, "ok", "no failure was seen"),
        ([("200", 990), ("500", 10)], Health.OK, "ok", "1 % is within 1 %"),
        ([("200", 2), ("500", 1)], Health.DEGRADED, "failed_ratio_high", "one of three may be 0.8 %"),
        ([("500", 1)], Health.DEGRADED, "failed_ratio_high", "one failure alone proves nothing"),
        ([("500", 2)], Health.FAILED, "failed_ratio_high", "two of two are 15.8 % at least"),
        ([("503", 3)], Health.FAILED, "failed_ratio_high", "a total outage of three requests"),
        ([("200", 985), ("500", 15)], Health.DEGRADED, "failed_ratio_high", "1.5 % of 1,000 may be 0.84 %"),
        ([("200", 980), ("503", 20)], Health.FAILED, "failed_ratio_high", "2 % of 1,000 are 1.2 % at least"),
        ([("200", 100), ("0", 900)], Health.OK, "ok", "rows without a status count neither way"),
        ([("200", 50), ("400", 25), ("401", 25)], Health.FAILED, "failed_ratio_high", "what is not 2xx has failed"),
    ],
)
def test_a_share_of_failures_is_judged_with_its_uncertainty(
    codes: list[tuple[str, int]], outcome: Health, reason: str, why: str
) -> None:
    """FAILED where the whole interval is above the goal, DEGRADED where only the point is."""
    found = of_ratio(*codes)
    assert (found.outcome, found.reason) == (outcome, reason), why


def test_one_failure_proves_nothing_even_against_a_tiny_goal() -> None:
    """One of three against 0.1 %: the interval begins at 0.84 %, and it is one request all the same."""
    tiny = FailedRatioGoal("failed_ratio(15m)<=0.1%", RATIO.window_ns, 0.001)
    found = ratio_check(tiny, rows(("200", 2), ("500", 1)), window_of(tiny, FRESH), FRESH)
    assert found.outcome is Health.DEGRADED
    assert "too few to be sure" in found.evidence


def test_a_sampled_count_is_worth_what_was_kept() -> None:
    """Of 100 requests that are one kept row of weight 100 each, three are worth three, not 300."""
    kept, sampled = of_ratio(("200", 200), ("500", 100)), of_ratio(("200", 200), ("500", 100), weight=100)
    assert (kept.outcome, sampled.outcome) == (Health.FAILED, Health.DEGRADED)
    assert "sampled, worth 3" in sampled.evidence


def test_the_evidence_has_count_interval_goal_and_watermark() -> None:
    """Everything that the decision rests on stands in one line."""
    assert of_ratio(("200", 980), ("503", 15), ("500", 5)).evidence == (
        "2 % of 1,000 requests failed (20; 95 %: 1.23 % to 3.07 %), the goal is 1 %; in 15 min 0 s,"
        " complete until 2026-03-01 11:59:00 UTC; 503: 15, 500: 5"
    )


def test_roles_that_were_counted_together_are_named() -> None:
    """A component is shared by endpoints: whose requests were counted is said, made harmless."""
    both = rows(("200", 5)) + rows(("200", 7), role="fraud\x1b[31m")
    evidence = ratio_check(RATIO, both, window_of(RATIO, FRESH), FRESH).evidence
    assert "of the roles fraud" in evidence
    assert "churn: 5" in evidence
    assert "\x1b" not in evidence


def test_a_window_ends_where_rows_are_complete() -> None:
    """Rows that take 90 s to arrive move the window back by 90 s."""
    window = window_of(RATIO, FRESH)
    assert (window.from_at, window.until_at) == (NOW - timedelta(minutes=16.5), NOW - timedelta(seconds=90))


def test_rows_that_come_later_than_a_window_leave_it_unknown() -> None:
    """With a delay of 20 minutes the last 15 are not known, whatever the 15 before them were."""
    late = Arrivals(NOW, NOW - timedelta(minutes=20), timedelta(minutes=20))
    for codes in ([("200", 100)], [("500", 100)]):
        assert of_ratio(*codes, arrivals=late).reason == "telemetry_late"
    assert of_ratio(("200", 1), arrivals=late).outcome is Health.UNKNOWN


@pytest.mark.parametrize(
    ("age", "outcome", "reason"),
    [
        (timedelta(minutes=30), Health.OK, "ok"),
        (timedelta(minutes=30, seconds=1), Health.DEGRADED, "telemetry_missing"),
        (timedelta(seconds=-20), Health.OK, "ok"),
        (None, Health.DEGRADED, "telemetry_missing"),
    ],
)
def test_telemetry_that_is_too_old_is_missing(age: timedelta | None, outcome: Health, reason: str) -> None:
    """The bound itself holds; a clock ahead of the service's is no age below 0; no row at all is missing too."""
    arrivals = Arrivals(NOW, None if age is None else NOW - age)
    found = age_check(AGE, arrivals, looked_back([AGE]))
    assert (found.outcome, found.reason) == (outcome, reason)


def test_an_answer_without_rows_is_no_arrival() -> None:
    """A sum over nothing has null times, and the service's clock is kept."""
    row = {"n": None, "last_at": None, "lag_ms": None, "asked_at": NOW}
    assert arrivals_of([row], NOW + timedelta(hours=1)) == Arrivals(NOW)
    assert arrivals_of([], NOW) == Arrivals(NOW)


def test_rows_are_looked_for_over_twice_the_longest_goal() -> None:
    """An hour at least."""
    assert looked_back([AGE, RATIO]) == timedelta(hours=1)
    assert looked_back([parse_telemetry_goal("telemetry_age<=2d")]) == timedelta(days=4)


@pytest.mark.parametrize("word", OUTCOMES)
@pytest.mark.parametrize("source", ["telemetry", "metrics"])
def test_a_source_that_does_not_tell_is_unknown_and_never_failed(source: str, word: str) -> None:
    """Whatever the workspace refuses is no fault of the endpoint; the word is stable and has a next step."""
    found = unread_check("goal", source, Outcome(word, "said Bearer abcdefghijklmnopqrstuvwxyz0123456789"))
    assert found.outcome is Health.UNKNOWN
    assert found.reason.startswith(f"{source}_")
    assert "abcdefghijklmnop" not in found.evidence
    assert found.next_step is not None


def series(*values: float | None, name: str = "CpuUtilizationPercentage", **dimensions: str) -> MetricSeries:
    """One value a minute, the last of them the minute before NOW; None: no value in that minute."""
    first = NOW.replace(second=0) - timedelta(minutes=len(values))
    points = (Point(first + timedelta(minutes=at), value) for at, value in enumerate(values) if value is not None)
    return MetricSeries(name, "Percent", "Maximum", tuple(dimensions.items()), tuple(points))


@pytest.mark.parametrize(
    ("goal", "lines", "outcome", "reason", "why"),
    [
        ("CpuUtilizationPercentage(5m)<=90%", [[50, 60, 70, 80, 90]], Health.OK, "ok", "70 in the middle"),
        ("CpuUtilizationPercentage(5m)<=90%", [[10, 10, 99, 10, 10]], Health.OK, "ok", "one peak is no state"),
        ("CpuUtilizationPercentage(5m)<=90%", [[10, 10, 91, 95, 99]], Health.DEGRADED, "metric_high", "91 > 90"),
        ("CpuUtilizationPercentage(5m)<=90%", [[5] * 5, [95] * 5], Health.DEGRADED, "metric_high", "the worst one"),
        ("CpuUtilizationPercentage(2m)<=90%", [[99, 99, 99, 5, 5]], Health.OK, "ok", "older than the window"),
        ("CpuUtilizationPercentage(5m)<=90%", [], Health.UNKNOWN, "metric_missing", "no series"),
        ("CpuUtilizationPercentage(5m)<=90%", [[None] * 5], Health.UNKNOWN, "metric_missing", "no value"),
        ("CpuUtilizationPercentage(5m)<=90%", [[5] + [None] * 11], Health.UNKNOWN, "metric_missing", "12 min old"),
        ("DeploymentCapacity(5m)>=2", [[2, 2, 2, 2, 2]], Health.OK, "ok", "a floor holds at its bound"),
        ("DeploymentCapacity(5m)>=2", [[2, 2, 1, 1, 1]], Health.DEGRADED, "metric_low", "1 in the middle"),
        ("RequestsPerMinute(3m)>=10", [[6, 6, 6], [6, 6, 6]], Health.OK, "ok", "all codes together are 12"),
        ("RequestsPerMinute(3m)>=13", [[6, 6, 6], [6, 6, 6]], Health.DEGRADED, "metric_low", "12 is below 13"),
    ],
)
def test_the_middle_minute_of_a_window_is_held_to_the_bound(
    goal: str, lines: list[list[float | None]], outcome: Health, reason: str, why: str
) -> None:
    """No average of percentiles, no verdict on one minute, no OK without a value."""
    found = metric_check(
        parse_metric_goal("blue/" + goal if "Cpu" in goal else goal), [series(*one) for one in lines], NOW
    )
    assert (found.outcome, found.reason) == (outcome, reason), why


def test_a_minute_that_is_not_over_does_not_count_as_a_rate() -> None:
    """Two requests in the first 30 s are not 2 a minute; CPU of the same minute is told as it stands."""
    rate = series(20, 20, 20, 20, 20, name="RequestsPerMinute")
    now_point = Point(NOW.replace(second=0), 2.0)
    begun = MetricSeries(rate.name, rate.unit, rate.aggregation, (), (*rate.points, now_point))
    assert metric_check(parse_metric_goal("RequestsPerMinute(1m)>=10"), [begun], NOW).reason == "ok"
    cpu = MetricSeries("CpuUtilizationPercentage", "Percent", "Maximum", (("instanceId", "i-0"),), (now_point,))
    found = metric_check(parse_metric_goal("blue/CpuUtilizationPercentage(1m)<=90%"), [cpu], NOW)
    assert found.evidence == "2 % of i-0 in the middle of 1 minute until 12:00 UTC, the bound is 90 %"
