"""A search of rates: what a trial in an open loop says, what is read back of it, and what is advised from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capacity.compare import Tolerance, compared
from capacity.conclusion import conclude, knee_of_rates
from capacity.goals import Goal, parse_goal
from capacity.journal import asked_of, ended_line, history_from, opened_line
from capacity.openload import Rates, rates_fields
from capacity.plan import Plan
from capacity.recommend import Word, decide, recommend
from capacity.search import Asked
from capacity.standing import Standing, standing_as_json, standing_from
from capacity.summary import RECORD_DTYPE, Rows, Seen, levels_of, seen
from capacity.told import most_in_flight
from capacity.trial import trial_of
from capacity.unit import PER_SECOND, Unit
from capacity.validity import Health
from capacity.verdict import Kind, Level, Limit, Verdict, verdict_as_json, verdict_from
from scoring.attempt import FAILURE_NUMBER, FLAG_TRANSIENT, Failure
from scoring.endpoint import Hosting
from scoring.errors import RedlineError
from tests.capacity.standings import STANDING
from tests.capacity.verdicts import endpoint, level, limit, verdict

MS = 1_000_000
P95 = parse_goal("p95<=100ms")
PLAN = Plan("limit", endpoint(), goals=("p95<=100ms",), is_open=True, max_rps=80.0, seed=3)


def rows(*attempts: tuple[int, int, int], status: int = 200, transient: int = 0) -> Rows:
    """Attempts as (due, sent, done) in milliseconds; the first `transient` of them are flagged."""
    records = np.zeros(len(attempts), dtype=RECORD_DTYPE)
    for name, place in (("due_ns", 0), ("sent_ns", 1), ("done_ns", 2)):
        records[name] = [MS * one[place] for one in attempts]
    records["status"] = status
    records["failure"] = FAILURE_NUMBER[None if status == 200 else Failure.UNEXPECTED_STATUS]
    records["flags"][:transient] = FLAG_TRANSIENT
    records["trial"] = 1
    return records


def trial(records: Rows, goal: Goal = P95, **values: object) -> Seen:
    """One second at 20 requests/s, in an open loop."""
    plain = {"number": 1, "level": 2000, "purpose": "rise", "started_s": 0.0, "seconds": 1.0, "transient_s": 0.0}
    plain |= {"batch_s": 0.1, "ended_by": "max_s", "is_open": True}
    return seen(records, (goal,), **{**plain, **values})  # type: ignore[arg-type]


LATE = rows(*((50 * i, 50 * i + 90, 50 * i + 110) for i in range(20)))
"""Each was sent 90 ms late and answered 20 ms later."""


def test_goals_judge_from_the_due_time() -> None:
    """110 ms after they were due, where 100 ms are allowed: all are bad, although each took 20 ms."""
    assert (trial(LATE).evidence[0].bad, trial(LATE).evidence[0].total) == (20, 20)


def test_both_latencies_stand_in_the_level() -> None:
    """20 ms from the sending, 110 ms from the due time; the requests in flight count from the sending."""
    (row,) = levels_of([trial(LATE)])
    assert (row.p50_ms, row.p50_from_due_ms, row.p99_from_due_ms, row.max_from_due_ms) == (20.0, 110.0, 110.0, 110.0)
    assert row.in_flight_mean == pytest.approx(20 * 0.020)


def test_what_was_due_counts_what_was_never_sent() -> None:
    """Twenty sent and three that were not; the transient is left out, and 2 ms after the due time is not late."""
    records = rows(*((50 * i, 50 * i + (2 if i % 2 else 3), 50 * i + 20) for i in range(20)), transient=4)
    (row,) = levels_of([trial(records, unsent_count=3)])
    assert (row.attempt_count, row.due_count, row.late_count) == (16, 19, 8)


def test_a_closed_loop_has_no_due_columns() -> None:
    """Nothing was due in it."""
    (row,) = levels_of([trial(LATE, is_open=False)])
    assert (row.due_count, row.late_count, row.p50_from_due_ms) == (None, None, None)


SAID = "9 requests were due while all 4 connections were in use"
STARVED = Health(timely_ratio=0.1)


def test_a_trial_without_free_connections_that_was_kept_is_no_measurement() -> None:
    """The endpoint was spared load: 20 ms say nothing of it."""
    assert SAID in trial(rows((0, 0, 20), (10, 10, 30)), exhausted=SAID).invalid


def test_a_trial_whose_connections_the_endpoint_held_has_failed() -> None:
    """Even from the sending 150 ms pass where 100 ms are allowed: with more connections it would not be better."""
    held = rows(*((50 * i, 50 * i + 60, 50 * i + 210) for i in range(20)))
    assert trial(held, exhausted=SAID, client=STARVED).invalid == ()


def test_late_sends_alone_are_no_failure_of_the_endpoint() -> None:
    """Bad from the due time, good from the sending: the connections were too few, and the trial is no measurement."""
    assert trial(LATE, exhausted=SAID).invalid == (SAID,)


def test_rejections_count_whatever_the_connections() -> None:
    """A rejection is one, however late the request left."""
    rejected = rows(*((50 * i, 50 * i + 90, 50 * i + 91) for i in range(20)), status=429)
    assert trial(rejected, parse_goal("rejected<=0.1%"), exhausted=SAID, client=STARVED).invalid == ()


@pytest.mark.parametrize("exhausted", [None, SAID])
def test_a_trial_is_read_back_as_it_was(exhausted: str | None) -> None:
    """From its two lines and its attempts, whose times are monotonic."""
    asked, opened_ns = asked_of(PLAN), 5_000 * MS
    step = trial_of(asked, (), 2000, "rise")
    seconds, began = 1.2, {"transient_s": step.transient_s, "batch_s": step.rule.batch_s}
    values = {**began, "seconds": seconds, "unsent_count": 2, "exhausted": exhausted, "client": Health(0.001, 1.0)}
    one = trial(LATE, **values)
    recorded = LATE.copy()
    for name in ("due_ns", "sent_ns", "done_ns"):
        recorded[name] += opened_ns
    lines = [opened_line(step, 0.0, opened_ns, is_open=True), ended_line(one)]
    (again,) = history_from(lines, recorded, asked.goals)
    for name in ("level", "due_count", "unsent_count", "late_count", "invalid", "exhausted", "labels", "client"):
        assert getattr(again, name) == getattr(one, name), name
    assert np.array_equal(again.latency_ns, one.latency_ns)
    assert again.from_sending_ns is not None
    assert np.array_equal(again.from_sending_ns, one.from_sending_ns)
    assert again.evidence == one.evidence
    assert lines[0]["rps"] == lines[1]["rps"] == 20.0


def test_a_plan_asks_for_rates_up_to_its_cap() -> None:
    """In hundredths; 500 requests/s where none is told."""
    assert asked_of(PLAN) == Asked((P95,), 8000, 600.0, 300, PER_SECOND)
    assert asked_of(replace(PLAN, max_rps=None)).max_level == 50_000


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (Rates(max_rps="100"), "--max-rps belongs to an open loop"),
        (Rates(arrivals="constant"), "--arrivals belongs to an open loop"),
        (Rates(True, max_rps="0.5"), "--max-rps 0.5 leaves nothing to search"),
        (Rates(True, max_rps="nan"), "--max-rps `nan` is no rate up to 100,000 a second"),
        (Rates(True, max_rps="many"), "`many` is not a rate"),
        (Rates(True, arrivals="bursty"), "--arrivals `bursty` is not known"),
    ],
)
def test_wishes_that_do_not_agree_are_refused(rates: Rates, message: str) -> None:
    """In one line that names the option and the value."""
    with pytest.raises(RedlineError) as told:
        rates_fields(rates)
    assert told.value.message == message


def test_rates_are_read_with_and_without_a_unit() -> None:
    """An hour's and a minute's rates too."""
    assert rates_fields(Rates(True, "90/min")) == {"is_open": True, "max_rps": 1.5, "spacing": "poisson"}
    assert rates_fields(Rates(True, "120", "constant")) == {"is_open": True, "max_rps": 120.0, "spacing": "constant"}
    assert rates_fields(Rates()) == {}


def of_rates(at: int | None = 12_000, low: int = 11_700, high: int | None = 12_400, **values: object) -> Verdict:
    """A verdict of 120 requests/s, and 2.6 in flight there."""
    one = limit(at=at, low=low, high=high)
    levels = (level(1000, 10.0, server_p50_ms=20.0, due_count=1000), level(12_000, 120.0, in_flight_mean=2.6))
    return replace(verdict(limits=(one,), levels=levels, per_second=PER_SECOND), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "need_rps", "word", "sentence"),
    [
        (of_rates(), 100.0, Word.GO, "carries 120 requests/s, needs 100: 1.2×"),
        (
            of_rates(),
            118.0,
            Word.GO_WITH_WARNINGS,
            "carries 120 requests/s, needs 118: 1.01×; the 95 % interval starts at 117",
        ),
        (of_rates(), 125.0, Word.NO_GO, "carries 120 requests/s, needs 125: 0.96×"),
        (
            of_rates(),
            122.0,
            Word.NOT_ENOUGH_DATA,
            "carries 120 requests/s, needs 122: 0.98×; the 95 % interval is 117 to 124",
        ),
        (
            of_rates(high=None, kind=Kind.AT_LEAST),
            200.0,
            Word.NOT_ENOUGH_DATA,
            "carries 120 requests/s, needs 200: 0.6×; more was not measured",
        ),
    ],
)
def test_a_rate_is_decided_by_the_interval_of_the_limit(
    found: Verdict, need_rps: float, word: Word, sentence: str
) -> None:
    """Not by what was completed: the limit is a rate itself."""
    decision = decide(found, need_rps, None)
    assert decision is not None
    assert (decision.word, decision.sentence) == (word, sentence)


def test_a_need_of_users_is_not_decided_by_rates() -> None:
    """An open loop holds no users."""
    decision = decide(of_rates(), None, 40)
    assert decision is not None
    assert (decision.word, decision.sentence) == (Word.NOT_ENOUGH_DATA, "what it carries in users was not measured")


def test_the_safe_point_is_a_rate() -> None:
    """Three quarters of 117."""
    advised = recommend(of_rates(), endpoint())
    assert (advised.safe_users, advised.safe_rps) == (None, 87.75)
    assert advised.why[0].startswith("plan with 87.8 requests/s: three quarters")


def in_flight_words(found: Verdict, spacing: str = "poisson", **values: object) -> str:
    """The piece of advice that speaks of λ·R."""
    why = recommend(found, endpoint(**values), spacing=spacing).why
    return next((one for one in why if "λ·R" in one), "")


def test_bursts_explain_free_places() -> None:
    """2.6 in flight where 8 are let in (managed, 2 x 2 x 2)."""
    assert in_flight_words(of_rates()) == (
        "at 120 requests/s λ·R is 2.6 requests in flight, the settings let in 8: requests that arrive at random come "
        "in bursts, and the free places are for these"
    )


def test_even_arrivals_need_another_reason() -> None:
    """They do not come in bursts."""
    assert in_flight_words(of_rates(), "constant").endswith("while the next requests come, whatever the mean")


def test_a_latency_goal_explains_free_places_by_the_wait() -> None:
    """Whatever the arrivals."""
    slow = replace(limit("p95<=300ms"), level=12_000, low=11_700, high=12_400)
    assert in_flight_words(of_rates(limits=(slow,), binding_goal="p95<=300ms")).endswith("before all places are taken")


@pytest.mark.parametrize(
    ("mean", "end"),
    [
        (6.5, "the settings let in 8"),
        (9.5, "the settings let in 8"),
        (9.7, "or the settings are not those of redline.toml"),
    ],
)
def test_up_to_a_fifth_needs_no_reason(mean: float, end: str) -> None:
    """8 ± 1.6."""
    levels = (level(12_000, 120.0, in_flight_mean=mean),)
    assert in_flight_words(of_rates(levels=levels)).endswith(end)


def test_where_the_places_are_not_known_nothing_is_said() -> None:
    """Neither by a hosting nor by settings."""
    assert in_flight_words(of_rates(), max_concurrent=None) == ""


def test_replicas_for_a_rate_are_the_more_careful_of_two_counts() -> None:
    """Two carried 117: 300 need six in proportion; the queueing model says fewer, and the larger number is advised."""
    advised = recommend(of_rates(), endpoint(), need_rps=300.0)
    assert advised.settings["instance_count"] == "6"
    assert any("6 replicas for 300 requests/s: 2 carried 117" in why for why in advised.why)


def test_replicas_for_users_are_not_made_from_rates() -> None:
    """A person who needs users is told what to do."""
    advised = recommend(of_rates(), endpoint(hosting=Hosting.AKS), need_users=40)
    assert "replicas for 40 users are not known from a rate: search without --open" in advised.why


def rate(due: int, answered_rps: float, seconds: float = 20.0) -> Level:
    return level(due, answered_rps, seconds=seconds)


@pytest.mark.parametrize(
    ("answered", "knee"),
    [
        ({5000: 50.0, 10000: 99.0, 20000: 110.0}, 10000),
        ({5000: 50.0, 10000: 99.0}, None),  # nothing was outrun
        ({5000: 50.0, 10000: 80.0, 20000: 199.0}, None),  # a dip that a higher rate disproves
    ],
)
def test_the_knee_is_the_last_rate_that_answers_follow(answered: dict[int, float], knee: int | None) -> None:
    """Above it good answers clearly fall behind what is due."""
    assert knee_of_rates([rate(due, rps) for due, rps in answered.items()], Unit(PER_SECOND)) == knee


def test_a_verdict_of_rates_is_read_back_whole() -> None:
    """Its unit with it."""
    found = of_rates()
    assert verdict_from(verdict_as_json(found)) == found
    assert found.unit == Unit(PER_SECOND)


def test_a_stopped_search_keeps_its_unit() -> None:
    """Before the first trial already."""
    assert conclude(asked_of(PLAN), (), Kind.BUDGET_SPENT, interrupted=True).per_second == PER_SECOND


def test_most_in_flight_counts_ends_first() -> None:
    """One that begins as another ends is not beside it."""
    assert most_in_flight(rows((0, 0, 10), (10, 10, 20), (5, 12, 30))) == 2
    assert most_in_flight(rows()) == 0


def open_standing() -> Standing:
    """A baseline of an open search."""
    return replace(STANDING, per_second=PER_SECOND, where="open-run")


def test_users_and_rates_are_not_compared() -> None:
    """An open loop beside a closed one is refused, with what to do."""
    with pytest.raises(RedlineError) as told:
        compared(replace(STANDING, where="closed-run"), open_standing(), Tolerance())
    assert told.value.message == "closed-run is a closed loop and open-run is an open loop"
    assert "--open" in (told.value.hint or "")


def test_a_baseline_keeps_its_unit_and_older_ones_are_closed() -> None:
    """A baseline that was kept before there were rates has no per_second."""
    document = standing_as_json(open_standing())
    assert standing_from(document, "open-run") == open_standing()
    del document["per_second"]
    assert standing_from(document, "x").per_second == 0


def test_the_bounds_of_a_rate_limit_are_told_in_its_unit() -> None:
    """Limit holds hundredths, the unit says requests per second."""
    one: Limit = limit(at=12_050)
    assert Unit(PER_SECOND).words(one.level or 0) == "120 requests/s"
