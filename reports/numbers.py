"""The three numbers a person looks for first: the limit, the load to plan with, the latency at the limit."""

from __future__ import annotations

from dataclasses import dataclass

from capacity.verdict import Verdict
from reports.limit import LimitReport, interval_words, judged, level_beside, peak_words
from reports.words import rate_number, show_rps
from scoring.units import show_count, show_ms


@dataclass(frozen=True, slots=True)
class Number:
    """One figure with what it counts, and one line on how sure it is."""

    label: str
    value: str
    unit: str
    note: str


def three_numbers(report: LimitReport) -> tuple[Number, Number, Number]:
    """Limit, load to plan with, p95; an en dash stands for what is not known."""
    return (_limit(report.verdict), _safe(report), _latency(report.verdict))


def _limit(verdict: Verdict) -> Number:
    best, unit = verdict.binding, verdict.unit
    if best is None:
        return Number("Limit", "–", "", "no limit was reached")
    note = f"95 % interval {interval_words(best, unit)}; {'confirmed' if best.confirmed else 'not confirmed'}"
    if best.level is None:
        value = "none" if best.high == 0 else "–"
        return Number("Limit", value, "", f"{best.goal} is missed at the lowest load" if best.high == 0 else note)
    at_least = "≥ " if best.high is None else ""
    return Number("Limit", f"{at_least}{unit.number(best.level)}", unit.noun_in_full(best.level), note)


def _safe(report: LimitReport) -> Number:
    advice, peak = report.recommended, peak_words(report.verdict)
    label, unit = "Safe to plan with", "concurrent requests"
    note = f"the peak is {peak}" if report.verdict.levels else "nothing was measured under load"
    if advice.safe_users is None and advice.safe_rps is not None:
        return Number(label, rate_number(advice.safe_rps), "requests/s", note)
    if advice.safe_users is None:
        return Number(label, "–", "", note)
    rate = "" if advice.safe_rps is None else f"{show_rps(advice.safe_rps)}; "
    return Number(
        label, show_count(advice.safe_users), unit if advice.safe_users != 1 else "concurrent request", rate + note
    )


def _latency(verdict: Verdict) -> Number:
    best = verdict.binding.level if verdict.binding else None
    beside = level_beside(verdict, best)
    at = beside or next(iter(verdict.levels), None)
    at = None if at is None else judged(at)
    if at is None or at.p95_ms is None:
        return Number("p95 latency", "–", "", "no good answers were measured")
    value, _, unit = show_ms(at.p95_ms).rpartition(" ")
    level = verdict.unit.words(at.users)
    where = "at the limit" if beside is not None else f"at {level}"
    return Number(f"p95 {where}", value, unit, f"p50 {show_ms(at.p50_ms)}, p99 {show_ms(at.p99_ms)}, at {level}")
