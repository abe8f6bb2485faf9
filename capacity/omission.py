"""What a closed loop leaves out: the requests that its users would have sent while they waited for a slow answer. Pure.

A user that waits two seconds for one answer sends nothing meanwhile, so one slow answer stands for many that would have
been slow (coordinated omission; G. Tene, "How NOT to measure latency", 2013). The correction is that of HdrHistogram's
recordValueWithExpectedInterval: an answer of latency L adds answers of L - E, L - 2E … down to E, where E is the time
that a user takes from one request to the next when nothing is slow: the median latency.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Latencies = NDArray[np.int64]


def corrected(latency_ns: Latencies) -> Latencies:
    """The latencies with those that were left out, ascending. Without any there is nothing to correct.

    >>> corrected(np.array([10, 10, 10, 45])).tolist()
    [10, 10, 10, 15, 25, 35, 45]
    """
    ordered = np.sort(latency_ns)
    every_ns = int(ordered[(len(ordered) - 1) // 2]) if len(ordered) else 0
    if every_ns <= 0:
        return ordered
    extra = np.maximum(ordered // every_ns - 1, 0)
    step = np.arange(int(extra.sum())) - np.repeat(np.cumsum(extra) - extra, extra) + 1
    added = np.repeat(ordered, extra) - step * every_ns
    return np.sort(np.concatenate((ordered, added)))
