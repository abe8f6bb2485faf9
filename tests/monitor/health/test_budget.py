"""Error budgets: the formulas, and what they tell at low and high traffic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.budget import BURNS, Counts, Objective, budget_seen, burn_rate, factor, left_ratio
from monitor.health.deciding import Seen
from scoring.health import Health

DAY_S = 86_400.0
MONTH_S = 30 * DAY_S
SLO = st.sampled_from([0.9, 0.95, 0.99, 0.995, 0.999, 0.9999])


class Checks:
    """Checks at times before now, most recent last: the exact twin of what a store counts."""

    def __init__(self, ages_s: list[float], bad: set[int]) -> None:
        self.ages_s, self.bad = ages_s, bad

    def over(self, span_s: float) -> Counts:
        inside = [place for place, age_s in enumerate(self.ages_s) if age_s < span_s]
        return Counts(len(self.bad & set(inside)), len(inside))


def every(interval_s: float, span_s: float, bad: set[int]) -> Checks:
    """A check each `interval_s`, number 0 the latest."""
    return Checks([place * interval_s for place in range(int(span_s / interval_s))], bad)


def seen(checks: Checks, slo_ratio: float, interval_s: float, since_told_s: float = 9e9) -> Seen:
    return budget_seen(Objective(slo_ratio, MONTH_S, interval_s), since_told_s, checks.over)


def test_the_factors_are_those_of_the_workbook() -> None:
    """2 % in 1 h, 5 % in 6 h, 10 % in 1 d and in 3 d of a 30-day budget."""
    assert [factor(burn, MONTH_S) for burn in BURNS] == [14.4, 6.0, 3.0, 1.0]


@given(SLO, st.integers(1, 10**6), st.data())
def test_a_burn_rate_of_one_spends_the_budget_exactly(slo_ratio: float, total: int, data: st.DataObject) -> None:
    """What is left after a window is one minus the burn rate, for every count."""
    counts = Counts(data.draw(st.integers(0, total)), total)
    assert left_ratio(counts, slo_ratio) == pytest.approx(1 - (burn_rate(counts, slo_ratio) or 0), abs=1e-6)


@given(SLO, st.sampled_from([30.0, 60.0, 300.0, 3_600.0, 21_600.0]), st.integers(0, 50))
def test_one_bad_check_never_tells(slo_ratio: float, interval_s: float, place: int) -> None:
    """One failure at night pages nobody, at any interval and objective."""
    assert seen(every(interval_s, 3 * DAY_S, {place}), slo_ratio, interval_s).outcome is Health.OK


@given(SLO, st.sampled_from([60.0, 300.0, 1_800.0, 7_200.0]))
def test_a_total_outage_of_a_day_tells_whenever_the_objective_can_burn_so_fast(
    slo_ratio: float, interval_s: float
) -> None:
    """With nothing but failures every window burns at 1 / (1 - objective), and the first rule below that tells."""
    checks = every(interval_s, DAY_S, set(range(int(DAY_S / interval_s))))
    full = 1 / (1 - slo_ratio)
    expected = Health.FAILED if full >= 6 else Health.DEGRADED if full >= 1 else Health.OK
    assert seen(checks, slo_ratio, interval_s).outcome is expected


def test_a_young_endpoint_is_not_judged_by_its_first_checks() -> None:
    """Two failures among the first ten checks, one a minute, are 2 of the 60 that an hour has: 3.3 times, not 20."""
    assert seen(every(60.0, 600.0, {1, 2}), 0.99, 60.0).outcome is Health.OK
    assert seen(Checks([60.0 * place for place in range(10)], {1, 2}), 0.999, 60.0).reason == "budget_burn_1h"


def test_a_burn_that_has_stopped_is_not_told() -> None:
    """30 bad minutes that ended an hour ago fill the long windows, not the short ones of the fast rules."""
    told = seen(every(60.0, 3 * DAY_S, set(range(60, 90))), 0.999, 60.0)
    assert told.reason not in ("budget_burn_1h", "budget_burn_6h")


def test_what_an_incident_has_told_is_not_told_again() -> None:
    """Thirty bad checks that an incident covered, which ended three minutes ago: nothing; two bad ones since: told."""
    covered = set(range(3, 33))
    assert seen(every(60.0, 3 * DAY_S, covered), 0.999, 60.0).outcome is Health.FAILED
    assert seen(every(60.0, 3 * DAY_S, covered), 0.999, 60.0, 180.0).outcome is Health.OK
    assert seen(every(60.0, 3 * DAY_S, covered | {1}), 0.999, 60.0, 180.0).outcome is Health.OK
    assert seen(every(60.0, 3 * DAY_S, covered | {0, 1}), 0.999, 60.0, 180.0).outcome is Health.FAILED


def test_a_slow_burn_is_degraded() -> None:
    """One bad check in 200 for three days is 5 times what 99.9 % allows: more than 3 a day, less than 6."""
    told = seen(every(60.0, 3 * DAY_S, set(range(0, 4_320, 200))), 0.999, 60.0)
    assert (told.outcome, told.reason) == (Health.DEGRADED, "budget_burn_1d")


def test_no_checks_are_no_data() -> None:
    """Nothing counted is UNKNOWN, never OK."""
    assert seen(Checks([], set()), 0.999, 60.0).outcome is Health.UNKNOWN
