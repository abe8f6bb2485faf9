"""capacity.omission against the loop that HdrHistogram runs, and against a user whose schedule is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.omission import corrected_percentiles
from capacity.stats import nearest_rank

SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


def with_added(latencies: list[int]) -> list[int]:
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


@given(st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_the_correction_is_that_of_hdrhistogram(latencies):
    """Percentile for percentile, as of the values that the slow loop adds one by one."""
    told = list(corrected_percentiles(np.sort(np.array(latencies)), SHARES))
    assert told == [nearest_rank(with_added(latencies), share) for share in SHARES]


def test_steady_answers_need_no_correction():
    """Answers below twice the median stand for themselves."""
    assert list(corrected_percentiles(np.array([20, 21, 22, 39]), (0.5, 1.0))) == [21, 39]


def test_one_long_answer_stands_for_all_that_its_user_did_not_send():
    """400 answers of 10 ms and one of 2 s, which stands for 200 requests: the p75 of all 600 is 500 ms."""
    latencies = np.array([10] * 400 + [2000])
    told = list(corrected_percentiles(latencies, (0.75,)))
    assert told == [pytest.approx(500, abs=10)]
