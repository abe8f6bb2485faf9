"""The mean time to recovery, and how far off it may be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, variance

from scoring.health import FEWEST_RECOVERIES, Recovery

TAIL = 0.025
FEWEST_DEGREES = 4.0


def recovery(lengths_s: Sequence[float]) -> Recovery:
    """The mean of the lengths and its 95 % interval; no interval for fewer than FEWEST_RECOVERIES, or too uneven ones.

    Lengths are taken for gamma distributed with the shape k that their spread tells, at most that of an exponential
    (1): 2 n k mean / true mean is chi-squared with 2 n k degrees. Simulated, it holds the true mean in 92 to 97 % of
    draws that are exponential or log-normal with sigma 1, in 80 % with sigma 1.5.
    """
    count = len(lengths_s)
    if not count:
        return Recovery(0)
    mean_s = fmean(lengths_s)
    if count < FEWEST_RECOVERIES or mean_s <= 0.0:
        return Recovery(count, mean_s)
    spread = variance(lengths_s) / mean_s**2
    degrees = 2.0 * count * min(1.0, 1.0 / spread if spread else 1.0)
    if degrees < FEWEST_DEGREES:
        return Recovery(count, mean_s)
    from scipy.special import chdtri  # takes half a second to load: only who has incidents waits

    low_s, high_s = (mean_s * degrees / float(chdtri(degrees, above)) for above in (TAIL, 1.0 - TAIL))
    return Recovery(count, mean_s, low_s, high_s)
