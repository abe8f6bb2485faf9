"""How much an endpoint accepts while it refuses more, and what that says of its limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capacity.carried import Carried, carried
from capacity.goals import parse_goal
from capacity.looks import carried_at_most, goal_belief
from capacity.search import Asked
from capacity.threshold import Belief
from scoring.units import S
from tests.capacity.histories import in_order, shown

ONE_PERCENT = parse_goal("rejected<=1%")
OPEN = Asked((ONE_PERCENT,), max_level=100_000, per_second=100)
QUOTA = Carried(rps=150.0, error_ratio=0.001, latency_s=0.05)


def test_what_is_carried_counts_from_the_first_rejection_to_the_last() -> None:
    """One request each 10 ms for 10 s, refused at 2 s and at 4 s: 200 in 2 s, evenly, whatever came before."""
    sent_ns = np.arange(1000, dtype=np.int64) * (S // 100)
    told = carried(np.array([2 * S, 4 * S]), sent_ns, np.full(1000, S // 20))
    assert told == Carried(rps=100.0, error_ratio=0.0, latency_s=0.05)


@pytest.mark.parametrize(
    "refused",
    [
        # nothing was refused
        [],
        # one instant has no length
        [2 * S, 2 * S],
        # 40 accepted in between are too few
        [2 * S, 2 * S + 40 * S // 100],
    ],
)
def test_a_short_look_does_not_tell_what_is_carried(refused: list[int]) -> None:
    """None, and not zero."""
    sent_ns = np.arange(1000, dtype=np.int64) * (S // 100)
    assert carried(np.array(refused, dtype=np.int64), sent_ns, sent_ns) is None


def test_a_limit_by_rejections_is_at_most_what_is_carried_beyond_it() -> None:
    """150/s accepted at 170/s, known to 0.1 %: 150 * 1.003 / 0.99 with one in a hundred refused."""
    trial = replace(shown(17_000, ended_by="fail", bad=80, rejected=80), carried=QUOTA)
    assert carried_at_most(OPEN, in_order(trial), ONE_PERCENT) == pytest.approx(15_196.97, abs=0.01)


def test_what_is_carried_says_nothing_where_it_is_all_that_was_asked_for() -> None:
    """151/s accepted of 151.5/s is no sign of a wall."""
    trial = replace(shown(15_150, bad=5, rejected=5), carried=replace(QUOTA, rps=151.0))
    assert carried_at_most(OPEN, in_order(trial), ONE_PERCENT) is None


def test_saved_up_tokens_do_not_raise_the_limit() -> None:
    """160/s passed while tokens lasted; 170/s showed that 150/s are carried."""
    clean = shown(16_000, bad=0, total=3000)
    refused = replace(shown(17_000, ended_by="fail", bad=80, rejected=80), carried=QUOTA)
    told = goal_belief(OPEN, in_order(shown(14_000, bad=0, total=3000), clean, refused), 0)
    assert told is not None
    assert told.quantile(1.0) <= 15_197


def test_a_user_with_pauses_of_its_own_is_not_taken_for_a_full_one() -> None:
    """8 users inside for 90 % of their time passed; 12 had 7.2 inside on average: so 8, and 1 % more."""
    asked = Asked((parse_goal("rejected<=0.1%"),))
    clean = replace(shown(8, bad=0), in_flight_mean=7.2)
    refused = replace(shown(12, ended_by="fail", bad=80, rejected=80), carried=Carried(144.0, 0.0, 0.05))
    most = carried_at_most(asked, in_order(clean, refused), asked.goals[0])
    assert most == pytest.approx(1.01 * 8 / 0.999)


def test_a_capped_belief_is_one_still() -> None:
    """What lies above is shared out over what is left."""
    whole = Belief(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.3, 0.4, 0.2]))
    told = whole.capped(2.5)
    assert told.thresholds.tolist() == [1.0, 2.0]
    assert told.mass == pytest.approx([0.25, 0.75])


def test_a_cap_below_everything_leaves_the_lowest() -> None:
    """A contradiction is no crash."""
    whole = Belief(np.array([2.0, 3.0]), np.array([0.5, 0.5]))
    assert whole.capped(1.0).thresholds.tolist() == [2.0]
