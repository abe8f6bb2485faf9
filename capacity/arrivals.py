"""When the requests of an open loop are due: schedules as numbers of nanoseconds since the gate opened. Pure.

A schedule is a row of points on a clock that ticks once a request: whole numbers for constant spacing, the points of a
Poisson process of rate 1 (seeded) otherwise. The rate turns that clock into time (the time change of a Poisson process,
Cinlar 1975): after `t` seconds it stands at the integral of the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from capacity.plan import SPACINGS
from scoring.units import S

_AT_ONCE = 1024
Floats = NDArray[np.float64]
Instants = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second: the same all the time, or from `first_rps` evenly to `last_rps` in `over_s`, then that."""

    first_rps: float
    last_rps: float | None = None
    over_s: float = 0.0

    def __post_init__(self) -> None:
        ends = (self.first_rps, self.end_rps)
        if not all(map(math.isfinite, ends)) or min(ends) < 0 or max(ends) <= 0:
            raise ValueError(f"no rate: from {self.first_rps} to {self.last_rps} requests per second")
        if self.is_ramp and not self.over_s > 0:
            raise ValueError(f"a ramp takes more than {self.over_s} s")

    @property
    def end_rps(self) -> float:
        """The rate in the end."""
        return self.first_rps if self.last_rps is None else self.last_rps

    @property
    def is_ramp(self) -> bool:
        return self.end_rps != self.first_rps

    def at(self, seconds: float) -> float:
        """Requests per second after so many seconds.

        >>> Rate(10.0).at(3), Rate(0, 10, 4).at(2), Rate(0, 10, 4).at(9)
        (10.0, 5.0, 10.0)
        """
        if not self.is_ramp:
            return self.first_rps
        return self.first_rps + (self.end_rps - self.first_rps) * min(seconds / self.over_s, 1.0)

    def count_within(self, seconds: float) -> float:
        """How many requests are due in the first seconds, in the mean.

        >>> Rate(10.0).count_within(3), Rate(0, 10, 4).count_within(4), Rate(0, 10, 4).count_within(6)
        (30.0, 20.0, 40.0)
        """
        if not self.is_ramp:
            return self.first_rps * seconds
        risen_s = min(seconds, self.over_s)
        rise = (self.end_rps - self.first_rps) / self.over_s
        return self.first_rps * risen_s + rise * risen_s**2 / 2 + self.end_rps * (seconds - risen_s)

    def seconds_of(self, counts: Floats) -> Floats:
        """When so many requests are due, in the mean: the inverse of `count_within`; infinite where they never are."""
        if not self.is_ramp:
            return counts / self.first_rps
        rise = (self.end_rps - self.first_rps) / self.over_s
        whole = self.count_within(self.over_s)
        within = np.sqrt(np.maximum(self.first_rps**2 + 2 * rise * np.minimum(counts, whole), 0.0))
        seconds = 2 * counts / np.maximum(self.first_rps + within, 1e-300)  # the root without cancellation
        if self.end_rps == 0:
            return np.where(counts < whole, seconds, np.inf)
        return np.where(counts <= whole, seconds, self.over_s + (counts - whole) / self.end_rps)


def due_times(rate: Rate, spacing: str, seed: int, *, part: int = 0, parts: int = 1) -> Iterator[int]:
    """Nanoseconds since the opening, ascending; without end unless the rate falls to 0.

    With `parts` processes each takes every so many-th: together exactly the whole schedule, each request once.
    """
    if spacing not in SPACINGS:
        raise ValueError(f"spacing {spacing!r} is not one of {', '.join(SPACINGS)}")
    points = _poisson_points(seed) if spacing == "poisson" else _whole_numbers()
    return islice(_timed(rate, points), part, None, parts)


def replayed(instants_ns: Instants, *, speed: float = 1.0, part: int = 0, parts: int = 1) -> Iterator[int]:
    """The recorded instants, which ascend, as due times from 0 on: `speed` times as fast, parts as in `due_times`.

    >>> list(replayed(np.array([5_000, 7_000, 9_000]), speed=2))
    [0, 1000, 2000]
    """
    if not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"speed {speed} is not above 0")
    since_ns = instants_ns[part::parts] - instants_ns[:1].sum()
    due_ns = since_ns if speed == 1 else np.rint(since_ns / speed).astype(np.int64)
    return (due for first in range(0, len(due_ns), _AT_ONCE) for due in due_ns[first : first + _AT_ONCE].tolist())


def _timed(rate: Rate, points: Iterator[Floats]) -> Iterator[int]:
    for block in points:
        seconds = rate.seconds_of(block)
        yield from (seconds[np.isfinite(seconds)] * S).astype(np.int64).tolist()
        if not math.isfinite(seconds[-1]):
            return


def _poisson_points(seed: int) -> Iterator[Floats]:
    draw, reached = np.random.default_rng(seed), 0.0
    while True:
        block = reached + np.cumsum(draw.exponential(size=_AT_ONCE))
        reached = float(block[-1])
        yield block


def _whole_numbers() -> Iterator[Floats]:
    first = 0
    while True:
        yield np.arange(first, first + _AT_ONCE, dtype=np.float64)
        first += _AT_ONCE
