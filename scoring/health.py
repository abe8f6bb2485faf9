"""Whether endpoints are well: what a check found, what was told of it. Monitor and reports both speak these values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scoring.errors import Exit


class Health(StrEnum):
    """What a check came to. UNKNOWN: it could not be found out, which is never OK."""

    OK = "OK"
    UNKNOWN = "UNKNOWN"
    DEGRADED = "DEGRADED"
    FAILED = "FAILED"

    @property
    def rank(self) -> int:
        """The higher, the worse: 0 for OK, then what is not known, then what is known to be bad."""
        return list(Health).index(self)


REASON_OK = "ok"
REASON_NONE = "no_data"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one endpoint. `reason` is a stable word; `evidence` one harmless line with the figures."""

    id: str
    outcome: Health
    reason: str
    evidence: str
    phases_ns: Mapping[str, int] = field(default_factory=dict)
    next_step: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """All checks of one endpoint, made at one time. `could_enter` is false where auth or network kept us out."""

    name: str
    host: str
    checks: tuple[CheckResult, ...]
    checked_s: float  # when it began, seconds since 1970
    took_ns: int
    latency_ns: int | None = None  # of the first good answer
    could_enter: bool = True
    retry_after_s: float | None = None  # the endpoint asked not to be called for so long

    @property
    def state(self) -> Health:
        """The worst of its checks; UNKNOWN without any."""
        return worst(check.outcome for check in self.checks)

    @property
    def deciding(self) -> CheckResult | None:
        """The first of the worst checks: it gives the reason."""
        return next((check for check in self.checks if check.outcome is self.state), None)

    @property
    def reason(self) -> str:
        """The stable word of the deciding check."""
        return REASON_NONE if self.deciding is None else self.deciding.reason


class NoticeKind(StrEnum):
    FIRE = "fire"
    REMIND = "remind"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Notification:
    """One notice of an incident and how its delivery stands. `key` is the same for every notice of the incident."""

    kind: NoticeKind
    key: str
    created_s: float
    sent_s: float | None  # None: not yet delivered anywhere
    attempt_count: int
    error: str | None = None  # why the last attempt was no delivery


@dataclass(frozen=True, slots=True)
class Incident:
    """A time in which an endpoint was not well. `state` is the worst it came to, `rule` what found it."""

    id: str
    endpoint: str
    rule: str  # "checks", "budget" for an error budget that burns, "network" for our own, of the endpoint "redline"
    state: Health
    reason: str
    opened_s: float
    closed_s: float | None
    notifications: tuple[Notification, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """How an endpoint did over a time. `counts` has the checks outside maintenance, by state."""

    name: str
    state: Health
    reason: str
    checked_s: float  # the last check, seconds since 1970
    counts: Mapping[Health, int]
    slo_ratio: float | None = None
    budget_left_ratio: float | None = None  # below 0: overspent
    missed_count: int = 0
    late_count: int = 0

    @property
    def known_count(self) -> int:
        """Checks that were not UNKNOWN."""
        return sum(count for state, count in self.counts.items() if state is not Health.UNKNOWN)

    @property
    def good_ratio(self) -> float | None:
        """Share of the known checks that were not FAILED; None of none."""
        known = self.known_count
        return 1 - self.counts.get(Health.FAILED, 0) / known if known else None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was watched."""

    from_s: float
    until_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """What a watcher has recorded since a time, oldest first."""

    made_s: float
    since_s: float
    incidents: tuple[Incident, ...]
    endpoints: tuple[EndpointRecord, ...]
    gaps: tuple[Gap, ...] = ()


def worst(outcomes: Iterable[Health]) -> Health:
    """The worst of them; UNKNOWN of none.

    >>> worst([Health.OK, Health.DEGRADED, Health.UNKNOWN])
    <Health.DEGRADED: 'DEGRADED'>
    """
    return max(outcomes, key=lambda outcome: outcome.rank, default=Health.UNKNOWN)


def exit_of_health(found: Iterable[EndpointHealth]) -> Exit:
    """0 when every endpoint is OK, 4 when auth or the network kept us out of all the others, else 1."""
    others = [one for one in found if one.state is not Health.OK]
    if not others:
        return Exit.FINE
    return Exit.MISSED if any(one.could_enter for one in others) else Exit.NO_ENTRY
