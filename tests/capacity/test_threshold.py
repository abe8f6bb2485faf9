"""The posterior over a limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.summary import Evidence
from capacity.threshold import interval, log_factor, most_likely_level, posterior


@pytest.mark.parametrize(
    ("levels", "failing", "expected"),
    [
        # a cliff with much evidence on both sides is known exactly
        ({4: Evidence(0, 900), 8: Evidence(0, 9000), 9: Evidence(30, 300)}, 9, (8, 8)),
        # little evidence at the limit leaves the level below possible
        ({4: Evidence(0, 60), 5: Evidence(0, 80), 6: Evidence(10, 60)}, 6, (4, 5)),
        # nothing failed: no upper end
        ({8: Evidence(0, 9000)}, None, (8, None)),
        # nothing known at all
        ({}, None, (0, None)),
    ],
)
def test_the_interval_is_as_wide_as_the_evidence(
    levels: dict[int, Evidence], failing: int | None, expected: tuple[int, int | None]
) -> None:
    """Hand-made evidence for a goal of 0.1 %, and the interval that a person would defend."""
    assert interval(levels, 0.001, failing) == expected


def test_clustered_answers_widen_the_interval() -> None:
    """The same counts, each answer worth a thirtieth of an independent one, say less."""
    sure = interval({8: Evidence(0, 9000), 16: Evidence(2, 9000), 17: Evidence(30, 300)}, 0.001, 17)
    unsure = interval({8: Evidence(0, 9000, 30), 16: Evidence(2, 9000, 30), 17: Evidence(30, 300, 30)}, 0.001, 17)
    assert sure[0] > unsure[0]


@given(
    st.dictionaries(st.integers(1, 200), st.tuples(st.integers(0, 50), st.integers(1, 5000)), min_size=1, max_size=6),
    st.sampled_from([0.001, 0.01, 0.05]),
)
@settings(deadline=None, max_examples=40)
def test_a_posterior_is_a_distribution(raw: dict[int, tuple[int, int]], goal: float) -> None:
    """Whatever was counted, probabilities lie in 0..1 and sum to 1, and thresholds are whole and not negative."""
    levels = {level: Evidence(min(bad, total), total) for level, (bad, total) in raw.items()}
    thresholds, mass = posterior(levels, goal, max(levels))
    assert mass.min() >= 0
    assert mass.sum() == pytest.approx(1)
    assert thresholds.min() >= 0
    assert (thresholds == thresholds.round()).all()


def test_no_level_counts_for_more_than_its_doubt() -> None:
    """A million clean answers are not infinitely sure: the trial itself may have been spoiled."""
    assert log_factor(Evidence(0, 10_000_000), 0.001) == 7.0
    assert log_factor(Evidence(500, 1000), 0.001) == -7.0


def test_the_most_likely_level_is_the_last_before_evidence_turns() -> None:
    """Levels 2 and 4 speak for the goal, 8 against it."""
    levels = {2: Evidence(0, 900), 4: Evidence(0, 900), 8: Evidence(20, 100)}
    assert most_likely_level(levels, 0.001) == 4
    assert most_likely_level({1: Evidence(20, 100)}, 0.001) == 0
