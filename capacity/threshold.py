"""Where the limit of one goal lies, and how sure that is: a posterior over the threshold.

Near the threshold t the bad fraction is modelled as p(x) = f + (1 - f) / (1 + ((1 - g) / (g - f)) (t / x)^k), where g
is the goal: a floor f that has nothing to do with load, and a rise that is a cliff for large k; p(t) = g. Priors: ln t,
ln k and f uniform on grids; where latency decides, ln k is normal instead. The rise is local: a level counts the less
the farther it lies from t, and a level far beyond the goal only says that t lies below it. Without a level that speaks
against the goal no shape can be fitted; then each level counts by its Bayes factor alone (stats.log_evidence). Either
way one trial in a thousand may be spoiled by something unseen: no level counts for more than DOUBT.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from capacity.stats import log_evidence
from capacity.summary import Evidence

DOUBT = 7.0
SIDE = 0.025
CAREFUL, SLOW_CAREFUL, OPEN_CAREFUL = 0.5, 0.3, 0.2
"""The quantile that is told as the limit: of rejections, of latency, and in an open loop. Too high a limit does more
harm than one too low, and a queue shows its worst late, one of arrivals latest of all."""
TOO_HIGH, RISK = 1.05, 0.1
_ZERO_LOAD_PRIOR = 0.01
SPAN = 1.6
"""The second look is at thresholds within this factor of the first guess, the third at those that TAIL leaves."""
TAIL = 1e-4
NEAR = 0.5
"""At this distance in ln x a level counts half."""
BEYOND = 1.5
"""So many times the lowest level that speaks against the goal, the rise saturates in ways that no formula fits."""
PLAIN = 3.0
_THRESHOLDS = 140
_SLOPES = np.geomspace(2.0, 10_000.0, 28)
_STEEP, _STEEP_SPREAD = 12.0, 1.3
_GRADUAL = -0.5 * (np.log(_SLOPES / _STEEP) / _STEEP_SPREAD) ** 2
"""ln prior of the slopes where latency decides, which rises with the load and does not jump: what looks like a cliff is
more likely a queue that was long by chance. Rejections may begin between one level and the next."""
_FLOORS = np.array([0.0, 0.2, 0.7])  # of the goal

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Thresholds on a grid, ascending, and the probability of each, summing to 1."""

    thresholds: Array
    mass: Array
    careful: float = CAREFUL

    def quantile(self, q: float) -> float:
        """The smallest threshold with at least q of the probability at or below it."""
        index = int(np.searchsorted(np.cumsum(self.mass), q))
        return float(self.thresholds[min(index, len(self.mass) - 1)])

    def capped(self, most: float) -> Belief:
        """The same, with nothing above `most`."""
        inside = self.thresholds <= max(most, float(self.thresholds[0]))
        return Belief(self.thresholds[inside], self.mass[inside] / self.mass[inside].sum(), self.careful)

    def level(self, q: float) -> int:
        """The largest whole level at or below that threshold."""
        return int(self.quantile(q) + 1e-9)

    def told(self) -> int:
        """The level to name as the limit: at the quantile `careful`, or lower where that is needed for a chance of at
        most RISK that the true one lies more than TOO_HIGH below it."""
        level = self.level(self.careful)
        for _ in range(1000):
            if float(self.mass[self.thresholds < math.ceil(level / TOO_HIGH)].sum()) <= RISK or level <= 1:
                break
            level -= max(1, level // 500)
        return level


def interval(levels: Mapping[int, Evidence], allowed_ratio: float) -> tuple[int, int | None]:
    """The 95 % interval [low, high] of the threshold; no upper end where no level speaks against the goal.

    >>> interval({8: Evidence(0, 9000), 9: Evidence(30, 300)}, 0.001)
    (8, 8)
    >>> interval({8: Evidence(0, 9000)}, 0.001)
    (8, None)
    """
    if not levels:
        return 0, None
    if all(log_factor(item, allowed_ratio) >= 0 for item in levels.values()):
        return _at_least(levels, allowed_ratio), None
    told = belief(levels, allowed_ratio)
    return told.level(SIDE), told.level(1.0 - SIDE)


def belief(
    levels: Mapping[int, Evidence], allowed_ratio: float, worth: float = 1.0, *, is_gradual: bool = False
) -> Belief:
    """Where the threshold lies, given that some level speaks against the goal. Each answer counts as `worth` of one; a
    gradual rise has the slopes of latency."""
    lowest, highest = min(levels), max(levels)
    levels = {n: Evidence(i.bad, i.total, i.dispersion / worth) for n, i in levels.items()}
    rough = _fit(levels, allowed_ratio, is_gradual, None, _coarse(levels, max(lowest / 4, 0.5), 2.0 * highest))
    near = rough.quantile(0.5)
    closer = _fit(levels, allowed_ratio, is_gradual, near, _coarse(levels, near / SPAN, near * SPAN))
    fine = np.geomspace(closer.quantile(TAIL) / 1.01, closer.quantile(1.0 - TAIL) * 1.01, _THRESHOLDS)
    return _fit(levels, allowed_ratio, is_gradual, near, fine)


def _coarse(levels: Mapping[int, Evidence], low: float, high: float) -> Array:
    """Thresholds over a wide span, at least one of them between any two levels that are neighbours: where none lies
    between, none explains both."""
    steps = np.geomspace(low, high, _THRESHOLDS)
    pairs = [(a, b) for a, b in pairwise(sorted(levels)) if low < a and b < high and a > 0]
    missed = [math.sqrt(a * b) for a, b in pairs if np.searchsorted(steps, a) == np.searchsorted(steps, b)]
    return np.sort(np.concatenate((steps, np.array(missed, dtype=np.float64))))


def _fit(
    levels: Mapping[int, Evidence],
    allowed_ratio: float,
    is_gradual: bool,
    near: float | None,
    thresholds: Array,
) -> Belief:
    """The posterior over the thresholds; with `near` a first guess, levels far from it count for less."""
    against = _against(levels, allowed_ratio)
    x = np.log(thresholds)[:, None, None]
    slope, floor = _SLOPES[None, :, None], _FLOORS[None, None, :] * allowed_ratio
    at_goal = np.log((allowed_ratio - floor) / (1.0 - allowed_ratio))
    log_mass = np.zeros((len(thresholds), len(_SLOPES), len(_FLOORS))) + (
        _GRADUAL[None, :, None] if is_gradual else 0.0
    )
    for level, item in levels.items():
        if not item.total or level > BEYOND * against:
            log_mass = log_mass + np.where(x >= math.log(level), log_factor(item, allowed_ratio), 0.0)
            continue
        rise = np.clip(at_goal + slope * (math.log(level) - x), -60.0, 60.0)
        ratio = np.minimum(floor + (1.0 - floor) / (1.0 + np.exp(-rise)), _ceiling(item, allowed_ratio))
        weight = 1.0 if near is None else 1.0 / (1.0 + (math.log(level / near) / NEAR) ** 2)
        log_mass = log_mass + _log_likelihood(item, ratio, weight)
    mass = np.exp(log_mass - log_mass.max()).sum(axis=(1, 2))
    return Belief(thresholds, mass / mass.sum())


def _against(levels: Mapping[int, Evidence], allowed_ratio: float) -> int:
    """The lowest level that speaks against the goal, or the highest of all."""
    return min((n for n, item in levels.items() if log_factor(item, allowed_ratio) < 0), default=max(levels))


def _ceiling(item: Evidence, allowed_ratio: float) -> float:
    """A level far beyond the goal says that the threshold lies below it, and nothing of how far: the rise saturates
    (one user too many at a cliff of a hundred is one rejection in a hundred, for good)."""
    seen = item.bad / item.total
    return seen if seen > PLAIN * allowed_ratio else 1.0


def _log_likelihood(item: Evidence, ratio: Array, weight: float) -> Array:
    """ln binomial over the independent answers that the counts are worth, mixed with e^-DOUBT of anything at all."""
    bad, total = weight * item.bad / item.dispersion, weight * item.total / item.dispersion
    ways = gammaln(total + 1) - gammaln(bad + 1) - gammaln(total - bad + 1)
    ratio = np.clip(ratio, 1e-15, 1 - 1e-12)
    log_p = ways + bad * np.log(ratio) + (total - bad) * np.log1p(-ratio)
    return np.asarray(np.logaddexp(log_p, -DOUBT - np.log(total + 1)))


def _at_least(levels: Mapping[int, Evidence], allowed_ratio: float) -> int:
    """The 2.5 % quantile: half of the belief lies with the highest level or more, half below, uniform in ln level."""
    top = max(levels)
    grid = np.unique(np.concatenate(([0], np.geomspace(1, top, 2000).astype(np.int64), sorted(levels))))
    prior = np.where(grid == 0, _ZERO_LOAD_PRIOR, np.log1p(1 / np.maximum(grid, 1)))
    prior[:-1] = np.where(grid[:-1] == 0, _ZERO_LOAD_PRIOR, np.log(np.maximum(grid[1:], 1) / np.maximum(grid[:-1], 1)))
    prior[-1] = prior[:-1].sum() or 1.0
    log_mass = np.log(np.maximum(prior, 1e-300))
    for level, item in levels.items():
        log_mass = log_mass + np.where(grid >= level, log_factor(item, allowed_ratio), 0.0)
    mass = np.exp(log_mass - log_mass.max())
    return int(grid[np.searchsorted(np.cumsum(mass / mass.sum()), SIDE)])


def most_likely_level(levels: Mapping[int, Evidence], allowed_ratio: float) -> int:
    """The tried level that, as threshold, makes the counts most likely; 0 when even the lowest speaks against."""
    best, best_sum, total = 0, 0.0, 0.0
    for level in sorted(levels):
        total += log_factor(levels[level], allowed_ratio)
        if total >= best_sum:
            best, best_sum = level, total
    return best


def log_factor(item: Evidence, allowed_ratio: float) -> float:
    """ln Bayes factor for "within the goal", of the independent answers that the counts are worth, within ±DOUBT."""
    raw = log_evidence(item.bad / item.dispersion, item.total / item.dispersion, allowed_ratio)
    return float(np.clip(raw, -DOUBT, DOUBT))
