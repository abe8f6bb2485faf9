"""From single results to the score table: pure functions of what was found and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, median

UNSAFE = 1.05


@dataclass(frozen=True, slots=True)
class Found:
    """One search: the binding limit and its interval (None: no upper end), and what the endpoint itself counted."""

    kind: str
    level: float | None
    low: float | None
    high: float | None
    seconds: float
    sent: int
    rejected: int
    covered: tuple[bool, ...] = ()  # per goal that an interval was given for


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one scenario under one rule; ratios are shares of all its runs, None where nothing was to score."""

    runs: int
    right_ratio: float  # verdicts of a right kind
    bias_ratio: float | None  # mean of found / true - 1
    error_ratio: float | None  # mean of |found / true - 1|, 0 inside the band of the truth
    unsafe_ratio: float | None  # more than 5 % above the band
    covered_ratio: float | None
    width_ratio: float | None  # mean of (high - low) / true
    exact_ratio: float | None
    seconds: float
    sent: float
    rejected: float


def row_of(found: list[Found], band: tuple[float, float, float] | None, kinds: tuple[str, ...]) -> Row:
    """The scores of all runs of one scenario; `band` None: only the verdict is right or wrong."""
    levels = [one.level for one in found if one.level is not None and one.kind != "CLIENT_LIMITED"]
    covered = [hit for one in found for hit in one.covered]
    widths = [one.high - one.low for one in found if one.high is not None and one.low is not None]
    scored = band is not None and levels
    low, true, high = band or (0.0, 1.0, 0.0)
    return Row(
        runs=len(found),
        right_ratio=mean(one.kind in kinds for one in found),
        bias_ratio=mean(level / true - 1 for level in levels) if scored else None,
        error_ratio=mean(_beside(level, low, high) / true for level in levels) if scored else None,
        unsafe_ratio=mean(level > UNSAFE * high and level >= high + 1 for level in levels) if scored else None,
        covered_ratio=mean(covered) if band and covered else None,
        width_ratio=mean(widths) / true if band and widths else None,
        exact_ratio=mean(level == true for level in levels) if scored else None,
        seconds=median(one.seconds for one in found),
        sent=median(one.sent for one in found),
        rejected=median(one.rejected for one in found),
    )


def _beside(level: float, low: float, high: float) -> float:
    return max(low - level, level - high, 0.0)
