"""What holds for all failures of a period: the endpoint's settings, the client's, and when each outcome occurred."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from monitor.diagnosis.loads import Loads
from scoring.account import Account, is_good
from scoring.endpoint import Hosting
from scoring.served import EventKind, Served, Source
from scoring.told import ClientSide, Told

_CLOCKS_DIFFER_S = 2.0  # a date has whole seconds
_LIMIT_MS = {Hosting.ACI: 60_000.0, Hosting.AKS: 60_000.0, Hosting.KUBERNETES: 5_000.0, Hosting.MANAGED: 5_000.0}
TARGET_RATIO = 0.7
"""Utilisation that Azure's router aims at, unless set."""


@dataclass(frozen=True, slots=True)
class Spread:
    """When an outcome occurred: its count, and the start of its first and last time bucket."""

    count: int
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True)
class Setting:
    """What rules may ask for besides the facts of one request."""

    told: Told
    hosting: Hosting | None
    client: ClientSide | None
    loads: Loads
    limit_ms: float | None  # the platform's time limit of one request
    limit_is_set: bool  # told by the endpoint's settings, not the platform's default
    spreads: dict[str, Spread] = field(default_factory=dict)  # by label, of the first source
    good: Spread = field(default_factory=lambda: Spread(0))
    kinds: frozenset[EventKind] = frozenset()  # events that occurred at all
    peak_rps: float | None = None
    served_ms: float | None = None
    ahead_s: float | None = None  # the service's clock minus ours, as far as anybody compared them

    @property
    def served_at_once(self) -> int | None:
        """Requests that the instances work on at a time; None where settings are unknown."""
        endpoint = self.told.endpoint
        if endpoint is None or endpoint.instances is None or endpoint.max_concurrent is None:
            return None
        return endpoint.instances * endpoint.max_concurrent

    @property
    def admitted(self) -> int | None:
        """Requests the front end lets in at a time; None: no bound, or unknown."""
        return None if self.told.endpoint is None else self.told.endpoint.expected_admitted

    @property
    def name(self) -> str:
        """The endpoint's name on Azure, where its resource id tells it."""
        endpoint = self.told.endpoint
        if endpoint is None:
            return "ENDPOINT"
        return endpoint.arm_id.rstrip("/").rpartition("/")[2] if endpoint.arm_id else endpoint.name

    @property
    def deployment(self) -> str:
        """The deployment that was asked for, else the first that answered."""
        endpoint = self.told.endpoint
        asked = endpoint.deployment if endpoint is not None else None
        rows = (*self.told.failed, *self.told.slowest)
        return asked or next((row.deployment for row in rows if row.deployment), "DEPLOYMENT")

    @property
    def auth(self) -> str | None:
        return None if self.told.endpoint is None else self.told.endpoint.auth

    def is_overcome(self, label: str) -> bool:
        """The outcome ended while the load that had brought it went on without it."""
        spread = self.spreads.get(label)
        return spread is not None and self.loads.is_overcome(spread.last_at, self.good.last_at)

    def has(self, *sources: Source) -> bool:
        """True when one of the sources told anything."""
        told = self.told
        return (
            any(one.source in sources and (one.cells or one.rows) for one in told.accounts)
            or any(event.source in sources for event in told.events)
            or any(thrown.source in sources for thrown in told.thrown)
        )


def setting_of(told: Told) -> Setting:
    """The setting of the first source's period."""
    endpoint = told.endpoint
    hosting = None if endpoint is None else endpoint.hosting
    set_ns = None if endpoint is None else endpoint.request_timeout_ns
    first = first_account(told)
    return Setting(
        told=told,
        hosting=hosting,
        client=told.client,
        loads=Loads(told.client),
        limit_ms=set_ns / 1e6 if set_ns is not None else (_LIMIT_MS.get(hosting) if hosting else None),
        limit_is_set=set_ns is not None,
        spreads=_spreads(first),
        good=_good(first),
        kinds=frozenset(event.kind for event in told.events),
        peak_rps=_peak_rps(first),
        served_ms=_served_ms(told),
        ahead_s=clock_ahead_s(told),
    )


COUNTED = (Source.CLIENT, Source.TRAFFIC_LOG, Source.APP_INSIGHTS, Source.SERVICE_LOG)
"""Sources that tell of single requests, in the order of trust."""


def first_account(told: Told) -> Account | None:
    """The account whose counts hold: the first, in the order of trust, that counted any request."""
    by_trust = sorted(
        (one for one in told.accounts if one.source in COUNTED), key=lambda one: COUNTED.index(one.source)
    )
    return next((one for one in by_trust if one.cells), None)


def _spreads(account: Account | None) -> dict[str, Spread]:
    found: dict[str, Spread] = {}
    for cell in account.cells if account is not None else ():
        found[cell.label] = _widened(found.get(cell.label, Spread(0)), cell.count, cell.at)
    return found


def _good(account: Account | None) -> Spread:
    spread = Spread(0)
    for cell in account.cells if account is not None else ():
        if is_good(cell.label):
            spread = _widened(spread, cell.count, cell.at)
    return spread


def _widened(spread: Spread, count: int, at: datetime | None) -> Spread:
    if at is None:
        return Spread(spread.count + count, spread.first_at, spread.last_at)
    first = at if spread.first_at is None else min(spread.first_at, at)
    last = at if spread.last_at is None else max(spread.last_at, at)
    return Spread(spread.count + count, first, last)


def _peak_rps(account: Account | None) -> float | None:
    """Requests a second in the fullest bucket; None where the source tells no times."""
    counts: dict[datetime, int] = defaultdict(int)
    for cell in account.cells if account is not None else ():
        if cell.at is not None:
            counts[cell.at] += cell.count
    if account is None or not counts:
        return None
    spent_s = float(account.bucket_s)
    if len(counts) == 1 and account.first_at is not None and account.last_at is not None:
        spent_s = max(1.0, (account.last_at - account.first_at).total_seconds())
    return max(counts.values()) / spent_s


def _served_ms(told: Told) -> float | None:
    """Time the service needs for one request: the client's at the lowest load, else the server's own median."""
    if told.client is not None and told.client.served_ms is not None:
        return told.client.served_ms
    times = sorted(row.server_ms for row in (*told.slowest, *told.failed) if row.server_ms is not None)
    return times[len(times) // 2] if times else None


def clock_ahead_s(told: Told) -> float | None:
    """The service's clock minus ours: as the client told it, else the median of the answers' Date headers."""
    if told.client is not None and told.client.clock_ahead_s is not None:
        return told.client.clock_ahead_s
    apart = sorted(one for row in told.failed[:500] if (one := _date_ahead_s(row)) is not None)
    return apart[len(apart) // 2] if apart else None


def worth_a_shift(ahead_s: float | None) -> timedelta:
    """How far to move our times before they are compared with the service's: nothing below the 2 s that dates leave."""
    return timedelta(seconds=ahead_s) if ahead_s is not None and abs(ahead_s) > _CLOCKS_DIFFER_S else timedelta()


def _date_ahead_s(row: Served) -> float | None:
    date = dict(row.headers).get("date")
    if date is None or row.at is None:
        return None
    try:
        told_at = parsedate_to_datetime(date)
    except ValueError:
        return None
    if told_at.tzinfo is None:
        return None
    ended_at = row.at + timedelta(milliseconds=row.duration_ms or 0.0)
    return (told_at - ended_at).total_seconds() + 0.5  # a date is cut to whole seconds
