"""The next step of the search, answered by hand and by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.evidence import PAUSE, WARM_UP
from capacity.goals import DEFAULT_GOALS, Goal, parse_goal
from capacity.search import (
    REPEATS_OF_UNFAIR,
    Asked,
    Pause,
    Trial,
    backoff_s,
    bracket,
    expected_service_s,
    harm,
    is_warm,
    next_step,
    spent_s,
)
from capacity.summary import Seen
from capacity.verdict import Kind, Verdict
from tests.capacity.histories import in_order, paused, searched, shown

GOALS = tuple(map(parse_goal, DEFAULT_GOALS))
LATENCY = (parse_goal("p95<=300ms"),)
TIMEOUTS = (parse_goal("timeouts<=0.1%"),)
ASKED = Asked(GOALS, max_level=64)
WARM = (shown(1, WARM_UP, bad=(0, 0), seconds=2.5), shown(1, WARM_UP, bad=(0, 0), seconds=2.5))


def held(trial: Trial, outcome: str, share: float = 0.5) -> Seen:
    """What a trial shows that ends that way; `share` places rejections and time between their bounds."""
    goals, rule = trial.rule.goals, trial.rule
    longest_s = trial.transient_s + rule.max_s
    shortest_s = min(trial.transient_s + rule.min_s, longest_s)
    seconds = shortest_s + share * (longest_s - shortest_s)
    rejected = max(1, round(share * trial.allowance))
    allowed = max(goal.allowed_ratio for goal in goals)
    slow = tuple(max(6, int(3 * allowed * 400)) if goal.allowed_ratio == allowed else 0 for goal in goals)
    plain = {"level": trial.level, "purpose": trial.purpose, "transient_s": trial.transient_s, "total": 400}
    changes: dict[str, dict[str, object]] = {
        "pass": {"ended_by": "pass", "bad": (0,) * len(goals), "seconds": seconds},
        "slow": {"ended_by": "fail", "bad": slow, "seconds": min(trial.transient_s + 3 * rule.batch_s, longest_s)},
        "rejects": {
            "ended_by": "fail",
            "bad": (rejected,) * len(goals),
            "rejected": rejected,
            "total": rejected + 20,
            "seconds": trial.transient_s + 0.05,
        },
        "allowance": {
            "ended_by": "allowance",
            "bad": (trial.allowance,) * len(goals),
            "rejected": trial.allowance,
            "total": trial.allowance + 5,
            "seconds": 0.05,
        },
        "undecided": {"ended_by": "max_s", "bad": tuple(count // 3 for count in slow), "seconds": longest_s},
        "bursts": {"ended_by": "max_s", "bad": slow, "seconds": longest_s, "dispersion": 20.0},
        "silent": {"ended_by": "max_s", "bad": (0,) * len(goals), "total": 0, "seconds": longest_s},
        "unfair": {"bad": (0,) * len(goals), "invalid": ("the generator was busy",), "seconds": seconds},
        "502": {"ended_by": "not_load", "bad": (0,) * len(goals), "labels": {"200": 392, "502": 8}},
    }
    return shown(**{**plain, **changes[outcome]})  # type: ignore[arg-type]


def cliff(users: int) -> Callable[[Trial], Seen]:
    """An endpoint that rejects above `users`, and is asked to take its time for neither."""
    return lambda trial: held(trial, "pass" if trial.level <= users else "rejects", 0.3)


def test_it_begins_with_one_user_and_few_rejections() -> None:
    """The first trial warms up at one user, may cause four rejections, and is not judged."""
    step = next_step(ASKED, [])
    assert isinstance(step, Trial)
    assert (step.number, step.level, step.purpose, step.allowance) == (1, 1, WARM_UP, 4)
    assert step.rule.run_out


def test_it_doubles_from_one_user_until_a_level_fails_and_bisects_then() -> None:
    """For a cliff of 11: 2, 4, 8, 16, then 12, 10, 11, 12 once more, and the hold at 11."""
    _, _, steps = searched(ASKED, cliff(11))
    asked = [(step.level, step.purpose) for step in steps if isinstance(step, Trial) and step.purpose != WARM_UP]
    assert asked == [
        (2, "grow"),
        (4, "grow"),
        (8, "grow"),
        (16, "grow"),
        (12, "bisect"),
        (10, "bisect"),
        (11, "bisect"),
        (12, "agree"),
        (11, "confirm"),
    ]


@pytest.mark.parametrize("users", range(1, 64))
def test_every_cliff_below_the_cap_is_found_with_evidence_on_both_sides(users: int) -> None:
    """Both neighbours were held, the limit confirmed, the one above failed twice, one well above failed too."""
    verdict, history, _ = searched(ASKED, cliff(users))
    assert verdict.kind is Kind.FOUND
    assert bracket(history, GOALS) == (users, users + 1)
    assert verdict.limits[0].level == users
    assert any(trial.level == users and trial.purpose == "confirm" for trial in history)
    assert sum(trial.level == users + 1 for trial in history) >= 2
    assert any(trial.level >= min(1.15 * users, 64) for trial in history if trial.ended_by == "fail")


def test_nothing_that_fails_ends_at_the_cap() -> None:
    """A cap between powers of two is asked itself, and held."""
    verdict, history, _ = searched(Asked(GOALS, max_level=50), cliff(1000))
    assert verdict.kind is Kind.AT_LEAST
    assert [trial.level for trial in history if trial.purpose == "confirm"] == [50]
    assert max(trial.level for trial in history) == 50


def test_a_level_that_contradicts_itself_ends_the_halving() -> None:
    """4 users passed, 6 were rejected, 5 did both: four are held, and close looks follow."""
    history = in_order(
        *WARM,
        shown(4, bad=(0, 0)),
        shown(6, ended_by="fail", bad=(9, 0), rejected=9),
        shown(6, ended_by="fail", bad=(9, 0), rejected=9),
        shown(5, bad=(0, 0), total=400),
        shown(5, ended_by="max_s", bad=(2, 0), total=400, rejected=2),
    )
    step = next_step(ASKED, history)
    assert isinstance(step, Trial)
    assert (step.level, step.purpose) == (4, "confirm")
    look = next_step(ASKED, in_order(*history, shown(4, "confirm", bad=(0, 0), total=3200)))
    assert isinstance(look, Trial)
    assert look.purpose == "refine"
    assert look.rule.min_s == look.rule.max_s


def test_a_failing_hold_lowers_the_limit() -> None:
    """Six users pass and seven fail; held, six fail too, and again in a close look: the limit is sought below."""
    held_at_6 = shown(6, "confirm", ended_by="fail", bad=(9, 0), rejected=9)
    history = in_order(
        *WARM,
        shown(4, bad=(0, 0)),
        shown(7, ended_by="fail", bad=(9, 0), rejected=9),
        shown(7, "agree", ended_by="fail", bad=(9, 0), rejected=9),
        shown(6, bad=(0, 0), total=200),
        held_at_6,
        replace(held_at_6, purpose="refine"),
    )
    step = next_step(ASKED, history)
    assert isinstance(step, Trial)
    assert step.purpose == "refine"
    assert step.level < 6


def test_an_unfair_trial_is_repeated_after_a_pause() -> None:
    """The level and the purpose stay; the pause lets the generator recover."""
    history = in_order(*WARM, shown(8, bad=(0, 0), invalid=("busy",)))
    pause = next_step(ASKED, history)
    assert isinstance(pause, Pause)
    again = next_step(ASKED, in_order(*history, paused(pause)))
    assert isinstance(again, Trial)
    assert (again.level, again.purpose) == (8, "grow")


def test_trials_that_stay_unfair_say_that_the_client_is_the_wall() -> None:
    """After the allowed repeats the search gives up, and claims no limit above what was fair."""
    verdict, history, _ = searched(ASKED, lambda trial: held(trial, "unfair" if trial.level >= 8 else "pass"))
    assert verdict.kind is Kind.CLIENT_LIMITED
    assert verdict.client.reasons == ("the generator was busy",)
    assert sum(trial.level == 8 for trial in history) == REPEATS_OF_UNFAIR + 1
    assert verdict.limits[0].level == 4


def test_answers_that_say_nothing_of_load_end_the_search_at_once() -> None:
    """Eight 502 at four users: no further trial."""
    verdict, history, _ = searched(ASKED, lambda trial: held(trial, "502" if trial.level == 4 else "pass"))
    assert verdict.kind is Kind.NOT_A_LOAD_PROBLEM
    assert history[-1].level == 4
    assert verdict.reason == "8 of 400 answers at 4 users were 502, which no load explains"


def test_a_stopped_trial_ends_the_search() -> None:
    """A search whose last trial was cut short by a stop asks for nothing more."""
    verdict = next_step(ASKED, in_order(*WARM, shown(2, ended_by="stopped", bad=(0, 0))))
    assert isinstance(verdict, Verdict)
    assert verdict.kind is Kind.BUDGET_SPENT
    assert "stopped" in verdict.reason


def test_an_endpoint_that_turns_back_and_forth_at_levels_far_apart_is_not_steady() -> None:
    """Levels 4 and 16 each passed, failed and passed: no limit would hold."""
    turn = [shown(n, ended_by=e, bad=(b, 0)) for e, b in (("pass", 0), ("fail", 90), ("pass", 0)) for n in (4, 16)]
    decided = [t if t.ended_by == "fail" else shown(t.level, bad=(0, 0), total=9000) for t in turn]
    verdict = next_step(ASKED, in_order(*WARM, *decided))
    assert isinstance(verdict, Verdict)
    assert verdict.kind is Kind.NOT_STEADY


def test_a_limit_with_nothing_failing_well_above_it_is_told_without_an_upper_end() -> None:
    """A cap of 9 where 8 users pass and 9 fail by rejections, and then pass: at least it is, not found."""
    asked = Asked(GOALS, max_level=9)
    history = in_order(
        *WARM,
        shown(4, bad=(0, 0)),
        shown(8, bad=(0, 0), total=9000),
        shown(9, "confirm", bad=(0, 0), total=9000),
    )
    verdict = next_step(asked, history)
    assert isinstance(verdict, Verdict)
    assert verdict.kind is Kind.AT_LEAST
    assert all(limit.high is None for limit in verdict.limits)


def test_an_endpoint_whose_light_load_slows_down_twice_is_not_steady() -> None:
    """40 ms, 60 ms, 90 ms for one user: whatever limit were told, it would not hold tomorrow."""
    guards = (shown(1, "guard", bad=0, total=60, latency_s=seconds) for seconds in (0.06, 0.09))
    warm = shown(1, WARM_UP, bad=0, total=60, latency_s=0.04, seconds=3.0)
    verdict = next_step(Asked(LATENCY), in_order(warm, warm, shown(4, bad=0), *guards))
    assert isinstance(verdict, Verdict)
    assert verdict.kind is Kind.NOT_STEADY


TIMED_OUT = shown(4, ended_by="fail", bad=(0, 40), labels={"200": 360, "deadline_exceeded": 40})
REST = paused(Pause(5.0))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # a tenth of the answers never came: their work may still be queued
        ([], "pause"),
        # after the rest one user shows whether it is
        ([REST], "recover"),
        # three times as slow as at the start: it is, and a longer rest follows
        ([REST, shown(1, "recover", bad=(0, 0), latency_s=0.06)], "pause"),
        ([REST, shown(1, "recover", bad=(0, 0), latency_s=0.06), REST], "recover"),
        # as fast as at the start: on with the search
        ([REST, shown(1, "recover", bad=(0, 0), latency_s=0.02)], "bisect"),
        # six rests are enough
        ([REST, shown(1, "recover", bad=(0, 0), latency_s=0.06)] * 6, "bisect"),
    ],
)
def test_an_overload_is_left_behind_before_the_search_goes_on(after: list[Seen], expected: str) -> None:
    """Two users passed, four timed out."""
    step = next_step(ASKED, in_order(*WARM, shown(2, bad=(0, 0)), TIMED_OUT, *after))
    assert (step.purpose if isinstance(step, Trial) else "pause") == expected


def test_a_goal_missed_at_one_user_is_believed_only_when_a_cold_start_would_be_over() -> None:
    """One user fails from the start: the search pauses and tries again for more than half a minute."""
    verdict, history, _ = searched(Asked(LATENCY), lambda trial: held(trial, "slow"))
    assert verdict.kind is Kind.MISSED_AT_ZERO_LOAD
    assert spent_s(history) > 30
    assert sum(trial.purpose == PAUSE for trial in history) >= 3


def test_a_goal_missed_at_one_user_waits_as_long_as_any_latency_limit() -> None:
    """The module says that neither is believed before 65 s."""
    _, history, _ = searched(Asked(LATENCY), lambda trial: held(trial, "slow"))
    assert spent_s(history) >= 65


def test_a_latency_limit_is_tried_once_more_when_the_endpoint_is_surely_warm() -> None:
    """A level above the limit that failed early by latency is asked again after 65 s."""
    _, history, _ = searched(Asked(LATENCY), lambda trial: held(trial, "pass" if trial.level <= 5 else "slow"))
    assert max(trial.started_s for trial in history if trial.level == 6) >= 65


def test_a_cliff_needs_no_such_wait() -> None:
    """Rejections do not depend on the service time: the search ends within half a minute, without a pause."""
    _, history, _ = searched(ASKED, cliff(5))
    assert spent_s(history) < 30
    assert all(trial.purpose != PAUSE for trial in history)


@pytest.mark.parametrize(
    ("parts", "warm"),
    [
        # one part alone cannot tell whether latency still falls
        ([shown(1, WARM_UP, bad=0)], False),
        # two that agree can
        ([shown(1, WARM_UP, bad=0), shown(1, WARM_UP, bad=0)], True),
        # 100 ms, then 60 ms: still falling
        ([shown(1, WARM_UP, bad=0, latency_s=0.1), shown(1, WARM_UP, bad=0, latency_s=0.06)], False),
        # 60 ms, then 100 ms: not falling
        ([shown(1, WARM_UP, bad=0, latency_s=0.06), shown(1, WARM_UP, bad=0, latency_s=0.1)], True),
        # a rejection at one user: not ready
        ([shown(1, WARM_UP, bad=0), shown(1, WARM_UP, bad=0, rejected=1)], False),
        # thirty rejections: no more harm is spent on waiting
        ([shown(1, WARM_UP, bad=0, rejected=30)], True),
        # no answers yet
        ([shown(1, WARM_UP, bad=0, total=0), shown(1, WARM_UP, bad=0, total=0)], False),
        # a minute and a half: no more time either
        ([shown(1, WARM_UP, bad=0, total=0, seconds=90.0)], True),
        # a trial has begun: the warm-up is over
        ([shown(1, WARM_UP, bad=0), shown(1, "base", bad=0)], True),
    ],
)
def test_the_warm_up_ends_when_latency_no_longer_falls(parts: list[Seen], warm: bool) -> None:
    """Two parts that agree and no rejections, or no more time or harm to spend."""
    assert is_warm(in_order(*parts)) is warm


def test_a_wait_after_a_rejection_is_the_service_time_of_the_warm_up() -> None:
    """The same 40 ms at every level, however slow the answers become."""
    history = in_order(
        shown(1, WARM_UP, bad=0, latency_s=0.09), shown(1, WARM_UP, bad=0, latency_s=0.04), shown(8, latency_s=0.7)
    )
    assert backoff_s(history) == pytest.approx(0.04)


def test_the_service_time_expected_is_that_of_the_nearest_lower_level() -> None:
    """At 6 users what 4 users showed last, not what 1 or 8 did."""
    history = in_order(
        shown(1, latency_s=0.02), shown(4, latency_s=0.03), shown(8, latency_s=0.2), shown(4, latency_s=0.05)
    )
    assert expected_service_s(history, 6) == pytest.approx(0.05)


@pytest.mark.parametrize(("goals", "purpose", "allowance"), [(GOALS, "grow", 20), (GOALS, "confirm", 16)])
def test_a_trial_may_cause_as_many_rejections_as_decide_its_strictest_goal(
    goals: tuple[Goal, ...], purpose: str, allowance: int
) -> None:
    """Twelve, and one in a thousand of 7,500 answers, or of 4,000 where a level is held."""
    _, _, steps = searched(Asked(goals, max_level=64), cliff(11))
    asked = {step.allowance for step in steps if isinstance(step, Trial) and step.purpose == purpose}
    assert asked == {allowance}


def test_no_trial_may_cause_more_rejections_than_are_left() -> None:
    """With 5 of 300 left a trial may cause 5; with none left there is no further trial."""
    spent = in_order(*WARM, shown(8, "grow", ended_by="fail", bad=(295, 295), rejected=295))
    step = next_step(ASKED, spent)
    assert isinstance(step, Trial)
    assert step.allowance == 5
    last = next_step(ASKED, in_order(*spent, shown(4, ended_by="fail", bad=(5, 5), rejected=5)))
    assert isinstance(last, Verdict)
    assert "harm budget of 300" in last.reason


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
