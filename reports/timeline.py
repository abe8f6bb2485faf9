"""What was told along time: requests, outcomes and durations per bucket, and the events beside them.

A bucket in which no source told of a request is a gap: it is left out of the curves, never drawn as 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reports.errors_counts import Part, quantiles_of, spread_of
from scoring.account import Cell, is_good
from scoring.served import Event, EventKind
from scoring.told import Stretch

MAX_BUCKETS = 120
BUCKETS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 7 * 86400)
MAX_EVENTS = 60
MAX_STRETCHES = 200
HEAT_ROWS = 18
HEAT_COLUMNS = 60
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One stretch of time, from `at` for the timeline's `bucket_s`."""

    at: datetime
    count: int
    by_label: Mapping[str, int]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @property
    def failed_count(self) -> int:
        return sum(count for label, count in self.by_label.items() if not is_good(label))


@dataclass(frozen=True, slots=True)
class Heat:
    """Requests by time and duration: `counts` maps (column, row) to them; rows are logarithmic, from `low_ms` up."""

    bucket_s: int
    columns: int
    low_ms: float
    row_ratio: float
    rows: int
    counts: Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The buckets that hold requests, in order. `untimed_count` requests came without a time."""

    start_at: datetime
    end_at: datetime
    bucket_s: int
    buckets: tuple[Bucket, ...]
    events: tuple[Event, ...]
    stretches: tuple[Stretch, ...]
    untimed_count: int
    events_left_out: int
    heat: Heat | None

    def place(self, at: datetime) -> int:
        """The number of the bucket that holds an instant, from 0."""
        return math.floor((at - self.start_at).total_seconds() / self.bucket_s)

    @property
    def length(self) -> int:
        """How many buckets the whole period has, those without requests included."""
        return self.place(self.buckets[-1].at) + 1 if self.buckets else 0


def timeline(parts: Sequence[Part], events: Iterable[Event], stretches: Iterable[Stretch]) -> Timeline | None:
    """The course of all parts, in at most MAX_BUCKETS buckets; None where no request has a time."""
    timed = [(cell.at, cell, part.account.bin_ratio) for part in parts for cell in part.cells if cell.at is not None]
    untimed = sum(cell.count for part in parts for cell in part.cells if cell.at is None)
    if not timed:
        return None
    times = {at for at, _, _ in timed}
    first, last = min(times), max(times)
    bucket_s = bucket_for((last - first).total_seconds(), [part.account.bucket_s for part in parts])
    start, floors = floored(first, bucket_s), {at: floored(at, bucket_s) for at in times}
    grouped: dict[datetime, list[tuple[Cell, float]]] = {}
    for at, cell, ratio in timed:
        grouped.setdefault(floors[at], []).append((cell, ratio))
    buckets = tuple(_bucket(at, grouped[at]) for at in sorted(grouped))
    end = min(buckets[-1].at, _LATEST - timedelta(seconds=bucket_s)) + timedelta(seconds=bucket_s)
    near = _near(events, start, end)
    shown = _weightiest(near)
    held = tuple(one for one in stretches if one.until_at > start and one.from_at < end)[:MAX_STRETCHES]
    heat = heat_of(grouped, start, bucket_s)
    return Timeline(start, end, bucket_s, buckets, shown, held, untimed, len(near) - len(shown), heat)


def bucket_for(seconds: float, bucket_s: Iterable[int]) -> int:
    """The shortest bucket that no source counted more coarsely than, and that gives at most MAX_BUCKETS.

    >>> bucket_for(600, [1]), bucket_for(600, [60]), bucket_for(86_400, [60])
    (10, 60, 900)
    """
    least = max(bucket_s, default=1)
    wanted = max(seconds / (MAX_BUCKETS - 1), least)
    fits = (one for one in BUCKETS_S if one >= wanted and one % least == 0)
    return next(fits, least * math.ceil(wanted / least))


def floored(at: datetime, bucket_s: int) -> datetime:
    """The start of the bucket that holds an instant; buckets are counted from 1970 in UTC."""
    return datetime.fromtimestamp(math.floor(at.timestamp() / bucket_s) * bucket_s, UTC)


def _bucket(at: datetime, cells: Sequence[tuple[Cell, float]]) -> Bucket:
    labels: Counter[str] = Counter()
    for cell, _ in cells:
        labels[cell.label] += cell.count
    p50, p95, p99 = (one.ms for one in quantiles_of(spread_of(cells), is_sampled=True))
    return Bucket(at, labels.total(), dict(sorted(labels.items())), p50, p95, p99)


_WEIGHT = {
    kind: weight
    for weight, kinds in enumerate(
        (
            (EventKind.OUT_OF_MEMORY, EventKind.WORKER_KILLED, EventKind.WORKER_TIMED_OUT, EventKind.WORKER_EXITED),
            (EventKind.SCRIPT_FAILED_TO_LOAD, EventKind.KILLING, EventKind.BACK_OFF),
            (EventKind.LIVENESS_FAILED, EventKind.READINESS_FAILED, EventKind.SCALED),
            (EventKind.SERVER_STARTED, EventKind.SERVER_STOPPED, EventKind.CONTAINER_STARTED),
        )
    )
    for kind in kinds
}
"""How much an event has to do with failures: 0 the most. What is not listed comes last."""


def _near(events: Iterable[Event], start: datetime, end: datetime) -> list[Event]:
    return [one for one in events if one.at is not None and start <= one.at < end]


def _weightiest(events: Sequence[Event]) -> tuple[Event, ...]:
    """At most MAX_EVENTS events in order of time, those that say most of failures kept."""
    kept = sorted(events, key=lambda one: _WEIGHT.get(one.kind, 9))[:MAX_EVENTS]
    return tuple(sorted(kept, key=lambda one: (one.at is None, one.at, one.kind, one.text)))


def heat_of(grouped: Mapping[datetime, Sequence[tuple[Cell, float]]], start: datetime, bucket_s: int) -> Heat | None:
    """Requests by time and duration in at most HEAT_COLUMNS by HEAT_ROWS fields; None where no duration was told."""
    tall = {at: spread_of(cells) for at, cells in grouped.items()}
    values = [spread.values_ms for spread in tall.values() if spread.count]
    if not values:
        return None
    low = max(min(one[0] for one in values), 0.1)
    high = max(max(one[-1] for one in values), low * 1.5)
    ratio = max((high / low) ** (1 / HEAT_ROWS), 1.05)
    last = max(tall)
    columns = math.floor((last - start).total_seconds() / bucket_s) + 1
    merged = -(-columns // HEAT_COLUMNS)
    found: Counter[tuple[int, int]] = Counter()
    for at, spread in tall.items():
        column = math.floor((at - start).total_seconds() / bucket_s) // merged
        before = 0
        for ms, end in zip(spread.values_ms, spread.ends, strict=True):
            row = min(max(math.floor(math.log(max(ms, low) / low) / math.log(ratio)), 0), HEAT_ROWS - 1)
            found[column, row] += end - before
            before = end
    return Heat(bucket_s * merged, -(-columns // merged), low, ratio, max(row for _, row in found) + 1, dict(found))
