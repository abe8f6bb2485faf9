"""The table of minutes against the rows of the whole report, and against numbers written by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from monitor.servicelog.minutes import Minutes
from scoring.served import Served
from tests.monitor.servicelog.readings import DATA, GENERATIONS, lines_of, minutes_of, told_by
from tests.monitor.servicelog.test_mixed_logs import logs


def _expected(rows: tuple[Served, ...]) -> dict[datetime | None, tuple[dict[str, int], list[float]]]:
    """Counts and ordered durations by minute, one request after the other."""
    counts: dict[datetime | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    durations: dict[datetime | None, list[float]] = defaultdict(list)
    for row in rows:
        minute = None if row.at is None else row.at.replace(second=0, microsecond=0)
        counts[minute][str(row.status)] += 1
        durations[minute] += [] if row.duration_ms is None else [row.duration_ms]
    return {minute: (dict(counts[minute]), sorted(durations[minute])) for minute in counts}


def _agrees(log: bytes, *, lanes: bool = True) -> None:
    rows = told_by([log], lanes=False).accounts[0].rows
    expected = _expected(tuple(row for row in rows))
    found = {one.at: one for one in minutes_of([log], lanes=lanes)}
    assert {at: one.by_status for at, one in found.items()} == {at: counts for at, (counts, _) in expected.items()}
    for at, (_, ordered) in expected.items():
        one = found[at]
        assert one.max_ms == (ordered[-1] if ordered else None)
        for share, ms in ((0.5, one.p50_ms), (0.95, one.p95_ms), (0.99, one.p99_ms)):
            exact = ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
            assert ms == (None if exact is None else pytest.approx(exact, rel=0.001, abs=0.001))


@settings(deadline=None, max_examples=25)
@given(logs())
def test_the_table_agrees_with_the_rows_of_any_log(log: bytes) -> None:
    """Counts exactly, percentiles within 0.1 %, whatever generation and wrapper."""
    _agrees(log)


@pytest.mark.parametrize("version", GENERATIONS)
def test_the_table_agrees_with_the_rows_of_a_real_log(version: str) -> None:
    """Captured logs of four generations of the server."""
    _agrees((DATA / f"mixed-{version}" / "server.log").read_bytes())


def test_two_minutes_of_one_log_by_hand() -> None:
    """A request counts in the minute that it began in; one without a duration counts, and has none."""
    log = lines_of(
        "2026-01-01 10:00:59,000 I [7] azmlinfsrv - POST /score 200 10.000ms 18",
        "2026-01-01 10:01:00,500 I [7] azmlinfsrv - POST /score 503 1000.000ms 18",
        "2026-01-01 10:01:02,000 I [7] azmlinfsrv - POST /score 200 20.000ms 18",
        '127.0.0.1 - - [01/Jan/2026:10:01:03 +0000] "POST /score HTTP/1.1" 429 18',
    )
    first, second = minutes_of([log])
    assert (first.at, first.by_status) == (datetime(2026, 1, 1, 10, 0, tzinfo=UTC), {"200": 1, "503": 1})
    assert (first.max_ms, first.p99_ms) == (1000.0, pytest.approx(1000.0, rel=0.001))
    assert (second.request_count, second.by_status, second.max_ms) == (2, {"200": 1, "429": 1}, 20.0)


def test_no_requests_are_no_minutes() -> None:
    """An empty log gives an empty table."""
    assert tuple(Minutes().found()) == ()
