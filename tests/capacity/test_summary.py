"""From rows to what a trial says, against an exact twin in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.goals import parse_goal
from capacity.summary import RECORD_DTYPE, Rows, label_counts, levels_of, seen
from capacity.validity import Health
from scoring.attempt import FAILURE_NUMBER, FAILURES, FLAG_CANARY, FLAG_RENEWED, FLAG_TRANSIENT, Failure, label_of

MS = 1_000_000
GOALS = tuple(map(parse_goal, ("rejected<=0.1%", "errors<=1%", "p95<=50ms")))


def rows_of(*attempts: tuple[int, int, int | None, Failure | None]) -> Rows:
    """(sent ms, latency ms, status, failure); sent below 100 ms is transient."""
    rows = np.zeros(len(attempts), dtype=RECORD_DTYPE)
    for row, (sent, latency, status, failure) in zip(rows, attempts, strict=True):
        row["sent_ns"] = row["due_ns"] = sent * MS
        row["done_ns"] = (sent + latency) * MS
        row["status"], row["failure"] = status or 0, FAILURE_NUMBER[failure]
        row["flags"] = FLAG_TRANSIENT if sent < 100 else 0
    return rows


def summary(rows: Rows, **changes: object):  # type: ignore[no-untyped-def]
    values = {"number": 1, "level": 2, "purpose": "grow", "started_s": 0.0, "seconds": 1.1, "transient_s": 0.1}
    return seen(rows, GOALS, **{**values, "batch_s": 0.1, "ended_by": "pass", **changes})  # type: ignore[arg-type]


REJECTED = (503, Failure.UNEXPECTED_STATUS)
ROWS = rows_of(
    (0, 20, 200, None),
    (10, 1, *REJECTED),
    (100, 20, 200, None),
    (200, 60, 200, None),
    (300, 1, *REJECTED),
    (400, 30, 200, Failure.BODY_INVALID),
    (500, 900, None, Failure.DEADLINE_EXCEEDED),
    (600, 5, 502, Failure.UNEXPECTED_STATUS),
    (700, 10, None, Failure.ABORTED),
)


def test_counts_leave_the_transient_out_and_harm_does_not() -> None:
    """The rejection of the transient is harm, but no evidence and no count."""
    result = summary(ROWS)
    assert (result.attempt_count, result.good_count, result.rejected_count) == (6, 2, 2)
    assert result.labels == {"200": 2, "502": 1, "503": 1, "body_invalid": 1, "deadline_exceeded": 1}
    assert sum(result.labels_all.values()) == 9


def test_evidence_is_bad_over_all_that_speaks_of_load() -> None:
    """The 502 is no evidence; a rubbish 200 is an error; a slow good answer is bad for the latency goal alone."""
    assert [(item.bad, item.total) for item in summary(ROWS).evidence] == [(1, 5), (3, 5), (4, 5)]


def test_a_trial_ended_by_its_allowance_is_judged_by_all_its_answers() -> None:
    """Where every rejection lies in the transient they are still the reason for the end; else only those after it."""
    early = ROWS[[0, 1, 2, 3, 5, 6, 7, 8]]  # without the rejection after the transient
    item, kept = (summary(rows, ended_by="allowance").evidence[0] for rows in (early, ROWS))
    assert (item.bad, item.total) == (1, 6)
    assert (kept.bad, kept.total) == (1, 5)


def test_what_a_renewal_explains_is_no_evidence_no_label_and_no_harm() -> None:
    """A flagged 401 changes nothing but its own count and the number of requests sent."""
    renewed = np.concatenate([ROWS, rows_of((650, 5, 401, Failure.UNEXPECTED_STATUS))])
    renewed["flags"][-1] = FLAG_RENEWED
    result, without = summary(renewed), summary(ROWS)
    assert (result.labels, result.labels_all) == (without.labels, without.labels_all)
    assert result.evidence == without.evidence
    assert (result.renewed_count, result.sent_count) == (1, len(renewed))


def test_rate_and_percentiles_are_of_good_answers() -> None:
    """Two good answers in one measured second, of 20 and 60 ms; a rejection's millisecond is no latency."""
    (level,) = levels_of([summary(ROWS)])
    assert level.completed_rps == pytest.approx(2.0)
    assert (level.p50_ms, level.p95_ms, level.max_ms) == (20.0, 60.0, 60.0)
    assert sum(level.status_count.values()) == level.attempt_count


def test_littles_law_counts_all_time_in_flight() -> None:
    """20 + 60 + 1 + 30 + 900 + 5 ms of waiting in one second: 1.016 in flight on average."""
    assert summary(ROWS).in_flight_mean == pytest.approx(1.016)


def test_unfair_trials_are_counted_but_not_merged() -> None:
    """A level's numbers come from fair trials only."""
    (level,) = levels_of([summary(ROWS), summary(ROWS, spoiled=("a worker fell silent",))])
    assert (level.trial_count, level.discarded_count, level.attempt_count) == (1, 1, 6)
    assert levels_of([summary(ROWS, spoiled=("it fell silent",))]) == ()


SLOW, FAST = (200, 60, 200, None), (200, 1, *REJECTED)


@pytest.mark.parametrize(
    ("rows", "ended_by", "is_invalid"),
    [
        # nothing but slow answers: the client may have made them so
        (rows_of(SLOW, SLOW), "fail", True),
        # half of what is bad are rejections, which no client makes
        (rows_of(SLOW, FAST), "fail", False),
        (rows_of(SLOW, SLOW, FAST), "fail", True),
        (rows_of(FAST), "allowance", False),
        # it failed by nothing
        (rows_of(FAST), "pass", True),
    ],
)
def test_a_slow_client_spoils_what_did_not_fail_by_rejections(rows: Rows, ended_by: str, *, is_invalid: bool) -> None:
    """A starved generator makes answers late; it makes nobody reject."""
    starved = Health(run_queue_ratio=0.5)
    assert bool(summary(rows, ended_by=ended_by, client=starved).invalid) is is_invalid


def test_a_canary_is_in_flight_and_no_evidence() -> None:
    """Of 1.016 in flight the canary has 0.9; its deadline exceeded is no evidence, and in the counts of everything."""
    rows = ROWS.copy()
    rows["flags"][6] = FLAG_TRANSIENT | FLAG_CANARY
    result = summary(rows)
    assert result.in_flight_mean == pytest.approx(1.016)
    assert [(item.bad, item.total) for item in result.evidence] == [(1, 4), (2, 4), (3, 4)]
    assert (result.sent_count, result.attempt_count) == (9, 5)


@given(st.lists(st.tuples(st.sampled_from([0, 200, 429, 503, 504]), st.integers(0, len(FAILURES) - 1)), max_size=60))
def test_labels_add_up_and_equal_a_plain_count(pairs: list[tuple[int, int]]) -> None:
    """Whatever the mix, each row has one label and the twin that loops agrees."""
    rows = np.zeros(len(pairs), dtype=RECORD_DTYPE)
    twin: dict[str, int] = {}
    for row, (status, failure) in zip(rows, pairs, strict=True):
        row["status"], row["failure"] = status, failure
        label = label_of(status or None, FAILURES[failure])
        twin[label] = twin.get(label, 0) + 1
    assert label_counts(rows) == twin
