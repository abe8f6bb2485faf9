"""capacity.omission against the loop that HdrHistogram runs, and against a user whose schedule is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity.omission import corrected


def slowly(latencies: list[int]) -> list[int]:
    """recordValueWithExpectedInterval, one value after the other."""
    every = sorted(latencies)[(len(latencies) - 1) // 2]
    found = []
    for latency in latencies:
        found.append(latency)
        missing = latency - every
        while every > 0 and missing >= every:
            found.append(missing)
            missing -= every
    return sorted(found)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_the_correction_is_that_of_hdrhistogram(latencies):
    """Value for value, as the slow loop adds them."""
    assert corrected(np.array(latencies)).tolist() == slowly(latencies)


def test_steady_answers_need_no_correction():
    """Answers below twice the median stand for themselves."""
    assert corrected(np.array([20, 21, 39, 22])).tolist() == [20, 21, 22, 39]


def test_nothing_is_left_out_of_nothing():
    """An empty run stays one."""
    assert corrected(np.array([], dtype=np.int64)).tolist() == []


def test_a_stall_weighs_as_much_as_it_lasted():
    """A user due every 10 ms meets a stall of 1 s in 10 s: what it would have seen is found to within 1 %."""
    due = np.arange(0, 10_000, 10)
    would_have_seen = np.where((due >= 5000) & (due < 6000), 6010 - due, 10)
    sent = [10] * 500 + [1010] + [10] * 399  # in a closed loop only one request meets the stall
    told = corrected(np.array(sent))
    for share in (0.5, 0.9, 0.95, 0.99, 0.999):
        assert abs(np.quantile(told, share) - np.quantile(would_have_seen, share)) <= 0.01 * 1000
