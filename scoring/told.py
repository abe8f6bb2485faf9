"""Everything that was told about an endpoint in one period, and what was concluded from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from scoring.account import Account, Problem
from scoring.endpoint import Endpoint
from scoring.served import Event, Leak, LogTemplate, Served, Source, Thrown


@dataclass(frozen=True, slots=True)
class Stretch:
    """A load that the client held: `users` concurrent requests from one instant to another."""

    from_at: datetime
    until_at: datetime
    users: int


@dataclass(frozen=True, slots=True)
class ClientSide:
    """What the load generator knows of itself and of the run."""

    is_fair: bool
    reasons: tuple[str, ...] = ()  # why it is not, each a sentence
    cpu_ratio: float | None = None  # highest of the run
    lag_p99_ms: float | None = None
    stretches: tuple[Stretch, ...] = ()
    served_ms: float | None = None  # median service time at the lowest load
    first_was_good: bool | None = None  # the first request of the run
    refused_from_at: datetime | None = None  # from then on every answer was 401 or 403
    clock_ahead_s: float | None = None  # server's Date header minus our clock
    deadline_ms: float | None = None
    answers_without_key: bool | None = None  # True: a request without any key was answered 200


@dataclass(frozen=True, slots=True)
class Point:
    """One minute of one metric. `value` is what Azure aggregated over that minute."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One metric split by its dimensions, one point a minute. A percentile is that minute's, and is never averaged."""

    name: str  # "RequestLatency_P95"
    unit: str  # "MilliSeconds"
    aggregation: str  # "Average"
    dimensions: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Told:
    """The input of diagnosis and reports. Lists are bounded where the period is not: counts stand in the accounts."""

    endpoint: Endpoint | None
    since_at: datetime | None  # the period asked for; None: as far as the sources go
    until_at: datetime | None
    accounts: tuple[Account, ...] = ()
    problems: tuple[Problem, ...] = ()
    failed: tuple[Served, ...] = ()  # the client's failed attempts, with what each said of itself
    slowest: tuple[Served, ...] = ()  # the client's slowest attempts
    thrown: tuple[Thrown, ...] = ()
    events: tuple[Event, ...] = ()
    leaks: tuple[Leak, ...] = ()
    templates: tuple[LogTemplate, ...] = ()
    metrics: tuple[MetricSeries, ...] = ()
    client: ClientSide | None = None
    asked: tuple[Source, ...] = ()  # sources that were looked at, read or not

    def account(self, source: Source) -> Account | None:
        return next((one for one in self.accounts if one.source is source), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause with its evidence, what speaks against it, how sure it is, and what to do next."""

    rule: str  # "D05"; "D00" is unknown
    cause: str  # a sentence
    confidence: str  # "high", "medium" or "low"
    count: int  # failed requests it explains
    labels: tuple[str, ...]  # their statuses or failure classes
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...]
    next_step: str
    missing: tuple[str, ...] = ()  # evidence that would settle it, and how to collect it
    first_at: datetime | None = None
    last_at: datetime | None = None
    request_ids: tuple[str, ...] = ()  # a few, to look up
    frame: str | None = None  # of the user's script, where an exception has one


@dataclass(frozen=True, slots=True)
class Group:
    """Failures alike. `fingerprint` is `VERSION:HASH`, the same for the same cause in another run."""

    fingerprint: str
    cause: str  # "ValueError: Input contains NaN", "503 overloaded"
    count: int
    status: str  # the label most of them have
    why: str  # what they have in common: why grouped
    first_at: datetime | None = None
    last_at: datetime | None = None
    frame: str | None = None
    sample: str = ""  # one of them, redacted
    by_label: Mapping[str, int] = field(default_factory=dict)
    deployments: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    trend: tuple[int, ...] = ()  # counts over the period, at most 24 of them
    request_ids: tuple[str, ...] = ()
    thrown_count: int = 0  # exceptions reported for it; may exceed or miss the requests


@dataclass(frozen=True, slots=True)
class Worst:
    """One request end to end: each source's row of it, first the one whose counts hold, and the exception."""

    rows: tuple[Served, ...]
    thrown: Thrown | None = None
    lines: tuple[str, ...] = ()  # log lines around it, redacted, each with where it stands


@dataclass(frozen=True, slots=True)
class Gap:
    """Client time against server time of the requests that both told: milliseconds spent on the way or in queues."""

    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True)
class Diagnosis:
    """What was concluded. Findings are ordered by how many failures they explain, then by confidence."""

    findings: tuple[Finding, ...] = ()
    groups: tuple[Group, ...] = ()
    worst: tuple[Worst, ...] = ()
    gap: Gap | None = None
    joined_ratio: float | None = (
        None  # of the first source's rows looked for, the share found in another; None: one source
    )
    looked_for: int = 0
    joined_by: Mapping[str, int] = field(default_factory=dict)  # "id", "server id", "time" → rows
    unexplained: int = 0  # failures that only D00 covers


def together(parts: Iterable[Told]) -> Told:
    """One Told of all parts: lists in order one after the other, the period the first part's, one client at most."""
    told = list(parts)
    client = next((one.client for one in told if one.client is not None), None)
    first = told[0]
    return Told(
        endpoint=next((one.endpoint for one in told if one.endpoint is not None), None),
        since_at=first.since_at,
        until_at=first.until_at,
        client=client,
        **{name: tuple(item for one in told for item in getattr(one, name)) for name in _LISTS},
    )


_LISTS = tuple(one.name for one in fields(Told) if one.default == ())
