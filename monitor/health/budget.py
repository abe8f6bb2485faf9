"""Error budgets: how fast one burns, and when that is worth telling. Pure.

Burn rate = share of bad checks / (1 - objective): at 1 the budget lasts exactly its window. Told is a rate that would
spend a given share of the budget within a long window, and still goes on in a short one (Google, The Site Reliability
Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"): factor = share x window of the objective / long window.

Low traffic: one bad check never tells, however few there are, and a short window holds two checks at least. What
history a young endpoint lacks counts as good: a total outage is found by checks in a row, not here. What an incident of
the checks has told does not tell again: two bad checks after its end are needed, and the short window begins there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.health.deciding import Seen
from scoring.health import REASON_NONE, REASON_OK, Health
from scoring.units import show_ratio

MIN_BAD_COUNT = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """Checks of a window that are known to be good or bad. UNKNOWN ones and those in maintenance are neither."""

    bad_count: int
    total_count: int


@dataclass(frozen=True, slots=True)
class Objective:
    """A share of checks that must not fail within a window, and how often there is one; None where cron says when."""

    slo_ratio: float
    window_s: float
    interval_s: float | None = None

    def expected(self, counts: Counts, span_s: float) -> Counts:
        """The counts of a span, filled up with good checks to as many as the interval makes."""
        if self.interval_s is None:
            return counts
        return Counts(counts.bad_count, max(counts.total_count, int(span_s / self.interval_s)))


@dataclass(frozen=True, slots=True)
class Burn:
    """A rule: `share_ratio` of the budget within `long_s`, still going on over `short_s`."""

    name: str
    long_s: float
    short_s: float
    share_ratio: float
    outcome: Health


BURNS = (
    Burn("budget_burn_1h", 3_600, 300, 0.02, Health.FAILED),
    Burn("budget_burn_6h", 21_600, 1_800, 0.05, Health.FAILED),
    Burn("budget_burn_1d", 86_400, 7_200, 0.10, Health.DEGRADED),
    Burn("budget_burn_3d", 259_200, 21_600, 0.10, Health.DEGRADED),
)
CountsOver = Callable[[float], Counts]


def burn_rate(counts: Counts, slo_ratio: float) -> float | None:
    """How many times faster than allowed the budget is spent; None of no checks.

    >>> burn_rate(Counts(1, 100), 0.5), burn_rate(Counts(0, 0), 0.5)
    (0.02, None)
    """
    if counts.total_count == 0:
        return None
    return (counts.bad_count / counts.total_count) / (1 - slo_ratio)


def factor(burn: Burn, slo_window_s: float) -> float:
    """The burn rate from which the rule tells.

    >>> [round(factor(burn, 30 * 86_400), 1) for burn in BURNS]
    [14.4, 6.0, 3.0, 1.0]
    """
    return burn.share_ratio * slo_window_s / burn.long_s


def left_ratio(counts: Counts, slo_ratio: float) -> float | None:
    """The share of the budget that is left: 1 without a bad check, 0 when it is spent, below 0 beyond; None of none.

    >>> left_ratio(Counts(5, 1_000), 0.99)
    0.5
    """
    if counts.total_count == 0:
        return None
    return round(1 - counts.bad_count / (counts.total_count * (1 - slo_ratio)), 9)


def burning(burn: Burn, objective: Objective, since_told_s: float, counts_over: CountsOver) -> bool:
    """True when both windows burn at least as fast as the rule allows, on more than one bad check.

    `since_told_s`: how long ago the last incident of the checks ended.
    """
    if counts_over(min(burn.long_s, since_told_s)).bad_count < MIN_BAD_COUNT:
        return False
    short_s = min(max(burn.short_s, 2 * (objective.interval_s or 0.0)), since_told_s)
    rates = [
        burn_rate(objective.expected(counts_over(span_s), span_s), objective.slo_ratio)
        for span_s in (burn.long_s, short_s)
    ]
    return all(rate is not None and rate >= factor(burn, objective.window_s) for rate in rates)


def budget_seen(objective: Objective, since_told_s: float, counts_over: CountsOver) -> Seen:
    """The budget as an observation: FAILED where it burns fast, DEGRADED where slowly, UNKNOWN of no checks."""
    if counts_over(BURNS[-1].long_s).total_count == 0:
        return Seen(Health.UNKNOWN, REASON_NONE, "no checks to count")
    for burn in BURNS:
        if burning(burn, objective, since_told_s, counts_over):
            counts = counts_over(burn.long_s)
            rate = burn_rate(objective.expected(counts, burn.long_s), objective.slo_ratio) or 0.0
            said = (
                f"{show_ratio(counts.bad_count, counts.total_count)} of the checks failed within {_span(burn.long_s)}"
            )
            evidence = f"{said}: {rate:.1f} times what {objective.slo_ratio:.4%} allows"
            return Seen(burn.outcome, burn.name, evidence)
    return Seen(Health.OK, REASON_OK)


def _span(seconds: float) -> str:
    return f"{seconds / 86_400:g} d" if seconds >= 86_400 else f"{seconds / 3_600:g} h"
