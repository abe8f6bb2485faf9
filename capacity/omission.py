"""What a closed loop leaves out: the requests that its users would have sent while they waited for a slow answer. Pure.

A user that waits two seconds for one answer sends nothing meanwhile, so one slow answer stands for many that would have
been slow (coordinated omission; G. Tene, "How NOT to measure latency", 2013). The correction is that of HdrHistogram's
recordValueWithExpectedInterval: an answer of latency L adds answers of L - E, L - 2E … down to E, where E is the time
that a user takes from one request to the next when nothing is slow: the median latency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Latencies = NDArray[np.int64]


def corrected_percentiles(ascending_ns: Latencies, shares: Sequence[float]) -> Iterator[int]:
    """Nearest-rank percentiles of the latencies with those that were left out, which are counted, never made.

    >>> list(corrected_percentiles(np.array([10, 10, 10, 45]), [0.5, 0.6, 0.99]))
    [15, 25, 45]
    """
    every_ns = int(ascending_ns[(len(ascending_ns) - 1) // 2])
    slow_ns = ascending_ns[np.searchsorted(ascending_ns, 2 * every_ns) :] if every_ns > 0 else ascending_ns[:0]
    total = len(ascending_ns) + int((slow_ns // max(every_ns, 1) - 1).sum())
    for share in shares:
        rank = max(math.ceil(Fraction(str(share)) * total), 1)
        yield _smallest_with(rank, ascending_ns, slow_ns, every_ns)


def _smallest_with(rank: int, ascending_ns: Latencies, slow_ns: Latencies, every_ns: int) -> int:
    """The smallest value with at least `rank` at or below it, by bisection."""
    low, high = int(ascending_ns[0]), int(ascending_ns[-1])
    while low < high:
        middle = (low + high) // 2
        below = int(np.searchsorted(ascending_ns, middle, "right")) + _added_up_to(middle, slow_ns, every_ns)
        low, high = (low, middle) if below >= rank else (middle + 1, high)
    return low


def _added_up_to(most_ns: int, slow_ns: Latencies, every_ns: int) -> int:
    """How many of L - E, L - 2E … E, of all slow L, are at most `most_ns`."""
    if not len(slow_ns):
        return 0
    last = slow_ns // every_ns - 1
    first = np.maximum(-((most_ns - slow_ns) // every_ns), 1)
    return int(np.maximum(last - first + 1, 0).sum())
