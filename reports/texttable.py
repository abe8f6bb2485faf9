"""Text in columns, bars and lines for a fixed number of terminal columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

EIGHTHS = " ▏▎▍▌▋▊▉█"
GAP = "  "
MIN_LAST = 12
MIN_WIDTH = 40
WIDE_ENOUGH_FOR_BARS = 72
TONES = {"good": "32", "bad": "31", "warn": "33", "plain": "36"}
_COMMAND = re.compile(r"^([^\S\n]*)(::|##\[)", re.MULTILINE)


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


def headed(word: str, wide: int, sentence: str, tone: str, color: bool, width: int) -> list[str]:
    """A word in the colour of its tone, filled up to `wide` columns, with its sentence beside it."""
    first, *rest = hung(padded(word, wide + 2), sentence, width)
    return [painted(word, TONES[tone], color, bold=True) + first[len(word) :], *rest]


def pairs_of(pairs: Iterable[tuple[str, str]], width: int) -> str:
    """Names and values in two columns; a long value continues under itself."""
    pairs = tuple(pairs)
    wide = max((columns_of(name) for name, _ in pairs), default=0)
    return "\n".join(line for name, value in pairs for line in hung(f"  {padded(name, wide)}  ", value, width))


def whole(blocks: Iterable[str]) -> str:
    """Blocks with a blank line between them; no line starts with what a build server takes for a command."""
    text = "\n\n".join(block for block in blocks if block)
    return _COMMAND.sub(r"\1· \2", text) + "\n"
