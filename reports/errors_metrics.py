"""Azure Monitor's metrics, minute by minute: extremes and the last value. A percentile per minute is never averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scoring.told import MetricSeries, Point

MAX_SERIES = 60
MAX_POINTS = 240


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One series. `points` are the highest minute of each equal stretch where there are more than MAX_POINTS."""

    name: str
    unit: str
    aggregation: str
    split: str  # "deployment: blue"
    minute_count: int
    lowest: float
    highest: float
    highest_at: datetime
    last: float
    last_at: datetime
    points: tuple[Point, ...]

    @property
    def is_percentile(self) -> bool:
        return self.name.rpartition("_P")[2].isdigit() and "_P" in self.name


def metric_rows(series: Iterable[MetricSeries]) -> tuple[MetricRow, ...]:
    """One row per series that has a value, by name and split."""
    rows = [row for one in series if (row := _row(one)) is not None]
    return tuple(sorted(rows, key=lambda row: (row.name, row.split))[:MAX_SERIES])


def _row(one: MetricSeries) -> MetricRow | None:
    points = sorted((point for point in one.points if math.isfinite(point.value)), key=lambda point: point.at)
    if not points:
        return None
    highest = max(points, key=lambda point: point.value)
    return MetricRow(
        name=one.name,
        unit=one.unit,
        aggregation=one.aggregation,
        split=", ".join(f"{name}: {value}" for name, value in one.dimensions) or "all",
        minute_count=len(points),
        lowest=min(point.value for point in points),
        highest=highest.value,
        highest_at=highest.at,
        last=points[-1].value,
        last_at=points[-1].at,
        points=_thinned(points),
    )


def _thinned(points: list[Point]) -> tuple[Point, ...]:
    step = -(-len(points) // MAX_POINTS)
    return tuple(max(points[i : i + step], key=lambda point: point.value) for i in range(0, len(points), step))
