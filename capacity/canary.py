"""Is time lost in the client? What users waited beside what a canary waited: another process, with nothing else to do.

Both send the same requests at the same load. Where the users' answers come later than the canary's, by more than is
fair and than chance explains, the generator has lost the difference. Where the endpoint tells its own time for each
answer, only the time outside it is compared, which varies less from answer to answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from scoring.units import MS, S

FAIR_RATIO, FAIR_NS = 1.3, 3 * MS
"""The users' median may be this much longer than the canary's."""
FAIR_SHARE_OUTSIDE, FAIR_OUTSIDE_NS = 0.13, MS
"""Of the users' whole median, where only time outside the endpoint is compared: 15 % of what the canary waited."""
ERROR_RATIO = 0.002
"""So seldom is a fair generator accused by one comparison: at least 9 answers to the canary are needed for it."""
NEAR_RATIO = 1.15

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Waits:
    """Latencies of good answers, and beside each the endpoint's own time, 0 where it was not told."""

    latency_ns: Times
    server_ns: Times

    @property
    def tells_server(self) -> bool:
        """Every answer came with the endpoint's own time."""
        return len(self.server_ns) > 0 and bool((self.server_ns > 0).all())


@dataclass(frozen=True, slots=True)
class Compared:
    """The canary of one hold beside its users."""

    level: int
    answer_count: int  # to the canary
    faster_count: int  # of them so fast that a fair client's median would lie above
    gap_s: float  # the users' median less the canary's


def compared(level: int, users: Waits, canary: Waits) -> Compared | None:
    """How many canary answers were unfairly fast; None where one side has no answer."""
    if not len(users.latency_ns) or not len(canary.latency_ns):
        return None
    told = users.tells_server and canary.tells_server
    theirs, own = (_outside(users), _outside(canary)) if told else (users.latency_ns, canary.latency_ns)
    bar_ns = _bar_ns(float(np.median(theirs)), float(np.median(users.latency_ns)), outside=told)
    gap_s = float(np.median(theirs) - np.median(own)) / S
    return Compared(level, len(own), int(np.count_nonzero(own < bar_ns)), gap_s)


def lost_s(history: Sequence[Compared]) -> float | None:
    """The time that the generator lost per answer in the latest hold; None unless it is more than fair, beyond chance.

    Holds at loads near the latest one speak with it. Under a fair client at most half of the canary's answers are
    below the bar (a sign test), so `faster_count` of `answer_count` is judged by the binomial distribution.
    """
    if not history:
        return None
    last = history[-1]
    near = [one for one in history if max(one.level, last.level) <= NEAR_RATIO * min(one.level, last.level)]
    answers, faster = sum(one.answer_count for one in near), sum(one.faster_count for one in near)
    if 2 * last.faster_count <= last.answer_count or at_least(faster, answers) >= ERROR_RATIO:
        return None
    return last.gap_s


def at_least(heads: int, tosses: int) -> float:
    """Probability of at least so many heads of a fair coin.

    >>> at_least(9, 9) == 1 / 512
    True
    """
    return sum(comb(tosses, count) for count in range(heads, tosses + 1)) / (1 << tosses)


def _outside(waits: Waits) -> Times:
    return waits.latency_ns - waits.server_ns


def _bar_ns(median_ns: float, whole_ns: float, *, outside: bool) -> float:
    """A canary answer below this speaks against the generator."""
    if outside:
        return median_ns - FAIR_OUTSIDE_NS - FAIR_SHARE_OUTSIDE * whole_ns
    return (median_ns - FAIR_NS) / FAIR_RATIO
