"""Where the limit of one goal lies, and how sure that is: a posterior over the threshold.

With a failing level h, the bad fraction below it is modelled as p(x) = f + (p_h - f) (x / h)^k: a floor f that has
nothing to do with load, and a rise that is a cliff for large k. Priors: ln p_h, ln k and f uniform on grids. The
threshold is the x with p(x) = goal. Without a failing level no shape can be fitted; then each level counts by its Bayes
factor alone (stats.log_evidence). Either way one trial in a thousand may be spoiled by something unseen: no level
counts for more than DOUBT.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from capacity.stats import log_evidence
from capacity.summary import Evidence

DOUBT = 7.0
SIDE = 0.025
_ZERO_LOAD_PRIOR = 0.01
_SLOPES = np.geomspace(1.0, 3000.0, 90)
_RATIOS_AT_H = 80
_FLOORS = np.array([0.0, 0.02, 0.1, 0.3, 0.6, 0.9])  # of the goal

Array = NDArray[np.float64]


def interval(levels: Mapping[int, Evidence], allowed_ratio: float, failing: int | None) -> tuple[int, int | None]:
    """The 95 % interval [low, high] of the threshold; `failing` is the smallest level that fails, if any does.

    >>> interval({8: Evidence(0, 9000), 9: Evidence(30, 300)}, 0.001, 9)
    (8, 8)
    >>> interval({8: Evidence(0, 9000)}, 0.001, None)
    (8, None)
    """
    if not levels:
        return 0, None
    if failing is None or failing not in levels:
        return _at_least(levels, allowed_ratio), None
    thresholds, mass = posterior(levels, allowed_ratio, failing)
    order = np.argsort(thresholds)
    cumulated = np.cumsum(mass[order])
    low, high = (thresholds[order][np.searchsorted(cumulated, side)] for side in (SIDE, 1 - SIDE))
    return int(low), int(high)


def posterior(levels: Mapping[int, Evidence], allowed_ratio: float, failing: int) -> tuple[Array, Array]:
    """Whole-number thresholds on the grid of (p_h, k, f), and the probability of each grid point, summing to 1."""
    at_h = np.geomspace(allowed_ratio / 20, 0.999, _RATIOS_AT_H)[:, None, None]
    slope = _SLOPES[None, :, None]
    floor = np.minimum(_FLOORS[None, None, :] * allowed_ratio, 0.99 * at_h)
    log_mass = np.zeros(np.broadcast_shapes(at_h.shape, slope.shape, floor.shape))
    for level, item in levels.items():
        if level <= failing and item.total:
            ratio = floor + (at_h - floor) * (level / failing) ** slope
            log_mass = log_mass + _log_likelihood(item, ratio)
    with np.errstate(over="ignore"):
        rise = (np.maximum(allowed_ratio - floor, 0.0) / (at_h - floor)) ** (1 / slope)
    thresholds = np.floor(np.minimum(failing * rise, 10.0 * failing) + 1e-9)
    for level, item in levels.items():
        if level > failing:  # beyond h the rise saturates in ways no power law fits: only which side of the goal counts
            log_mass = log_mass + np.where(thresholds >= level, log_factor(item, allowed_ratio), 0.0)
    mass = np.exp(log_mass - log_mass.max())
    return thresholds.ravel(), (mass / mass.sum()).ravel()


def _log_likelihood(item: Evidence, ratio: Array) -> Array:
    """ln binomial over the independent answers that the counts are worth, mixed with e^-DOUBT of anything at all."""
    bad, total = item.bad / item.dispersion, item.total / item.dispersion
    ways = gammaln(total + 1) - gammaln(bad + 1) - gammaln(total - bad + 1)
    ratio = np.clip(ratio, 1e-15, 1 - 1e-12)
    log_p = ways + bad * np.log(ratio) + (total - bad) * np.log1p(-ratio)
    return np.asarray(np.logaddexp(log_p, -DOUBT - np.log(total + 1)))


def _at_least(levels: Mapping[int, Evidence], allowed_ratio: float) -> int:
    """The 2.5 % quantile: half of the belief lies with the highest level or more, half below, uniform in ln level."""
    top = max(levels)
    grid = np.arange(top + 1)
    prior = np.where(grid == 0, _ZERO_LOAD_PRIOR, 1 / np.maximum(grid, 1))
    prior[top] = 0.0
    prior[top] = prior.sum() or 1.0
    log_mass = np.log(prior)
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
