"""Counts of a running hold against a slow twin that looks at one attempt at a time."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from capacity.summary import RECORD_DTYPE
from locustfiles._tally import LATE_NS, Tally, rows_of
from scoring.attempt import FLAG_RENEWED, FLAG_TRANSIENT, Attempt, Failure, to_record

MS = 1_000_000
OPENED_NS = 5_000_000_000
ID = "ab" * 16


def attempt(
    sent_ms: int, took_ms: int, status: int | None, failure: Failure | None, flags: int = 0, late_ms: int = 0
) -> Attempt:
    """An attempt sent that long after the opening."""
    sent_ns = OPENED_NS + sent_ms * MS
    return Attempt(ID, sent_ns - late_ms * MS, sent_ns, None, sent_ns + took_ms * MS, status, failure, flags)


outcomes = st.sampled_from(
    [
        (200, None),
        (503, Failure.UNEXPECTED_STATUS),
        (429, Failure.UNEXPECTED_STATUS),
        (200, Failure.BODY_INVALID),
        (None, Failure.CONN_RESET),
    ]
)
attempts = st.builds(
    lambda sent, took, outcome, flags, late: attempt(sent, took, *outcome, flags, late),
    st.integers(0, 3_000),
    st.integers(0, 500),
    outcomes,
    st.sampled_from([0, FLAG_TRANSIENT, 2, FLAG_RENEWED]),
    st.sampled_from([0, 1, 3]),
)


@given(st.lists(st.lists(attempts, max_size=12), max_size=5))
def test_the_counts_are_those_of_a_slow_twin(batches: list[list[Attempt]]) -> None:
    """However the records are cut into batches, each attempt counts once, under its label, and late ones are late;
    what a renewal explains is counted apart."""
    tally = Tally((100 * MS, 300 * MS), transient_s=0.25)
    for batch in batches:
        tally.add(rows_of(b"".join(map(to_record, batch)), OPENED_NS))
    sent = [one for batch in batches for one in batch]
    every = [one for one in sent if not one.flags & FLAG_RENEWED]
    kept = [one for one in every if not one.flags & FLAG_TRANSIENT]
    good = [one for one in kept if one.good]
    tick = tally.tick(4.0, in_flight=3)
    assert tick.elapsed_s == 3.75
    assert (tick.attempt_count, tick.good_count, tick.in_flight) == (len(kept), len(good), 3)
    assert tick.slow_count == tuple(sum(one.latency_ns > slow for one in good) for slow in (100 * MS, 300 * MS))
    assert tick.labels == dict(sorted(Counter(one.label for one in kept).items()))
    assert tick.rejected_count == sum(one.label in ("429", "503") for one in every)
    assert tick.renewed_count == len(sent) - len(every)
    late = sum(one.sent_ns - one.due_ns > LATE_NS for one in kept)
    assert tally.timely_ratio == (1 - late / len(kept) if kept else None)


def test_rate_and_p95_look_at_the_last_second_only() -> None:
    """Of 30 answers the 20 of the last second count: 20 a second, and the 19th of their latencies is the p95."""
    tally = Tally((), 0.0)
    old = [attempt(100 * i, 1, 200, None) for i in range(10)]
    recent = [attempt(1_100 + 40 * i, 10 + i, 200, None) for i in range(20)]
    for batch in (old, recent):
        tally.add(rows_of(b"".join(map(to_record, batch)), OPENED_NS))
    tick = tally.tick(2.0, 0)
    assert (tick.recent_rps, tick.recent_p95_ms) == (20.0, 28.0)


def test_a_silent_second_has_no_rate() -> None:
    """Not measured is None, not 0."""
    tick = Tally((), 0.0).tick(5.0, 0)
    assert (tick.recent_rps, tick.recent_p95_ms, tick.attempt_count) == (None, None, 0)


def test_rows_count_from_the_opening() -> None:
    """All four times are moved, and a first byte that never came stays 0."""
    one = Attempt(ID, OPENED_NS + 1, OPENED_NS + 2, OPENED_NS + 3, OPENED_NS + 4, 200, None)
    two = Attempt(ID, OPENED_NS + 1, OPENED_NS + 2, None, OPENED_NS + 4, None, Failure.EMPTY_REPLY)
    rows = rows_of(to_record(one) + to_record(two), OPENED_NS)
    assert rows.dtype == RECORD_DTYPE
    assert [rows[name].tolist() for name in ("due_ns", "sent_ns", "first_byte_ns", "done_ns")] == [
        [1, 1],
        [2, 2],
        [3, 0],
        [4, 4],
    ]
