"""What changed between two runs, and when the gate closes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.compare import SUREST, Change, Tolerance, compared
from capacity.standing import Measured, Standing, percentile
from scoring.units import MS
from tests.capacity.standings import STANDING, level, with_limit


def change_of(before: Standing, after: Standing, name: str, tolerance: Tolerance | None = None) -> Change:
    """The first change of that name."""
    found = compared(before, after, tolerance or Tolerance())
    return next(one for one in found.changes if one.name == name)


GOAL = "rejected<=0.1%"


def test_a_limit_that_is_known_exactly_falls_for_certain() -> None:
    """From 8 to 7 users: half a user of doubt on each side leaves little."""
    one = change_of(STANDING, with_limit(7), GOAL)
    assert one.is_worse
    assert one.is_real
    assert one.change_ratio == pytest.approx(-1 / 8)


def test_a_wide_interval_makes_a_change_doubtful() -> None:
    """From 8 [5, 12] to 7 [4, 11]: it may as well be chance."""
    one = change_of(with_limit(8, 5, 12), with_limit(7, 4, 11), GOAL)
    assert one.probability is not None
    assert 0.5 < one.probability < 0.8


def test_the_probability_is_the_normal_one() -> None:
    """p95 from 40 to 44 ms, each known to 5 %: ln 1.1 over the root of twice (ln 1.05 / 1.96) squared."""
    after = replace(STANDING, levels=(level(4, 44.0), level(8)))
    one = change_of(STANDING, after, "p95")
    assert one.probability == pytest.approx(0.996609, abs=1e-6)  # Phi(0.0953102 / 0.0352042 = 2.70735)
    assert one.users == 4


def test_at_least_says_nothing_of_a_rise() -> None:
    """A run that never reached its limit may have had the higher one already; a fall below it is a fall."""
    rise = change_of(with_limit(8, 7.5, None), with_limit(12), GOAL)
    assert rise.probability is None
    fall = change_of(with_limit(8, 7.5, None), with_limit(4), GOAL)
    assert fall.is_real


def test_nothing_changed() -> None:
    """The same figures twice: even odds, and no gate closes."""
    found = compared(STANDING, STANDING, Tolerance(slower_ratio=0.0))
    assert {one.probability for one in found.changes} <= {0.5, None}
    assert found.failed == ()
    assert found.differences == ()


def test_the_gate_closes_beyond_its_tolerance_only() -> None:
    """A fall from 8 to 6 is 25 %: too much for 10 %, little enough for 30 %, and nothing to a gate that is open."""
    after = with_limit(6)
    assert [one.name for one in compared(STANDING, after, Tolerance(0.10)).failed] == [GOAL]
    assert compared(STANDING, after, Tolerance(0.30)).failed == ()
    assert compared(STANDING, after, Tolerance(None)).failed == ()
    assert compared(STANDING, with_limit(12), Tolerance(0.10)).failed == ()


def test_percentiles_are_gated_on_request() -> None:
    """p95 rose by half."""
    after = replace(STANDING, levels=(level(4, 60.0), level(8)))
    assert compared(STANDING, after, Tolerance()).failed == ()
    (failed,) = compared(STANDING, after, Tolerance(slower_ratio=0.2)).failed
    assert (failed.name, failed.users) == ("p95", 4)


def test_levels_of_one_run_alone_are_left_out() -> None:
    """Percentiles at different loads say nothing of each other."""
    found = compared(replace(STANDING, levels=(level(2),)), STANDING, Tolerance())
    assert {one.kind for one in found.changes} == {"limit"}


def test_what_was_asked_differently_is_named() -> None:
    """With both values."""
    found = compared(STANDING, replace(STANDING, asked={"payload": None, "instances": 3}), Tolerance())
    assert found.differences == ("instances: 2 and 3",)


def test_runs_of_one_endpoint_seldom_seem_to_differ() -> None:
    """Of 400 pairs of runs alike, at most 14 % show a change as at least 95 % probable: twice 5 %, and some."""
    rng = np.random.default_rng(5)
    real = 0
    for _ in range(400):
        one, two = (percentile((rng.lognormal(size=2_000) * MS).astype(np.int64), 0.95) for _ in range(2))
        before, after = (
            replace(STANDING, limits={}, levels=(replace(level(), percentiles_ms={"p95": each}),))
            for each in (one, two)
        )
        real += change_of(before, after, "p95").is_real
    assert real / 400 <= 0.14


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e3), st.floats(0, 1e3))
def test_a_probability_is_one(before: float, after: float, wide: float, wider: float) -> None:
    """Between even odds and almost sure, whatever was measured, zero included."""
    limits = [Measured(value, max(value - wide, 0.0), value + wider) for value in (before, after)]
    one = change_of(*(replace(STANDING, limits={"x": limit}, levels=()) for limit in limits), "x")
    assert one.probability is not None
    assert 0.5 <= one.probability <= SUREST
    assert one.beyond_tolerance is not None
    assert 0 <= one.beyond_tolerance <= one.probability
