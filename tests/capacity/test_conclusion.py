"""From trials to the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.conclusion import conclude, knee, outcome_word, why
from capacity.evidence import WARM_UP
from capacity.exits import exit_of
from capacity.goals import DEFAULT_GOALS, parse_goal
from capacity.search import Asked, Pause
from capacity.summary import Seen
from capacity.validity import Health
from capacity.verdict import Kind, Level, Verdict, verdict_as_json, verdict_from
from scoring.errors import Exit
from tests.capacity.histories import in_order, paused, shown
from tests.capacity.verdicts import level

GOALS = tuple(map(parse_goal, (*DEFAULT_GOALS, "p95<=300ms")))
ASKED = Asked(GOALS)
CLEAN = (0, 0, 0)


def cliff() -> list[Seen]:
    """Eight users are served at 20 ms, a ninth is rejected."""
    return in_order(
        shown(1, WARM_UP, bad=CLEAN, total=100),
        shown(1, WARM_UP, bad=CLEAN, total=100),
        shown(4, bad=CLEAN, total=400),
        swamped(),
        paused(Pause(1.5)),
        shown(9, "agree", ended_by="fail", bad=(9, 9, 9), rejected=9, total=73),
        shown(9, "agree", ended_by="fail", bad=(9, 9, 9), rejected=9, total=73),
        shown(8, "confirm", bad=CLEAN, total=3200, seconds=8.0),
    )


def swamped() -> Seen:
    """Sixteen users are too many at once: all that came back came in the transient."""
    early = {"200": 8, "503": 13}
    bad = (13, 13, 13)
    return shown(16, ended_by="allowance", bad=bad, total=21, rejected=13, seconds=0.02, labels={}, transient=early)


def queue() -> list[Seen]:
    """Twenty users are served in time, every tenth answer to 21 is slow; nothing is rejected."""
    return in_order(
        shown(1, WARM_UP, bad=CLEAN, total=100),
        shown(16, bad=CLEAN, total=400),
        shown(32, ended_by="fail", bad=(0, 0, 200), total=300),
        shown(21, "bisect", ended_by="fail", bad=(0, 0, 80), total=800),
        shown(21, "agree", ended_by="fail", bad=(0, 0, 80), total=800),
        shown(20, "confirm", bad=(0, 0, 60), total=3000, seconds=12.0),
    )


def test_each_goal_has_a_limit_and_the_smallest_binds() -> None:
    """Slow answers set the limit at 20 users; rejections and errors would have allowed 32 and more."""
    verdict = conclude(ASKED, queue(), Kind.FOUND)
    assert verdict.binding_goal == "p95<=300ms"
    assert [(limit.goal, limit.level) for limit in verdict.limits] == [
        ("rejected<=0.1%", 32),
        ("errors<=1%", 32),
        ("p95<=300ms", 20),
    ]
    assert [limit.high for limit in verdict.limits[:2]] == [None, None]
    assert (verdict.limits[2].low, verdict.limits[2].high) == (20, 20)


def test_at_a_cliff_the_goal_on_rejections_binds() -> None:
    """All three goals fail at nine users; the first of them is about what happens there."""
    verdict = conclude(ASKED, cliff(), Kind.FOUND)
    assert verdict.binding_goal == "rejected<=0.1%"
    assert verdict.reason == "rejected<=0.1% holds up to 8 users and is missed above"
    assert {(limit.level, limit.high) for limit in verdict.limits} == {(8, 8)}


def test_at_a_cliff_the_goal_on_rejections_binds_in_any_order() -> None:
    """Which goal a person names first does not change what the wall is."""
    history = [replace(trial, evidence=trial.evidence[::-1]) for trial in cliff()]
    assert conclude(Asked(GOALS[::-1]), history, Kind.FOUND).binding_goal == "rejected<=0.1%"


def test_a_limit_is_confirmed_when_its_bound_lies_within_the_goal() -> None:
    """0 of 3,200: the bound is 1 - 0.05^(1/3200) = 0.0936 %; of 3,000 with 60 slow it lies between 2 % and 5 %."""
    rejected, errors, _ = conclude(ASKED, cliff(), Kind.FOUND).limits
    assert rejected.bound_ratio == pytest.approx(1 - 0.05 ** (1 / 3200))
    assert (rejected.confirmed, rejected.bad_count, rejected.attempt_count) == (True, 0, 3200)
    assert errors.confirmed
    slow = conclude(ASKED, queue(), Kind.FOUND).limits[2]
    assert slow.confirmed
    assert 0.02 < (slow.bound_ratio or 0) < 0.05


def test_a_goal_missed_at_one_user_has_the_limit_zero() -> None:
    """Interval [0, 0], nothing confirmed; the goals that were kept there keep a limit of one user."""
    failing = shown(1, "base", ended_by="fail", bad=(0, 0, 50), total=100)
    verdict = conclude(ASKED, in_order(failing, failing), Kind.MISSED_AT_ZERO_LOAD)
    assert verdict.binding is not None
    assert (verdict.binding.goal, verdict.binding.level) == ("p95<=300ms", 0)
    assert (verdict.binding.low, verdict.binding.high, verdict.binding.confirmed) == (0, 0, False)
    assert verdict.limits[0].level == 1


def test_without_evidence_no_goal_has_a_limit() -> None:
    """Nothing was measured: no limit, no binding goal, an unfair client, and no invented numbers."""
    verdict = conclude(ASKED, [], Kind.BUDGET_SPENT)
    assert [limit.level for limit in verdict.limits] == [None, None, None]
    assert (verdict.binding, verdict.binding_goal, verdict.knee_users, verdict.first_rejected_users) == (None,) * 4
    assert (verdict.levels, verdict.warm_up_s, verdict.little_residual_ratio) == ((), None, None)
    assert (verdict.client.valid, verdict.client.reasons) == (False, ("no trial was completed",))


def test_the_first_rejected_level_leaves_transients_out_and_codes_do_not() -> None:
    """Nine users met a 503 among the counted answers, five in the transient alone."""
    history = in_order(*cliff(), shown(5, bad=CLEAN, rejected=1, labels={"200": 400}, transient={"503": 1}))
    verdict = conclude(ASKED, history, Kind.FOUND)
    assert verdict.first_rejected_users == 9
    assert verdict.first_seen == {"200": 1, "503": 5}
    assert verdict.rejected_count == 32


@pytest.mark.parametrize(
    ("labels", "first"),
    [
        ([{"200": 9}, {"200": 9}], None),
        ([{"200": 9}, {"200": 8, "503": 1}], 8),
        ([{"429": 1}, {"503": 1}], 4),
        ([{"500": 1}, {"deadline_exceeded": 1}], None),
    ],
)
def test_429_and_503_alone_are_rejections(labels: list[dict[str, int]], first: int | None) -> None:
    """Trials at 4 and 8 users; no other failure counts."""
    history = [shown(users, bad=CLEAN, labels=told) for users, told in zip((4, 8), labels, strict=True)]
    assert conclude(ASKED, in_order(*history), Kind.BUDGET_SPENT).first_rejected_users == first


@pytest.mark.parametrize(
    ("levels", "users"),
    [
        # 95 % of 81 requests/s are reached with 8 users
        ([level(1, 10.0), level(4, 40.0), level(8, 80.0), level(9, 81.0)], 8),
        # the peak may lie before the end
        ([level(1, 10.0), level(4, 40.0), level(8, 20.0)], 4),
        # one level has no knee
        ([level(1, 10.0)], None),
        ([], None),
        # a rate from a few milliseconds is none
        ([level(1, 10.0), level(4, 40.0), level(16, 900.0, seconds=0.02)], 4),
        # nothing was completed
        ([level(1, 0.0), level(2, 0.0)], None),
    ],
)
def test_the_knee_is_where_the_rate_stops_growing(levels: list[Level], users: int | None) -> None:
    """The fewest users that complete 95 % of the peak rate."""
    assert knee(levels) == users


def test_littles_residual_is_the_worst_over_levels_without_rejections() -> None:
    """4 users with 400 × 20 ms in 2 s make 4 in flight; with 200 answers there are 2: half is missing."""
    history = in_order(
        shown(4, bad=CLEAN, total=400),
        shown(8, bad=CLEAN, total=400),
        shown(9, ended_by="fail", bad=(90, 90, 90), rejected=90, total=100),
    )
    assert conclude(ASKED, history, Kind.FOUND).little_residual_ratio == pytest.approx(0.5)
    assert conclude(ASKED, history[:1], Kind.FOUND).little_residual_ratio == pytest.approx(0.0)


def test_the_cost_is_time_and_all_attempts() -> None:
    """Seven trials of 2 s but for one of 8 and one of 0.02, a pause of 1.5; transients and warm-ups are paid too."""
    verdict = conclude(ASKED, cliff(), Kind.FOUND)
    assert verdict.cost.seconds == pytest.approx(5 * 2 + 8 + 0.02 + 1.5)
    assert verdict.cost.attempt_count == sum(trial.attempt_count for trial in verdict.trials) == 3967


def test_the_warm_up_lasts_until_its_last_part_ends() -> None:
    """Two parts of two seconds."""
    assert conclude(ASKED, cliff(), Kind.FOUND).warm_up_s == pytest.approx(4.0)


def test_the_certificate_tells_the_worst_of_what_the_client_said() -> None:
    """Over fair trials alone: what an unfair one said made it unfair."""
    fair = [shown(1, bad=CLEAN, client=Health(0.001, 1.0, 0.2)), shown(2, bad=CLEAN, client=Health(0.003, 0.9995, 0.1))]
    unfair = shown(4, bad=CLEAN, invalid=("busy",), client=Health(0.5, 0.1, 1.0))
    client = conclude(ASKED, in_order(*fair, unfair), Kind.BUDGET_SPENT).client
    assert (client.valid, client.reasons) == (True, ())
    assert (client.lag_p99_ms, client.timely_ratio, client.cpu_ratio) == (pytest.approx(3.0), 0.9995, 0.2)
    assert client.run_queue_ratio is None


@pytest.mark.parametrize(
    ("trial", "word", "reason"),
    [
        (shown(1, WARM_UP, bad=CLEAN), "warm-up", "rejected<=0.1%: 0 of 1000 bad"),
        (paused(Pause(2.0)), "pause", "no answers to judge"),
        (shown(8, bad=CLEAN, invalid=("busy", "late")), "invalid", "busy; late"),
        (shown(8, ended_by="fail", bad=(9, 9, 9)), "fail", "rejected<=0.1%: 9 of 1000 bad"),
        (shown(8, ended_by="fail", bad=(0, 0, 90)), "fail", "p95<=300ms: 90 of 1000 bad"),
        (shown(8, ended_by="max_s", bad=(0, 0, 0), total=0), "undecided", "no answers to judge"),
        (shown(8, ended_by="max_s", bad=(0, 0, 55)), "undecided", "p95<=300ms: 55 of 1000 bad"),
        (shown(8, ended_by="allowance", bad=(13, 13, 13), total=21), "fail", "rejected<=0.1%: 13 of 21 bad"),
    ],
)
def test_a_trial_says_how_it_ended_and_what_decided_it(trial: Seen, word: str, reason: str) -> None:
    """The goal with the strongest evidence against it stands with its counts."""
    assert outcome_word(trial, GOALS) == word
    assert why(trial, GOALS) == reason


@pytest.mark.parametrize(
    ("kind", "history", "words"),
    [
        (Kind.AT_LEAST, [shown(64, bad=CLEAN)], "every goal held at 64 users, and nothing clearly failed up to 64"),
        (
            Kind.NOT_A_LOAD_PROBLEM,
            [shown(2, ended_by="not_load", bad=CLEAN, labels={"200": 90, "502": 9, "401": 1})],
            "9 of 100 answers at 2 users were 502, which no load explains",
        ),
        (
            Kind.CLIENT_LIMITED,
            [shown(1, bad=CLEAN), shown(8, bad=CLEAN, invalid=("it woke late",))],
            "the load generator was the wall at 8 users: it woke late",
        ),
        (
            Kind.BUDGET_SPENT,
            [shown(8, ended_by="fail", bad=CLEAN, rejected=300)],
            "the harm budget of 300 rejected requests is spent before the limit was found",
        ),
        (
            Kind.BUDGET_SPENT,
            [shown(8, bad=CLEAN, seconds=600.0)],
            "the time budget of 600 s is spent before the limit was found",
        ),
    ],
)
def test_the_verdict_says_in_one_sentence_why(kind: Kind, history: list[Seen], words: str) -> None:
    """With the numbers seen."""
    assert conclude(ASKED, in_order(*history), kind).reason == words


def test_a_run_that_lost_its_credential_keeps_its_limits_and_says_since_when() -> None:
    """It could not get in any more: exit 4, the reason in words, and the levels measured before."""
    trials = [shown(1, bad=CLEAN, seconds=5.0), shown(2, bad=CLEAN, seconds=5.0)]
    lost = shown(4, ended_by="not_load", bad=CLEAN, seconds=31.0, invalid=("waited",))
    lost = replace(lost, lost="no tenant", waited_s=30.0, renewed_count=3)
    verdict = conclude(ASKED, in_order(*trials, lost), Kind.NOT_A_LOAD_PROBLEM)
    assert verdict.reason == "nothing could be sent after 11 s, the credential could not be renewed: no tenant"
    assert (verdict.lost, verdict.renewed_count) == ("no tenant", 3)
    assert [level.users for level in verdict.levels] == [1, 2]
    assert {limit.level for limit in verdict.limits} == {2}
    assert exit_of(verdict, None) is Exit.NO_ENTRY


@pytest.mark.parametrize("history", [[], [shown(4, bad=CLEAN)], [shown(4, bad=CLEAN), paused(Pause(1.0))]])
def test_a_run_that_was_stopped_between_trials_does_not_blame_its_budget(history: list[Seen]) -> None:
    """Two seconds of 600 were used: the sentence must not say that they are spent."""
    verdict = conclude(ASKED, in_order(*history), Kind.BUDGET_SPENT, interrupted=True)
    assert "budget" not in verdict.reason


trials = st.lists(
    st.builds(
        shown,
        level=st.integers(1, 50),
        purpose=st.sampled_from([WARM_UP, "grow", "confirm"]),
        ended_by=st.sampled_from(["pass", "fail", "max_s", "allowance", "stopped"]),
        bad=st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
        total=st.sampled_from([20, 500]),
        rejected=st.integers(0, 20),
        invalid=st.sampled_from([(), ("busy",)]),
        client=st.one_of(st.none(), st.builds(Health, lag_p99_s=st.floats(0, 1))),
        latency_s=st.floats(0.001, 2),
        seconds=st.floats(0.1, 30),
    ),
    max_size=12,
)
KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.NOT_A_LOAD_PROBLEM])


def told(history: list[Seen], kind: Kind) -> Verdict:
    return conclude(ASKED, in_order(*history), kind if history else Kind.BUDGET_SPENT)


@given(trials, KINDS, st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_verdict_survives_json(history: list[Seen], kind: Kind, interrupted: bool) -> None:
    """Written, read and written again it is the same verdict."""
    verdict = conclude(ASKED, in_order(*history), kind if history else Kind.BUDGET_SPENT, interrupted=interrupted)
    assert verdict_from(json.loads(json.dumps(verdict_as_json(verdict)))) == verdict


@given(trials, KINDS)
@settings(deadline=None, max_examples=100)
def test_an_interval_holds_its_level_and_counts_agree(history: list[Seen], kind: Kind) -> None:
    """low <= level <= high whatever was seen, the binding limit is the smallest, and codes add up."""
    verdict = told(history, kind)
    known = [limit for limit in verdict.limits if limit.level is not None]
    assert all(limit.low <= (limit.level or 0) for limit in known)
    assert all(limit.high is None or limit.high >= (limit.level or 0) for limit in known)
    if verdict.binding is not None:
        assert verdict.binding.level == min(limit.level or 0 for limit in known)
    assert all(sum(row.status_count.values()) == row.attempt_count for row in verdict.levels)


def test_fields_of_a_newer_version_are_left_out() -> None:
    """A document with more in it is read for what is known."""
    verdict = conclude(ASKED, cliff(), Kind.FOUND)
    document = verdict_as_json(verdict)
    document["mood"] = "good"
    document["limits"][0]["colour"] = "red"
    document["client"]["temperature"] = 40
    assert verdict_from(document) == verdict
