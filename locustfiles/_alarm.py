"""Edge: calls back at an instant of the monotonic clock, on the event loop, to within about 0.1 ms.

A timer of the loop may be a millisecond late, since epoll waits for whole ones; Linux has a clock that is a file
descriptor and knows nanoseconds (timerfd_create(2)). Where there is none the loop's timer does it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Protocol

import gevent

_READ = 1
_MONOTONIC, _ABSOLUTE = 1, 1  # CLOCK_MONOTONIC; TFD_TIMER_ABSTIME
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC


class Alarm(Protocol):
    """Rings until it is set anew or cleared; a later `set` takes the place of an earlier one."""

    def set(self, at_ns: int) -> None:
        """It rings at that instant, or at once where it has passed."""
        ...

    def clear(self) -> None:
        """It does not ring."""
        ...

    def close(self) -> None:
        """It never rings again."""
        ...


def alarm(ring: Callable[[], None]) -> Alarm:
    """An alarm of this thread's event loop; `ring` is called in the hub, and sets it anew or clears it."""
    clock = getattr(ctypes.CDLL(None, use_errno=True), "timerfd_create", None)
    descriptor = clock(_MONOTONIC, _FLAGS) if clock is not None else -1
    return _LoopAlarm(ring) if descriptor < 0 else _ClockAlarm(ring, descriptor)


class _Span(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class _ClockAlarm:
    """A clock that is a file descriptor: readable once it has rung, no longer once it is set anew."""

    def __init__(self, ring: Callable[[], None], descriptor: int) -> None:
        self._descriptor = descriptor
        self._settime = ctypes.CDLL(None, use_errno=True).timerfd_settime
        self._span = _Span()
        self._pointer = ctypes.byref(self._span)
        self._watcher: Any = gevent.get_hub().loop.io(descriptor, _READ)
        self._watcher.start(ring)

    def set(self, at_ns: int) -> None:
        """It rings at that instant, or at once where it has passed."""
        span = self._span
        span.at_s, span.at_ns = divmod(max(at_ns, 1), 1_000_000_000)  # all zero would clear it
        if self._settime(self._descriptor, _ABSOLUTE, self._pointer, None):
            raise OSError(ctypes.get_errno(), "the timer cannot be set")

    def clear(self) -> None:
        """It does not ring."""
        self._span.at_s = self._span.at_ns = 0
        self._settime(self._descriptor, _ABSOLUTE, self._pointer, None)

    def close(self) -> None:
        """It never rings again."""
        self._watcher.stop()
        self._watcher.close()
        os.close(self._descriptor)


class _LoopAlarm:
    """The loop's own timer."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = gevent.get_hub().loop
        self._ring = ring
        self._timer: Any = None

    def set(self, at_ns: int) -> None:
        """It rings at that instant, or at once where it has passed."""
        self.clear()
        self._loop.update_now()
        self._timer = self._loop.timer(max(at_ns - monotonic_ns(), 0) / 1e9)
        self._timer.start(self._ring)

    def clear(self) -> None:
        """It does not ring."""
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def close(self) -> None:
        """It never rings again."""
        self.clear()
