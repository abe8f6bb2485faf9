"""What the front end did, and whether it was itself too busy to be believed. Pure: ticks come in with their times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

TICK_NS = 10_000_000
WINDOW_NS = 5 * 10**9  # of the lag: 500 ticks, so that one slow moment is not its 99th percentile
CPU_WINDOW_NS = 10**9
LAG_LIMIT_MS = 5.0
CPU_LIMIT_RATIO = 0.85
_JUDGED_TICK_COUNT = 101  # a second and its CPU; fewer say nothing about a 99th percentile


@dataclass(frozen=True, slots=True)
class Window:
    """Lag of the event loop over some seconds, and the use of its core in the busiest second of them."""

    lag_p99_ms: float
    lag_max_ms: float
    cpu_ratio: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the front end was overloaded in this window; empty when it was not."""
        reasons = []
        if self.lag_p99_ms > LAG_LIMIT_MS:
            reasons.append(f"event loop lag p99 {self.lag_p99_ms:.1f} ms, limit {LAG_LIMIT_MS:g} ms")
        if self.cpu_ratio >= CPU_LIMIT_RATIO:
            reasons.append(f"CPU {self.cpu_ratio:.0%} of one core, limit {CPU_LIMIT_RATIO:.0%}")
        return tuple(reasons)


class LoopHealth:
    """Windows of `WINDOW_NS` from ticks due every `TICK_NS`. A tick that was skipped counts with the lag it had."""

    def __init__(self, start_ns: int, cpu_ns: int) -> None:
        self.worst: Window | None = None
        self.last: Window | None = None
        self.next_due_ns = start_ns + TICK_NS
        self._start_ns = start_ns
        self._lags_ns: list[int] = []
        self._second_ns = start_ns
        self._second_cpu_ns = cpu_ns
        self._cpu_ratio = 0.0

    def tick(self, now_ns: int, cpu_ns: int) -> None:
        """The loop ran at `now_ns`, having used `cpu_ns` of its core so far; every tick due until then is counted."""
        while self.next_due_ns <= now_ns:
            self._lags_ns.append(now_ns - self.next_due_ns)
            self.next_due_ns += TICK_NS
        if now_ns - self._second_ns >= CPU_WINDOW_NS:
            self._cpu_ratio = max(self._cpu_ratio, (cpu_ns - self._second_cpu_ns) / (now_ns - self._second_ns))
            self._second_ns, self._second_cpu_ns = now_ns, cpu_ns
        if now_ns - self._start_ns >= WINDOW_NS:
            self._close(now_ns)

    def finish(self, now_ns: int) -> None:
        """Close the open window early, where it holds enough ticks to be judged."""
        if len(self._lags_ns) >= _JUDGED_TICK_COUNT:
            self._close(now_ns)

    def _close(self, now_ns: int) -> None:
        ordered = sorted(self._lags_ns)
        p99_ns = ordered[-(-len(ordered) * 99 // 100) - 1]
        window = Window(p99_ns / 1e6, ordered[-1] / 1e6, self._cpu_ratio)
        self.last, self.worst = window, worse(self.worst, window)
        self._start_ns, self._lags_ns, self._cpu_ratio = now_ns, [], 0.0


def worse(one: Window | None, other: Window) -> Window:
    """The larger of each figure."""
    if one is None:
        return other
    return Window(
        max(one.lag_p99_ms, other.lag_p99_ms),
        max(one.lag_max_ms, other.lag_max_ms),
        max(one.cpu_ratio, other.cpu_ratio),
    )


def figures(
    by_status: Counter[str], in_flight: int, in_flight_max: int, health: LoopHealth, uptime_ns: int
) -> dict[str, object]:
    """The JSON of /redline/stats. `overloaded` is about any window since the start; null means not measured yet."""
    worst, last = health.worst, health.last
    return {
        "schema": 1,
        "requests": by_status.total(),
        "by_status": dict(sorted(by_status.items())),
        "in_flight": in_flight,
        "in_flight_max": in_flight_max,
        "lag_p99_ms": None if worst is None else round(worst.lag_p99_ms, 3),
        "lag_max_ms": None if worst is None else round(worst.lag_max_ms, 3),
        "cpu_ratio": None if worst is None else round(worst.cpu_ratio, 4),
        "overloaded": None if worst is None else bool(worst.reasons),
        "overloaded_lately": None if last is None else bool(last.reasons),
        "reasons": [] if worst is None else list(worst.reasons),
        "uptime_s": round(uptime_ns / 1e9, 3),
    }


def closing_lines(by_status: Counter[str], in_flight_max: int, health: LoopHealth) -> list[str]:
    """What to tell a person when the server stops."""
    counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(by_status.items()))
    lines = [f"answered {by_status.total():,} scoring requests" + (f" ({counts})" if counts else "")]
    if by_status:
        lines.append(f"in flight at most: {in_flight_max:,}")
    worst = health.worst
    if worst is None:
        return [*lines, "own load: not measured, the run was shorter than a second"]
    lines.append(f"own load at its worst: event loop lag p99 {worst.lag_p99_ms:.1f} ms, CPU {worst.cpu_ratio:.0%}")
    if worst.reasons:
        lines.append(f"overloaded: {'; '.join(worst.reasons)}. Limits found meanwhile may be this server's own")
    return lines
