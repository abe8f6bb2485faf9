"""What a report on one fixed load is made from: `redline load`."""

from __future__ import annotations

from dataclasses import dataclass

from capacity.verdict import Client, Cost, Level
from reports.limit import FailureSample, RunFacts
from reports.words import concurrent, renewed_words, show_rps
from scoring.endpoint import Endpoint
from scoring.told import Finding
from scoring.units import show_ms, show_ratio, show_seconds

WORTH_TELLING_S = 0.1


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile over good answers. `from_due_ms` counts from the due time, so that waiting in the client shows."""

    name: str  # "p99.9"
    ms: float | None
    low_ms: float | None = None  # 95 % interval by order statistics, where the sample is large enough
    high_ms: float | None = None
    from_due_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """One goal against the whole load. `met` is None where too little was seen to say."""

    goal: str
    met: bool | None
    bad_count: int
    attempt_count: int

    @property
    def outcome(self) -> str:
        return "unknown" if self.met is None else "pass" if self.met else "fail"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """One run of `redline load`, as every rendering sees it."""

    endpoint: Endpoint
    level: Level
    percentiles: tuple[Percentile, ...]
    thresholds: tuple[Threshold, ...]
    rejected_count: int
    client: Client
    cost: Cost
    run: str  # folder name
    run_facts: RunFacts
    failures: tuple[FailureSample, ...] = ()
    causes: tuple[Finding, ...] = ()
    mean_ms: float | None = None
    received_bytes: int | None = None  # body bytes of all answers
    interrupted: bool = False
    renewed_count: int = 0  # attempts answered 401 while the credential was renewed; in no other figure
    waited_s: float = 0.0  # users waited for a credential
    lost: str | None = None  # why the load ended early: the credential could not be renewed


def load_word(report: LoadReport) -> str:
    """MISSED when a threshold failed, UNFAIR when the client was the wall, KEPT when all were met, else MEASURED."""
    if any(threshold.met is False for threshold in report.thresholds):
        return "MISSED"
    if not report.client.valid:
        return "UNFAIR"
    if report.thresholds and all(threshold.met for threshold in report.thresholds):
        return "KEPT"
    return "MEASURED"


def load_headline(report: LoadReport) -> str:
    """One sentence: the rate at this load and the share that failed."""
    level = report.level
    bad = show_ratio(level.attempt_count - level.good_count, level.attempt_count)
    return f"{report.endpoint.name} answers {show_rps(level.completed_rps)} at {concurrent(level.users)}; {bad} failed."


def load_remarks(report: LoadReport) -> tuple[str, ...]:
    """What must be known beside the headline: an interruption, and what became of the credential."""
    said = []
    if report.lost is not None:
        after = show_seconds(report.cost.seconds)
        said.append(f"Nothing could be sent after {after}, the credential could not be renewed: {report.lost}")
    elif report.interrupted:
        said.append("Interrupted: this is what had been measured until then.")
    if report.renewed_count:
        said.append(renewed_words(report.renewed_count))
    if report.waited_s >= WORTH_TELLING_S and report.lost is None:
        said.append(
            f"Users waited {show_seconds(report.waited_s)} for a renewed credential and sent nothing meanwhile."
        )
    return tuple(said)


def interval_ms_words(percentile: Percentile) -> str:
    """The 95 % interval of a percentile; an en dash where the sample is too small for one."""
    if percentile.low_ms is None or percentile.high_ms is None:
        return "–"
    return f"{show_ms(percentile.low_ms)} to {show_ms(percentile.high_ms)}"
