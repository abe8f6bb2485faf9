"""Whether endpoints are well: what a check found, what was told of it. Monitor and reports both speak these values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
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


EPOCH = date(1970, 1, 1)
FEWEST_RECOVERIES = 5  # of fewer, no interval of their mean is told
REASON_OK = "ok"
REASON_NONE = "no_data"
RULE_BUDGET = "budget"
RULE_NETWORK = "network"


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
    evidence: str = ""  # of the notice that told of it last
    next_step: str | None = None
    is_recovery: bool = True  # False where it ended because nobody looked any longer

    @property
    def is_down(self) -> bool:
        """True where an endpoint itself was not well, not its budget and not our own network."""
        return self.rule not in (RULE_BUDGET, RULE_NETWORK)


@dataclass(frozen=True, slots=True)
class Day:
    """The checks of one day in UTC: by state outside maintenance, and those in it. A day without any is no Day."""

    number: int  # days since 1970
    ok_count: int = 0
    degraded_count: int = 0
    failed_count: int = 0
    unknown_count: int = 0
    quiet_count: int = 0

    @property
    def date(self) -> str:
        """As 2026-01-31."""
        return (EPOCH + timedelta(self.number)).isoformat()

    @property
    def known_count(self) -> int:
        """Checks outside maintenance that were not UNKNOWN."""
        return self.ok_count + self.degraded_count + self.failed_count


@dataclass(frozen=True, slots=True)
class Latencies:
    """Nearest-rank percentiles of the latest good answers, the oldest of which was checked at `since_s`."""

    count: int
    since_s: float
    p50_ns: int
    p95_ns: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long incidents lasted that are over. Low and high: 95 % interval of the mean; None: too few to say."""

    count: int
    mean_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget: so many of so many checks of the window have failed. `left_ratio` below 0: overspent."""

    window_s: float
    failed_count: int
    check_count: int  # with an interval at least as many as the window has room for
    left_ratio: float


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """How an endpoint did over a time. `counts` has the checks outside maintenance, by state."""

    name: str
    state: Health
    reason: str
    checked_s: float | None  # the last check, seconds since 1970; None: not one so far
    counts: Mapping[Health, int]
    slo_ratio: float | None = None
    budget: Budget | None = None
    missed_count: int = 0
    late_count: int = 0
    last: Health = Health.UNKNOWN  # what the last check came to, proved or not
    since_s: float | None = None  # the state; of OK: the end of the last incident; None: not known, or none
    evidence: str = ""  # of the last check
    next_step: str | None = None  # None where nothing is to be done
    is_quiet: bool = False  # in maintenance
    is_watched: bool = True  # False where the watcher has let go of it
    is_overdue: bool = False  # several checks should have been made since the last one
    days: tuple[Day, ...] = ()
    latencies: Latencies | None = None
    recovery: Recovery = Recovery(0)

    @property
    def known_count(self) -> int:
        """Checks that were not UNKNOWN."""
        return sum(count for state, count in self.counts.items() if state is not Health.UNKNOWN)

    @property
    def good_ratio(self) -> float | None:
        """Share of the known checks that were not FAILED; None of none."""
        known = self.known_count
        return 1 - self.counts.get(Health.FAILED, 0) / known if known else None

    @property
    def budget_left_ratio(self) -> float | None:
        """The share of the error budget that is left, below 0 where it is overspent; None without one."""
        return None if self.budget is None else self.budget.left_ratio


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was watched."""

    from_s: float
    until_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of the watcher itself when a record is made."""

    beat_s: float | None = None  # its last sign of life, seconds since 1970; None: never one
    next_s: float | None = None  # when a page of the record is written again at the latest; None: never
    waiting_count: int = 0  # deliveries that their channel has not taken yet
    is_over: bool = False  # it has ended, and said so


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """What a watcher has recorded since a time, oldest first."""

    made_s: float
    since_s: float
    incidents: tuple[Incident, ...]
    endpoints: tuple[EndpointRecord, ...]
    gaps: tuple[Gap, ...] = ()
    watch: Watch = Watch()
    recovery: Recovery = Recovery(0)  # of all endpoints together


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
