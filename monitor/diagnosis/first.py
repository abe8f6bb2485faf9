"""The failures that count: of each period, those of the first source that tells of it, in the order of trust.

What a source kept in detail are rows; what it only counted stands in rows of its own, one per outcome and time bucket,
so that the sum is the number of failures that the reports show.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.diagnosis.setting import COUNTED
from scoring.account import Cell, is_good, told_first
from scoring.attempt import Failure
from scoring.served import Served, Source
from scoring.told import Told


@dataclass(frozen=True, slots=True)
class Failures:
    """`kept` are failed requests with what is known of each; `counted` stand for those known by outcome only."""

    kept: tuple[Served, ...] = ()
    counted: tuple[Served, ...] = ()

    @property
    def total(self) -> int:
        return sum(row.count for row in (*self.kept, *self.counted))


def failures(told: Told) -> Failures:
    """Every failed request of the period once."""
    taken = {source: cells for source, cells in told_first(told.accounts).items() if source in COUNTED}
    if told.failed and Source.CLIENT not in taken:
        return Failures(kept=_failed(told.failed))
    kept: list[Served] = []
    counted: list[Served] = []
    for place, (source, cells) in enumerate(taken.items()):
        bucket = timedelta(seconds=next(one.bucket_s for one in told.accounts if one.source is source))
        rows = _failed(_rows(told, source))
        buckets = _Buckets(cells, bucket)
        inside = rows if place == 0 else tuple(row for row in rows if buckets.of(row) is not None)
        kept += inside
        counted += _only_counted(source, cells, inside, buckets)
    return Failures(tuple(kept), tuple(counted))


def _rows(told: Told, source: Source) -> Iterable[Served]:
    if source is Source.CLIENT and told.failed:
        return told.failed
    return (row for account in told.accounts if account.source is source for row in account.rows)


def _failed(rows: Iterable[Served]) -> tuple[Served, ...]:
    return tuple(row for row in rows if not is_good(row.label))


class _Buckets:
    """The time buckets of the cells, by outcome."""

    def __init__(self, cells: Sequence[Cell], width: timedelta) -> None:
        starts: dict[str, set[datetime]] = defaultdict(set)
        self._timeless = {cell.label for cell in cells if cell.at is None}
        for cell in cells:
            if cell.at is not None:
                starts[cell.label].add(cell.at)
        self._starts = {label: sorted(found) for label, found in starts.items()}
        self._width = width

    def of(self, row: Served) -> tuple[str, datetime | None] | None:
        """The bucket that a row falls into; None where no cell stands for it."""
        if row.at is not None:
            starts = self._starts.get(row.label, [])
            place = bisect_right(starts, row.at)
            if place and row.at < starts[place - 1] + self._width:
                return row.label, starts[place - 1]
        return (row.label, None) if row.label in self._timeless else None


def _only_counted(source: Source, cells: Sequence[Cell], kept: Sequence[Served], buckets: _Buckets) -> list[Served]:
    """Rows for what the cells count beyond the kept rows: per outcome exactly, per bucket as well as the times tell."""
    beyond: Counter[tuple[str, datetime | None, str | None]] = Counter()
    left: Counter[str] = Counter()
    for cell in cells:
        if not is_good(cell.label):
            beyond[cell.label, cell.at, cell.deployment] += cell.count
            left[cell.label] += cell.count
    kept_in: Counter[tuple[str, datetime | None]] = Counter()
    for row in kept:
        left[row.label] -= row.count
        kept_in[buckets.of(row) or (row.label, None)] += row.count
    found = []
    for (label, at, deployment), count in sorted(beyond.items(), key=lambda item: (item[0][0], str(item[0][1:]))):
        gone = min(count, kept_in[label, at])
        kept_in[label, at] -= gone
        taken = min(count - gone, max(0, left[label]))
        left[label] -= taken
        if taken:
            found.append(_stand_in(source, label, at, taken, deployment))
    return found + [_stand_in(source, label, None, count, None) for label, count in sorted(left.items()) if count > 0]


def _stand_in(source: Source, label: str, at: datetime | None, count: int, deployment: str | None) -> Served:
    status = int(label) if label.isdigit() else None
    failure = None if status is not None else label
    if failure is None and source is Source.CLIENT:
        failure = Failure.UNEXPECTED_STATUS.value
    return Served(source, at, status, failure=failure, count=count, deployment=deployment)
