"""What happened beyond the limit, as values: phases of overload, recovery and bursts, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class PhaseKind(StrEnum):
    """What a phase is for; stands as the purpose in levels.jsonl."""

    OVERLOAD = "overload"
    RECOVERY = "recovery"
    STEP_DOWN = "step-down"
    QUIET = "quiet"
    BURST = "burst"


class Behaviour(StrEnum):
    """What an endpoint does with more load than it can take, the better ones first."""

    GRACEFUL = "graceful"  # it goes on serving what it can, and is good again at once
    DEGRADED = "degraded"  # it serves less, or takes its time to be good again
    COLLAPSE = "collapse"  # it serves less than half of what it can
    METASTABLE = "metastable"  # it stays bad at a load that it carried before


@dataclass(frozen=True, slots=True)
class Shown:
    """What one phase showed; every attempt counts, there is no transient."""

    number: int
    phase: PhaseKind
    level: int
    of_limit_ratio: float  # the level in units of the limit
    started_s: float  # since the start of the search
    seconds: float  # from the opening of the gate until it closed
    attempt_count: int
    good_count: int
    rejected_count: int  # 429 or 503
    timed_out_count: int  # 408, 504, or no answer within the deadline
    good_rps: float | None  # completed once the users had been let in; None: too short for a rate
    goodput_ratio: float | None  # `good_rps` over the highest rate of the search
    p50_ms: float | None  # of good answers
    p99_ms: float | None
    rejection_p50_ms: float | None  # how fast a 429 or 503 came
    rejection_p99_ms: float | None
    good_after_s: float | None  # from then until the end every window kept every goal; None: never
    resolution_s: float  # length of a window
    ended_by: str  # "time" | "good" | "allowance" | "stopped" | "lost"
    invalid: tuple[str, ...] = ()  # why it says nothing about the endpoint

    @property
    def failed_count(self) -> int:
        """Failures that are neither rejections nor time-outs."""
        return self.attempt_count - self.good_count - self.rejected_count - self.timed_out_count


@dataclass(frozen=True, slots=True)
class Beyond:
    """What `--beyond` found out. `left_out` says what was not looked at, and why."""

    harm_budget: int
    phases: tuple[Shown, ...] = ()
    behaviour: Behaviour | None = None
    evidence: tuple[str, ...] = ()
    hidden_level: int | None = None  # the most at which a metastable endpoint was good again
    left_out: tuple[str, ...] = ()
    interrupted: bool = False
    per_second: int = 0  # of an open loop: levels are requests per second in this fraction

    def of(self, kind: PhaseKind) -> tuple[Shown, ...]:
        """The phases of one kind, in order."""
        return tuple(phase for phase in self.phases if phase.phase is kind)

    @property
    def recovery(self) -> Shown | None:
        """Back below the limit, after the overload."""
        return next(iter(self.of(PhaseKind.RECOVERY)), None)

    @property
    def rejected_count(self) -> int:
        """Every 429 or 503 that was caused."""
        return sum(phase.rejected_count for phase in self.phases)

    @property
    def attempt_count(self) -> int:
        return sum(phase.attempt_count for phase in self.phases)

    @property
    def seconds(self) -> float:
        """From the start of the first phase to the end of the last."""
        if not self.phases:
            return 0.0
        return self.phases[-1].started_s + self.phases[-1].seconds - self.phases[0].started_s


def beyond_from(document: dict[str, Any]) -> Beyond:
    """The value that `asdict` turned into JSON. Unknown keys are dropped."""
    values = {one.name: document[one.name] for one in fields(Beyond) if one.name in document}
    values["phases"] = tuple(_shown(row) for row in document.get("phases", ()))
    values["behaviour"] = None if document.get("behaviour") is None else Behaviour(document["behaviour"])
    for name in ("evidence", "left_out"):
        values[name] = tuple(document.get(name, ()))
    return Beyond(**values)


def _shown(row: dict[str, Any]) -> Shown:
    known = {one.name: row[one.name] for one in fields(Shown) if one.name in row}
    return Shown(**{**known, "phase": PhaseKind(row["phase"]), "invalid": tuple(row.get("invalid", ()))})
