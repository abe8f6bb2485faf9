"""The posterior over a limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.summary import Evidence
from capacity.threshold import belief, interval, log_factor, most_likely_level


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        # a cliff with much evidence on both sides is known exactly
        ({4: Evidence(0, 900), 8: Evidence(0, 9000), 9: Evidence(30, 300)}, (8, 8)),
        # little evidence at the limit leaves the level below possible
        ({4: Evidence(0, 60), 5: Evidence(0, 80), 6: Evidence(10, 60)}, (4, 5)),
        # nothing failed: no upper end
        ({8: Evidence(0, 9000)}, (8, None)),
        # nothing known at all
        ({}, (0, None)),
    ],
)
def test_the_interval_is_as_wide_as_the_evidence(levels: dict[int, Evidence], expected: tuple[int, int | None]) -> None:
    """Hand-made evidence for a goal of 0.1 %, and the interval that a person would defend."""
    assert interval(levels, 0.001) == expected


def test_clustered_answers_widen_the_interval() -> None:
    """The same counts, each answer worth a thirtieth of an independent one, say less."""
    sure = interval({8: Evidence(0, 9000), 16: Evidence(2, 9000), 17: Evidence(30, 300)}, 0.001)
    unsure = interval({8: Evidence(0, 9000, 30), 16: Evidence(2, 9000, 30), 17: Evidence(30, 300, 30)}, 0.001)
    assert sure[0] > unsure[0]


@given(
    st.dictionaries(st.integers(1, 200), st.tuples(st.integers(0, 50), st.integers(1, 5000)), min_size=1, max_size=6),
    st.sampled_from([0.001, 0.01, 0.05]),
)
@settings(deadline=None, max_examples=40)
def test_a_posterior_is_a_distribution(raw: dict[int, tuple[int, int]], goal: float) -> None:
    """Whatever was counted, probabilities lie in 0..1 and sum to 1, and quantiles are in order."""
    levels = {level: Evidence(min(bad, total), total) for level, (bad, total) in raw.items()}
    told = belief(levels, goal)
    assert told.mass.min() >= 0
    assert told.mass.sum() == pytest.approx(1)
    assert (np.diff(told.thresholds) > 0).all()
    assert (
        told.thresholds[0] <= told.quantile(0.025) <= told.quantile(0.5) <= told.quantile(0.975) <= told.thresholds[-1]
    )


def test_how_far_beyond_the_goal_a_level_lies_does_not_matter() -> None:
    """One user too many at a cliff is rejected a little, twice as many are rejected much: the cliff is the same."""
    little = belief({8: Evidence(0, 9000), 9: Evidence(30, 300), 10: Evidence(40, 300)}, 0.001)
    much = belief({8: Evidence(0, 9000), 9: Evidence(30, 300), 10: Evidence(280, 300)}, 0.001)
    assert little.level(0.025) == much.level(0.025) == little.level(0.975) == much.level(0.975) == 8


@pytest.mark.parametrize("is_gradual", [True, False])
@pytest.mark.parametrize("last", [235, 239, 240])
def test_a_limit_between_neighbours_far_up_is_not_overlooked(last: int, is_gradual: bool) -> None:
    """2 of 20,000 are bad with 240 users, 4,000 with 241, and nothing between 1 and 500 is nearer than half a user."""
    clean = dict.fromkeys((1, 2, 4, 8, 16, 32, 48, 72, 108, 162, 202, 222, 232), Evidence(0, 300))
    levels = {**clean, 243: Evidence(100, 200), last: Evidence(2, 20_000), last + 1: Evidence(4_000, 20_000)}
    assert belief(levels, 0.05, 0.6, is_gradual=is_gradual).level(0.5) == last


def test_a_gentle_rise_is_read_from_both_sides() -> None:
    """2 %, 4 %, 6 % and 8 % at 18, 20, 22 and 24 users: 5 % lie at 21."""
    levels = {n: Evidence(round(ratio * 4000), 4000) for n, ratio in ((18, 0.02), (20, 0.04), (22, 0.06), (24, 0.08))}
    assert interval(levels, 0.05) == (21, 21)
    assert belief(levels, 0.05).quantile(0.5) == pytest.approx(21, rel=0.03)


def test_no_level_counts_for_more_than_its_doubt() -> None:
    """A million clean answers are not infinitely sure: the trial itself may have been spoiled."""
    assert log_factor(Evidence(0, 10_000_000), 0.001) == 7.0
    assert log_factor(Evidence(500, 1000), 0.001) == -7.0


def test_the_most_likely_level_is_the_last_before_evidence_turns() -> None:
    """Levels 2 and 4 speak for the goal, 8 against it."""
    levels = {2: Evidence(0, 900), 4: Evidence(0, 900), 8: Evidence(20, 100)}
    assert most_likely_level(levels, 0.001) == 4
    assert most_likely_level({1: Evidence(20, 100)}, 0.001) == 0
