"""Overload, recovery and bursts: the phases in virtual time, against endpoints that behave in known ways."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.limits.endpoint import Service
from capacity.aftermath import GOOD_WINDOWS, good_after_s, window_is_good
from capacity.beyond import Asked, asked_of, concluded, next_phase, obstacle
from capacity.goals import parse_goal
from capacity.overload import Behaviour, Beyond, PhaseKind, Shown, beyond_from
from capacity.summary import RECORD_DTYPE, Rows
from capacity.verdict import Kind
from scoring.attempt import FAILURE_NUMBER, Failure
from scoring.units import S
from tests.capacity.beyond_model import asked, looked_beyond
from tests.capacity.verdicts import OPEN, limit, verdict

CLIFF = Service(servers=8, room=8, service_s=0.05)
STORM = Service(servers=8, service_s=0.05, give_up_s=0.5, retries=2)
REJECTED, ERRORS = parse_goal("rejected<=0.1%"), parse_goal("errors<=1%")


@pytest.fixture(scope="module")
def storm() -> Beyond:
    """An open loop at 140 requests/s, of 160, before a gateway that sends again what took half a second."""
    return looked_beyond(asked(14_000, 160, "p95<=300ms", per=100), STORM, per=100)


def test_a_cliff_is_graceful() -> None:
    """What is too much is refused at once, the rest is served as before, and below the limit all is well again."""
    seen = looked_beyond(asked(8, 160), CLIFF)
    assert seen.behaviour is Behaviour.GRACEFUL
    assert [phase.level for phase in seen.of(PhaseKind.OVERLOAD)] == [12, 16]
    assert all((phase.goodput_ratio or 0) > 0.9 for phase in seen.of(PhaseKind.OVERLOAD))
    assert all((phase.rejection_p99_ms or 99) < 2 for phase in seen.of(PhaseKind.OVERLOAD))


def test_an_endpoint_that_thrashes_a_little_is_degraded() -> None:
    """At twice the limit it completes three quarters of its best rate."""
    service = Service(servers=10, service_s=0.04, thrash_ratio=0.03)
    assert looked_beyond(asked(20, 180, service_s=0.04), service).behaviour is Behaviour.DEGRADED


def test_an_endpoint_that_thrashes_hard_collapses() -> None:
    """At twice the limit it completes less than half of its best rate."""
    service = Service(servers=10, service_s=0.05, thrash_ratio=0.2)
    assert looked_beyond(asked(12, 200), service).behaviour is Behaviour.COLLAPSE


def test_a_retry_storm_is_metastable(storm: Beyond) -> None:
    """It outlives the overload: at 0.7 times the limit nothing is good for a minute."""
    assert storm.behaviour is Behaviour.METASTABLE
    assert storm.recovery is not None
    assert storm.recovery.good_after_s is None
    assert storm.recovery.seconds == pytest.approx(60)


def test_the_hidden_capacity_is_the_load_that_ends_a_storm(storm: Beyond) -> None:
    """Three tries of each request are 160 a second at 53 requests/s: what ends the storm lies below that."""
    assert storm.hidden_level is not None
    assert storm.hidden_level < 5_300


def test_no_burst_is_sent_into_an_endpoint_that_has_not_recovered(storm: Beyond) -> None:
    """It is said that bursts were left out, and why."""
    assert storm.of(PhaseKind.BURST) == ()
    assert "not good again" in storm.left_out[0]


def test_a_burst_that_new_replicas_carry_is_good_after_a_while() -> None:
    """Replicas are added after two seconds of high use: from then on the overload and the bursts are carried."""
    seen = looked_beyond(asked(8, 160), replace(CLIFF, scale_to=4, scale_s=2.0))
    first = seen.of(PhaseKind.OVERLOAD)[0]
    assert first.good_after_s == pytest.approx(2.0, abs=2 * first.resolution_s)
    assert [burst.good_after_s is not None for burst in seen.of(PhaseKind.BURST)] == [True, True, True]


@pytest.mark.parametrize("budget", [1, 10, 300, 2000])
@pytest.mark.parametrize("servers", [1, 8, 60])
def test_rejections_stay_within_their_budget(budget: int, servers: int) -> None:
    """Whatever the endpoint, no phase begins without a share of the budget, and each ends with its share."""
    service = Service(servers=servers, room=servers, service_s=0.02)
    seen = looked_beyond(asked(servers, servers / 0.02, service_s=0.02, budget=budget), service)
    assert seen.rejected_count <= budget


def test_a_budget_too_small_for_a_rate_is_told() -> None:
    """Ten rejections end an overload before its rate is known: no class is given, and the option is named."""
    seen = looked_beyond(asked(8, 160, budget=10), CLIFF)
    assert "--beyond-budget" in " ".join(seen.left_out)


def test_a_limit_of_one_user_is_overloaded_by_two() -> None:
    """1.5 and 2 times one user are both two users: one phase, not two."""
    seen = looked_beyond(asked(1, 20), replace(CLIFF, servers=1, room=1))
    assert [phase.level for phase in seen.of(PhaseKind.OVERLOAD)] == [2]


def test_no_phase_goes_beyond_the_load_allowed() -> None:
    """With --max-users 10 a limit of 8 is overloaded by 10 users, and that bursts are smaller is told."""
    seen = looked_beyond(replace(asked(8, 160), max_level=10), CLIFF)
    assert max(phase.level for phase in seen.phases) == 10
    assert "3 times the limit" in " ".join(seen.left_out)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (verdict(Kind.AT_LEAST, (OPEN,)), "raise --max-users"),
        (verdict(Kind.NOT_STEADY, ()), "no limit was found"),
        (verdict(Kind.MISSED_AT_ZERO_LOAD, (limit(at=0, low=0, high=0),)), "no limit was found"),
        (verdict(interrupted=True), "stopped"),
    ],
)
def test_without_a_limit_nothing_is_overloaded(found: object, said: str) -> None:
    """Only a limit that was found can be gone beyond; why not is told."""
    assert said in (obstacle(found, 512) or "")  # type: ignore[arg-type]


def test_a_limit_that_fills_the_load_allowed_leaves_no_room() -> None:
    """At --max-users 8 a limit of 8 cannot be gone beyond."""
    assert "no room" in (obstacle(verdict(), 8) or "")
    assert obstacle(verdict(), 9) is None


def test_the_question_comes_from_the_verdict() -> None:
    """Limit, peak and service time of the verdict; phases are numbered after its trials."""
    question = asked_of(verdict(), (REJECTED,), 512, 2000)
    assert (question.limit, question.peak_rps, question.service_s) == (8, 81.0, 0.022)
    assert question.first_number == 1


def test_after_a_stop_there_is_no_further_phase() -> None:
    """What was seen is kept and marked as interrupted."""
    seen = looked_beyond(asked(8, 160), CLIFF)
    stopped = [replace(seen.phases[0], ended_by="stopped")]
    assert next_phase(asked(8, 160), stopped) is None
    kept = concluded(asked(8, 160), stopped, interrupted=True)
    assert (kept.interrupted, len(kept.phases), kept.behaviour) == (True, 1, None)


def test_what_was_seen_survives_the_way_through_json(storm: Beyond) -> None:
    """A report made again from verdict.json says the same."""
    assert beyond_from(json.loads(json.dumps(asdict(storm)))) == storm


def _phase(kind: PhaseKind, **values: object) -> Shown:
    seen = looked_beyond(asked(8, 160, budget=50), CLIFF).phases[0]
    return replace(seen, phase=kind, **values)  # type: ignore[arg-type]


def test_a_generator_in_trouble_takes_nothing_from_goodput_that_was_kept() -> None:
    """A slow client makes goodput smaller: what was kept was kept, and what was lost is not held against the server."""
    question: Asked = asked(8, 160)
    recovery = _phase(PhaseKind.RECOVERY, number=2, good_after_s=0.0, level=5, ended_by="good")
    kept = _phase(PhaseKind.OVERLOAD, goodput_ratio=0.97, invalid=("late",))
    assert concluded(question, [kept, recovery]).behaviour is Behaviour.GRACEFUL
    lost = replace(kept, goodput_ratio=0.4)
    assert concluded(question, [lost, recovery]).behaviour is None


def _rows(done_s: list[float], bad: list[bool]) -> Rows:
    rows = np.zeros(len(done_s), dtype=RECORD_DTYPE)
    rows["done_ns"] = [round(at * S) for at in done_s]
    rows["status"] = np.where(bad, 503, 200)
    rows["failure"] = np.where(bad, FAILURE_NUMBER[Failure.UNEXPECTED_STATUS], 0)
    return rows


def _slowly_good_after_s(done_s: list[float], bad: list[bool], window_s: float, seconds: float) -> float | None:
    """Window by window, as the definition reads."""
    count = int(seconds / window_s + 1e-6)
    good = []
    for place in range(count):
        inside = [b for at, b in zip(done_s, bad, strict=True) if place * window_s <= at < (place + 1) * window_s]
        good.append(all(window_is_good(goal, sum(inside), len(inside)) for goal in (REJECTED, ERRORS)))
    for first in range(count - GOOD_WINDOWS + 1):
        if all(good[first:]):
            return first * window_s
    return None


@given(
    st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=60),
    st.integers(0, 8),
)
def test_good_again_is_what_the_definition_reads(answers: list[tuple[int, bool]], windows: int) -> None:
    """The instant from which every window keeps every goal, three at least, equals that of a slow exact twin."""
    done_s, bad = [0.5 * at + 0.25 for at, _ in answers], [is_bad for _, is_bad in answers]
    found = good_after_s(_rows(done_s, bad), (REJECTED, ERRORS), 0.5, 0.5 * windows)
    assert found == _slowly_good_after_s(done_s, bad, 0.5, 0.5 * windows)
