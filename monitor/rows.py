"""Cells of a Logs answer as Python values: what the SDK leaves as text is parsed, and absence is None. Pure.

The SDK gives NaN and Infinity as texts, null timespans and guids as the text `None`, and dynamic cells as JSON text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Row = dict[str, Any]
_TIMESPAN = re.compile(r"(-?)(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?")


def rows_of(columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Each row as a dictionary of typed values. A cell that does not fit its column's type is None."""
    readers = [_READERS.get(kind, _as_is) for kind in types]
    return [
        {name: None if cell is None else read(cell) for name, read, cell in zip(columns, readers, row, strict=False)}
        for row in rows
    ]


def timespan_ms(text: object) -> float | None:
    """Milliseconds of `d.hh:mm:ss.fffffff`; None for anything else.

    >>> timespan_ms("1.00:00:01.5"), timespan_ms("-00:00:00.0010000"), timespan_ms("None")
    (86401500.0, -1.0, None)
    """
    match = _TIMESPAN.fullmatch(str(text))
    if match is None:
        return None
    sign, days, hours, minutes, seconds, fraction = match.groups()
    whole_s = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    total_ms = whole_s * 1000 + float(f"0.{fraction or 0}") * 1000
    return -total_ms if sign else total_ms


def _as_is(value: object) -> Any:
    return value


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> int | None:
    """A number that fits 64 bits, without its fraction; None for any other."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and number.copy_abs() <= 2**63 else None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(str(value))
        except ValueError:
            return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "1": True, "false": False, "0": False}.get(_low(value))


def _low(value: object) -> str:
    return str(value).lower()


def _dynamic(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _named(value: object) -> str | None:
    return None if value in ("None", "") else str(value)


_READERS: dict[str, Callable[[object], Any]] = {
    "bool": _truth,
    "datetime": _instant,
    "decimal": _number,
    "dynamic": _dynamic,
    "guid": _named,
    "int": _whole,
    "long": _whole,
    "real": _number,
    "string": str,
    "timespan": timespan_ms,
}
