"""How far off an availability may be: failures come in outages, so checks are worth less than their number. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from scoring.health import Day, EndpointRecord


def good_interval(days: Sequence[Day]) -> tuple[float, float] | None:
    """The 95 % interval of the share of checks that do not fail; None without a known check.

    Wilson's score interval, for as many independent checks as these are worth: their count divided by how much more
    the days differ than chance alone would let them.
    """
    from capacity.stats import overdispersion, wilson  # numpy: `check` shows no interval and need not wait for it

    known, failed = [day.known_count for day in days], [day.failed_count for day in days]
    if not sum(known):
        return None
    worth = overdispersion(failed, known)
    low, high = wilson(sum(failed) / worth, sum(known) / worth)
    return 1.0 - high, 1.0 - low


def together(endpoints: Iterable[EndpointRecord]) -> tuple[Day, ...]:
    """The days of all endpoints as if they were one."""
    found: dict[int, Day] = {}
    for day in chain.from_iterable(one.days for one in endpoints):
        before = found.get(day.number, Day(day.number))
        found[day.number] = Day(
            day.number,
            before.ok_count + day.ok_count,
            before.degraded_count + day.degraded_count,
            before.failed_count + day.failed_count,
            before.unknown_count + day.unknown_count,
            before.quiet_count + day.quiet_count,
        )
    return tuple(found[number] for number in sorted(found))
