"""The next step of the search, answered by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, cycle

import pytest

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
    is_warm,
    next_step,
    spent_s,
)
from capacity.summary import Seen
from capacity.verdict import Kind, Verdict
from tests.capacity.histories import cliff, held, in_order, paused, searched, shown

GOALS = tuple(map(parse_goal, DEFAULT_GOALS))
LATENCY = (parse_goal("p95<=300ms"),)
TIMEOUTS = (parse_goal("timeouts<=0.1%"),)
ASKED = Asked(GOALS, max_level=64)
WARM = (shown(1, WARM_UP, bad=(0, 0), seconds=2.5), shown(1, WARM_UP, bad=(0, 0), seconds=2.5))


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


def test_a_client_that_is_the_wall_now_and_then_is_the_wall() -> None:
    """Every second trial is unfair, and its repeat is fair: the fifth unfair one ends the search."""
    turns = cycle(("unfair", "pass"))
    verdict, history, _ = searched(ASKED, lambda trial: held(trial, "pass" if trial.level == 1 else next(turns)))
    assert verdict.kind is Kind.CLIENT_LIMITED
    assert sum(bool(trial.invalid) for trial in history) == 5


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


def test_an_endpoint_that_is_gone_in_mid_search_is_not_steady() -> None:
    """Up to four users were answered well; then nobody listens any more, which is no limit of load."""
    trials = count()

    def gone_after_a_while(trial: Trial) -> Seen:
        if next(trials) < 5:
            return held(trial, "pass" if trial.level < 8 else "rejects")
        return shown(trial.level, trial.purpose, ended_by="fail", bad=(0, 200), labels={"connect_refused": 200})

    verdict, _, _ = searched(ASKED, gone_after_a_while)
    assert verdict.kind is Kind.NOT_STEADY
    assert "no answer is good any more" in verdict.reason


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


def test_a_latency_limit_is_told_after_a_light_load_was_timed_when_a_cold_start_is_over() -> None:
    """What was seen before is void if that load is answered faster than at the start."""
    _, history, _ = searched(Asked(LATENCY), lambda trial: held(trial, "pass" if trial.level <= 5 else "slow"))
    assert any(trial.purpose == "guard" and trial.started_s >= 65 for trial in history)


def test_a_level_that_failed_by_latency_is_looked_at_closely_before_the_wait_is_over() -> None:
    """The time in which an endpoint may be cold is spent on evidence: six users are held again within it."""
    _, history, _ = searched(Asked(LATENCY), lambda trial: held(trial, "pass" if trial.level <= 5 else "slow"))
    assert any(trial.purpose == "refine" and trial.started_s < 65 for trial in history)


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
