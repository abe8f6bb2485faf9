"""The pulse of a load-carrying process: which late beats a hold is blamed for."""

from __future__ import annotations

from time import monotonic_ns

import gevent

from locustfiles._health import Pulse

BLOCKED_S = 0.5


def test_a_process_that_was_blocked_before_a_hold_is_not_late_in_it() -> None:
    pulse = Pulse()
    gevent.sleep(0)  # its first beat is on the way
    _block()
    pulse.begin()
    _let_beat()
    lag_s = pulse.health().lag_p99_s
    pulse.stop()
    assert lag_s is not None
    assert lag_s < BLOCKED_S / 2


def test_a_process_that_was_blocked_in_a_hold_is_late_in_it() -> None:
    pulse = Pulse()
    pulse.begin()
    gevent.sleep(0)
    _block()
    _let_beat()
    lag_s = pulse.health().lag_p99_s
    pulse.stop()
    assert lag_s is not None
    assert lag_s > BLOCKED_S / 2


def _block() -> None:
    """The process does something else for a while, and no greenlet runs."""
    end_ns = monotonic_ns() + int(BLOCKED_S * 1e9)
    while monotonic_ns() < end_ns:
        pass


def _let_beat() -> None:
    """So long that a few beats are there."""
    for _ in range(5):
        gevent.sleep(0.01)
