"""Levels and trials as CSV by RFC 4180; no cell can be taken for a formula by a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from capacity.unit import Unit
from capacity.verdict import Level, Trial
from reports.clean import harmless_copy
from reports.limit import LimitReport

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")

Cell = str | int | float | None


def levels_csv(report: LimitReport) -> str:
    """One row per level; a column per code and failure class. An empty cell was not measured."""
    levels, unit = harmless_copy(report.verdict.levels), report.verdict.unit
    labels = sorted({label for level in levels for label in level.status_count})
    columns = (_RATE, *_LEVEL_COLUMNS, *_OPEN_COLUMNS) if unit.is_open else (_USERS, *_LEVEL_COLUMNS)
    names = (*columns, *(f"count_{label}" for label in labels))
    rows = (
        (*_level(level, columns, unit), *(level.status_count.get(label, 0) for label in labels)) for level in levels
    )
    return csv_text(names, rows)


def trials_csv(report: LimitReport) -> str:
    """One row per trial, in the order they were run."""
    unit = report.verdict.unit
    columns = tuple(_RATE if name == _USERS and unit.is_open else name for name in _TRIAL_COLUMNS)
    return csv_text(columns, (_trial(trial, columns, unit) for trial in harmless_copy(report.verdict.trials)))


_USERS, _RATE = "users", "rps"
_LEVEL_COLUMNS = (
    "attempt_count",
    "good_count",
    "measured_s",
    "completed_rps",
    "p50_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "p999_ms",
    "max_ms",
    "server_p50_ms",
    "in_flight_mean",
    "trial_count",
    "discarded_count",
    "first_at",
)
_OPEN_COLUMNS = (
    "due_count",
    "late_count",
    "p50_from_due_ms",
    "p90_from_due_ms",
    "p95_from_due_ms",
    "p99_from_due_ms",
    "p999_from_due_ms",
    "max_from_due_ms",
)
_TRIAL_COLUMNS = (
    "number",
    "users",
    "purpose",
    "started_s",
    "seconds",
    "attempt_count",
    "rejected_count",
    "outcome",
    "why",
)


def _level(level: Level, columns: Sequence[str], unit: Unit) -> tuple[Cell, ...]:
    named = {"measured_s": level.seconds, _RATE: unit.amount(level.users)}
    return tuple(named[name] if name in named else getattr(level, name) for name in columns)


def _trial(trial: Trial, columns: Sequence[str], unit: Unit) -> tuple[Cell, ...]:
    return tuple(unit.amount(trial.users) if name == _RATE else getattr(trial, name) for name in columns)


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A head line and the rows, by RFC 4180, without a cell that a spreadsheet would compute."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([guarded(name) for name in names])
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue()


def guarded(cell: Cell) -> Cell:
    """Numbers as they are, to nine significant digits; a text that a spreadsheet would compute starts with a quote.

    >>> guarded("=1+1"), guarded("pass"), guarded(-1.5)
    ("'=1+1", 'pass', -1.5)
    """
    if isinstance(cell, float):
        return float(f"{cell:.9g}")
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS):
        return f"'{cell}"
    return cell
