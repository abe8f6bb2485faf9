"""The error report as plain text for a terminal: the verdict first, causes before figures, what to do next last."""

from __future__ import annotations

from collections.abc import Iterable

from reports.errors import ErrorsReport
from reports.errors_codes import CodeCount
from reports.errors_sources import SourceRow
from reports.errors_words import (
    MAX_CAUSES,
    change_words,
    clause,
    code_change_words,
    headline,
    moment,
    next_steps,
    numbers,
    period_words,
    remarks,
    share_words,
    span_words,
    verdict_tone,
    verdict_word,
)
from reports.sarif import meaning_of
from reports.texttable import (
    MIN_WIDTH,
    TONES,
    WIDE_ENOUGH_FOR_BARS,
    Column,
    bar,
    columns_of,
    headed,
    hung,
    padded,
    painted,
    pairs_of,
    table,
    whole,
)
from reports.words import sentence_case
from scoring.told import Finding, Group
from scoring.units import show_count, show_ms, show_ratio

BAR_WIDTH = 16
MAX_CODES = 12
MAX_GROUPS = 8
MAX_LEAKS = 8
MAX_WORST = 3
MAX_SENTENCES = 4
CONFIDENCE_TONES = {"high": TONES["bad"], "medium": TONES["warn"]}
WORD_TONES = {"warn": TONES["warn"], "fail": TONES["bad"], "ok": TONES["good"]}


def errors_text(report: ErrorsReport, *, color: bool, width: int) -> str:
    """The whole report, at most `width` columns wide where its words allow it; ANSI colours only when `color`."""
    width = max(width, MIN_WIDTH)
    blocks = (
        _verdict(report, color, width),
        _figures(report, width),
        codes_block(report, color, width),
        _causes(report, color, width),
        _groups(report, color, width),
        _change(report, width),
        _security(report, color, width),
        sources_block(report, width),
        trust_block(report, color, width),
        _next(report, color, width),
        where_block(report, width),
    )
    return whole(blocks)


def errors_section(report: ErrorsReport, *, color: bool, width: int) -> str:
    """Causes and groups alone, without a final newline, for another report; empty where nothing failed."""
    width = max(width, MIN_WIDTH)
    blocks = (_causes(report, color, width), _groups(report, color, width))
    return "\n\n".join(block for block in blocks if block)


def diagnosis_text(report: ErrorsReport, *, color: bool, width: int) -> str:
    """Why requests failed, with all evidence: the answer of `redline diagnose`."""
    width = max(width, MIN_WIDTH)
    blocks = (
        _verdict(report, color, width),
        _causes(report, color, width, most=len(report.findings), all_evidence=True),
        _groups(report, color, width),
        _worst(report, width),
        _security(report, color, width),
        trust_block(report, color, width),
        _next(report, color, width),
    )
    return whole(blocks)


def _verdict(report: ErrorsReport, color: bool, width: int) -> str:
    word = verdict_word(report)
    wide = columns_of(word)
    lines = headed(word, wide, headline(report), verdict_tone(report), color, width)
    for sentence in remarks(report):
        lines += hung(" " * (wide + 2), sentence, width)
    return "\n".join(lines)


def _figures(report: ErrorsReport, width: int) -> str:
    pairs = [("period", period_words(report))]
    pairs += [(one.label.lower(), f"{one.value} {one.unit}".strip() + f"; {one.note}") for one in numbers(report)]
    return pairs_of(pairs, width)


def codes_block(report: ErrorsReport, color: bool, width: int) -> str:
    """Outcomes with a bar each, the most frequent first, and what each means."""
    codes = [code for code in report.codes if code.count]
    if not codes:
        return ""
    top, bars = max(code.count for code in codes), width >= WIDE_ENOUGH_FOR_BARS
    columns = [Column("code"), Column("requests", right=True), Column("share", right=True)]
    columns += [Column(""), Column("meaning")] if bars else [Column("meaning")]
    rows = [_code_cells(code, report, top, bars=bars) for code in codes[:MAX_CODES]]
    lines = table(columns, rows, width).splitlines()
    lines += _more(len(codes) - MAX_CODES, "codes")
    return "\n".join(_tinted(line, codes, color) for line in lines)


def _code_cells(code: CodeCount, report: ErrorsReport, top: int, *, bars: bool) -> tuple[str, ...]:
    share = show_ratio(code.count, report.done.total_count).partition(" (")[0]
    drawn = (bar(code.count, top, BAR_WIDTH),) if bars else ()
    return (code.label, show_count(code.count), share, *drawn, code.name)


def _tinted(line: str, codes: list[CodeCount], color: bool) -> str:
    """The line with the code of a failure in colour."""
    first = line.strip().partition(" ")[0]
    bad = color and any(code.label == first and not code.is_good for code in codes)
    return line.replace(first, painted(first, TONES["warn"], color), 1) if bad else line


def _causes(
    report: ErrorsReport, color: bool, width: int, *, most: int = MAX_CAUSES, all_evidence: bool = False
) -> str:
    if not report.findings:
        return ""
    lines = [painted("Why", "", color, bold=True)]
    for number, finding in enumerate(report.findings[:most], 1):
        lines += _cause(number, finding, report, color, width, all_evidence=all_evidence)
    return "\n".join([*lines, *_more(len(report.findings) - most, "causes")])


def _cause(
    number: int, finding: Finding, report: ErrorsReport, color: bool, width: int, *, all_evidence: bool
) -> list[str]:
    most = None if all_evidence else MAX_SENTENCES
    lines = hung(f"{number:>3}  ", f"{clause(sentence_case(finding.cause))}.", width)
    sure = painted(f"confidence {finding.confidence}", CONFIDENCE_TONES.get(finding.confidence, ""), color)
    explained = f"explains {share_words(finding, report)}" if finding.count else "explains none by itself"
    lines.append(f"     {sure}, {explained} [{finding.rule}]")
    if finding.first_at is not None:
        lines += hung("     ", f"seen {span_words(finding.first_at, finding.last_at or finding.first_at)}", width)
    for head, sentences in (
        ("for", finding.evidence),
        ("against", finding.counter_evidence),
        ("missing", finding.missing),
    ):
        for sentence in sentences[:most]:
            lines += hung(f"     {padded(head, 7)}  ", sentence, width)
    lines += hung("     next     ", clause(finding.next_step), width)
    if all_evidence and finding.request_ids:
        lines += hung("     ids      ", ", ".join(finding.request_ids), width)
    return lines


def _groups(report: ErrorsReport, color: bool, width: int) -> str:
    if not report.groups:
        return ""
    known = {group.fingerprint for group in report.change.new_groups} if report.change else set()
    lines = [painted("Failures alike", "", color, bold=True)]
    for group in report.groups[:MAX_GROUPS]:
        lines += _group(group, group.fingerprint in known, width)
    left = len(report.groups) + len(report.more_groups) - MAX_GROUPS
    return "\n".join([*lines, *_more(left, "groups")])


def _group(group: Group, is_new: bool, width: int) -> list[str]:
    mark = "  ← not in the earlier report" if is_new else ""
    lines = hung(f"{show_count(group.count):>7}  ", f"{group.cause}{mark}", width)
    about = [f"status {group.status}", group.fingerprint, *([group.frame] if group.frame else [])]
    if group.first_at is not None:
        about.append(span_words(group.first_at, group.last_at or group.first_at))
    return lines + hung("         ", ", ".join(about), width)


def _change(report: ErrorsReport, width: int) -> str:
    found = report.change
    if found is None:
        return ""
    pairs = [(one.label, code_change_words(one)) for one in found.codes if one.count or one.earlier_count]
    rows = pairs_of(pairs[:MAX_CODES], width)
    said = (
        f"{change_words(found)}: {len(found.new_groups)} groups are new, {found.known_groups} known, "
        f"{len(found.gone_groups) + found.more_gone} gone."
    )
    return "\n".join([*hung("", said, width), *([rows] if rows else [])])


def _security(report: ErrorsReport, color: bool, width: int) -> str:
    if not report.security:
        return ""
    lines = [painted("Security", TONES["bad"], color, bold=True)]
    for leak in report.security[:MAX_LEAKS]:
        hashed = f", sha256 {leak.sha256_prefix}…" if leak.sha256_prefix else ""
        lines += hung("  - ", f"{meaning_of(leak.type)}: {show_count(leak.count)} ×, {leak.where}{hashed}", width)
        lines += hung("    ", f"next: {clause(leak.rotate)}", width) if leak.rotate else []
    return "\n".join([*lines, *_more(len(report.security) - MAX_LEAKS, "findings")])


def sources_block(report: ErrorsReport, width: int) -> str:
    """Each source with its own counts, or why there are none."""
    columns = (Column("source"), Column("requests", right=True), Column("failed", right=True), Column("read"))
    rows = [_source_cells(row) for row in report.sources]
    return table(columns, rows, width) if rows else ""


def _source_cells(row: SourceRow) -> tuple[str, ...]:
    told = row.requests is not None and bool(row.by_label or row.requests == 0)
    failed = sum(count for label, count in row.by_label.items() if not label.startswith("2") or not label.isdigit())
    said = "; ".join([row.outcome_words, *(sentence for _, sentence, _ in row.problems[:2])])
    requests = "–" if row.requests is None else show_count(row.requests)
    return (row.name, requests, show_count(failed) if told else "–", said)


def trust_block(report: ErrorsReport, color: bool, width: int) -> str:
    """Every condition that is not plainly met; one line where all are."""
    rows = [row for row in report.trust.rows if row.word != "ok"]
    kept = len(report.trust.rows) - len(rows)
    lines = [f"Trust: {kept} of {len(report.trust.rows)} conditions are met" + (":" if rows else ".")]
    for row in rows:
        first, *rest = hung(f"  {row.word.ljust(7)}  ", f"{row.name}: {row.evidence}", width)
        lines += [first.replace(row.word, painted(row.word, WORD_TONES.get(row.word, ""), color), 1), *rest]
    return "\n".join(lines)


def _worst(report: ErrorsReport, width: int) -> str:
    if not report.worst:
        return ""
    lines = ["Worst requests"]
    for one in report.worst[:MAX_WORST]:
        for row in one.rows:
            what = [row.label, show_ms(row.duration_ms), moment(row.at), row.request_id or ""]
            lines += hung(f"  {padded(row.source.value, 12)}  ", ", ".join(part for part in what if part), width)
        if one.thrown is not None:
            lines += hung("  thrown        ", f"{one.thrown.type}: {one.thrown.message}", width)
        for line in one.lines[:MAX_SENTENCES]:
            lines += hung("                ", line, width)
    return "\n".join(lines)


def _next(report: ErrorsReport, color: bool, width: int) -> str:
    steps = next_steps(report)
    if not steps:
        return ""
    lines = [painted("What to do next", "", color, bold=True)]
    for number, step in enumerate(steps, 1):
        lines += hung(f"{number:>3}  ", step, width)
    return "\n".join(lines)


def where_block(report: ErrorsReport, width: int) -> str:
    """Where the renderings are, or how to have them."""
    if report.where is None:
        return pairs_of((("report", "not written; add --out DIR for the page, JSON, CSV and SARIF"),), width)
    return pairs_of((("report", f"{report.where}/report.html"),), width)


def _more(count: int, what: str) -> Iterable[str]:
    return [f"     {count:,} more {what}"] if count > 0 else []
