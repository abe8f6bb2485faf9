"""capacity.arrivals: schedules against slow twins, and parts against the whole."""

from __future__ import annotations

import math
from itertools import islice, takewhile

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from capacity.arrivals import Rate, due_times, replayed
from capacity.plan import SPACINGS
from scoring.units import S

RPS = st.floats(0.1, 5000)


def first(count: int, *arguments, **named) -> list[int]:
    return list(islice(due_times(*arguments, **named), count))


def test_constant_arrivals_are_equally_far_apart():
    """At 4 a second one is due every 250 ms, the first at once."""
    assert first(5, Rate(4), "constant", 1) == [0, S // 4, S // 2, 3 * S // 4, S]


def test_poisson_arrivals_have_exponential_gaps_of_the_rate():
    """20,000 gaps at 50 a second: mean, coefficient of variation, 1/e of them above the mean; to 4 standard errors."""
    gaps_s = np.diff(first(20_001, Rate(50), "poisson", 7)) / S
    assert gaps_s.mean() == pytest.approx(0.02, rel=4 / math.sqrt(20_000))
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(1, rel=4 * math.sqrt(2 / 20_000))
    assert np.mean(gaps_s > 0.02) == pytest.approx(math.exp(-1), abs=4 * math.sqrt(0.233 / 20_000))


def test_poisson_counts_of_a_second_vary_as_much_as_their_mean():
    """Over 2,000 seconds at 30 a second the variance of the count is its mean (Fisher's index of dispersion)."""
    times = np.array(list(takewhile(lambda due: due < 2000 * S, due_times(Rate(30), "poisson", 3))))
    counts = np.bincount(times // S, minlength=2000)
    assert counts.var() / counts.mean() == pytest.approx(1, abs=4 * math.sqrt(2 / 2000))


@given(st.sampled_from(SPACINGS), RPS, RPS, st.floats(0.5, 50), st.integers(0, 99))
def test_a_ramp_is_the_constant_rate_on_another_clock(spacing, low, high, over_s, seed):
    """The k-th request of a ramp is due when the integral of its rate is what it is at 1 a second."""
    assume(low != high)
    rate = Rate(low, high, over_s)
    plain, ramped = first(400, Rate(1), spacing, seed), first(400, rate, spacing, seed)
    for one, other in zip(plain, ramped, strict=True):
        assert rate.count_within(other / S) == pytest.approx(one / S, rel=1e-6, abs=1e-4)


@given(RPS, RPS, st.floats(0.5, 50), st.floats(0, 100))
def test_the_expected_count_is_the_integral_of_the_rate(low, high, over_s, seconds):
    """`count_within` against a sum over thin slices, before and after the end of the ramp."""
    turn_s = min(over_s, seconds)
    whole = 0.0
    for from_s, to_s in ((0.0, turn_s), (turn_s, seconds)):
        middles = from_s + (np.arange(500) + 0.5) * (to_s - from_s) / 500
        whole += np.interp(middles, [0, over_s], [low, high]).mean() * (to_s - from_s)
    assert Rate(low, high, over_s).count_within(seconds) == pytest.approx(whole, rel=1e-6, abs=1e-6)


def test_a_rate_that_falls_to_nothing_ends():
    """From 10 a second to none in 4 s: 20 requests in the mean, exactly as many with constant spacing, none later."""
    assert first(100, Rate(10, 0, 4), "constant", 1)[-1] < 4 * S
    assert len(first(100, Rate(10, 0, 4), "constant", 1)) == 20


@given(st.sampled_from(SPACINGS), RPS, st.integers(0, 9), st.integers(1, 7))
def test_the_parts_of_a_schedule_are_the_whole(spacing, rps, seed, parts):
    """Merged, what each of several processes sends is what one alone would send."""
    whole = first(70 * parts, Rate(rps), spacing, seed)
    shares = [first(70, Rate(rps), spacing, seed, part=part, parts=parts) for part in range(parts)]
    assert sorted(due for share in shares for due in share) == whole


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=3000), st.integers(1, 5))
def test_a_replay_keeps_the_gaps(instants, parts):
    """Order and distances are those of the record, whoever sends which."""
    recorded = np.sort(np.array(instants))
    whole = list(replayed(recorded))
    assert whole == [instant - min(instants) for instant in sorted(instants)]
    assert sorted(due for part in range(parts) for due in replayed(recorded, part=part, parts=parts)) == whole


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=50), st.floats(0.01, 100))
def test_a_faster_replay_has_all_its_gaps_shortened_alike(instants, speed):
    """Each due time is that of the record over the speed, to a nanosecond."""
    recorded = np.sort(np.array(instants))
    for slow, fast in zip(replayed(recorded), replayed(recorded, speed=speed), strict=True):
        assert fast == pytest.approx(slow / speed, abs=1)


def test_an_empty_record_asks_for_nothing():
    """No instants, no requests."""
    assert list(replayed(np.array([], dtype=np.int64))) == []


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, math.inf])
def test_a_replay_at_no_speed_is_refused(speed):
    """Zero, negative, not a number, infinite."""
    with pytest.raises(ValueError, match="speed"):
        replayed(np.array([1]), speed=speed)


@pytest.mark.parametrize("wrong", [(0.0, None, 0.0), (-1.0, None, 0.0), (math.nan, None, 0.0), (1.0, 2.0, 0.0)])
def test_a_rate_that_is_none_is_refused(wrong):
    """Zero, negative, not a number, and a ramp in no time."""
    with pytest.raises(ValueError, match=r"rate|ramp"):
        Rate(*wrong)


def test_an_unknown_spacing_is_refused():
    """The message names it."""
    with pytest.raises(ValueError, match="'bursty'"):
        due_times(Rate(1), "bursty", 1)
