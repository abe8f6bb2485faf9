"""Failures of a known cause, as each source would tell them: every cause on every hosting it occurs on, with noise.

`scenarios()` combines the rows of `causes.CAUSES` with what can go wrong between the truth and its reader.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from scoring.account import Account, Cell
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, Served, Source, Thrown
from scoring.told import ClientSide, Stretch, Told
from tests.monitor.diagnosis.causes import CAUSES, MANAGED, TELEMETRY, Cause, Seen, overload, pending

URI = "http://127.0.0.1:1/score"
START = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Scenario:
    """`may_be_unknown`: so much evidence is gone that not knowing is right, too."""

    name: str
    told: Told
    rule: str
    may_be_unknown: bool


NOISE = (
    "whole",
    "one failure",
    "no telemetry",
    "late telemetry",
    "sampled",
    "no log",
    "no traffic log",
    "clocks apart",
    "beside an overload",
    "no ids",
    "client alone",
)
"""What a reader may lack or suffer. "client alone" keeps what the caller saw, texts and headers included."""
APART = timedelta(minutes=10)
GONE = {
    "no telemetry": frozenset({Source.APP_INSIGHTS}),
    "no log": frozenset({Source.SERVICE_LOG, Source.EVENT_LOG}),
    "no traffic log": frozenset({Source.TRAFFIC_LOG}),
    "client alone": frozenset(Source) - {Source.CLIENT},
}


def scenarios() -> Iterator[Scenario]:
    """Every cause on every hosting under every noise."""
    for cause in CAUSES:
        for hosting in cause.hostings:
            for noise in NOISE:
                yield scenario(cause, hosting, noise)


def scenario(cause: Cause, hosting: Hosting, noise: str) -> Scenario:
    """The cause as its sources tell it, less what the noise takes away."""
    gone = GONE.get(noise, frozenset())
    unheard = gone | (TELEMETRY if noise in ("late telemetry", "sampled", "no ids") else frozenset())
    told = without(_told(cause, hosting, noise), gone)
    return Scenario(f"{cause.name} / {hosting} / {noise}", told, cause.rule, bool(cause.needs & unheard))


def without(told: Told, gone: frozenset[Source]) -> Told:
    """The same as if these sources did not exist."""
    return replace(
        told,
        accounts=tuple(one for one in told.accounts if one.source not in gone),
        failed=() if Source.CLIENT in gone else told.failed,
        thrown=tuple(one for one in told.thrown if one.source not in gone),
        events=tuple(one for one in told.events if one.source not in gone),
        client=None if Source.CLIENT in gone else told.client,
    )


def bare(told: Told) -> Told:
    """Only the client's statuses and failure classes: no text, no header, no other source, no settings."""
    alone = without(told, GONE["client alone"])
    nothing: dict[str, Any] = dict.fromkeys(
        ("body", "detail", "reason", "model_status", "function_failed", "duration_ms")
    )
    failed = tuple(replace(row, **nothing) for row in alone.failed)
    endpoint = replace(told.endpoint, instances=None, max_concurrent=None) if told.endpoint is not None else None
    return replace(alone, failed=failed, client=None, endpoint=endpoint)


@dataclass(frozen=True)
class _Request:
    client: Served
    server: Served | None = None
    front: Served | None = None
    thrown: Thrown | None = None


def _told(cause: Cause, hosting: Hosting, noise: str) -> Told:
    chance = random.Random(f"{cause.name} {hosting} {noise}")
    ahead = APART if noise == "clocks apart" else timedelta()
    count = 1 if noise == "one failure" else 12
    requests = [_request(cause.seen(hosting), place, chance.random(), ahead) for place in range(count)]
    beside = _overloads(hosting, ahead) if noise == "beside an overload" else []
    lost = _lost(noise, count)
    heard = [one if i not in lost else replace(one, server=None, thrown=None) for i, one in enumerate(requests)]
    return Told(
        Endpoint("churn", URI, hosting, cause.auth, instances=2, max_concurrent=2, request_timeout_ns=5 * 10**9),
        since_at=None,
        until_at=None,
        accounts=(_client_account(cause, [*requests, *beside]), *_other_accounts(hosting, noise, [*heard, *beside])),
        failed=tuple(one.client for one in (*requests, *beside)),
        thrown=tuple(_thrown(requests, heard, noise)),
        events=tuple(_events(cause, requests, ahead)),
        client=replace(_client_side(cause), clock_ahead_s=ahead.total_seconds() or None),
    )


def _thrown(requests: list[_Request], heard: list[_Request], noise: str) -> Iterator[Thrown]:
    """Each exception as telemetry tells it, and once more without ids as the log does."""
    for one in heard:
        if one.thrown is not None:
            yield replace(one.thrown, request_id=None) if noise == "no ids" else one.thrown
    for one in requests:
        if one.thrown is not None:
            yield replace(one.thrown, source=Source.SERVICE_LOG, request_id=None, instance="31")
    if noise != "no ids":
        earlier = START - timedelta(minutes=3)  # of a request that nobody asks about: the table of exceptions is there
        yield Thrown(Source.APP_INSIGHTS, earlier, "script", "OSError", "disk", request_id="f" * 32)


def _events(cause: Cause, requests: list[_Request], ahead: timedelta) -> Iterator[Event]:
    for one in requests:
        for source, kind, code in cause.events:
            at = _time(one.client) + ahead + timedelta(seconds=1)
            yield Event(source, at, kind, f"{kind} in the log", instance="31", code=code)


def _client_side(cause: Cause) -> ClientSide:
    given = {"is_fair": True, "deadline_ms": 2_000.0, "served_ms": 2_000.0, "first_was_good": cause.good_before}
    stretch = Stretch(START - timedelta(minutes=5), START + timedelta(minutes=15), cause.users)
    return ClientSide(**{**given, "stretches": (stretch,), **cause.client})


def _request(seen: Seen, place: int, off_s: float, ahead: timedelta) -> _Request:
    """The request as each source writes it down; the service's clock is `ahead` of the client's."""
    at = START + timedelta(seconds=20 * (place % 15) + off_s)
    name: dict[str, Any] = {"request_id": f"{place + 1:032x}"}
    ids = {**name, "server_id": f"{place + 1:08x}-0000-4000-8000-000000000000"}
    server, thrown, fields = seen.server, seen.thrown, seen.front
    client = Served(Source.CLIENT, at, **name, **seen.client)
    reached = client.status not in (None, 200) and "<html" not in (client.body or "")
    front: dict[str, Any] = {"status": client.status, "duration_ms": 18.0, **fields}
    return _Request(
        client,
        Served(Source.APP_INSIGHTS, at + ahead, **{"duration_ms": 15.0, **ids, **server}) if server else None,
        Served(Source.TRAFFIC_LOG, at + ahead, **{**ids, **front}) if reached else None,
        Thrown(Source.APP_INSIGHTS, at + ahead, **name, **thrown) if thrown else None,
    )


def _overloads(hosting: Hosting, ahead: timedelta) -> list[_Request]:
    """Rejections of the same seconds, fewer than the failures of the cause."""
    seen = pending(hosting) if hosting is MANAGED else overload(hosting)
    return [_request(seen, place, 0.5, ahead) for place in range(101, 104)]


def _client_account(cause: Cause, requests: list[_Request]) -> Account:
    cells = _cells([one.client for one in requests])
    if cause.good_before:
        cells.append(Cell(START - timedelta(minutes=4), "200", 900))
    if cause.good_after:
        cells.append(Cell(START + timedelta(minutes=9), "200", 900))
    return _account(Source.CLIENT, cells)


def _other_accounts(hosting: Hosting, noise: str, requests: list[_Request]) -> Iterator[Account]:
    good = Cell(START, "200", 1_800)
    late, sampled = noise == "late telemetry", noise == "sampled"
    asked = frozenset(one.client.request_id for one in requests if one.client.request_id)
    whole, until = START + timedelta(minutes=30), START - timedelta(minutes=1)
    servers = [one.server for one in requests if one.server is not None]
    yield replace(
        _account(Source.APP_INSIGHTS, [good, *_cells(servers)]),
        complete_until=until if late else whole,
        is_sampled=sampled,
        rows=tuple(servers),
        looked_up=asked,
    )
    lines = [
        replace(one, source=Source.SERVICE_LOG, request_id=None, server_id=None, instance="31")
        for one in servers
        if (one.status or 0) >= 400
    ]
    yield replace(_account(Source.SERVICE_LOG, [good, *_cells(lines)]), rows=tuple(lines))
    if hosting is MANAGED:
        fronts = [one.front for one in requests if one.front is not None]
        account = _account(Source.TRAFFIC_LOG, [good, *_cells(fronts)])
        yield replace(account, complete_until=whole, rows=tuple(fronts), looked_up=asked)


def _account(source: Source, cells: list[Cell]) -> Account:
    first_at, last_at = START - timedelta(minutes=4), START + timedelta(minutes=20)
    return Account(source, tuple(cells), first_at=first_at, last_at=last_at)


def _cells(rows: Iterable[Served]) -> list[Cell]:
    counts = Counter((_time(row).replace(second=0, microsecond=0), row.label) for row in rows)
    return [Cell(at, label, count) for (at, label), count in sorted(counts.items())]


def _time(row: Served) -> datetime:
    assert row.at is not None
    return row.at


def _lost(noise: str, count: int) -> frozenset[int]:
    """Places of the failures whose telemetry is not there."""
    if noise == "late telemetry":
        return frozenset(range(count))
    return frozenset(range(0, count, 2)) if noise == "sampled" else frozenset()
