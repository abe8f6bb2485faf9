"""Proportions, percentiles and series: what a handful of answers allows one to say.

A *bad* count stands over a *total* count. Counts may be fractions where autocorrelated answers have been
reduced to the number of independent ones they are worth (both divided by the overdispersion).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Counts = Sequence[int] | NDArray[np.float64] | NDArray[np.int64]
PRIOR_BATCHES = 4.0
"""Batches' worth of belief that answers are independent; `overdispersion` shrinks towards 1 by it."""
LEAST_BATCHES = 8
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
    sorted_values: Sequence[float] | NDArray[np.int64], q: float, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Two of the values with the q-quantile between them (closed) with at least `confidence`; None: too few values.

    Exact for independent values of any distribution: the number at or below the quantile is binomial(n, q), so
    the l-th and u-th smallest enclose it with probability P(l <= binomial < u). Each tail gets half of the rest.
    """
    if not 0.0 < q < 1.0:
        raise ValueError(f"a percentile interval needs 0 < q < 1, got {q}")
    count = len(sorted_values)
    tail = (1.0 - confidence) / 2.0
    first, at_most = _binomial(count, q)
    low_rank = first + int(np.searchsorted(at_most, tail, "right"))
    high_rank = first + int(np.searchsorted(at_most, 1.0 - tail, "left")) + 1
    if low_rank < 1 or high_rank > count:
        return None
    return float(sorted_values[low_rank - 1]), float(sorted_values[high_rank - 1])


def _binomial(count: int, q: float) -> tuple[int, NDArray[np.float64]]:
    """P(binomial(count, q) <= k), for k from the first number on, ten standard deviations and 50 around the mean.

    From the ratios of neighbours, p(k + 1) / p(k) = (n - k) / (k + 1) q / (1 - q), so that no library of functions has
    to be loaded; what is left out is below 1e-20.
    """
    reach = 50 + math.ceil(10.0 * math.sqrt(count * q * (1.0 - q)))
    first, last = max(0, math.floor(count * q) - reach), min(count, math.floor(count * q) + reach)
    k = np.arange(first, last, dtype=np.float64)
    ratios = np.log((count - k) / (k + 1.0)) + math.log(q / (1.0 - q))
    logarithms = np.concatenate(([0.0], np.cumsum(ratios)))
    chances = np.exp(logarithms - logarithms.max())
    return first, np.cumsum(chances / chances.sum())


def wilson(bad: float, total: float, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval of the bad fraction (Wilson 1927); (0, 1) when nothing was counted."""
    _check_counts(bad, total)
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
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
    from scipy.special import betaincinv  # takes half a second to load: only who asks waits

    return float(betaincinv(bad + 1.0, total - bad, confidence))


def spent_confidence(bad: float) -> float:
    """The confidence for one look at a hold that ends when its bound fits, so that all its looks together have 95 %.

    While nothing is bad there is one look that matters, the one at which a clean record is long enough.
    """
    return 0.95 if bad == 0 else 0.99


def overdispersion(bad: Counts, total: Counts) -> float:
    """How many autocorrelated answers are worth one independent one, from counts per batch; at least 1.

    With n_i answers and b_i bad ones in batch i of k and p = sum b / sum n:
    X2 = sum (b_i - n_i p)^2 / (n_i p (1 - p)) and the result is max(1, (c + X2) / (c + k - 1)), c = PRIOR_BATCHES.
    Empty batches do not count; 1 when fewer than two are left, or all answers are alike.
    """
    bads, totals = np.asarray(bad, dtype=np.float64), np.asarray(total, dtype=np.float64)
    if len(bads) != len(totals):
        raise ValueError(f"each batch needs its total, got {len(bads)} and {len(totals)}")
    bads, totals = bads[totals > 0], totals[totals > 0]
    bad_count, total_count = bads.sum(), totals.sum()
    if len(totals) < 2 or bad_count in (0, total_count):
        return 1.0
    ratio = bad_count / total_count
    chi_squared = float(((bads - totals * ratio) ** 2 / totals).sum() / (ratio * (1.0 - ratio)))
    return max(1.0, (PRIOR_BATCHES + chi_squared) / (PRIOR_BATCHES + len(totals) - 1))


def clustering(done_s: NDArray[np.float64], is_bad: NDArray[np.bool_], batch_s: float) -> float:
    """How many answers are worth one independent one, from when they came: the largest of several views; at least 1.

    Batches of `batch_s`, twice as long, four times, while eight are left, each by `overdispersion`: a queue near
    saturation forgets slowly, and short batches do not see it. And clusters: bad answers less than `batch_s` apart
    count as one piece of news, sum c^2 / sum c, over what chance alone would give at their rate r, 2 e^(r batch_s) - 1.
    `done_s` is ascending.
    """
    bad_s = done_s[is_bad]
    span_s = float(done_s[-1] - done_s[0]) if len(done_s) else 0.0
    if not len(bad_s) or len(bad_s) == len(done_s) or span_s <= 0.0:
        return 1.0
    worst, size_s = 1.0, batch_s
    while size_s == batch_s or span_s >= LEAST_BATCHES * size_s:
        batch = ((done_s - done_s[0]) / size_s).astype(np.int64)
        worst = max(worst, overdispersion(np.bincount(batch, weights=is_bad), np.bincount(batch)))
        size_s *= 2.0
    return max(worst, _cluster_size(bad_s, len(bad_s) / span_s, batch_s))


def _cluster_size(bad_s: NDArray[np.float64], rate: float, gap_s: float) -> float:
    by_chance = 2.0 * math.exp(min(rate * gap_s, 50.0)) - 1.0
    ends = np.flatnonzero(np.diff(bad_s) > gap_s)
    sizes = np.diff(np.concatenate(([-1], ends, [len(bad_s) - 1])))
    return float((sizes**2).sum() / sizes.sum()) / by_chance


def sliced_dispersion(trials: Sequence[Sequence[tuple[int, int]]]) -> tuple[float, int]:
    """(what one answer of a long trial is worth, inverted; how many differences that rests on), from (bad, total) of
    equal slices of each trial, an even number of them.

    D = sum (b_i - n_i p)^2 k / (k - 1) over sum n_i p (1 - p), p of the trial and k its slices: how many times the
    variance of independent answers. Slices that are not long beside the memory of the endpoint show too little of it:
    where pairs of them show more, D_2 > D, the whole is taken to grow once more by as much, D_2 + (D_2 - D).
    """
    fine = _dispersion_of(trials)
    coarse = _dispersion_of([_pairs(trial) for trial in trials])
    count = sum(min(len(trial) // 2 - 1, sum(bad for bad, _ in trial)) for trial in trials)
    return max(coarse, 2.0 * coarse - fine), count


def _pairs(slices: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(a[0] + b[0], a[1] + b[1]) for a, b in zip(slices[::2], slices[1::2], strict=True)]


def _dispersion_of(trials: Sequence[Sequence[tuple[int, int]]]) -> float:
    squares = expected = 0.0
    for slices in trials:
        counts = np.array(slices, dtype=np.float64)
        bad, total = counts[:, 0], counts[:, 1]
        ratio = bad.sum() / max(total.sum(), 1.0)
        squares += float(((bad - total * ratio) ** 2).sum()) * len(counts) / (len(counts) - 1)
        expected += float((total * ratio * (1.0 - ratio)).sum())
    return squares / expected if expected else 1.0


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


def rank_shift(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """Mann and Whitney's z of two ascending samples: above 0 where those after are larger; 0 where one is empty."""
    first, second = len(before), len(after)
    if not first or not second:
        return 0.0
    wins = (np.searchsorted(before, after, "left") + np.searchsorted(before, after, "right")).sum() / 2.0
    return float(wins - first * second / 2.0) / math.sqrt(first * second * (first + second + 1) / 12.0)


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
