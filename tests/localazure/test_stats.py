"""The server's opinion of its own load."""

from __future__ import annotations

from collections import Counter

from localazure.stats import LoopHealth, closing_lines, figures

MS = 1_000_000
S = 10**9


def after(lag_ns: int, cpu_ratio: float, seconds: int = 6) -> LoopHealth:
    """Health after ticks that all came `lag_ns` late, with the given share of the core used."""
    health = LoopHealth(0, 0)
    for number in range(1, seconds * 100 + 1):
        now_ns = number * 10 * MS + lag_ns
        health.tick(now_ns, int(now_ns * cpu_ratio))
    return health


def test_a_calm_loop_is_not_overloaded():
    """1 ms of lag and half a core are fine."""
    worst = after(1 * MS, 0.5).worst
    assert worst is not None
    assert (worst.lag_p99_ms, worst.reasons) == (1.0, ())


def test_lag_above_5_ms_is_overload():
    """6 ms late at each tick: the reason is told with the figure."""
    worst = after(6 * MS, 0.5).worst
    assert worst is not None
    assert worst.reasons == ("event loop lag p99 6.0 ms, limit 5 ms",)


def test_a_core_used_to_85_percent_is_overload():
    """0.9 of a core with no lag at all."""
    worst = after(0, 0.9).worst
    assert worst is not None
    assert worst.reasons == ("CPU 90% of one core, limit 85%",)


def test_a_busy_second_is_seen_in_a_calm_window():
    """One second of a full core among six is not averaged away."""
    health, cpu_ns = LoopHealth(0, 0), 0
    for number in range(1, 601):
        cpu_ns += 10 * MS if 200 <= number < 301 else 0
        health.tick(number * 10 * MS, cpu_ns)
    assert health.worst is not None
    assert health.worst.cpu_ratio == 1.0


def test_ticks_that_were_skipped_count_with_the_lag_they_had():
    """A standstill of one second is a hundred late ticks, not one."""
    health = LoopHealth(0, 0)
    for number in range(1, 401):
        health.tick(number * 10 * MS, 0)
    health.tick(5 * S, 0)
    assert health.worst is not None
    assert health.worst.lag_max_ms == 990.0
    assert health.worst.lag_p99_ms > 900.0


def test_what_was_not_measured_is_null():
    """Before the first window lag, CPU and the verdict are None, never 0."""
    told = figures(Counter(), 0, 0, LoopHealth(0, 0), S)
    assert [told[name] for name in ("lag_p99_ms", "cpu_ratio", "overloaded")] == [None, None, None]


def test_the_closing_lines_say_when_the_server_was_the_limit():
    """Counts, own load and the warning."""
    lines = closing_lines(Counter({"200": 1200, "503": 3}), 8, after(6 * MS, 0.5))
    assert lines[0] == "answered 1,203 scoring requests (200: 1,200, 503: 3)"
    assert lines[-1].startswith("overloaded: event loop lag p99 6.0 ms")
