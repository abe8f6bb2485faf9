"""What trials say about a level, and what they say about the endpoint."""

from __future__ import annotations

import pytest

from capacity.evidence import (
    PAUSE,
    WARM_UP,
    State,
    agreed_count,
    evidence_trials,
    failing_goals,
    is_decisive,
    is_rejection,
    is_unsteady,
    outcome,
    pool,
    pooled_by_level,
    rejection_ratio,
    stalls_from,
    states,
)
from capacity.goals import Goal, parse_goal
from capacity.search import Pause
from capacity.summary import Evidence, Seen
from tests.capacity.histories import in_order, paused, shown

REJECTED, ERRORS, P95 = map(parse_goal, ("rejected<=0.1%", "errors<=1%", "p95<=300ms"))
ONE = (REJECTED,)


def passes(level: int = 8, total: int = 1000) -> Seen:
    return shown(level, total=total)


def fails(level: int = 8, bad: int = 20) -> Seen:
    return shown(level, ended_by="fail", bad=bad, rejected=bad)


def leans(bad: int, level: int = 8) -> Seen:
    """Out of time with `bad` of 1,000: one is as many as are allowed, four are clearly more."""
    return shown(level, ended_by="max_s", bad=bad)


@pytest.mark.parametrize(
    ("trials", "state"),
    [
        # one trial alone is a provisional state
        ([passes()], State.PASS),
        ([fails()], State.FAIL),
        # two that agree are the state
        ([passes(), passes()], State.PASS),
        ([fails(), fails()], State.FAIL),
        # two that disagree are none
        ([passes(), fails()], State.CONFLICT),
        ([fails(), passes()], State.CONFLICT),
        # the latest two decide, so that an endpoint that has changed is judged as it is
        ([fails(), passes(), passes()], State.PASS),
        ([passes(), passes(), fails(), fails()], State.FAIL),
        # four in dispute are still in dispute
        ([passes(), fails(), passes(), fails()], State.CONFLICT),
        # five are pooled: 60 of 4,060 are more than 0.1 %
        ([fails(), passes(), fails(), passes(), fails()], State.FAIL),
        # and 3 of 40,003 are less
        (
            [passes(total=10_000), fails(bad=1), passes(total=20_000), fails(bad=1), passes(total=10_000)],
            State.PASS,
        ),
        # a trial that ran out of time leans to one side
        ([leans(1)], State.PASS),
        ([leans(4)], State.FAIL),
    ],
)
def test_a_level_is_what_its_latest_trials_agree_on(trials: list[Seen], state: State) -> None:
    """The rules of the state, one each."""
    assert states(in_order(*trials), ONE) == {8: state}


def test_states_are_ascending_and_of_levels_with_evidence_only() -> None:
    """Pauses, unfair trials and trials without answers leave no state."""
    history = in_order(
        passes(16), passes(2), shown(4, invalid=("busy",)), shown(5, total=0), paused(Pause(2.0)), fails(32)
    )
    assert list(states(history, ONE).items()) == [(2, State.PASS), (16, State.PASS), (32, State.FAIL)]


def test_of_the_warm_up_only_its_last_part_is_evidence() -> None:
    """The parts before it may have been cold."""
    history = in_order(shown(1, WARM_UP, bad=500), shown(1, WARM_UP), paused(Pause(1.0)))
    assert [trial.number for trial in evidence_trials(history)] == [2]
    assert history[2].purpose == PAUSE


def test_a_trial_cut_short_by_a_stop_is_no_evidence() -> None:
    """It ended for reasons of its own."""
    assert evidence_trials([shown(8, ended_by="stopped")]) == []


@pytest.mark.parametrize(
    ("trial", "expected", "decisive"),
    [
        # what the watch said stands, however little the counts say
        (shown(8, ended_by="pass", bad=0, total=100), State.PASS, False),
        (shown(8, ended_by="fail", bad=1, total=1000), State.FAIL, False),
        # ln 100 in favour: 0 of 4,000 at 0.1 % are 4,000 × 0.0015 = 6.0
        (shown(8, ended_by="pass", bad=0, total=4000), State.PASS, True),
        # and against: 4 × ln 4 = 5.5, less 0.1 for 40 good ones
        (shown(8, ended_by="fail", bad=4, total=44), State.FAIL, True),
        # the same four in one cluster of ten are not
        (shown(8, ended_by="fail", bad=4, total=44, dispersion=10), State.FAIL, False),
        # ended by its allowance: the side to which the counts lean
        (shown(8, ended_by="allowance", bad=13, total=21), State.FAIL, True),
    ],
)
def test_a_trial_ends_as_the_watch_said_or_as_its_counts_lean(trial: Seen, expected: State, decisive: bool) -> None:
    """Decisive is a sequential test beyond its error bounds."""
    assert outcome(trial, ONE) is expected
    assert is_decisive(trial, ONE) is decisive


@pytest.mark.parametrize(
    ("trials", "count"),
    [([fails()], 1), ([passes(), fails()], 1), ([passes(), fails(), fails()], 2), ([fails(9)], 0)],
)
def test_agreement_counts_back_from_the_latest_trial(trials: list[Seen], count: int) -> None:
    """Trials at other levels do not count."""
    assert agreed_count(in_order(*trials), ONE, 8) == count


def hold(**changes: object) -> Seen:
    values = {"purpose": "confirm", "ended_by": "max_s", "bad": 100, "dispersion": 12.0, "seconds": 20.0}
    return shown(8, **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trial", "stalls"),
    [
        (hold(), True),
        # a hold that passed has nothing to explain
        (hold(ended_by="pass"), False),
        # a short trial may have met one slow moment
        (hold(purpose="bisect"), False),
        # bad answers spread evenly are load
        (hold(dispersion=2.0), False),
        # rejections are no stall
        (hold(rejected=60), False),
        # nor is a hold without answers
        (hold(total=0, bad=0), False),
    ],
)
def test_a_stall_is_a_hold_gone_bad_in_bursts(trial: Seen, stalls: bool) -> None:
    """Answers that fail together, with good stretches between; what eight users show is feared from four on."""
    assert stalls_from([trial]) == (4 if stalls else None)


def test_once_stalls_are_known_short_trials_without_a_bad_answer_say_nothing() -> None:
    """They fell between two stalls; long ones, those that met one, and those of half the users still count."""
    few, short, long, met = shown(3), shown(4), shown(5, seconds=12.0), shown(6, bad=3)
    assert [trial.level for trial in evidence_trials(in_order(few, short, long, met))] == [3, 4, 5, 6]
    assert [trial.level for trial in evidence_trials(in_order(few, short, long, met, hold()))] == [3, 5, 6, 8]


def test_known_stalls_do_not_bring_back_a_failure_that_later_trials_overruled() -> None:
    """One user failed twice while cold and passed twice when warm: a stall at 8 users does not make it fail."""
    cold = [shown(1, ended_by="fail", bad=20), shown(1, ended_by="fail", bad=20)]
    history = in_order(*cold, shown(1), shown(1), hold())
    assert states(history, ONE).get(1) is not State.FAIL


def turning(level: int) -> list[Seen]:
    """Decided pass, fail, pass."""
    return [passes(level, 9000), fails(level), passes(level, 9000)]


@pytest.mark.parametrize(
    ("trials", "unsteady"),
    [
        # the same load passed and failed by turns, at levels far apart
        ([*turning(4), *turning(8)], True),
        # around one level that is chance near the limit
        ([*turning(8), *turning(9)], False),
        (turning(8), False),
        # one turn alone is an endpoint that warmed up, or wore out
        ([fails(4), passes(4, 9000), fails(8), passes(8, 9000)], False),
        # trials that decided nothing do not turn
        ([passes(4, 100), fails(4), passes(4, 100), passes(8, 100), fails(8), passes(8, 100)], False),
    ],
)
def test_an_endpoint_is_unsteady_when_levels_well_apart_turn_twice(trials: list[Seen], unsteady: bool) -> None:
    """Two turns each, both decided, more than a quarter apart."""
    assert is_unsteady(in_order(*trials), ONE) is unsteady


@pytest.mark.parametrize(
    ("trial", "rejection"),
    [
        # 20 answers were 503, and nothing else was bad
        (shown(8, ended_by="fail", bad=(20, 20, 20), rejected=20), True),
        # 100 were slow, none was rejected
        (shown(8, ended_by="fail", bad=(0, 0, 100)), False),
        # 100 were slow and five rejected, with goals on rejections failing too
        (shown(8, ended_by="fail", bad=(5, 5, 100), rejected=5), True),
        # 200 were bad for the latency goal alone, the one rejection among them did not matter
        (shown(8, ended_by="fail", bad=(1, 1, 200), rejected=1), False),
    ],
)
def test_a_level_failed_by_rejections_when_a_goal_on_them_is_missed(trial: Seen, rejection: bool) -> None:
    """Where only latency goals are missed, most bad answers must be rejections."""
    assert is_rejection([trial], (REJECTED, ERRORS, P95)) is rejection


def test_the_goals_to_blame_are_those_that_the_counts_speak_against() -> None:
    """20 rejections of 1,000 miss 0.1 % and 1 %, not the 5 % of p95."""
    trial = shown(8, ended_by="fail", bad=(20, 20, 20), rejected=20)
    assert failing_goals([trial], (REJECTED, ERRORS, P95)) == (REJECTED, ERRORS)


def test_of_goals_that_are_all_nearly_kept_the_nearest_to_failing_is_to_blame() -> None:
    """Nothing is beyond its ratio, p95 is closest: 40 slow answers of 1,000 where 50 are allowed, no rejection."""
    trial = shown(8, ended_by="max_s", bad=(0, 0, 40))
    assert failing_goals([trial], (REJECTED, ERRORS, P95)) == (P95,)


def test_counts_add_up_and_dispersion_is_weighed_by_answers() -> None:
    """(2 × 100 + 5 × 300) / 400 = 4.25."""
    assert pool([Evidence(1, 100, 2.0), Evidence(3, 300, 5.0)]) == Evidence(4, 400, 4.25)
    assert pool([]) == Evidence(0, 0, 1.0)


@pytest.mark.parametrize(
    ("trials", "kept"),
    [
        # two alone are both kept, even in dispute
        ([fails(), passes()], (20, 2000)),
        # a decided failure that two passes overruled is left out
        ([fails(), passes(), passes()], (0, 2000)),
        # an undecided one stays: it was no mistake, only short
        ([leans(1), fails(), fails()], (41, 3000)),
        # in dispute nothing is left out
        ([passes(), fails(), passes()], (20, 3000)),
    ],
)
def test_decided_trials_that_later_ones_overruled_are_left_out(trials: list[Seen], kept: tuple[int, int]) -> None:
    """What the endpoint is now counts; what was never decided is not contradicted."""
    ((item,),) = pooled_by_level(in_order(*trials), ONE).values()
    assert (item.bad, item.total) == kept


@pytest.mark.parametrize(
    ("goals", "ratio"),
    [
        ((REJECTED, ERRORS), 0.001),
        ((ERRORS,), 0.01),
        ((P95, ERRORS), 0.01),
        # no goal on rejections: a latency goal tolerates as many as answers may be slow
        ((P95,), 0.05),
    ],
)
def test_the_strictest_goal_on_rejections_says_how_many_are_tolerated(goals: tuple[Goal, ...], ratio: float) -> None:
    """A latency goal is asked only where nothing else speaks of rejections."""
    assert rejection_ratio(goals) == pytest.approx(ratio)
