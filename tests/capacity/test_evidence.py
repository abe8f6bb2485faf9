"""What trials say about a level, and what they say about the endpoint."""

from __future__ import annotations

import pytest

from capacity.evidence import (
    PAUSE,
    WARM_UP,
    State,
    agreed_count,
    changes,
    current_trials,
    evidence_trials,
    failing_goals,
    is_decisive,
    is_rejection,
    is_unsteady,
    outcome,
    pool,
    pooled_by_level,
    rejection_ratio,
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
        ([passes(), leans(4)], State.CONFLICT),
        ([leans(4), passes()], State.CONFLICT),
        # unless chance does not explain it: then the endpoint has changed
        ([passes(), fails()], State.FAIL),
        # the latest two decide, so that an endpoint that has changed is judged as it is
        ([fails(), passes(), passes()], State.PASS),
        ([passes(), passes(), fails(), fails()], State.FAIL),
        # four in dispute are still in dispute
        ([passes(), leans(4), passes(), leans(4)], State.CONFLICT),
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


def test_a_quick_failure_by_latency_only_shows_where_to_look() -> None:
    """Once a level has been looked at closely, slow answers of before no longer count; rejections and passes do."""
    quick, rejected, held = shown(8, ended_by="fail", bad=50), fails(16), passes(4)
    assert [trial.level for trial in evidence_trials(in_order(quick, rejected, held))] == [8, 16, 4]
    look = shown(7, "refine", bad=1)
    assert [trial.level for trial in evidence_trials(in_order(quick, rejected, held, look))] == [16, 4, 7]


def test_on_the_way_up_in_an_open_loop_a_pass_near_the_limit_is_a_hint_too() -> None:
    """Its queue had not filled yet: a rate of 90 % of the first close look is forgotten, one of 50 % is kept."""
    history = in_order(shown(900, "halve"), shown(500, "rise"), shown(1000, "refine", bad=1))
    assert [trial.level for trial in evidence_trials(history)] == [500, 1000]


@pytest.mark.parametrize(
    ("first_s", "then_s", "moved"),
    [
        # 20 ms, then 20 ms
        (0.02, 0.02, False),
        # five times as fast: what was cold is warm
        (0.1, 0.02, True),
        # half as slow again: it wears out
        (0.02, 0.03, True),
        # a tenth is chance, or nothing that matters
        (0.02, 0.022, False),
        # three times as slow, but by one millisecond
        (0.0005, 0.0015, False),
    ],
)
def test_a_guard_tells_an_endpoint_that_has_changed(first_s: float, then_s: float, moved: bool) -> None:
    """By 15 % and 2 ms of the median, beyond chance; what was seen before then is of the past."""
    warm, guard = shown(1, WARM_UP, total=60, latency_s=first_s), shown(1, "guard", total=60, latency_s=then_s)
    history = in_order(warm, passes(4), guard, passes(8))
    assert changes(history) == ([3] if moved else [])
    assert [trial.level for trial in evidence_trials(history)] == ([8] if moved else [1, 4, 1, 8])


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


def test_counts_add_up_and_dispersion_is_weighed_by_bad_answers() -> None:
    """(2 × 1 + 6 × 3) / 4 = 5: how clustered bad answers are can only be seen where there are some."""
    assert pool([Evidence(1, 100, 2.0), Evidence(3, 300, 6.0), Evidence(0, 900)]) == Evidence(4, 1300, 5.0)
    assert pool([]) == Evidence(0, 0, 1.0)


@pytest.mark.parametrize(
    ("trials", "kept"),
    [
        # a plain failure that a plain pass followed: the endpoint has become better
        ([fails(), passes(total=9000)], (0, 9000)),
        # and the other way round
        ([passes(total=9000), fails()], (20, 1000)),
        # what chance explains is no contradiction: 4 of 1,000 after 1 of 1,000
        ([leans(1), leans(4)], (5, 2000)),
        # a pass with fewer users says nothing against a failure with more
        ([fails(), passes(4, 9000)], (20, 1000)),
        # one with more users does
        ([fails(), passes(16, 9000), leans(1)], (1, 1000)),
    ],
)
def test_what_a_later_trial_plainly_contradicts_is_left_out(trials: list[Seen], kept: tuple[int, int]) -> None:
    """What the endpoint is now counts."""
    item = pooled_by_level(in_order(*trials), ONE)[8][0]
    assert (item.bad, item.total) == kept


def test_answers_are_as_clustered_as_at_the_levels_around() -> None:
    """A clean level beside one whose bad answers come in bunches of ten may have fallen between two of them. What lies
    above 1 is raised by 1 + 2.4 / 2 as long as no close look has shown it."""
    history = in_order(shown(8, bad=0), shown(9, bad=20, dispersion=10.0), shown(30, bad=0))
    levels = pooled_by_level(history, (P95,))
    assert [levels[level][0].dispersion for level in (8, 9, 30)] == pytest.approx([20.8, 20.8, 1.0])


def test_trials_that_differ_more_than_their_clusters_explain_are_worth_less() -> None:
    """1 and 41 of 1,000 at one level: chi squared 39 for one degree of freedom, shrunk by three trials' worth."""
    history = in_order(shown(8, bad=41, ended_by="max_s"), shown(8, bad=1, ended_by="max_s"))
    ((item,),) = pooled_by_level(history, (parse_goal("p95<=1s"),)).values()
    assert item.dispersion == pytest.approx((3 + 38.9) / 4, rel=0.01)
    assert len(current_trials(history, (parse_goal("p95<=1s"),))) == 2


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        # 46 users are served well where 45 were served badly: 63, which failed before that, may hold by now
        ([shown(46, total=4700)], [45, 46]),
        # so may 44, but it says nothing of 45
        ([shown(44, total=4700)], [63, 45, 44]),
        # 67 failed after that, and stands
        ([shown(46, total=4700), shown(67, ended_by="fail", bad=300)], [45, 46, 67]),
        # a little better is no growth
        ([shown(46, bad=15)], [63, 45, 46]),
    ],
)
def test_what_failed_before_an_endpoint_grew_is_of_the_past(later: list[Seen], kept: list[int]) -> None:
    """63 users failed, 45 were just within the goal; then replicas were added."""
    history = in_order(shown(63, ended_by="fail", bad=100, total=109), shown(45, bad=40, ended_by="max_s"), *later)
    assert [trial.level for trial in current_trials(history, (parse_goal("p95<=300ms"),))] == kept


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
