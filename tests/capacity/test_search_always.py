"""What the search keeps to whatever it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.evidence import WARM_UP
from capacity.goals import DEFAULT_GOALS, parse_goal
from capacity.search import (
    Asked,
    Pause,
    Trial,
    harm,
    next_step,
    spent_s,
)
from capacity.summary import Seen
from capacity.verdict import Kind
from tests.capacity.histories import held, searched, shown

GOALS = tuple(map(parse_goal, DEFAULT_GOALS))
LATENCY = (parse_goal("p95<=300ms"),)
TIMEOUTS = (parse_goal("timeouts<=0.1%"),)
ASKED = Asked(GOALS, max_level=64)
WARM = (shown(1, WARM_UP, bad=(0, 0), seconds=2.5), shown(1, WARM_UP, bad=(0, 0), seconds=2.5))

OUTCOMES = ("pass", "slow", "rejects", "allowance", "undecided", "bursts", "silent", "unfair", "502")
QUIET = tuple(name for name in OUTCOMES if name != "502")
asks = st.builds(
    Asked,
    goals=st.sampled_from([GOALS, LATENCY, GOALS + LATENCY, TIMEOUTS]),
    max_level=st.integers(1, 600),
    budget_s=st.sampled_from([8.0, 60.0, 600.0]),
    harm_budget=st.integers(1, 300),
)
answers = st.lists(st.tuples(st.sampled_from(QUIET), st.floats(0, 1)), min_size=1, max_size=30)


def in_turn(told: Sequence[tuple[str, float]]) -> Callable[[Trial], Seen]:
    """Answers each trial with the next outcome, from the first again after the last; warm-ups are not judged."""
    count = -1

    def answer(trial: Trial) -> Seen:
        nonlocal count
        count += 1
        outcome, share = told[count % len(told)]
        return held(trial, "pass" if trial.purpose == WARM_UP and outcome == "unfair" else outcome, share)

    return answer


@given(asks, answers)
@settings(deadline=None, max_examples=150)
def test_the_search_ends_whatever_it_sees(asked: Asked, told: list[tuple[str, float]]) -> None:
    """Within 200 trials, or with its time or its rejections spent, and never by an exception.

    Where no goal speaks of rejections, a trial that causes more than it may is the end too.
    """
    verdict, history, _ = searched(asked, in_turn(told))
    is_spent = spent_s(history) >= asked.budget_s or harm(history) >= asked.harm_budget
    assert len(history) <= 200 or is_spent
    is_over = asked.goals == TIMEOUTS and history[-1].ended_by == "allowance"
    assert (verdict.kind is Kind.BUDGET_SPENT) <= (is_spent or is_over)
    assert harm(history) <= asked.harm_budget


@given(asks, answers)
@settings(deadline=None, max_examples=100)
def test_what_is_asked_stays_within_what_was_allowed(asked: Asked, told: list[tuple[str, float]]) -> None:
    """Levels in 1..cap, numbers that count up, at least one rejection and no more than are left, times above zero."""
    _, history, steps = searched(asked, in_turn(told))
    for number, step in enumerate(steps, start=1):
        before = history[: number - 1]
        if isinstance(step, Pause):
            assert step.seconds > 0
            continue
        assert step.number == number
        assert 1 <= step.level <= asked.max_level
        assert 1 <= step.allowance <= asked.harm_budget - harm(before)
        assert 0 < step.rule.min_s <= step.rule.max_s <= max(asked.budget_s - spent_s(before), 0.1)
        assert step.transient_s >= 0
        assert step.ramp_s >= 0
        assert step.backoff_s > 0


@given(asks, answers)
@settings(deadline=None, max_examples=50)
def test_two_pauses_never_follow_each_other(asked: Asked, told: list[tuple[str, float]]) -> None:
    """Waiting longer is one longer pause."""
    _, _, steps = searched(asked, in_turn(told))
    assert not any(isinstance(one, Pause) and isinstance(two, Pause) for one, two in pairwise(steps))


@given(asks, answers)
@settings(deadline=None, max_examples=50)
def test_the_next_step_follows_from_the_history_alone(asked: Asked, told: list[tuple[str, float]]) -> None:
    """Asked again at any point of a finished search, the step is equal to the one taken there."""
    verdict, history, steps = searched(asked, in_turn(told))
    assert [next_step(asked, history[:count]) for count in range(len(steps))] == steps
    assert next_step(asked, tuple(history)) == verdict


@given(asks, answers, st.integers(0, 20))
@settings(deadline=None, max_examples=50)
def test_a_502_ends_whatever_search(asked: Asked, told: list[tuple[str, float]], after: int) -> None:
    """Once a trial ends because of answers that say nothing of load, so does the search."""
    verdict, history, _ = searched(asked, in_turn([*told[:after], ("502", 0.0)]))
    if any(trial.ended_by == "not_load" for trial in history):
        assert verdict.kind is Kind.NOT_A_LOAD_PROBLEM
        assert history[-1].ended_by == "not_load"
