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
TOLD_FROM = 1.1
"""A corrected figure that is so many times the raw one is explained."""


@dataclass(frozen=True, slots=True)
class Percentile:
    """One percentile over good answers: from sending, and beside it with what the sending left out.

    `from_due_ms` counts from the due time, so that waiting in the client shows. `corrected_ms` is of a closed loop:
    what capacity.omission makes of it. Intervals are 95 %, by order statistics, where the sample is large enough.
    """

    name: str  # "p99.9"
    ms: float | None
    low_ms: float | None = None
    high_ms: float | None = None
    from_due_ms: float | None = None
    from_due_low_ms: float | None = None
    from_due_high_ms: float | None = None
    corrected_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Of an open loop: what was asked, what was due, and what became of it. None: the load did not live to tell."""

    first_rps: float | None  # None: a replay
    last_rps: float | None  # None: the same all the time
    spacing: str | None  # None: a replay
    replay: str | None  # what was sent again: the name of a file or folder
    speed: float | None
    pool_count: int  # connections
    due_count: int | None  # all that was due: sent or not
    sent_count: int
    late_count: int
    unsent_count: int | None
    exhausted_count: int | None  # due while every connection was in use
    due_rps: float | None
    sent_rps: float | None
    latest_ms: float | None  # from due to sending, at most
    in_flight_max: int


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
    schedule: Schedule | None = None  # of an open loop
    mean_from_due_ms: float | None = None


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
    level, schedule = report.level, report.schedule
    bad = show_ratio(level.attempt_count - level.good_count, level.attempt_count)
    at = concurrent(level.users) if schedule is None else rate_words(schedule)
    return f"{report.endpoint.name} answers {show_rps(level.completed_rps)} at {at}; {bad} failed."


def rate_words(schedule: Schedule) -> str:
    """What was due."""
    if schedule.replay is not None:
        speed = "" if schedule.speed in (None, 1.0) else f" at {schedule.speed:g} times its speed"
        mean = "" if schedule.due_rps is None else f", {show_rps(schedule.due_rps)} due"
        return f"a replay of {schedule.replay}{speed}{mean}"
    if schedule.last_rps is None:
        return f"{show_rps(schedule.first_rps)} due"
    return f"{schedule.first_rps:g} to {schedule.last_rps:g} requests/s due"


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
        meanwhile = "sent nothing meanwhile" if report.schedule is None else "sent late what was due meanwhile"
        said.append(f"Users waited {show_seconds(report.waited_s)} for a renewed credential and {meanwhile}.")
    if report.schedule is not None and report.schedule.unsent_count:
        count = report.schedule.unsent_count
        said.append(
            f"{count:,} {'request was' if count == 1 else 'requests were'} due and never sent: in no percentile, so"
            " these are too low."
        )
    return tuple(said)


def latency_columns(report: LoadReport) -> tuple[tuple[str, ...], ...]:
    """The table of latency with the names of its columns: of an open loop from when due first, else from sending."""
    if report.schedule is not None:
        names = ("latency", "from when due", "95 % interval", "from sending")
        told = [(one, one.from_due_ms, one.from_due_low_ms, one.from_due_high_ms, one.ms) for one in report.percentiles]
    else:
        names = ("latency", "from sending", "95 % interval", "corrected")
        told = [(one, one.ms, one.low_ms, one.high_ms, one.corrected_ms) for one in report.percentiles]
    rows = [
        (one.name, show_ms(ms), interval_words(low_ms, high_ms), show_ms(beside_ms))
        for one, ms, low_ms, high_ms, beside_ms in told
    ]
    has_second = any(beside_ms is not None for *_, beside_ms in told)
    return tuple(row if has_second else row[:-1] for row in (names, *rows))


def latency_note(report: LoadReport) -> str | None:
    """How the second figure of a closed loop came about, where it tells more than the first."""
    ends = [(one.ms, one.corrected_ms) for one in report.percentiles if one.ms and one.corrected_ms]
    if report.schedule is not None or not any(more > TOLD_FROM * ms for ms, more in ends):
        return None
    return (
        "corrected: with the requests that users would have sent while they waited for slow answers, one every median"
        " latency (coordinated omission); `--rps` measures it"
    )


def interval_words(low_ms: float | None, high_ms: float | None) -> str:
    """A 95 % interval; an en dash where the sample is too small for one."""
    return "–" if low_ms is None or high_ms is None else f"{show_ms(low_ms)} to {show_ms(high_ms)}"
