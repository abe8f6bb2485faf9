"""The exact interval of a share: by hand, against scipy, and by its own definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.health.binomial import clopper_pearson


@pytest.mark.parametrize(
    ("bad", "total", "low", "high", "why"),
    [
        (0, 0, 0.0, 1.0, "nothing was seen, everything is possible"),
        (0, 1, 0.0, 0.975, "one good: (1 - p) = 2.5 %"),
        (1, 1, 0.025, 1.0, "one bad: p = 2.5 %"),
        (3, 3, 0.025 ** (1 / 3), 1.0, "three bad: p^3 = 2.5 %"),
        (1, 3, 1 - 0.975 ** (1 / 3), 0.905701, "one of three is not 33 %: it may be 0.8 %"),
        (0, 300, 0.0, 1 - 0.025 ** (1 / 300), "none of 300: up to 1.2 %"),
    ],
)
def test_the_interval_by_hand(bad: int, total: int, low: float, high: float, why: str) -> None:
    """Where all or none are bad the ends have a closed form."""
    assert clopper_pearson(bad, total) == pytest.approx((low, high), abs=1e-6), why


@given(st.integers(1, 200).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_at_each_end_so_many_are_seen_with_a_chance_of_a_fortieth(counts: tuple[int, int]) -> None:
    """P(X >= bad) at the low end and P(X <= bad) at the high end are 2.5 %, summed term by term."""
    bad, total = counts
    low, high = clopper_pearson(bad, total)

    def chance(seen: range, share: float) -> float:
        return math.fsum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in seen)

    if bad:
        assert chance(range(bad, total + 1), low) == pytest.approx(0.025, rel=1e-6)
    if bad < total:
        assert chance(range(bad + 1), high) == pytest.approx(0.025, rel=1e-6)


@settings(deadline=None)  # to load scipy takes a while
@given(st.floats(1, 1e8), st.floats(0, 1))
def test_the_ends_are_those_of_a_library(total: float, share: float) -> None:
    """scipy's inverse of the incomplete beta function gives the same, for fractional counts as well."""
    from scipy.special import betaincinv

    bad = total * share
    low, high = clopper_pearson(bad, total)
    if bad > 1e-6:  # below, the low end is 0 to every digit that is shown
        assert low == pytest.approx(betaincinv(bad, total - bad + 1, 0.025), abs=1e-9)
    if bad < total:
        assert high == pytest.approx(betaincinv(bad + 1, total - bad, 0.975), abs=1e-9)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


def test_more_bad_than_there_are_is_an_error() -> None:
    """Counts that cannot be are refused."""
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)
