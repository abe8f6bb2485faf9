"""The reports as plain text for a terminal: readable without colour, words before signs, the verdict first."""

from __future__ import annotations

from capacity.verdict import Level
from reports.beyond_text import beyond_block, growth_block, wall_block
from reports.causes import causes_block
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.codes import codes_table, failed_words
from reports.limit import (
    LimitReport,
    headline,
    judged,
    kind_word,
    latency_table,
    level_marks,
    limits_table,
    peak_words,
    remarks,
    safe_words,
    sizing_words,
    verdict_tone,
)
from reports.texttable import (
    MIN_WIDTH,
    TONES,
    WIDE_ENOUGH_FOR_BARS,
    Column,
    bar,
    columns_of,
    headed,
    hung,
    painted,
    pairs_of,
    table,
    whole,
    wrapped,
)
from reports.words import attempts_words, rate_number, sentence_case
from scoring.units import show_count, show_ms, show_seconds

BAR_WIDTH = 20
WIDE_ENOUGH_FOR_TWO_BARS = 100


def limit_text(report: LimitReport, *, color: bool, width: int) -> str:
    """The limit report, at most `width` columns wide where its words allow it; ANSI colours only when `color`."""
    clean, width = harmless_copy(report), max(width, MIN_WIDTH)
    blocks = (
        _verdict(clean, color, width),
        _limits(clean, width),
        _figures(clean, width),
        _levels(clean, width),
        wall_block(clean, color=color, width=width),
        _codes(clean, color, width),
        causes_block(clean.causes, color=color, width=width),
        _latency(clean, width),
        growth_block(clean, width=width),
        beyond_block(clean, color=color, width=width),
        _recommended(clean, color, width),
        _certificate(clean, color, width),
        _where(clean, width),
    )
    return whole(blocks)


def _verdict(report: LimitReport, color: bool, width: int) -> str:
    """The kind of verdict with its sentence, the decision with its own, then what else must be known."""
    kind, decision = kind_word(report), report.decision
    wide = columns_of(kind) if decision is None else max(columns_of(kind), columns_of(decision))
    lines = headed(kind, wide, headline(report), verdict_tone(report) if decision is None else "plain", color, width)
    if decision is not None:
        lines += headed(decision, wide, report.decision_sentence or "", verdict_tone(report), color, width)
    for sentence in remarks(report):
        lines += hung(" " * (wide + 2), sentence, width)
    return "\n".join(lines)


def _limits(report: LimitReport, width: int) -> str:
    rows = limits_table(report)
    columns = (
        Column("goal"),
        Column("limit", right=True),
        Column("interval"),
        Column("bad at the limit"),
        Column("at most", right=True),
        Column(""),
    )
    cells = [(row.goal, row.users, row.interval, row.rests_on, row.bound, row.state) for row in rows]
    note = "  interval, at most: with 95 % confidence"
    return f"{table(columns, cells, width)}\n{note}" if rows else ""


def _figures(report: LimitReport, width: int) -> str:
    verdict = report.verdict
    if not verdict.levels:
        return ""
    knee = "none seen" if verdict.knee_users is None else verdict.unit.words(verdict.knee_users)
    pairs = (("peak rate", peak_words(verdict)), ("knee", knee), ("safe to plan with", safe_words(report.recommended)))
    return pairs_of(pairs, width)


def _levels(report: LimitReport, width: int) -> str:
    levels = tuple(map(judged, report.verdict.levels))
    if not levels:
        return ""
    bars = (width >= WIDE_ENOUGH_FOR_BARS) + (width >= WIDE_ENOUGH_FOR_TWO_BARS)
    top_rps = max(level.timed_rps or 0.0 for level in levels)
    top_ms = max((level.p95_ms or 0.0 for level in levels), default=0.0)
    columns = [
        Column(report.verdict.unit.name, right=True),
        Column("requests/s", right=True),
        Column("p95", right=True),
        Column("failed"),
    ]
    rows = [_level_cells(level, report) for level in levels]
    if bars == 2:
        columns.insert(3, Column(""))
        rows = [(*row[:3], bar(one.p95_ms, top_ms, BAR_WIDTH), *row[3:]) for row, one in zip(rows, levels, strict=True)]
    if bars:
        columns.insert(2, Column(""))
        rows = [
            (*row[:2], bar(one.timed_rps, top_rps, BAR_WIDTH), *row[2:]) for row, one in zip(rows, levels, strict=True)
        ]
    return table(columns, rows, width)


def _level_cells(level: Level, report: LimitReport) -> tuple[str, ...]:
    marks = level_marks(report.verdict, level.users)
    said = "  ".join(part for part in (failed_words(level), *(f"← {mark}" for mark in marks)) if part)
    return (report.verdict.unit.number(level.users), rate_number(level.timed_rps), show_ms(level.p95_ms), said)


def _codes(report: LimitReport, color: bool, width: int) -> str:
    lines = []
    for row in codes_table(report):
        if row.good:
            continue
        where = "" if row.first_users is None else f", first at {report.verdict.unit.words(row.first_users)}"
        lines.append(f"{painted(row.label, TONES['warn'], color)}  {row.name}{where}")
        lines += hung("     ", f"{sentence_case(row.cause)}.", width) + hung("     ", f"Next: {row.next_step}.", width)
        lines += [f"     request {sample.request_id}" for sample in row.samples[:1]]
    return "\n".join(lines)


def _latency(report: LimitReport, width: int) -> str:
    unit = report.verdict.unit
    rows = [
        (row.share, unit.number(row.level.users), *map(show_ms, _latencies(row.level)), "")
        for row in latency_table(report)
    ]
    names = ["of the limit", unit.name, "p50", "p95", "p99"]
    names += ["p95 sent", "p99 sent"] if unit.is_open else []
    columns = (*(Column(name, right=True) for name in (*names, "server p50")), Column(""))
    return table(columns, rows, width) if rows else ""


def _latencies(level: Level) -> tuple[float | None, ...]:
    """As goals judge them; of an open loop from the due time, with those from the sending beside."""
    one = judged(level)
    uncorrected = () if level.due_count is None else (level.p95_ms, level.p99_ms)
    return (one.p50_ms, one.p95_ms, one.p99_ms, *uncorrected, one.server_p50_ms)


def _recommended(report: LimitReport, color: bool, width: int) -> str:
    advice = report.recommended
    if not (advice.settings or advice.paste or advice.why or advice.sizing):
        return ""
    lines = [
        painted("Recommended settings", "", color, bold=True),
        *pairs_of(advice.settings.items(), width).splitlines(),
    ]
    for why in advice.why:
        lines += hung("  - ", why, width)
    for one in advice.sizing:
        lines += hung("  - ", sizing_words(one), width)
    for name, text in advice.paste.items():
        lines += ["", f"{name}:", *(f"    {line}".rstrip() for line in text.splitlines())]
    return "\n".join(lines)


def _certificate(report: LimitReport, color: bool, width: int) -> str:
    """The sentence, and every condition that is not met; with nothing measured the sentence alone."""
    lines = wrapped(fairness(report), width)
    rows = certificate(report) if report.verdict.levels else ()
    if rows:
        kept = sum(row.word == "ok" for row in rows)
        lines.append(f"{kept} of {len(rows)} conditions are met" + ("." if kept == len(rows) else ":"))
    tones = {"warn": TONES["warn"], "fail": TONES["bad"]}
    for row in rows:
        if row.word != "ok":
            first, *rest = hung(f"  {row.word.ljust(7)}  ", f"{row.name}: {row.evidence}", width)
            lines += [first.replace(row.word, painted(row.word, tones.get(row.word, ""), color), 1), *rest]
    return "\n".join(lines)


def _where(report: LimitReport, width: int) -> str:
    verdict, facts = report.verdict, report.run_facts
    spent = (
        f"{show_seconds(verdict.cost.seconds)} of {show_seconds(facts.budget_s)}, "
        f"{attempts_words(verdict.cost.attempt_count)}, "
        f"{show_count(verdict.rejected_count)} of {show_count(facts.harm_budget)} rejections allowed"
    )
    return pairs_of((("spent", spent), ("report", f"{report.run}/report.html")), width)
