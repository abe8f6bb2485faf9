"""How far off a share of a few requests may be: the exact interval of Clopper and Pearson (1934). Pure, no library.

The ends are quantiles of beta distributions, here by bisection on the regularised incomplete beta function, so that a
watcher that asks every few minutes need not load a library of functions.
"""

from __future__ import annotations

import math

TAIL = 0.025
"""Chance left out on each side: the interval has 95 %."""
_TINY = 1e-300
_STEPS = 60
_MOST_TERMS = 10_000


def clopper_pearson(bad: float, total: float) -> tuple[float, float]:
    """The exact two-sided 95 % interval of a share; (0, 1) of nothing. Fractional counts are let in.

    low: P(binomial(total, low) >= bad) = 2.5 %; high: P(binomial(total, high) <= bad) = 2.5 %.

    >>> low, high = clopper_pearson(1, 3)
    >>> round(low, 4), round(high, 4)
    (0.0084, 0.9057)
    """
    if not 0 <= bad <= total:
        raise ValueError(f"{bad} of {total}")
    if total == 0:
        return 0.0, 1.0
    low = 0.0 if bad == 0 else _quantile(TAIL, bad, total - bad + 1.0)
    high = 1.0 if bad == total else _quantile(1.0 - TAIL, bad + 1.0, total - bad)
    return low, high


def _quantile(share: float, a: float, b: float) -> float:
    """Where beta(a, b) has this share below."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if _below(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction is quick on the other side
        return 1.0 - _below(1.0 - x, b, a)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(scale) / (a * _fraction(x, a, b))


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, 1 + d1/(1 + d2/(1 + ...)), by Lentz's method.

    d(2m+1) = -(a + m)(a + b + m) x / ((a + 2m)(a + 2m + 1)), d(2m) = m (b - m) x / ((a + 2m - 1)(a + 2m)).
    """
    value = upper = 1.0
    lower = 0.0
    for number in range(1, _MOST_TERMS):
        m = number // 2
        if number % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        lower = 1.0 / ((1.0 + term * lower) or _TINY)
        upper = (1.0 + term / upper) or _TINY
        step = upper * lower
        value *= step
        if abs(step - 1.0) < 1e-13:
            break
    return value
