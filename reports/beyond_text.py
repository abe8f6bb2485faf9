"""The wall, what lies beyond the limit, scaling and cold start, for the terminal."""

from __future__ import annotations

from reports.beyond import PHASE_COLUMNS, beyond_remarks, beyond_title, growth_words, phase_rows, wall_words
from reports.limit import LimitReport
from reports.texttable import Column, hung, painted, table, wrapped


def wall_block(report: LimitReport, *, color: bool, width: int) -> str:
    """What set the limit; nothing where no level was measured."""
    words = wall_words(report)
    if words is None:
        return ""
    first, *rest = wrapped(words.title, width)
    lines = [painted(first, "", color, bold=True), *rest]
    for name, said in words.rows:
        lines += hung(f"  {name.ljust(7)}  ", said, width)
    return "\n".join(lines)


def beyond_block(report: LimitReport, *, color: bool, width: int) -> str:
    """Overload, recovery and bursts; nothing without --beyond."""
    beyond = report.verdict.beyond
    if beyond is None:
        return ""
    first, *rest = wrapped(beyond_title(beyond), width)
    lines = [painted(first, "", color, bold=True), *rest]
    rows = phase_rows(beyond)
    if rows:
        columns = (Column(PHASE_COLUMNS[0]), *(Column(name, right=True) for name in PHASE_COLUMNS[1:]), Column(""))
        lines.append(table(columns, [(*row, "") for row in rows], width))
    for said in beyond_remarks(beyond):
        lines += hung("  - ", said, width)
    return "\n".join(lines)


def growth_block(report: LimitReport, *, width: int) -> str:
    """How throughput scales, and the cold start."""
    return "\n".join(line for text in growth_words(report) for line in wrapped(text, width))
