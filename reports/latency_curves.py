"""How durations are distributed: per source, the share of requests at or below each of a few durations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capacity.stats import nearest_rank
from reports.errors_counts import Part, Spread, spread_of
from scoring.served import Source

MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """The empirical distribution of one source: `points` are (milliseconds, share at or below), both ascending."""

    source: Source
    count: int
    p50_ms: float
    p95_ms: float
    points: tuple[tuple[float, float], ...]


def curves(parts: Iterable[Part]) -> tuple[Curve, ...]:
    """One curve per source that tells durations."""
    found = [(part.account, spread_of((cell, part.account.bin_ratio) for cell in part.cells)) for part in parts]
    return tuple(
        Curve(account.source, spread.count, _at(spread, 0.5), _at(spread, 0.95), _points(spread))
        for account, spread in found
        if spread.count
    )


def _at(spread: Spread, share: float) -> float:
    return spread.at(int(nearest_rank(range(spread.count), share)))


def _points(spread: Spread) -> tuple[tuple[float, float], ...]:
    """At most MAX_POINTS of the steps, evenly picked, the first and the last among them."""
    last = len(spread.values_ms) - 1
    kept = min(MAX_POINTS, last + 1)
    places = sorted({round(i * last / max(kept - 1, 1)) for i in range(kept)})
    return tuple((spread.values_ms[i], spread.ends[i] / spread.count) for i in places)
