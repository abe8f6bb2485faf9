"""Two runs of one endpoint: what changed, by how much, and how probable it is that the change is real.

Each figure comes with a 95 % interval. On a logarithmic scale half an interval is taken as 1.96 standard deviations,
on each side by itself, so ln(after / before) is normal with the deviations of the sides that face each other:
probability = Phi(|ln(after / before)| / hypot(d_before, d_after)). It is the probability that the figure went the way
it seems to have gone in these two runs; what differs between any two days beyond that is for a third run to tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtr

from capacity.standing import LevelStanding, Measured, Standing
from scoring.errors import RedlineError

LIMIT, PERCENTILE, RATE, FAILED = "limit", "percentile", "rate", "failed"
SUREST = 0.9999
"""No probability is above: intervals of 95 % say little of what lies four deviations away."""
_SIDES = 1.96
_LEAST = {LIMIT: 0.5, PERCENTILE: 1e-6, RATE: 1e-6, FAILED: 1e-6}
"""Below this a figure counts as this much: a logarithm needs more than nothing."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a gate lets pass: a ratio of the earlier figure; None: this is not gated."""

    drop_ratio: float | None = 0.1  # limits and rates may fall by
    slower_ratio: float | None = None  # percentiles may rise by
    sure_ratio: float = 0.95  # how probable a change beyond it must be before the gate closes


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both runs. `probability` is between 0.5 and 1; None: too little was seen to say."""

    kind: str  # LIMIT, PERCENTILE, RATE or FAILED
    name: str  # the goal, "p95", "completed_rps", "failed_ratio"
    users: int | None  # the level, in the unit of both standings; None for limits
    before: Measured
    after: Measured
    change_ratio: float | None  # after / before - 1; None where before is 0
    probability: float | None
    is_worse: bool
    beyond_tolerance: float | None = None  # probability that it is worse by more than the tolerance; None: not gated

    @property
    def is_real(self) -> bool:
        """At least 95 % probable."""
        return self.probability is not None and self.probability >= 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures that both runs have, limits first. `differences`: what the runs did not ask alike, in words."""

    before: Standing
    after: Standing
    changes: tuple[Change, ...]
    differences: tuple[str, ...]
    tolerance: Tolerance

    @property
    def failed(self) -> tuple[Change, ...]:
        """Changes that close the gate."""
        sure = self.tolerance.sure_ratio
        return tuple(one for one in self.changes if one.beyond_tolerance is not None and one.beyond_tolerance >= sure)


def compared(before: Standing, after: Standing, tolerance: Tolerance) -> Comparison:
    """What changed from one run to the other. Levels are compared where both runs held them.

    RedlineError (exit 2) for an open loop beside a closed one: users and rates are no figures of one kind.
    """
    if before.unit != after.unit:
        is_open = {True: "an open loop", False: "a closed loop"}
        raise RedlineError(
            f"{before.where} is {is_open[before.unit.is_open]} and {after.where} is {is_open[after.unit.is_open]}",
            "compare runs of one kind: make the later one with --open too, or both without",
        )
    changes = [
        _change(LIMIT, goal, None, before.limits[goal], after.limits[goal], tolerance)
        for goal in before.limits
        if goal in after.limits
    ]
    later = {level.users: level for level in after.levels}
    for level in before.levels:
        if level.users in later:
            changes += _of_level(level, later[level.users], tolerance)
    return Comparison(before, after, tuple(changes), tuple(_differences(before.asked, after.asked)), tolerance)


def _of_level(before: LevelStanding, after: LevelStanding, tolerance: Tolerance) -> Iterator[Change]:
    users = before.users
    for name, value in before.percentiles_ms.items():
        if name in after.percentiles_ms:
            yield _change(PERCENTILE, name, users, value, after.percentiles_ms[name], tolerance)
    if before.completed_rps is not None and after.completed_rps is not None:
        yield _change(RATE, "completed_rps", users, before.completed_rps, after.completed_rps, tolerance)
    if before.failed_ratio.value or after.failed_ratio.value:
        yield _change(FAILED, "failed_ratio", users, before.failed_ratio, after.failed_ratio, tolerance)


def _change(kind: str, name: str, users: int | None, before: Measured, after: Measured, tolerance: Tolerance) -> Change:
    least = _LEAST[kind]
    is_worse = after.value < before.value if kind in (LIMIT, RATE) else after.value > before.value
    step = _log(after.value, least) - _log(before.value, least)
    deviation = _deviation(before, after, least, rises=step > 0)
    allowed = _allowed(kind, tolerance)
    return Change(
        kind=kind,
        name=name,
        users=users,
        before=before,
        after=after,
        change_ratio=after.value / before.value - 1 if before.value else None,
        probability=None if deviation is None else _phi(abs(step), deviation),
        is_worse=is_worse,
        beyond_tolerance=None if allowed is None else _beyond(abs(step) - allowed, deviation) if is_worse else 0.0,
    )


def _beyond(distance: float, deviation: float | None) -> float:
    """Probability that a change for the worse goes on by more than is allowed; 0 where nothing can be said."""
    return 0.0 if deviation is None else _phi(distance, deviation)


def _allowed(kind: str, tolerance: Tolerance) -> float | None:
    """How far the logarithm of a figure may go the wrong way."""
    if kind in (LIMIT, RATE):
        drop = tolerance.drop_ratio
        return None if drop is None or kind == RATE else -math.log(max(1 - drop, 1e-9))
    slower = tolerance.slower_ratio
    return None if slower is None or kind == FAILED else math.log1p(slower)


def _deviation(before: Measured, after: Measured, least: float, *, rises: bool) -> float | None:
    """Of the logarithm of after / before; None where an interval is open on the side that faces the other figure."""
    near, far = (before.high, after.low) if rises else (before.low, after.high)
    if near is None or far is None:
        return None
    sides = (_log(near, least) - _log(before.value, least), _log(far, least) - _log(after.value, least))
    return math.hypot(*sides) / _SIDES


def _log(value: float, least: float) -> float:
    return math.log(max(value, least))


def _phi(distance: float, deviation: float) -> float:
    if deviation == 0:
        return 0.5 if distance == 0 else SUREST if distance > 0 else 1 - SUREST
    return min(float(ndtr(distance / deviation)), SUREST)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in before:
        if before[name] != after.get(name):
            yield f"{name}: {_shown(before[name])} and {_shown(after.get(name))}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
