"""Query results as the JSON of the Logs API: Kusto's types and how each value of them is written. No I/O."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_LONG = range(-(2**63), 2**63)


def rows_text(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], max_bytes: int) -> tuple[str, int]:
    """The rows as the inside of a JSON array, as many as fit into `max_bytes`, and how many those are."""
    writers = [_WRITERS.get(kind, _plain) for _, kind in columns]
    pieces: list[str] = []
    size_bytes = 0
    for row in rows:
        piece = json.dumps([None if v is None else write(v) for v, write in zip(row, writers, strict=True)])
        size_bytes += len(piece) + 1
        if size_bytes > max_bytes:
            break
        pieces.append(piece)
    return ",".join(pieces), len(pieces)


def datetime_text(value: datetime) -> str:
    """Seven digits after the second and a Z, as Kusto writes it; the engine counts microseconds.

    >>> datetime_text(datetime(2026, 1, 1, 0, 0, 0, 123456))
    '2026-01-01T00:00:00.1234560Z'
    """
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond:06d}0Z"


def timespan_text(value: timedelta) -> str:
    """`[-][d.]hh:mm:ss[.fffffff]`.

    >>> timespan_text(timedelta(seconds=1.5)), timespan_text(timedelta(days=1)), timespan_text(timedelta(seconds=-1))
    ('00:00:01.5000000', '1.00:00:00', '-00:00:01')
    """
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds:06d}0" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def _datetime(value: Any) -> Any:
    if isinstance(value, datetime):
        return datetime_text(value)
    return datetime_text(datetime(value.year, value.month, value.day)) if isinstance(value, date) else str(value)  # noqa: DTZ001


def _timespan(value: Any) -> Any:
    if isinstance(value, time):
        value = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return timespan_text(value)


def _real(value: Any) -> Any:
    """JSON has no number for NaN and infinity: they are texts."""
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _long(value: Any) -> Any:
    return int(value) if int(value) in _LONG else _real(value)


def _decimal(value: Any) -> Any:
    """A text, without the zeros that the engine's fixed scale adds."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _dynamic(value: Any) -> Any:
    """JSON text, also of a number or a list."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str) else str(value)


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "datetime": _datetime,
    "timespan": _timespan,
    "real": _real,
    "long": _long,
    "int": _long,
    "decimal": _decimal,
    "dynamic": _dynamic,
    "guid": str,
    "string": str,
}
