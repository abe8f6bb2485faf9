"""The report on a fixed load as plain text for a terminal."""

from __future__ import annotations

from reports.causes import causes_block
from reports.certificate import client_words
from reports.clean import harmless_copy
from reports.load import (
    LoadReport,
    Schedule,
    latency_columns,
    latency_note,
    load_headline,
    load_remarks,
    load_word,
    rate_words,
)
from reports.texttable import MIN_WIDTH, Column, columns_of, headed, hung, pairs_of, table, whole, wrapped
from reports.words import rate_number
from scoring.units import show_count, show_ms, show_ratio, show_seconds


def load_text(report: LoadReport, *, color: bool, width: int) -> str:
    """The load report, at most `width` columns wide where its words allow it; ANSI colours only when `color`."""
    clean, width = harmless_copy(report), max(width, MIN_WIDTH)
    word = load_word(clean)
    tone = {"KEPT": "good", "MEASURED": "plain", "MISSED": "bad"}.get(word, "warn")
    remarked = [line for one in load_remarks(clean) for line in hung("  ", one, width)]
    blocks = (
        "\n".join([*headed(word, columns_of(word), load_headline(clean), tone, color, width), *remarked]),
        _thresholds(clean, width),
        _figures(clean, width),
        _percentiles(clean, width),
        causes_block(clean.causes, color=color, width=width),
        "\n".join(wrapped(client_words(clean.client), width)),
        pairs_of((("records", clean.run), ("page", f"redline report latency --run {clean.run} --out DIR")), width),
    )
    return whole(blocks)


def _thresholds(report: LoadReport, width: int) -> str:
    rows = [(one.goal, one.outcome, show_ratio(one.bad_count, one.attempt_count)) for one in report.thresholds]
    return table((Column("threshold"), Column("outcome"), Column("bad answers")), rows, width) if rows else ""


def _figures(report: LoadReport, width: int) -> str:
    level = report.level
    load = [("users", show_count(level.users))] if report.schedule is None else _scheduled(report.schedule)
    pairs = [
        *load,
        ("measured for", show_seconds(level.seconds)),
        ("attempts", show_count(level.attempt_count)),
        ("failed", show_ratio(level.attempt_count - level.good_count, level.attempt_count)),
        ("by code", ", ".join(f"{label}: {count:,}" for label, count in level.status_count.items()) or "none"),
        ("requests per second", f"{rate_number(level.completed_rps)} (good answers)"),
        ("in flight", _in_flight(report)),
        ("time per request", f"{_mean(report)} (mean of good answers)"),
    ]
    if report.received_bytes is not None:
        pairs.append(("received", f"{show_count(report.received_bytes)} body bytes"))
    return pairs_of(((name, value) for name, value in pairs if value), width)


def _scheduled(schedule: Schedule) -> list[tuple[str, str]]:
    """What was due, and how much of it was sent, and when."""
    spacing = "" if schedule.spacing is None else f", {schedule.spacing} arrivals"
    late = f"{show_ratio(schedule.late_count, schedule.sent_count)} late, the latest by {show_ms(schedule.latest_ms)}"
    sent = f"{show_count(schedule.sent_count)}, {rate_number(schedule.sent_rps)} a second; {late}"
    if schedule.unsent_count:
        sent += f"; {show_count(schedule.unsent_count)} never sent"
    pool = show_count(schedule.pool_count)
    if schedule.exhausted_count:
        pool += f"; all were in use when {show_count(schedule.exhausted_count)} requests were due"
    due = "–" if schedule.due_count is None else show_count(schedule.due_count)
    return [
        ("load", f"{rate_words(schedule)}{spacing}"),
        ("requests due", f"{due}, {rate_number(schedule.due_rps)} a second"),
        ("sent", sent),
        ("connections", pool),
    ]


def _mean(report: LoadReport) -> str:
    if report.schedule is None:
        return show_ms(report.mean_ms)
    return f"{show_ms(report.mean_from_due_ms)} from when due, {show_ms(report.mean_ms)} from sending"


def _in_flight(report: LoadReport) -> str:
    """Of an open loop only: in a closed one it is the users."""
    mean = report.level.in_flight_mean
    if report.schedule is None or mean is None:
        return ""
    return f"{rate_number(mean)} (mean), {show_count(report.schedule.in_flight_max)} at most"


def _percentiles(report: LoadReport, width: int) -> str:
    names, *rows = latency_columns(report)
    if not rows:
        return ""
    columns = [Column(names[0]), *(Column(name, right=True) for name in names[1:]), Column("")]
    note = latency_note(report)
    lines = [table(columns, [(*row, "") for row in rows], width)]
    return "\n".join([*lines, *([] if note is None else hung("  ", note, width))])
