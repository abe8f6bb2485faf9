"""The mean time to recovery: by hand, and what no interval can be told of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.recovery import recovery
from scoring.health import Recovery


@pytest.mark.parametrize(
    ("lengths_s", "found"),
    [([], Recovery(0)), ([60.0], Recovery(1, 60.0)), ([60.0, 120.0, 180.0, 240.0], Recovery(4, 150.0))],
)
def test_few_recoveries_have_a_mean_and_no_interval(lengths_s: list[float], found: Recovery) -> None:
    """Of four incidents nobody can say how far off the mean is."""
    assert recovery(lengths_s) == found


def test_the_interval_of_a_mean_by_hand() -> None:
    """Five lengths of 600 s: ten degrees of freedom, 6,000 / 20.483 and 6,000 / 3.247."""
    found = recovery([600.0] * 5)
    assert (found.mean_s, found.low_s, found.high_s) == (
        600.0,
        pytest.approx(6_000 / 20.483, rel=0.01),
        pytest.approx(6_000 / 3.247, rel=0.01),
    )


def test_one_long_incident_among_short_ones_is_too_uneven() -> None:
    """Four of a second and one of a day: the spread leaves fewer than four degrees."""
    assert recovery([1.0, 1.0, 1.0, 1.0, 86_400.0]) == Recovery(5, pytest.approx(17_280.8))


@given(st.lists(st.floats(1, 1e6), min_size=5, max_size=40), st.floats(0.01, 100))
def test_the_interval_holds_the_mean_and_follows_the_unit(lengths_s: list[float], scale: float) -> None:
    """In other units the same interval comes out."""
    one, other = recovery(lengths_s), recovery([scale * length_s for length_s in lengths_s])
    if one.low_s is None or one.high_s is None or one.mean_s is None:
        assert other.low_s is None or 2 * len(lengths_s) > 4
        return
    assert one.low_s < one.mean_s < one.high_s
    assert other.high_s is None or other.high_s == pytest.approx(scale * one.high_s, rel=1e-6)
