"""What a latency report is made from: the same facts as the error report, with durations first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reports.errors import ErrorsReport, errors_report
from reports.errors_counts import Quantile
from reports.errors_sources import NAMES
from reports.errors_words import NOT_ENOUGH, clause, exit_code, interval_words, moment, time_change_words
from reports.numbers import Number
from reports.timeline import Bucket
from scoring.errors import Exit
from scoring.served import Source
from scoring.told import Diagnosis, Told
from scoring.units import show_count, show_ms


@dataclass(frozen=True)
class LatencyReport:
    """One report on how long requests took; `told` holds the facts, and its texts are safe to show."""

    told: ErrorsReport

    @property
    def has_durations(self) -> bool:
        return self.told.latency.count > 0

    @property
    def slowest_step(self) -> Bucket | None:
        """The step of the timeline with the highest p95; None where no step tells one."""
        course = self.told.timeline
        steps = [bucket for bucket in course.buckets if bucket.p95_ms is not None] if course else []
        return max(steps, key=lambda bucket: bucket.p95_ms or 0.0, default=None)


def latency_report(
    told: Told,
    diagnosis: Diagnosis,
    *,
    made_at: datetime,
    tool_version: str,
    command: str,
    baseline: Mapping[str, Any] | None = None,
    where: str | None = None,
) -> LatencyReport:
    """The report of what was told; compared with `baseline`, the JSON of an earlier error or latency report."""
    made = {"made_at": made_at, "tool_version": tool_version, "command": command}
    return LatencyReport(errors_report(told, diagnosis, **made, baseline=baseline, where=where))  # type: ignore[arg-type]


def latency_exit_code(report: LatencyReport) -> Exit:
    """UNFAIR where nothing told a duration, unless every request of the period is known to be none."""
    empty = report.told.requests is None and exit_code(report.told) is Exit.FINE
    return Exit.FINE if report.has_durations or report.told.metrics or empty else Exit.UNFAIR


def latency_word(report: LatencyReport) -> str:
    """`MEASURED`, what changed against the earlier report, or that there is not enough to say."""
    if report.told.trust.fails or not report.has_durations:
        return NOT_ENOUGH
    words = {one.word for one in report.told.change.times} if report.told.change else set()
    if {"slower", "faster"} <= words:
        return "CHANGED"
    return "SLOWER" if "slower" in words else "FASTER" if "faster" in words else "MEASURED"


def latency_tone(report: LatencyReport) -> str:
    """`good` when faster, `warn` when slower or unsure, else `plain`."""
    return {"FASTER": "good", "MEASURED": "plain"}.get(latency_word(report), "warn")


def latency_headline(report: LatencyReport) -> str:
    """One sentence: what half and what nearly all of the requests took."""
    times, name = report.told.latency, report.told.name
    if not report.has_durations:
        return f"No source told how long requests to {name} took."
    said = f"Half of {show_count(times.count)} requests to {name} took up to {show_ms(times.ms('p50'))}"
    return f"{said}, 95 % up to {show_ms(times.ms('p95'))} and 99 % up to {show_ms(times.ms('p99'))}."


def latency_title(report: LatencyReport) -> str:
    """The finding in a few words, for window titles and subject lines."""
    return f"{latency_word(report)}: {clause(latency_headline(report))}"


def latency_remarks(report: LatencyReport) -> tuple[str, ...]:
    """When it was slowest, what the client waited beside the server, what failed quickly, what caps the verdict."""
    told, said = report.told, []
    said += [f"{row.name}: {row.evidence}." for row in told.trust.rows if row.word == "fail"]
    slow = report.slowest_step
    if slow is not None and told.timeline is not None and len(told.timeline.buckets) > 1:
        said.append(
            f"Slowest from {moment(slow.at)}: p95 {show_ms(slow.p95_ms)} over {show_count(slow.count)} requests."
        )
    if told.gap is not None:
        said.append(
            f"Between client and server lay {show_ms(told.gap.p50_ms)} at the median and {show_ms(told.gap.p95_ms)} "
            f"at p95, over {show_count(told.gap.count)} requests that both told."
        )
    failed = [split for split in told.by_code if not (split.name.startswith("2") and split.name.isdigit())]
    if failed:
        what = ", ".join(f"{one.name}: {show_ms(one.latency.ms('p50'))}" for one in failed[:3])
        said.append(f"Failures are among the durations; their medians are {what}.")
    said += [f"{row.name}: durations were read from customDimensions." for row in _lying(told)]
    return tuple(said)


def _lying(told: ErrorsReport) -> list[Any]:
    """App Insights where rows were corrected: the same servers leave the duration column near 0 from 1.5.0 on."""
    return [row for row in told.sources if row.source is Source.APP_INSIGHTS and row.corrected_rows and row.counted]


def latency_numbers(report: LatencyReport) -> tuple[Number, Number, Number]:
    """p50, p95 and p99, each with its interval and the change; an en dash where none was told."""
    p50, p95, p99 = (_number(one, report) for one in report.told.latency.quantiles)
    return p50, p95, p99


def _number(one: Quantile, report: LatencyReport) -> Number:
    if one.ms is None:
        return Number(one.name, "–", "", "no source told durations")
    value, _, unit = show_ms(one.ms).partition(" ")
    then = next((row for row in report.told.change.times if row.name == one.name), None) if report.told.change else None
    note = interval_words(one) + (f"; {time_change_words(then)}" if then is not None else "")
    return Number(one.name, value, unit, note)


def source_name(name: str) -> str:
    """A source as people call it.

    >>> source_name("app_insights")
    'App Insights'
    """
    return NAMES[Source(name)]
