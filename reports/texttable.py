"""Text in columns, bars and lines for a fixed number of terminal columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

EIGHTHS = " ▏▎▍▌▋▊▉█"
GAP = "  "
MIN_LAST = 12


@dataclass(frozen=True, slots=True)
class Column:
    """One column; numbers stand to the right."""

    name: str
    right: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> str:
    """Rows under their column names, indented by two; the last column is wrapped to what is left of `width`."""
    named = [tuple(column.name for column in columns), *(tuple(row) for row in rows)]
    widths = [max(columns_of(row[i]) for row in named) for i in range(len(columns) - 1)]
    left = max(width - sum(widths) - len(GAP) * len(columns), MIN_LAST)
    lines = []
    for row in named:
        head = GAP.join(
            padded(cell, wide, column.right) for cell, wide, column in zip(row, widths, columns, strict=False)
        )
        first, *rest = wrapped(row[-1], left)
        blank = " " * (sum(widths) + len(GAP) * len(columns))
        lines += [f"{GAP}{head}{GAP}{first}".rstrip(), *(blank + line for line in rest)]
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """At least one line, each of at most `width` columns; a word longer than that is cut into pieces."""
    return textwrap.wrap(text, max(width, 8), break_on_hyphens=False) or [""]


def hung(head: str, text: str, width: int) -> list[str]:
    """The text wrapped beside `head`, its further lines under its first word."""
    first, *rest = wrapped(text, width - columns_of(head))
    return [f"{head}{first}", *(" " * columns_of(head) + line for line in rest)]


def bar(value: float | None, top: float, cells: int) -> str:
    """`value` as a share of `top`, in eighths of a cell; some is never shown as none.

    >>> bar(50, 100, 4), bar(0.1, 100, 4), bar(None, 100, 4)
    ('██', '▏', '')
    """
    if value is None or value <= 0 or top <= 0:
        return ""
    eighths = max(1, round(8 * cells * min(value / top, 1.0)))
    whole, part = divmod(eighths, 8)
    return EIGHTHS[8] * whole + (EIGHTHS[part] if part else "")


def painted(text: str, code: str, color: bool, *, bold: bool = False) -> str:
    """The text in an ANSI colour, or as it is."""
    codes = ";".join(part for part in ("1" if bold else "", code) if part)
    return f"\x1b[{codes}m{text}\x1b[0m" if color and codes else text


def columns_of(text: str) -> int:
    """Terminal columns the text takes: wide characters count twice, combining ones not at all.

    >>> columns_of("p95"), columns_of("負荷"), columns_of("e\u0301")
    (3, 4, 1)
    """
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, wide: int, right: bool = False) -> str:
    """The text filled up with blanks to `wide` columns."""
    blank = " " * (wide - columns_of(text))
    return blank + text if right else text + blank
