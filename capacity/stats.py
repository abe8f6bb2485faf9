"""Proportions, percentiles and series: what a handful of answers allows one to say.

A *bad* count stands over a *total* count. Counts may be fractions where autocorrelated answers have been
reduced to the number of independent ones they are worth (both divided by the overdispersion).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv, ndtri

PRIOR_BATCHES = 4.0
"""Batches' worth of belief that answers are independent; `overdispersion` shrinks towards 1 by it."""
GRID_POINTS = 1024
"""Midpoints per side of the goal in `log_evidence`: steps of 0.7 % of p for a goal of 0.1 %."""
EXACT_TREND_VALUES = 40
"""Up to here `trend` counts permutations; above, the normal approximation is off by less than 0.003."""
MSER_BATCH = 5


def nearest_rank(sorted_values: Sequence[float] | NDArray[np.int64], q: float) -> float:
    """The smallest value with at least q of all values at or below it; q = 0 is the smallest value.

    q is taken as the decimal number it is printed as, so that 7 % of 100 values is the 7th and not the 8th.

    >>> nearest_rank([10.0, 20.0, 30.0, 40.0], 0.5)
    20.0
    """
    if not len(sorted_values):
        raise ValueError("a percentile of no values does not exist")
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"a percentile needs 0 <= q <= 1, got {q}")
    rank = math.ceil(Fraction(str(q)) * len(sorted_values))
    return float(sorted_values[max(rank, 1) - 1])


def percentile_interval(
    sorted_values: Sequence[float], q: float, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Two of the values with the q-quantile between them (closed) with at least `confidence`; None: too few values.

    Exact for independent values of any distribution: the number at or below the quantile is binomial(n, q), so
    the l-th and u-th smallest enclose it with probability P(l <= binomial < u). Each tail gets half of the rest.
    """
    if not 0.0 < q < 1.0:
        raise ValueError(f"a percentile interval needs 0 < q < 1, got {q}")
    count = len(sorted_values)
    tail = (1.0 - confidence) / 2.0

    def at_most(k: int) -> float:
        return float(bdtr(k, count, q))

    low_rank = bisect_right(range(count), tail, key=at_most)
    high_rank = bisect_left(range(count), 1.0 - tail, key=at_most) + 1
    if low_rank < 1 or high_rank > count:
        return None
    return float(sorted_values[low_rank - 1]), float(sorted_values[high_rank - 1])


def wilson(bad: float, total: float, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval of the bad fraction (Wilson 1927); (0, 1) when nothing was counted."""
    _check_counts(bad, total)
    if total == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + confidence / 2.0))
    ratio = bad / total
    scale = 1.0 + z * z / total
    centre = (ratio + z * z / (2.0 * total)) / scale
    half = z / scale * math.sqrt(ratio * (1.0 - ratio) / total + z * z / (4.0 * total * total))
    low = 0.0 if bad == 0 else max(0.0, centre - half)
    high = 1.0 if bad == total else min(1.0, centre + half)
    return low, high


def clopper_pearson_upper(bad: float, total: float, confidence: float = 0.95) -> float:
    """The bad fraction that would show as few bad answers as seen, or fewer, with probability 1 - confidence.

    One-sided and exact for whole counts: P(binomial(total, p) <= bad) = 1 - confidence, which is the confidence
    quantile of beta(bad + 1, total - bad); the beta form also serves fractional counts. 1 when nothing was counted.
    """
    _check_counts(bad, total)
    if bad >= total:
        return 1.0
    return float(betaincinv(bad + 1.0, total - bad, confidence))


def overdispersion(bad: Sequence[int], total: Sequence[int]) -> float:
    """How many autocorrelated answers are worth one independent one, from counts per batch; at least 1.

    With n_i answers and b_i bad ones in batch i of k and p = sum b / sum n:
    X2 = sum (b_i - n_i p)^2 / (n_i p (1 - p)) and the result is max(1, (c + X2) / (c + k - 1)), c = PRIOR_BATCHES.
    Empty batches do not count; 1 when fewer than two are left, or all answers are alike.
    """
    batches = [(b, n) for b, n in zip(bad, total, strict=True) if n > 0]
    bad_count = sum(b for b, _ in batches)
    total_count = sum(n for _, n in batches)
    if len(batches) < 2 or bad_count in (0, total_count):
        return 1.0
    ratio = bad_count / total_count
    chi_squared = sum((b - n * ratio) ** 2 / n for b, n in batches) / (ratio * (1.0 - ratio))
    return max(1.0, (PRIOR_BATCHES + chi_squared) / (PRIOR_BATCHES + len(batches) - 1))


def log_evidence(bad: float, total: float, goal_ratio: float) -> float:
    """ln of P(counts | p within the goal) / P(counts | p beyond it): above 0 speaks for the goal, 0 for no counts.

    Either side spreads its belief evenly over ln p: within means p in [goal/1000, goal], beyond means (goal, 1].
    A log-uniform prior says only that the order of magnitude of p is unknown.
    """
    _check_counts(bad, total)
    _check_goal(goal_ratio)
    within, beyond = _log_grids(goal_ratio)
    return _log_mean_likelihood(bad, total, *within) - _log_mean_likelihood(bad, total, *beyond)


def sprt(bad: float, total: float, goal_ratio: float, dispersion: float = 1.0) -> float:
    """Wald's log likelihood ratio of twice against half the goal's odds: above 0 speaks against the goal.

    Odds o = goal / (1 - goal) keep twice the goal below 1: with p1 = 2o / (1 + 2o) and p0 = (o/2) / (1 + o/2) the sum
    over all answers is bad ln 4 - total ln((1 + 2o) / (1 + o/2)). Dividing by the overdispersion weighs each answer
    by the independent answers it is worth.
    """
    _check_counts(bad, total)
    _check_goal(goal_ratio)
    odds = goal_ratio / (1.0 - goal_ratio)
    per_answer = math.log1p(2.0 * odds) - math.log1p(odds / 2.0)
    return (bad * math.log(4.0) - total * per_answer) / dispersion


def mser5(values: Sequence[float]) -> int:
    """The number of leading values to drop as transient, a multiple of 5; `len(values)` when no cut can be justified.

    MSER-5 (White, Cobb and Spratt 2000): over means of 5, drop the d that minimise sum (y - mean)^2 / (m - d)^2 of the
    m - d that stay. Only cuts before the middle count: a best cut at the middle says the series has not settled, and
    a shift beyond the middle goes unseen (`trend` finds that). Values after the last full batch take no part.
    """
    batch_count = len(values) // MSER_BATCH
    if batch_count < 2:
        return len(values)
    means = np.asarray(values[: batch_count * MSER_BATCH], dtype=float).reshape(batch_count, MSER_BATCH).mean(axis=1)
    middle = batch_count // 2
    centred = (means - means[-1])[::-1]  # reversed, so that running sums are sums over what stays
    kept = np.arange(1, batch_count + 1)
    squares = np.maximum(np.cumsum(centred**2) - np.cumsum(centred) ** 2 / kept, 0.0)
    scores = (squares / kept**2)[::-1][: middle + 1]
    best = int(np.argmin(scores))
    return len(values) if best == middle else best * MSER_BATCH


def trend(values: Sequence[float]) -> tuple[float, float]:
    """(median slope per step, p-value of "no trend"): Theil and Sen's slope, Mann and Kendall's two-sided test.

    The p-value is exact for up to 40 distinct values, otherwise normal with the variance reduced for ties.
    Fewer than three values show no trend: (0, 1).
    """
    count = len(values)
    if count < 3:
        return 0.0, 1.0
    series = np.asarray(values, dtype=float)
    earlier, later = np.triu_indices(count, k=1)
    rises = series[later] - series[earlier]
    slope = float(np.median(rises / (later - earlier)))
    score = int(np.sign(rises).sum())
    ties = [size for size in Counter(series.tolist()).values() if size > 1]
    if not ties and count <= EXACT_TREND_VALUES:
        return slope, _exact_trend_p(score, count)
    return slope, _normal_trend_p(score, count, ties)


def trend_score_variance(count: int, ties: Sequence[int]) -> float:
    """Variance of rises minus falls over all orders of `count` values, `ties` the sizes of the groups of equal ones.

    (n(n-1)(2n+5) - sum of t(t-1)(2t+5) over the groups) / 18 (Kendall 1975).
    """
    return (_tie_term(count) - sum(_tie_term(size) for size in ties)) / 18.0


def littles_law_in_flight(latency_sum_s: float, span_s: float) -> float:
    """Mean number of requests in flight over a span, from the latencies spent in it (Little: N = X R)."""
    if span_s <= 0:
        raise ValueError(f"a mean over time needs a span above 0 s, got {span_s}")
    return latency_sum_s / span_s


def _check_counts(bad: float, total: float) -> None:
    if not 0 <= bad <= total:
        raise ValueError(f"counts need 0 <= bad <= total, got {bad} of {total}")


def _check_goal(goal_ratio: float) -> None:
    if not 0.0 < goal_ratio < 1.0:
        raise ValueError(f"a goal needs 0 < ratio < 1, got {goal_ratio}")


Grid = tuple[NDArray[np.float64], NDArray[np.float64]]


@lru_cache(maxsize=64)
def _log_grids(goal_ratio: float) -> tuple[Grid, Grid]:
    """(ln p, ln(1 - p)) at the midpoints of equal steps of ln p, on each side of the goal."""
    steps = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS
    goal = math.log(goal_ratio)
    within = goal - math.log(1000.0) * steps
    beyond = goal * steps
    return (within, np.log1p(-np.exp(within))), (beyond, np.log(-np.expm1(beyond)))


def _log_mean_likelihood(bad: float, total: float, log_p: NDArray[np.float64], log_rest: NDArray[np.float64]) -> float:
    """ln of the likelihood's mean over the grid, taken relative to its peak so that no count underflows."""
    logs = bad * log_p + (total - bad) * log_rest
    peak = float(logs.max())
    return peak + math.log(float(np.exp(logs - peak).mean()))


@lru_cache(maxsize=EXACT_TREND_VALUES)
def _orders_by_inversions(count: int) -> tuple[int, ...]:
    """How many orders of `count` distinct values have 0, 1, 2, ... pairs the wrong way round (Mahonian numbers)."""
    orders = [1]
    for size in range(2, count + 1):
        longer = [0] * (len(orders) + size - 1)
        for inversions, ways in enumerate(orders):
            for extra in range(size):
                longer[inversions + extra] += ways
        orders = longer
    return tuple(orders)


def _exact_trend_p(score: int, count: int) -> float:
    """The share of all orders whose |rises - falls| is at least |score|."""
    pairs = count * (count - 1) // 2
    extreme = (pairs - abs(score)) // 2  # inversions of the order that is as far out on the rising side
    tail = sum(_orders_by_inversions(count)[: extreme + 1])
    return min(1.0, 2 * tail / math.factorial(count))


def _normal_trend_p(score: int, count: int, ties: Sequence[int]) -> float:
    """Normal two-sided p-value with continuity correction; 1 when all values are tied."""
    variance = trend_score_variance(count, ties)
    if variance == 0 or score == 0:
        return 1.0
    return math.erfc((abs(score) - 1) / math.sqrt(2.0 * variance))


def _tie_term(size: int) -> int:
    return size * (size - 1) * (2 * size + 5)
