"""Accounts of several sources: each period counts once, from the source that is trusted most."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scoring.account import (
    BIN_RATIO,
    Account,
    Cell,
    bin_of,
    by_label,
    durations_ms,
    is_good,
    max_ms,
    middle_ms,
    percentile_ms,
    told_first,
)
from scoring.served import Source

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def account(source: Source, seconds: list[int], bucket_s: int = 60) -> Account:
    """An account of one request at each of these seconds after noon."""
    cells = tuple(
        Cell(datetime.fromtimestamp((AT.timestamp() + second) // bucket_s * bucket_s, UTC), "200", 1)
        for second in seconds
    )
    times = [AT + timedelta(seconds=second) for second in seconds]
    return Account(source, cells, bucket_s, first_at=min(times), last_at=max(times))


def counted(*accounts: Account) -> dict[Source, int]:
    return {source: len(cells) for source, cells in told_first(accounts).items()}


def test_the_same_period_counts_once_whatever_the_buckets() -> None:
    """Ten seconds of a run in buckets of a second hide the minute in which the service tells of them."""
    client = account(Source.CLIENT, list(range(23, 33)), bucket_s=1)
    assert counted(account(Source.TRAFFIC_LOG, list(range(23, 33))), client) == {Source.CLIENT: 10}


def test_another_period_counts_from_the_source_that_tells_of_it() -> None:
    """An hour before the traffic log was switched on, App Insights tells."""
    logged = account(Source.TRAFFIC_LOG, [3600, 3700])
    insights = account(Source.APP_INSIGHTS, [0, 60, 3600, 3700])
    assert counted(logged, insights) == {Source.TRAFFIC_LOG: 2, Source.APP_INSIGHTS: 2}


def test_the_order_of_trust_does_not_depend_on_the_order_given() -> None:
    """Client, traffic log, App Insights, service log."""
    accounts = [account(source, [0]) for source in (Source.SERVICE_LOG, Source.APP_INSIGHTS, Source.TRAFFIC_LOG)]
    assert counted(*accounts) == counted(*reversed(accounts)) == {Source.TRAFFIC_LOG: 1}


def test_requests_without_a_time_count_when_nobody_else_tells() -> None:
    """A log without times is the only source, or no source."""
    timeless = Account(Source.SERVICE_LOG, (Cell(None, "200", 3),))
    assert counted(timeless) == {Source.SERVICE_LOG: 1}
    assert counted(timeless, account(Source.CLIENT, [0])) == {Source.CLIENT: 1}


def test_statuses_stand_before_failures() -> None:
    """Labels in the order people read them."""
    cells = [Cell(AT, "conn_reset", 1), Cell(AT, "503", 2), Cell(AT, "200", 3), Cell(AT, "503", 4)]
    assert list(by_label(cells).items()) == [("200", 3), ("503", 6), ("conn_reset", 1)]


def test_only_an_answer_is_good() -> None:
    """2xx is good; other statuses and failures are not."""
    assert [is_good(label) for label in ("200", "204", "302", "503", "2xx", "body_invalid", "")] == [
        True,
        True,
        False,
        False,
        False,
        False,
        False,
    ]


@given(st.floats(0.011, 1e7))
def test_the_middle_of_a_bin_is_within_one_percent(duration_ms: float) -> None:
    """Every duration is told within 1 % by the middle of its bin."""
    assert abs(middle_ms(bin_of(duration_ms)) / duration_ms - 1) <= math.sqrt(BIN_RATIO) - 1 + 1e-9


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_from_bins_is_within_one_percent_of_the_exact_one(took_ms: list[float], share: float) -> None:
    """Against the exact nearest rank of the durations themselves."""
    cells = [Cell(AT, "200", 1, bin_of(one), one) for one in took_ms]
    exact = sorted(took_ms)[max(1, math.ceil(share * len(took_ms))) - 1]
    found = percentile_ms(cells, share)
    assert found is not None
    assert abs(found - exact) <= max(0.01, exact * 0.01)
    assert max_ms(cells) == max(took_ms)


def test_no_duration_told_is_none() -> None:
    """Absence is not zero."""
    silent = Account(Source.SERVICE_LOG, (Cell(AT, "200", 3),))
    assert durations_ms(silent) == {"p50": None, "p95": None, "p99": None, "max": None}
