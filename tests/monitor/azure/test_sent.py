"""Requests that a local endpoint answered, told from what it sent: each generation, and each thing lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from scoring.served import Source
from scoring.told import Told
from tests.localazure.asking import Asking
from tests.localazure.conftest import Endpoint, Serve
from tests.monitor.azure.standin import told_of

COUNT = 40
Sent = Callable[..., tuple[Endpoint, Asking]]
TRAFFIC = "AmlOnlineEndpointTrafficLog | count"
REQUESTS = "requests | count"


@pytest.fixture(scope="module")
def sent(serve: Serve) -> Iterator[Sent]:
    """`sent("--hosting", "managed")` is an endpoint that has answered COUNT requests, `id-0` and so on."""
    opened: list[Asking] = []

    def start(*flags: str) -> tuple[Endpoint, Asking]:
        endpoint = serve("--service-time", "1ms", "--telemetry-flush", "100ms", "--seed", "3", *flags)
        opened.append(Asking(endpoint.ready))
        for number in range(COUNT):
            endpoint.score(x_ms_client_request_id=f"id-{number}")
        return endpoint, opened[-1]

    yield start
    for asking in opened:
        asking.close()


def by_source(told: Told) -> dict[Source, dict[str, int]]:
    return {account.source: account.by_label for account in told.accounts}


def seen_by(endpoint: Endpoint) -> Counter[str]:
    return Counter(endpoint.stats()["by_status"])


@pytest.mark.parametrize(("kind", "corrected"), [("otel", COUNT), ("opencensus", COUNT), ("legacy", 0)])
def test_each_generation_tells_what_the_client_saw(kind: str, corrected: int, sent: Sent) -> None:
    """Whichever way the columns lie, or do not: codes as they were answered, and how many rows were corrected."""
    endpoint, asking = sent("--hosting", "aks", "--error-ratio", "30%", "--telemetry-format", kind)
    asking.count_once(REQUESTS, COUNT)
    told = told_of(asking.ready)
    (account,) = told.accounts
    seen = seen_by(endpoint)
    assert account.by_label == seen
    assert seen["500"] > 0
    assert account.corrected_rows == corrected
    assert account.columns_failed == (seen["500"] if kind == "legacy" else 0)
    assert all((row.duration_ms or 0) >= 1 for row in account.rows if row.status == 200)
    assert {(one.type, one.kind, one.frame) for one in told.thrown} == {("ValueError", "script", "score.py:17 in run")}
    failed = {row.server_id for row in account.rows if row.status == 500}
    assert {one.server_id for one in told.thrown} == failed
    assert sum(one.count for one in told.thrown) == seen["500"]


def test_sampled_rows_stand_for_what_they_were_drawn_from(sent: Sent) -> None:
    """Half of the rows are kept, each counted twice; the traffic log is never sampled."""
    _, asking = sent("--hosting", "managed", "--sampling", "50%", "--error-ratio", "30%")
    asking.rows_settled(REQUESTS)
    told = told_of(asking.ready)
    insights, traffic = told.account(Source.APP_INSIGHTS), told.account(Source.TRAFFIC_LOG)
    assert insights is not None
    assert traffic is not None
    kept = asking.rows("requests | summarize count(), sum(itemCount)")[0]
    assert 0 < kept[0] < COUNT
    assert (insights.requests, insights.is_sampled) == (kept[1], True)
    assert insights.requests == 2 * kept[0]
    assert (traffic.requests, traffic.is_sampled) == (COUNT, False)
    assert {one.count for one in told.thrown} == {2}


def test_rows_that_arrive_twice_are_counted_once(sent: Sent) -> None:
    """Every row is stored twice with the same item id."""
    endpoint, asking = sent("--hosting", "managed", "--duplicate", "100%", "--error-ratio", "30%")
    asking.count_once(REQUESTS, 2 * COUNT)
    asking.count_once(TRAFFIC, COUNT)
    told = told_of(asking.ready)
    seen = seen_by(endpoint)
    assert by_source(told) == {
        Source.APP_INSIGHTS: {"200": seen["200"], "500": seen["424"]},
        Source.TRAFFIC_LOG: dict(seen),
    }
    assert sum(one.count for one in told.thrown) == seen["424"]
    assert all(len(account.rows) == COUNT for account in told.accounts)


def test_rows_that_are_on_their_way_are_not_yet(sent: Sent) -> None:
    """Nothing has arrived of requests that somebody sent: that is told, and it is no account of zero requests."""
    _, asking = sent("--hosting", "managed", "--ingestion-delay", "10m")
    told = told_of(asking.ready, ids=["id-0", "id-1"])
    assert told.accounts == ()
    found = {problem.source: problem.outcome for problem in told.problems}
    assert (found[Source.APP_INSIGHTS], found[Source.TRAFFIC_LOG]) == ("not_yet", "not_yet")


def test_the_watermark_is_no_later_than_what_has_arrived(sent: Sent) -> None:
    """Rows take a second: whole up to about a second before the answer, never to the moment of asking."""
    _, asking = sent("--hosting", "managed", "--ingestion-delay", "1s")
    asking.count_once(TRAFFIC, COUNT)
    asking.count_once(REQUESTS, COUNT)
    told = told_of(asking.ready)
    now_at = datetime.now(UTC)
    assert len(told.accounts) == 2
    for account in told.accounts:
        assert account.complete_until is not None
        assert (now_at - account.complete_until).total_seconds() >= 1.0


@pytest.mark.parametrize(
    ("dropped", "source", "other"),
    [
        ("requests", Source.APP_INSIGHTS, Source.TRAFFIC_LOG),
        ("traffic", Source.TRAFFIC_LOG, Source.APP_INSIGHTS),
    ],
)
def test_a_source_that_never_arrives_is_told(dropped: str, source: Source, other: Source, sent: Sent) -> None:
    """The other one's counts stand, and the missing one has a problem instead of an account of zero."""
    _, asking = sent("--hosting", "managed", "--drop-source", dropped)
    asking.count_once(TRAFFIC if dropped == "requests" else REQUESTS, COUNT)
    told = told_of(asking.ready)
    assert by_source(told) == {other: {"200": COUNT}}
    outcomes = {problem.source: problem.outcome for problem in told.problems}
    assert outcomes[source] in ("not_yet", "missing_table")


def test_exceptions_that_never_arrive_leave_the_counts(sent: Sent) -> None:
    """Failures are counted although nobody says why."""
    endpoint, asking = sent("--hosting", "aks", "--error-ratio", "30%", "--drop-source", "exceptions")
    asking.count_once(REQUESTS, COUNT)
    told = told_of(asking.ready)
    assert by_source(told) == {Source.APP_INSIGHTS: dict(seen_by(endpoint))}
    assert told.thrown == ()


def test_a_limit_on_rows_is_passed_by_slices(sent: Sent) -> None:
    """Seven rows an answer: every request is read all the same, once, and nothing is told missing."""
    endpoint, asking = sent("--hosting", "managed", "--query-max-rows", "7", "--error-ratio", "30%")
    asking.count_once(TRAFFIC, COUNT)
    asking.count_once(REQUESTS, COUNT)
    now_at = datetime.now(UTC)
    told = told_of(asking.ready, until_at=now_at)
    assert {account.source: account.requests for account in told.accounts} == {
        Source.APP_INSIGHTS: COUNT,
        Source.TRAFFIC_LOG: COUNT,
    }
    traffic = told.account(Source.TRAFFIC_LOG)
    assert traffic is not None
    assert traffic.by_label == seen_by(endpoint)


def test_our_ids_are_looked_up(sent: Sent) -> None:
    """The rows of those requests come with the ids, from both sources; what nobody sent has no row."""
    _, asking = sent("--hosting", "managed")
    asking.count_once(TRAFFIC, COUNT)
    asking.count_once(REQUESTS, COUNT)
    told = told_of(asking.ready, ids=["id-3", "id-4", "never-sent"])
    for account in told.accounts:
        assert account.looked_up == {"id-3", "id-4", "never-sent"}
        found = {row.request_id for row in account.rows}
        assert {"id-3", "id-4"} <= found
        assert "never-sent" not in found
