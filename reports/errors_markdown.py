"""The error report as Markdown for job summaries and pull requests; foreign text can start no markup and no command."""

from __future__ import annotations

from reports.errors import ErrorsReport
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
    verdict_word,
)
from reports.markdown import MAX_BYTES, cut, escaped, in_pre, section, table
from reports.sarif import meaning_of
from reports.words import sentence_case
from scoring.told import Finding
from scoring.units import show_count, show_ratio

MAX_CODES = 40
MAX_GROUPS = 40
MAX_LEAKS = 40


def errors_markdown(report: ErrorsReport, *, max_bytes: int = MAX_BYTES) -> str:
    """Verdict, numbers, causes, codes, groups, security, sources and trust, at most `max_bytes` of UTF-8."""
    blocks = (
        markdown_verdict(report),
        markdown_numbers(report),
        section("Why", _causes(report)),
        section("What to do next", "\n".join(f"1. {escaped(step)}" for step in next_steps(report))),
        section("Codes", _codes(report)),
        section("Failures alike", _groups(report)),
        section("Compared with the earlier report", _change(report)),
        section("Security", _security(report)),
        section("Sources", markdown_sources(report)),
        section("Trust", markdown_trust(report)),
        markdown_origin(report),
    )
    return cut("\n\n".join(block for block in blocks if block) + "\n", max_bytes)


def markdown_verdict(report: ErrorsReport) -> str:
    """The verdict as a heading, with its sentences."""
    lines = [f"## {escaped(verdict_word(report))}: {escaped(headline(report))}"]
    return "\n\n".join([*lines, *(escaped(sentence) for sentence in remarks(report))])


def markdown_numbers(report: ErrorsReport) -> str:
    """The three numbers as a list."""
    lines = [f"- Period: {escaped(period_words(report))}"]
    lines += [
        f"- {one.label}: **{escaped(one.value)}** {escaped(one.unit)} ({escaped(one.note)})" for one in numbers(report)
    ]
    return "\n".join(lines)


def _causes(report: ErrorsReport) -> str:
    parts = [_cause(finding, report) for finding in report.findings[:MAX_CAUSES]]
    left = len(report.findings) - MAX_CAUSES
    return "\n".join([*parts, *([f"- {left:,} more causes"] if left > 0 else [])])


def _cause(finding: Finding, report: ErrorsReport) -> str:
    lines = [
        f"- **{escaped(clause(sentence_case(finding.cause)))}.** Confidence {escaped(finding.confidence)}, "
        f"explains {escaped(share_words(finding, report))}, {escaped(finding.rule)}."
    ]
    for head, texts in (
        ("For", finding.evidence),
        ("Against", finding.counter_evidence),
        ("Missing", finding.missing),
    ):
        lines += [f"  - {head}: {escaped(text)}" for text in texts]
    return "\n".join([*lines, f"  - Next: {escaped(finding.next_step)}"])


def _codes(report: ErrorsReport) -> str:
    total = report.done.total_count
    rows = [
        (
            code.label,
            code.name,
            show_count(code.count),
            show_ratio(code.count, total).partition(" (")[0],
            moment(code.first_at),
            sentence_case(code.cause),
        )
        for code in report.codes[:MAX_CODES]
    ]
    body = table(("Code", "Meaning", "Requests:", "Share:", "First seen", "Cause"), rows)
    return _with_more(body, len(report.codes) - MAX_CODES, "codes")


def _groups(report: ErrorsReport) -> str:
    rows = [
        (show_count(group.count), group.status, group.cause, group.frame or "", group.why, group.fingerprint)
        for group in report.groups[:MAX_GROUPS]
    ]
    body = table(("Requests:", "Status", "Cause", "Frame", "Why grouped", "Fingerprint"), rows)
    return _with_more(body, len(report.groups) + len(report.more_groups) - MAX_GROUPS, "groups")


def _change(report: ErrorsReport) -> str:
    found = report.change
    if found is None:
        return ""
    gone = len(found.gone_groups) + found.more_gone
    said = f"{change_words(found)}: {len(found.new_groups)} groups are new, {found.known_groups} known, {gone} gone."
    rows = [
        (one.label, show_count(one.earlier_count), show_count(one.count), code_change_words(one))
        for one in found.codes[:MAX_CODES]
    ]
    return "\n\n".join([escaped(said), table(("Code", "Before:", "After:", "Change"), rows)])


def _security(report: ErrorsReport) -> str:
    rows = [
        (meaning_of(leak.type), show_count(leak.count), leak.where, leak.sha256_prefix or "–", leak.rotate)
        for leak in report.security[:MAX_LEAKS]
    ]
    body = table(("Finding", "Count:", "Where", "SHA-256 begins", "Do next"), rows)
    return _with_more(body, len(report.security) - MAX_LEAKS, "findings")


def markdown_sources(report: ErrorsReport) -> str:
    """Each source with its own counts, or why there are none."""
    rows = [
        (
            row.name,
            "–" if row.requests is None else show_count(row.requests),
            show_count(row.counted),
            "; ".join((row.outcome_words, *(f"{said}, next: {step}" for _, said, step in row.problems))),
        )
        for row in report.sources
    ]
    return table(("Source", "Requests:", "Counted:", "Read"), rows)


def markdown_trust(report: ErrorsReport) -> str:
    """Every condition with its evidence."""
    return table(("Condition", "Word", "Evidence"), [(row.name, row.word, row.evidence) for row in report.trust.rows])


def markdown_origin(report: ErrorsReport) -> str:
    """What made the report, and how to make it again."""
    said = f"redline {report.tool_version}, made {moment(report.made_at)}"
    return f"{escaped(said)}\n\n<pre>{in_pre(report.command)}</pre>"


def _with_more(body: str, left: int, what: str) -> str:
    return f"{body}\n\n{left:,} more {what}" if left > 0 else body
