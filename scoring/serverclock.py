"""The clock of the other side, as its Date headers tell it: bounds, never a guess. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.units import S

DATE_GRAIN_S = 1.0
"""A Date header names a whole second that has begun."""
SLACK_S = 0.05
"""Two clocks drift: bounds that miss each other by less than this still tell of one clock."""


@dataclass(frozen=True, slots=True)
class ServerClock:
    """Seconds since 1970 over there, less our monotonic seconds: at least `low_s`, at most `high_s`."""

    low_s: float
    high_s: float
    is_told: bool  # by a Date header, and not by our own clock

    def earliest_s(self, now_ns: int) -> float:
        """The clock over there shows at least this."""
        return now_ns / S + self.low_s

    def latest_s(self, now_ns: int) -> float:
        """The clock over there shows at most this."""
        return now_ns / S + self.high_s

    def reaches_ns(self, instant_s: float) -> int:
        """The monotonic instant at which the clock over there may first show `instant_s`."""
        return int((instant_s - self.high_s) * S)

    def has_passed_ns(self, instant_s: float) -> int:
        """The monotonic instant from which the clock over there surely shows more than `instant_s`."""
        return int((instant_s - self.low_s) * S)


def own_clock(wall_s: float, now_ns: int) -> ServerClock:
    """Our own clock, where nothing is known of the other one."""
    offset_s = wall_s - now_ns / S
    return ServerClock(offset_s, offset_s, is_told=False)


def told_clock(before: ServerClock, date_s: float, sent_ns: int, received_ns: int) -> ServerClock:
    """What is known after an answer with that Date, between whose request and arrival the header was written.

    Each answer narrows the bounds. One that contradicts them tells of a clock that was set: it alone counts then.

    >>> told_clock(own_clock(500.0, 0), 1000.0, sent_ns=2 * S, received_ns=3 * S)
    ServerClock(low_s=997.0, high_s=999.0, is_told=True)
    """
    low_s = date_s - received_ns / S
    high_s = date_s + DATE_GRAIN_S - sent_ns / S
    if not before.is_told:
        return ServerClock(low_s, high_s, is_told=True)
    both_low_s, both_high_s = max(low_s, before.low_s), min(high_s, before.high_s)
    if both_low_s > both_high_s + SLACK_S:
        return ServerClock(low_s, high_s, is_told=True)
    return ServerClock(min(both_low_s, both_high_s), max(both_low_s, both_high_s), is_told=True)
