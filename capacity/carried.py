"""How much an endpoint accepts while it refuses more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.units import S

LEAST = 50
"""So many must have been accepted between two rejections."""
PARTS = 8


@dataclass(frozen=True, slots=True)
class Carried:
    """What was accepted from the first rejection of a trial to the last."""

    rps: float
    error_ratio: float  # one standard error of `rps`, from equal parts of that time
    latency_s: float  # mean, of the accepted


def carried(refused_ns: NDArray[np.int64], sent_ns: NDArray[np.int64], latency_ns: NDArray[np.int64]) -> Carried | None:
    """From when the refused and the good requests were sent, and how long the good ones took; None with fewer than
    LEAST good ones in between."""
    if not len(refused_ns) or refused_ns.min() == refused_ns.max():
        return None
    first_ns, last_ns = int(refused_ns.min()), int(refused_ns.max())
    inside = (sent_ns >= first_ns) & (sent_ns < last_ns)
    count = int(inside.sum())
    if count < LEAST:
        return None
    parts = np.bincount(PARTS * (sent_ns[inside] - first_ns) // (last_ns - first_ns), minlength=PARTS)
    error = float(parts.std(ddof=1)) * PARTS**0.5
    return Carried(count / (last_ns - first_ns) * S, error / count, float(latency_ns[inside].mean()) / S)
