"""The limit report as Markdown for job summaries and pull requests; foreign text can start no markup and no command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.beyond import PHASE_COLUMNS, beyond_remarks, beyond_title, growth_words, phase_rows, wall_words
from reports.causes import causes_list, causes_title
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.codes import codes_table, failed_words
from reports.limit import LimitReport, headline, judged, level_marks, limits_table, remarks, sizing_words, verdict_word
from reports.numbers import three_numbers
from reports.words import instant_words, rate_number, sentence_case
from scoring.units import show_count, show_ms

MAX_BYTES = 900_000
"""Below the mebibyte that GitHub takes for a job summary."""
_MARKUP = re.compile(
    r"[\\`*\[\]|~<>&$]"  # Markdown, HTML, mathematics
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # emphasis; inside a word an underscore is none
    r"|:(?=[:/])|(?<=:):"  # workflow commands, addresses
    r"|(?<=www)\.|^[-+=]"  # addresses, lists, underlines
    r"|[@#]"  # mentions
)
_IN_PRE = re.compile(r"[&<>\"':@#`]")
_MENTIONS = {"@": "&#64;&#8203;", "#": "&#35;&#8203;"}


def limit_markdown(report: LimitReport, *, max_bytes: int = MAX_BYTES) -> str:
    """Verdict, numbers, limits, levels, codes, settings and certificate, at most `max_bytes` of UTF-8."""
    clean = harmless_copy(report)
    blocks = (
        _verdict(clean),
        _numbers(clean),
        section("Limits", _limits(clean)),
        section("Levels", _levels(clean)),
        _wall(clean),
        section("Codes", _codes(clean)),
        section(causes_title(clean.causes), "\n".join(f"- {escaped(line)}" for line in causes_list(clean.causes))),
        section("Scaling and cold start", "\n".join(f"- {escaped(said)}" for said in growth_words(clean))),
        _beyond(clean),
        section("Recommended settings", _settings(clean)),
        section("Validity certificate", _certificate(clean)),
        _origin(clean),
    )
    return cut("\n\n".join(block for block in blocks if block) + "\n", max_bytes)


def escaped(text: str) -> str:
    """The text as it is read, with all that could be markup, a link, a mention or a workflow command as entities.

    A mention is found in the rendered text, so a zero-width space stands behind `@` and `#`.

    >>> escaped("a|b @team ::error::")
    'a&#124;b &#64;&#8203;team &#58;&#58;error&#58;&#58;'
    """
    return _MARKUP.sub(lambda match: _MENTIONS.get(match[0], f"&#{ord(match[0])};"), text)


def cut(text: str, max_bytes: int) -> str:
    """Whole lines up to `max_bytes`, the last one saying how many lines were left out."""
    if len(text.encode()) <= max_bytes:
        return text
    lines, kept, size = text.splitlines(), [], 0
    room = max_bytes - len(f"\n{len(lines)} more lines\n")
    for line in lines:
        size += len(line.encode()) + 1
        if size > room:
            break
        kept.append(line)
    return "\n".join([*kept, "", f"{len(lines) - len(kept)} more lines"]) + "\n"


def _verdict(report: LimitReport) -> str:
    lines = [f"## {escaped(verdict_word(report))}: {escaped(headline(report))}"]
    said = ([sentence_case(report.decision_sentence)] if report.decision_sentence else []) + list(remarks(report))
    return "\n\n".join([*lines, *(escaped(sentence) for sentence in said), escaped(fairness(report))])


def _numbers(report: LimitReport) -> str:
    lines = (
        f"- {one.label}: **{escaped(one.value)}** {one.unit} ({escaped(one.note)})" for one in three_numbers(report)
    )
    return "\n".join(lines)


def _limits(report: LimitReport) -> str:
    rows = [(row.goal, row.users, row.interval, row.rests_on, row.bound, row.state) for row in limits_table(report)]
    return table(("Goal", "Limit:", "Interval:", "Bad answers at the limit:", "At most:", "State"), rows)


def _levels(report: LimitReport) -> str:
    unit = report.verdict.unit
    rows = [
        (
            unit.number(level.users),
            rate_number(level.timed_rps),
            *(show_ms(ms) for ms in (level.p50_ms, level.p95_ms, level.p99_ms)),
            failed_words(level),
            ", ".join(level_marks(report.verdict, level.users)),
        )
        for level in map(judged, report.verdict.levels)
    ]
    return table((f"{unit.name.capitalize()}:", "Requests/s:", "p50:", "p95:", "p99:", "Failed", "Remarks"), rows)


def _wall(report: LimitReport) -> str:
    words = wall_words(report)
    if words is None:
        return ""
    return section(escaped(words.title), "\n".join(f"- {name}: {escaped(said)}" for name, said in words.rows))


def _beyond(report: LimitReport) -> str:
    beyond = report.verdict.beyond
    if beyond is None:
        return ""
    rows = table([PHASE_COLUMNS[0], *(f"{name}:" for name in PHASE_COLUMNS[1:])], phase_rows(beyond))
    said = "\n".join(f"- {escaped(one)}" for one in beyond_remarks(beyond))
    return section(escaped(beyond_title(beyond)), "\n\n".join(part for part in (rows, said) if part))


def _codes(report: LimitReport) -> str:
    rows = [
        (
            row.label,
            row.name,
            "–" if row.first_users is None else report.verdict.unit.words(row.first_users),
            show_count(row.count),
            sentence_case(row.cause),
            sentence_case(row.next_step),
        )
        for row in codes_table(report)
        if not row.good
    ]
    return table(("Code", "Meaning", "First at", "Count:", "Cause", "Do next"), rows)


def _settings(report: LimitReport) -> str:
    advice = report.recommended
    parts = [table(("Setting", "Value"), list(advice.settings.items()))]
    why = [*advice.why, *(sizing_words(one) for one in advice.sizing)]
    parts.append("\n".join(f"- {escaped(sentence_case(line))}" for line in why))
    parts += [f"{escaped(name)}:\n\n<pre>{in_pre(text)}</pre>" for name, text in advice.paste.items()]
    return "\n\n".join(part for part in parts if part)


def _certificate(report: LimitReport) -> str:
    return table(("Condition", "Word", "Evidence"), [(row.name, row.word, row.evidence) for row in certificate(report)])


def _origin(report: LimitReport) -> str:
    facts = report.run_facts
    said = (
        f"redline {facts.tool_version}, run {report.run}, {instant_words(facts.started_at)}, "
        f"configuration {facts.configuration_hash}"
    )
    return f"{escaped(said)}\n\n<pre>{in_pre(facts.command)}</pre>"


def section(name: str, body: str) -> str:
    """A body under its heading; nothing where there is no body."""
    return f"### {name}\n\n{body}" if body else ""


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a name that ends in a colon has its column to the right. Empty without rows."""
    lines = [f"| {' | '.join(escaped(cell) or ' ' for cell in row)} |" for row in rows]
    if not lines:
        return ""
    head = f"| {' | '.join(name.rstrip(':') for name in names)} |"
    rule = f"| {' | '.join('---:' if name.endswith(':') else '---' for name in names)} |"
    return "\n".join([head, rule, *lines])


def in_pre(text: str) -> str:
    """Text inside `<pre>`: a fence could be closed from within, an entity cannot."""
    return _IN_PRE.sub(lambda match: f"&#{ord(match[0])};", text.rstrip("\n"))
