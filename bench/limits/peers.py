"""The decision rules of other tools, written anew from their documentation: which level would each call the limit?

Each sees the same prober. None gives an interval. What they share: a window at a level is judged by the share of bad
answers in it, and a failure is a window in which some goal is missed.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.limits.endpoint import Endpoint, Row
from bench.limits.scenario import Scenario
from bench.limits.truth import parsed

BUDGET_S, WINDOW_S = 900.0, 10.0


def _is_missed(rows: list[Row], goals: tuple[str, ...]) -> bool:
    """Some goal is missed, or nothing was answered."""
    return not rows or any(_share(rows, goal) > parsed(goal)[0] for goal in goals)


def _share(rows: list[Row], goal: str) -> float:
    _, slow_s, kinds = parsed(goal)
    bad = 0
    for due_s, sent_s, latency_s, status in rows:
        failed = status != 200 if kinds is None else status in kinds
        bad += failed or (slow_s is not None and sent_s + latency_s - due_s > slow_s)
    return bad / len(rows)


def _window(endpoint: Endpoint, scenario: Scenario, level: float, seconds: float = WINDOW_S) -> bool:
    """Whether a window at the level keeps the goals; its first fifth warms up, and what is in flight is waited for."""
    endpoint.run(level, seconds / 5)
    rows = endpoint.run(level, seconds)
    endpoint.run(0, min(1.2 * max((row[2] for row in rows), default=30.0), 60.0))
    return not _is_missed(rows, scenario.goals)


def _halved(
    scenario: Scenario, holds: Callable[[float], bool], close_ratio: float, endpoint: Endpoint, start: float = 1.0
) -> float:
    """Doubling, then halving the gap until it is `close_ratio` of the level."""
    low, high = 0.0, start
    while endpoint.now_s < BUDGET_S and holds(high):
        low, high = high, min(2 * high, scenario.max_level)
        if low == high:
            return low
    whole = scenario.mode == "closed"
    while high - low > max(close_ratio * low, 1.0 if whole else 0.0) and endpoint.now_s < BUDGET_S:
        middle = (low + high) // 2 if whole else (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
        if low == 0.0 and high < 0.5:
            return 0.0
    return low


def aiperf_monotonic(endpoint: Endpoint, scenario: Scenario) -> float:
    """Doubling, then halving to 5 %; a level is believed when two windows of up to three agree."""

    def holds(level: float) -> bool:
        first, second = (_window(endpoint, scenario, level, 15.0) for _ in range(2))
        return first if first == second else _window(endpoint, scenario, level, 15.0)

    return _halved(scenario, holds, 0.05, endpoint)


def guidellm_goodput(endpoint: Endpoint, scenario: Scenario) -> float:
    """Doubling, then halving to 10 %, one window of 30 s each."""
    return _halved(scenario, lambda level: _window(endpoint, scenario, level, 30.0), 0.10, endpoint)


def k6_ramp(endpoint: Endpoint, scenario: Scenario) -> float:
    """A ramp over five minutes; a threshold over the whole run so far ends it, and the level then is the answer."""
    rows: list[Row] = []
    top = _reach(scenario)
    for step in range(1, 101):
        level = top * step / 100
        rows += endpoint.run(max(level, 1.0) if scenario.mode == "open" else max(int(level), 1), 3.0)
        if step > 3 and _is_missed(rows, scenario.goals):
            return level
    return top


def locust_steps(endpoint: Endpoint, scenario: Scenario) -> float:
    """Thirty steps of 10 s; totals over the whole run are watched, the last step before they fail is the answer."""
    rows: list[Row] = []
    top, before = _reach(scenario), 0.0
    for step in range(1, 31):
        level = top * step / 30 if scenario.mode == "open" else max(int(top * step / 30), 1)
        rows += endpoint.run(level, 10.0)
        if _is_missed(rows, scenario.goals):
            return before
        before = level
    return top


def _reach(scenario: Scenario) -> float:
    """How far a ramp goes: a person's guess of what may be too much, a quarter of the cap."""
    return scenario.max_level / 4


def nighthawk(endpoint: Endpoint, scenario: Scenario) -> float:
    """Exponential search by factors of two, then halving until 5 % remain, one window of 10 s, and one test of 30 s."""
    found = _halved(scenario, lambda level: _window(endpoint, scenario, level), 0.05, endpoint)
    return found if found and _window(endpoint, scenario, found, 30.0) else found * 0.9


def mlperf_find_peak(endpoint: Endpoint, scenario: Scenario) -> float:
    """Doubling from a low rate, then halving until 2 % remain, one run of 20 s each."""
    return _halved(scenario, lambda level: _window(endpoint, scenario, level, 20.0), 0.02, endpoint, 4.0)


def doubling_and_agreement(endpoint: Endpoint, scenario: Scenario) -> float:
    """The baseline: doubling, then halving to neighbours (open: 2 %), two agreeing windows of 5 s at each level."""

    def holds(level: float) -> bool:
        first, second = (_window(endpoint, scenario, level, 5.0) for _ in range(2))
        return first if first == second else _window(endpoint, scenario, level, 5.0)

    return _halved(scenario, holds, 0.0 if scenario.mode == "closed" else 0.02, endpoint)


RULES: dict[str, Callable[[Endpoint, Scenario], float]] = {
    "baseline": doubling_and_agreement,
    "aiperf": aiperf_monotonic,
    "guidellm": guidellm_goodput,
    "k6": k6_ramp,
    "locust": locust_steps,
    "nighthawk": nighthawk,
    "mlperf": mlperf_find_peak,
}
