"""The true limit of every goal of a scenario, by long runs.

The share of bad answers is taken from runs of `Scenario.long` requests at each level asked; levels whose share cannot
be told from the goal (2.5 standard errors of batch means) make the band that any answer may lie in.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

from bench.limits.endpoint import Row, bad_ratio
from bench.limits.scenario import Scenario

CHUNK = 10_000
UNSURE, PLAIN = 2.5, 8.0
"""Standard errors from the goal within which a level may be either, and from which a run need not go on."""
CACHE = Path(__file__).with_name("truth.json")
_KINDS: dict[str, tuple[int | None, ...] | None] = {
    "rejected": (429, 503),
    "errors": None,
    "timeouts": (408, 504, None),
}
Band = tuple[float, float, float]
"""(lowest level that could be the limit, the limit, the highest)."""


def parsed(goal: str) -> tuple[float, float | None, tuple[int | None, ...] | None]:
    """(allowed ratio, slower than which seconds is bad, statuses that are bad; None: every one but 200)."""
    name, value = goal.split("<=")
    if name in _KINDS:
        return float(value.rstrip("%")) / 100, None, _KINDS[name]
    number = float(re.match(r"[\d.]+", value)[0])  # type: ignore[index]
    return 1 - float(name[1:]) / 100, number / 1000 if value.endswith("ms") else number, None


def truth(scenario: Scenario) -> dict[str, Band]:
    """Goal → band, from the cache where the scenario is the same."""
    cache = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    asked = f"{scenario.long_run(1).service} {scenario.mode} {scenario.max_level} {scenario.long}"
    key = hashlib.sha256(asked.encode()).hexdigest()
    known = cache.setdefault(key[:16], {})
    if not all(goal in known for goal in scenario.goals):
        known.update(_bands(scenario))
        CACHE.write_text(json.dumps(cache, indent=1) + "\n")
    return {goal: tuple(known[goal]) for goal in scenario.goals}


def binding(scenario: Scenario) -> Band:
    """The band of the smallest limit."""
    return min(truth(scenario).values(), key=lambda band: band[1])


def _bands(scenario: Scenario) -> dict[str, Band]:
    seen: dict[float, dict[str, float]] = {}

    def excess(level: float, goal: str) -> float:
        """How far the bad share lies beyond the goal, in standard errors."""
        if level not in seen:
            seen[level] = _excesses(scenario, level)
        return seen[level][goal]

    def last(goal: str, most: float) -> float:
        return _last(scenario, lambda level: excess(level, goal) <= most)

    return {goal: (last(goal, -UNSURE), last(goal, 0.0), last(goal, UNSURE)) for goal in scenario.goals}


def _last(scenario: Scenario, holds: Callable[[float], bool]) -> float:
    """The largest level that holds: a whole number of users, or a rate to within 0.3 %."""
    low, high = 0.0, 1.0
    while high < scenario.max_level and holds(high):
        low, high = high, high * 2
    if high >= scenario.max_level and holds(float(scenario.max_level)):
        return float(scenario.max_level)
    if scenario.mode == "closed":
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        return low
    while low and high / low > 1.003:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _excesses(scenario: Scenario, level: float) -> dict[str, float]:
    """Goal → how far the level is beyond it, in standard errors; a run ends early where all goals are plain, but not
    before rare stalls would have been seen."""
    endpoint = scenario.long_run(seed=97)
    endpoint.run(level, 600.0, _after(CHUNK))
    most = scenario.long * (4 if endpoint.service.stall_every_s else 1) // CHUNK
    least = 60 if endpoint.service.stall_every_s else 5
    shares: dict[str, list[float]] = {goal: [] for goal in scenario.goals}
    found: dict[str, float] = {}
    for chunk in range(1, most + 1):
        rows = endpoint.run(level, 100_000.0, _after(CHUNK))
        for goal in scenario.goals:
            shares[goal].extend(_shares(rows, goal))
        found = {goal: _errors_away(shares[goal], parsed(goal)[0]) for goal in scenario.goals}
        if chunk >= least and all(abs(away) > PLAIN for away in found.values()):
            break
    return found


def _after(count: int) -> Callable[[Row], bool]:
    left = iter(range(count - 1, -1, -1))
    return lambda _: next(left) <= 0


def _shares(rows: list[Row], goal: str) -> list[float]:
    """The bad share of each tenth of a chunk."""
    _, slow_s, kinds = parsed(goal)
    size = len(rows) // 10
    return [bad_ratio(rows[i * size : (i + 1) * size], slow_s, kinds) for i in range(10)]


def _errors_away(shares: list[float], allowed: float) -> float:
    """(mean - allowed) in standard errors of batch means; neighbours are merged while there are more than 30."""
    while len(shares) > 60:
        shares = [(a + b) / 2 for a, b in zip(shares[::2], shares[1::2], strict=False)]
    mean = sum(shares) / len(shares)
    variance = sum((share - mean) ** 2 for share in shares) / (len(shares) - 1)
    floor = allowed / CHUNK  # no variance seen: as if a rare event had been missed
    return (mean - allowed) / math.sqrt(variance / len(shares) + floor / len(shares))
