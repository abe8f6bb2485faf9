"""Edge: is this process fast enough for what it measures? Lag, processor time and run queue of a hold.

A greenlet sleeps 10 ms again and again; how late it wakes is the lag that every answer may suffer. The lag of the idle
process (timer grain, other programs) is subtracted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic_ns, process_time_ns

import gevent

from capacity.validity import Health

BEAT_S = 0.01
WINDOW_NS = 1_000_000_000
SHORTEST_WINDOW_NS = 200_000_000
IDLE_BEATS = 1_000
SCHEDSTAT = Path("/proc/self/schedstat")


class Pulse:
    """Beats while the process lives; `begin` and `health` enclose a hold."""

    def __init__(self) -> None:
        self._beats: list[int] = []  # lateness, ns
        self._idle: list[int] = []
        self._holding = False
        self._busiest: float | None = None
        self._open_window()
        self._waited_ns: int | None = None
        self._began_ns = monotonic_ns()
        self._greenlet = gevent.spawn(self._beat)

    def stop(self) -> None:
        """No beat follows."""
        self._greenlet.kill(block=False)

    def begin(self) -> None:
        """A hold begins."""
        self._beats.clear()
        self._holding = True
        self._busiest = None
        self._waited_ns = waited_for_core_ns()
        self._began_ns = monotonic_ns()
        self._open_window()

    def health(self) -> Health:
        """What the process says of itself since `begin`; its records tell the timely ratio."""
        self._holding = False
        self._close_window(SHORTEST_WINDOW_NS)
        seconds_ns = monotonic_ns() - self._began_ns
        waited_ns = waited_for_core_ns()
        known = waited_ns is not None and self._waited_ns is not None and seconds_ns > 0
        return Health(
            lag_p99_s=lag_p99_s(self._beats, self._idle),
            cpu_ratio=self._busiest,
            run_queue_ratio=(waited_ns - self._waited_ns) / seconds_ns if known else None,  # type: ignore[operator]
        )

    def _beat(self) -> None:
        while True:
            before_ns = monotonic_ns()
            gevent.sleep(BEAT_S)
            late_ns = monotonic_ns() - before_ns - int(BEAT_S * 1e9)
            if self._holding and before_ns >= self._began_ns:  # else what delayed it was before the hold
                self._beats.append(late_ns)
                self._close_window(WINDOW_NS)
            elif not self._holding:
                self._idle = [*self._idle[-IDLE_BEATS:], late_ns]

    def _open_window(self) -> None:
        self._window_ns = monotonic_ns()
        self._used_ns = process_time_ns()

    def _close_window(self, shortest_ns: int) -> None:
        """The busiest window is known up to here; a window shorter than `shortest_ns` says nothing."""
        took_ns = monotonic_ns() - self._window_ns
        if took_ns < shortest_ns:
            return
        used = (process_time_ns() - self._used_ns) / took_ns
        self._busiest = used if self._busiest is None else max(self._busiest, used)
        self._open_window()


def lag_p99_s(beats_ns: Sequence[int], idle_ns: Sequence[int]) -> float | None:
    """Nearest-rank p99 of the lateness less the median lateness of the idle process, at least 0; None without beats.

    >>> lag_p99_s([1_000_000] * 98 + [9_000_000] * 2, [1_000_000] * 5)
    0.008
    """
    if not beats_ns:
        return None
    ordered = sorted(beats_ns)
    p99_ns = ordered[-(-len(ordered) * 99 // 100) - 1]
    baseline_ns = sorted(idle_ns)[len(idle_ns) // 2] if idle_ns else 0
    return max(p99_ns - baseline_ns, 0) / 1e9


def waited_for_core_ns() -> int | None:
    """Nanoseconds this process has stood ready without getting a core; None where the kernel does not tell."""
    try:
        return int(SCHEDSTAT.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None


def worst_of(parts: Sequence[Health]) -> Health:
    """The health of several processes that carried one hold together: of each sign the worst."""
    gaps_s = [part.canary_gap_s for part in parts if part.canary_gap_s is not None]
    return Health(
        lag_p99_s=max((part.lag_p99_s for part in parts if part.lag_p99_s is not None), default=None),
        timely_ratio=min((part.timely_ratio for part in parts if part.timely_ratio is not None), default=None),
        cpu_ratio=max((part.cpu_ratio for part in parts if part.cpu_ratio is not None), default=None),
        run_queue_ratio=max((part.run_queue_ratio for part in parts if part.run_queue_ratio is not None), default=None),
        canary_count=sum(part.canary_count for part in parts),
        canary_gap_s=max(gaps_s, default=None),
        ceiling_rps=min((part.ceiling_rps for part in parts if part.ceiling_rps is not None), default=None),
        ceiling_ratio=max((part.ceiling_ratio for part in parts if part.ceiling_ratio is not None), default=None),
    )


def parent_is_gone(parent: int, was_direct: bool) -> bool:
    """Whether the process that started the run has ended."""
    if was_direct:
        return os.getppid() != parent
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
