"""What a run found out, as values: the one source of every rendering."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from capacity.overload import Beyond, beyond_from
from capacity.unit import Unit

RATE_FROM_S = 0.5
"""A rate from a shorter time says more about when the trial ended than about the endpoint."""


class Kind(StrEnum):
    FOUND = "FOUND"
    AT_LEAST = "AT_LEAST"
    MISSED_AT_ZERO_LOAD = "MISSED_AT_ZERO_LOAD"
    CLIENT_LIMITED = "CLIENT_LIMITED"
    NOT_A_LOAD_PROBLEM = "NOT_A_LOAD_PROBLEM"
    NOT_STEADY = "NOT_STEADY"
    BUDGET_SPENT = "BUDGET_SPENT"


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest level whose long-run fraction of bad answers is within the goal; 95 % interval [low, high]."""

    goal: str
    level: int | None  # in the unit of the verdict; None: no evidence either way
    low: int
    high: int | None  # None: nothing failed above `low`
    confirmed: bool
    bound_ratio: float | None  # one-sided 95 % upper bound of the bad fraction at `level`
    bad_count: int  # at `level`, all trials merged, transients dropped
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Level:
    """All kept trials at one level, transients dropped. Rate and percentiles over good answers, from their sending."""

    users: int  # the level; of an open loop in fractions of a request per second, as `Verdict.unit` has them
    attempt_count: int
    good_count: int
    seconds: float  # measured time, transients dropped
    completed_rps: float
    status_count: dict[str, int]
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    server_p50_ms: float | None  # x-ms-run-fn-exec-ms, where the endpoint tells it
    in_flight_mean: float | None  # by Little's law, X·R over all answers, R from the sending
    trial_count: int
    discarded_count: int  # trials at this level that were no fair measurement
    first_at: str | None = None  # RFC 3339, UTC, when the clock anchor is known
    due_count: int | None = None  # of an open loop: requests due, those that were never sent among them
    late_count: int | None = None  # of these, sent later than they were due
    p50_from_due_ms: float | None = None  # of an open loop: latency from the due time, by which goals judge
    p90_from_due_ms: float | None = None
    p95_from_due_ms: float | None = None
    p99_from_due_ms: float | None = None
    p999_from_due_ms: float | None = None
    max_from_due_ms: float | None = None

    @property
    def timed_rps(self) -> float | None:
        """`completed_rps` where the level was held long enough for a rate to mean something."""
        return self.completed_rps if self.seconds >= RATE_FROM_S else None


@dataclass(frozen=True, slots=True)
class Client:
    """Was it a fair measurement? `reasons` names each sign that the client, not the endpoint, was the wall."""

    valid: bool
    reasons: tuple[str, ...]
    lag_p99_ms: float | None = None  # worst over kept trials
    timely_ratio: float | None = None
    cpu_ratio: float | None = None
    run_queue_ratio: float | None = None
    late_p99_ms: float | None = None  # of an open loop: after they were due, requests left so late
    canary_count: int = 0  # answers to the canary; its requests are among `cost` and `harm`
    ceiling_rps: float | None = None  # what one core of the generator can send, where a trial came near enough to ask
    ceiling_ratio: float | None = None  # the highest rate of a process, as a share of it


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    attempt_count: int


@dataclass(frozen=True, slots=True)
class Recommended:
    """Settings to paste. Every number says what it rests on in `why`."""

    safe_users: int | None
    safe_rps: float | None
    settings: dict[str, str] = field(default_factory=dict)  # setting → value, Azure's names
    paste: dict[str, str] = field(default_factory=dict)  # "v2 deployment YAML" → text to paste
    why: tuple[str, ...] = ()
    sizing: tuple[Sizing, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizing:
    """Replicas for one target rate, by the queueing model and by Microsoft's formula beside it."""

    target_rps: float
    service_s: float
    concurrency: int  # requests one replica serves at once
    replicas: int
    rejected_ratio: float
    formula_replicas: int
    formula_rejected_ratio: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial, for the certificate and the CSV."""

    number: int
    users: int
    purpose: str
    started_s: float
    seconds: float
    attempt_count: int
    rejected_count: int
    outcome: str  # "pass" | "fail" | "undecided" | "invalid" | "warm-up"
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of one search."""

    kind: Kind
    reason: str  # one sentence for people
    limits: tuple[Limit, ...]
    binding_goal: str | None
    first_rejected_users: int | None
    knee_users: int | None
    peak_rps: float
    levels: tuple[Level, ...]
    rejected_count: int  # every 429/503 the run caused
    client: Client
    cost: Cost
    trials: tuple[Trial, ...] = ()
    warm_up_s: float | None = None
    little_residual_ratio: float | None = None  # worst |N − X·R|/N over kept levels
    first_seen: dict[str, int] = field(default_factory=dict)  # label → lowest level at which it appeared
    interrupted: bool = False
    renewed_count: int = 0  # attempts answered 401 while the credential was renewed, and sent again
    lost: str | None = None  # why the run ended early: the credential could not be renewed
    per_second: int = 0  # of an open loop: levels are requests per second in this fraction
    beyond: Beyond | None = None  # overload, recovery and bursts; None: not asked for

    @property
    def binding(self) -> Limit | None:
        """The limit of the binding goal."""
        return next((limit for limit in self.limits if limit.goal == self.binding_goal), None)

    @property
    def unit(self) -> Unit:
        """What its levels count."""
        return Unit(self.per_second)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The largest rate whose long-run fraction of bad answers is within the goal; 95 % interval [low, high]."""

    goal: str
    level: float | None  # requests per second; None: no evidence either way
    low: float
    high: float | None  # None: nothing failed above `low`
    confirmed: bool
    bound_ratio: float | None


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """The answer of one search in an open loop."""

    kind: Kind
    reason: str
    limits: tuple[RateLimit, ...]
    binding_goal: str | None
    first_rejected_rps: float | None
    peak_rps: float
    rejected_count: int
    client: Client
    cost: Cost

    @property
    def binding(self) -> RateLimit | None:
        """The limit of the binding goal."""
        return next((limit for limit in self.limits if limit.goal == self.binding_goal), None)


def verdict_from(document: dict[str, Any]) -> Verdict:
    """The verdict that `asdict` turned into JSON. Unknown keys are dropped, so that newer files stay readable."""
    values = _known(Verdict, document)
    values["kind"] = Kind(document["kind"])
    values["limits"] = tuple(Limit(**_known(Limit, row)) for row in document["limits"])
    values["levels"] = tuple(Level(**_known(Level, row)) for row in document["levels"])
    values["trials"] = tuple(Trial(**_known(Trial, row)) for row in document.get("trials", ()))
    client = _known(Client, document["client"])
    values["client"] = Client(**{**client, "reasons": tuple(client["reasons"])})
    values["cost"] = Cost(**_known(Cost, document["cost"]))
    values["beyond"] = None if document.get("beyond") is None else beyond_from(document["beyond"])
    return Verdict(**values)


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """Plain dicts, lists, strings and numbers; `verdict_from` reads it back."""
    return asdict(verdict)


def _known(cls: type, document: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(cls)}
    return {name: value for name, value in document.items() if name in names}
