"""Edge: the instants at which requests were once sent, to send requests at the same distances again.

From a text file with one instant a line, a CSV with a column of them, or a run folder of redline. An instant is a date
and time (ISO 8601; UTC where no zone is told), or a number: of seconds, or of milliseconds, microseconds or nanoseconds
since 1970 where it is too large for seconds. The file stands for its distances, so where its zero lies does not matter.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from capacity.arrivals import Instants
from capacity.runfolder import RUN, read_attempts
from scoring.attempt import FLAG_RENEWED
from scoring.errors import RedlineError
from scoring.text import harmless
from scoring.units import S

COLUMNS = ("due_s", "sent_s", "timestamp", "timestamp [utc]", "timegenerated", "timegenerated [utc]", "time", "sent_at")
"""A column of one of these names holds the instants; the first that is there."""
MOST = 10_000_000
FARTHEST_NS = 1 << 62
"""From 1970, so that the distance of any two is a number of 64 bits."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_NS = ((10**11, S), (10**14, S // 10**3), (10**17, S // 10**6))
"""A number below the first is of the second: seconds, then milliseconds, then microseconds."""


def read_instants(source: Path) -> Instants:
    """The instants in nanoseconds, ascending. RedlineError where there are none, or where one cannot be read."""
    instants = _of_run(source) if source.is_dir() else _of_file(source)
    if not len(instants):
        raise RedlineError(f"{source} tells of no request", "a file with one instant a line, or a run folder")
    return np.sort(instants)


def instant_ns(text: str) -> int:
    """Nanoseconds since the zero that the text counts from. ValueError where it is no instant.

    >>> instant_ns("1.5"), instant_ns("1970-01-01T00:00:02Z"), instant_ns("1767225600123") - instant_ns("1767225600")
    (1500000000, 2000000000, 123000000)
    """
    text = text.strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        at = datetime.fromisoformat(text)
        since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
        return _within((since.days * 86_400 + since.seconds) * S + since.microseconds * 1000)
    if not number.is_finite() or number < 0:
        raise ValueError("neither an instant nor a number of seconds")
    unit_ns = next((unit for below, unit in _UNITS_NS if number < below), 1)
    return _within(int(number * unit_ns))


def _within(instant: int) -> int:
    if abs(instant) > FARTHEST_NS:
        raise ValueError("more than 146 years from 1970")
    return instant


def _of_run(folder: Path) -> Instants:
    """When its requests were due; one that was sent again after a renewal is one request."""
    if not (folder / RUN).is_file():
        raise RedlineError(f"{folder} is no run folder: it has no {RUN}", "name a run folder, or a file of instants")
    rows = read_attempts(folder)
    instants: Instants = rows["due_ns"][(rows["flags"] & FLAG_RENEWED) == 0].astype(np.int64)
    return instants


def _of_file(file: Path) -> Instants:
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            return np.fromiter(_instants(csv.reader(stream), file), dtype=np.int64)
    except OSError as error:
        raise RedlineError(f"{file} cannot be read: {error.strerror}", "--replay FILE, or --replay RUN") from error
    except csv.Error as error:
        raise RedlineError(f"{file} cannot be read: {error}", "a file with one instant a line, or a CSV") from error


def _instants(rows: Iterator[list[str]], file: Path) -> Iterator[int]:
    column, count = 0, 0
    for number, row in enumerate(rows, 1):
        if not row or not any(cell.strip() for cell in row):
            continue
        if not count and number == 1 and not _is_instant(row[0]):
            column = _column(row, file)
            continue
        cell = row[column] if column < len(row) else ""
        count += 1
        if count > MOST:
            raise RedlineError(f"{file} has more than {MOST:,} instants", "take a part of it: head -n 1000000 FILE")
        try:
            yield instant_ns(cell)
        except (ValueError, OverflowError) as error:
            shown = harmless(cell, max_chars=50)
            raise RedlineError(
                f"{file}:{number}: `{shown}` is no instant", "2026-01-02T10:00:00.5Z, or seconds: 12.5"
            ) from error


def _is_instant(text: str) -> bool:
    try:
        instant_ns(text)
    except (ValueError, OverflowError):
        return False
    return True


def _column(header: list[str], file: Path) -> int:
    names = [name.strip().strip('"').lower() for name in header]
    found = next((names.index(name) for name in COLUMNS if name in names), None)
    if found is None:
        shown = harmless(", ".join(header), max_chars=100)
        raise RedlineError(
            f"{file}:1: neither an instant nor the names of columns with one of time: `{shown}`",
            f"a CSV needs a column named {COLUMNS[2]}, {COLUMNS[4]} or {COLUMNS[6]}",
        )
    return found
