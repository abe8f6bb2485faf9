"""A table of minutes as lines for a terminal, or as lines of JSON (docs/schemas/minutes.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from reports.texttable import TONES, painted
from reports.words import instant_text
from scoring.account import is_good
from scoring.units import show_ms


class Minute(Protocol):
    """What a log's reader gives for each minute; reports may not import it from there."""

    @property
    def at(self) -> datetime | None: ...
    @property
    def request_count(self) -> int: ...
    @property
    def by_status(self) -> Mapping[str, int]: ...
    @property
    def p50_ms(self) -> float | None: ...
    @property
    def p95_ms(self) -> float | None: ...
    @property
    def p99_ms(self) -> float | None: ...
    @property
    def max_ms(self) -> float | None: ...


_HEAD = ("minute (UTC)", "requests", "p50", "p95", "p99", "max", "statuses")


def minutes_text(minutes: Sequence[Minute], *, color: bool) -> str:
    """One line a minute, in columns; those with a failed request stand out."""
    if not minutes:
        return "no requests"
    rows = [_HEAD, *(_row(one) for one in minutes)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD) - 1)]
    tones = ["", *("" if all(map(is_good, one.by_status)) else TONES["warn"] for one in minutes)]
    return "\n".join(painted(_line(row, widths), tone, color) for row, tone in zip(rows, tones, strict=True))


def minute_json(minute: Minute) -> str:
    """One JSON object on one line; absent knowledge is null."""
    document = {
        "at": None if minute.at is None else instant_text(minute.at),
        "requests": minute.request_count,
        "by_status": dict(minute.by_status),
        "p50_ms": minute.p50_ms,
        "p95_ms": minute.p95_ms,
        "p99_ms": minute.p99_ms,
        "max_ms": minute.max_ms,
    }
    return json.dumps(document)


def _row(minute: Minute) -> tuple[str, ...]:
    at = "unknown" if minute.at is None else f"{minute.at:%Y-%m-%d %H:%M}"
    times = (minute.p50_ms, minute.p95_ms, minute.p99_ms, minute.max_ms)
    shown = ("" if one is None else show_ms(one) for one in times)
    return at, str(minute.request_count), *shown, "  ".join(f"{code}: {n}" for code, n in minute.by_status.items())


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle = (cell.rjust(width) for cell, width in zip(row, widths, strict=False))
    return "  ".join([first, *middle, row[-1]]).rstrip()
