"""An event loop whose timers are a fraction of a millisecond late: epoll alone rounds every wait up to a whole one."""

from __future__ import annotations

import asyncio
import ctypes
import select
import selectors
import sys

_PR_SET_TIMERSLACK = 29
_SLACK_NS = 1_000  # the kernel's default lets it wake us 50 µs late

if sys.platform == "linux":

    class _PreciseSelector(selectors.EpollSelector):
        """Waits whole milliseconds in epoll, and the rest of less than one in select(), which counts microseconds."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None or timeout <= 0:
                return super().select(timeout)
            whole_s = int(timeout * 1000) / 1000
            if whole_s > 0:
                return super().select(whole_s)
            select.select([self.fileno()], [], [], timeout)
            return super().select(0)


def precise_loop() -> asyncio.AbstractEventLoop:
    """A new event loop; on systems without epoll the ordinary one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _SLACK_NS, 0, 0, 0)
        return asyncio.SelectorEventLoop(_PreciseSelector())
    return asyncio.new_event_loop()
