"""The latency report for a terminal, as Markdown, as CSV and as JUnit XML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.csvout import Cell, csv_text
from reports.errors import Split
from reports.errors_junit import suite_of
from reports.errors_markdown import markdown_origin, markdown_sources, markdown_trust
from reports.errors_text import codes_block, sources_block, trust_block, where_block
from reports.errors_words import period_words, time_change_words
from reports.junit import Case
from reports.latency import (
    LatencyReport,
    latency_exit_code,
    latency_headline,
    latency_numbers,
    latency_remarks,
    latency_tone,
    latency_word,
    source_name,
)
from reports.markdown import MAX_BYTES, cut, escaped, section, table
from reports.texttable import MIN_WIDTH, WIDE_ENOUGH_FOR_BARS, Column, bar, columns_of, headed, hung, pairs_of, whole
from reports.texttable import table as text_table
from scoring.units import show_count, show_ms

BAR_WIDTH = 16
BANDS = 12
_COLUMNS = ("split", "name", "count", "p50_ms", "p95_ms", "p95_low_ms", "p95_high_ms", "p99_ms", "max_ms")


def latency_text(report: LatencyReport, *, color: bool, width: int) -> str:
    """The whole report, at most `width` columns wide where its words allow it; ANSI colours only when `color`."""
    width = max(width, MIN_WIDTH)
    word = latency_word(report)
    lines = headed(word, columns_of(word), latency_headline(report), latency_tone(report), color, width)
    for sentence in latency_remarks(report):
        lines += hung(" " * (columns_of(word) + 2), sentence, width)
    pairs = [("period", period_words(report.told))]
    pairs += [(one.label, f"{one.value} {one.unit}".strip() + f"; {one.note}") for one in latency_numbers(report)]
    blocks = (
        "\n".join(lines),
        pairs_of(pairs, width),
        _distribution(report, width),
        *(_split_table(name, rows, width) for name, rows in _tables(report)),
        codes_block(report.told, color, width),
        sources_block(report.told, width),
        trust_block(report.told, color, width),
        where_block(report.told, width),
    )
    return whole(blocks)


def _tables(report: LatencyReport) -> list[tuple[str, list[Split]]]:
    """Durations by outcome, and by deployment and source where there is more than one."""
    told = report.told
    sources = [Split(source_name(one.name), one.latency) for one in told.by_source]
    rows = [("outcome", list(told.by_code)), ("deployment", list(told.by_deployment)), ("source", sources)]
    return [(name, splits) for name, splits in rows if len(splits) > (0 if name == "outcome" else 1)]


def _split_table(name: str, splits: Sequence[Split], width: int) -> str:
    columns = [
        Column(name),
        *(Column(one, right=True) for one in ("durations", "p50", "p95", "p99", "longest")),
        Column(""),
    ]
    rows = [(one.name, show_count(one.latency.count), *_figures(one), "") for one in splits]
    return text_table(columns, rows, width) if rows else ""


def _figures(one: Split) -> list[str]:
    return [show_ms(one.latency.ms(name)) for name in ("p50", "p95", "p99", "max")]


def _distribution(report: LatencyReport, width: int) -> str:
    """Requests by duration in a few bands, a bar each."""
    course = report.told.timeline
    if course is None or course.heat is None or width < WIDE_ENOUGH_FOR_BARS:
        return ""
    heat = course.heat
    step = -(-heat.rows // BANDS)
    counts = [0] * -(-heat.rows // step)
    for (_, row), count in heat.counts.items():
        counts[row // step] += count
    edges = [heat.low_ms * heat.row_ratio ** (step * i) for i in range(len(counts) + 1)]
    top, total = max(counts), sum(counts)
    rows = [
        (show_ms(low), show_ms(high), show_count(count), f"{100 * count / total:.1f} %", bar(count, top, BAR_WIDTH))
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    names = ("from", "to", "requests", "share")
    return text_table([*(Column(name, right=True) for name in names), Column("")], rows, width)


def latency_markdown(report: LatencyReport, *, max_bytes: int = MAX_BYTES) -> str:
    """Verdict, numbers, durations by split, sources and trust, at most `max_bytes` of UTF-8."""
    lines = [f"## {escaped(latency_word(report))}: {escaped(latency_headline(report))}"]
    numbers = [f"- Period: {escaped(period_words(report.told))}"]
    numbers += [
        f"- {one.label}: **{escaped(one.value)}** {escaped(one.unit)} ({escaped(one.note)})"
        for one in latency_numbers(report)
    ]
    tables = [
        section(
            f"By {name}", table((name.capitalize(), "Durations:", "p50:", "p95:", "p99:", "Longest:"), _cells(rows))
        )
        for name, rows in _tables(report)
    ]
    blocks = (
        "\n\n".join([*lines, *(escaped(sentence) for sentence in latency_remarks(report))]),
        "\n".join(numbers),
        *tables,
        section("Sources", markdown_sources(report.told)),
        section("Trust", markdown_trust(report.told)),
        markdown_origin(report.told),
    )
    return cut("\n\n".join(block for block in blocks if block) + "\n", max_bytes)


def _cells(splits: Iterable[Split]) -> list[Sequence[str]]:
    return [(one.name, show_count(one.latency.count), *_figures(one)) for one in splits]


def latency_csv(report: LatencyReport) -> str:
    """One row for all, one per outcome, deployment and source. An empty cell was not told."""
    told = report.told
    named = (
        ("all", (Split("all", told.latency),)),
        ("outcome", told.by_code),
        ("deployment", told.by_deployment),
        ("source", told.by_source),
    )
    return csv_text(_COLUMNS, [_csv_row(kind, one) for kind, splits in named for one in splits])


def _csv_row(kind: str, one: Split) -> Sequence[Cell]:
    p95 = one.latency.quantile("p95")
    times = one.latency
    return (
        kind, one.name, times.count, times.ms("p50"), p95.ms, p95.low_ms, p95.high_ms, times.ms("p99"), times.max_ms
    )  # fmt: skip


def latency_junit(report: LatencyReport) -> str:
    """One test suite: the percentiles as what they are, then trust and sources."""
    cases = [Case(one.label, "passed", f"{one.value} {one.unit}; {one.note}") for one in latency_numbers(report)]
    for then in report.told.change.times if report.told.change else ():
        cases.append(Case(f"{then.name} against the earlier report", "passed", time_change_words(then)))
    return suite_of("latency", report.told, cases, latency_exit_code(report))
