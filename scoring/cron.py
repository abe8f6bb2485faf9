"""Cron expressions in a time zone. The only home of cronsim, which follows Debian's cron across clock changes:

a job at a fixed time that the clock jumps over runs once, right after the jump; at a time that comes twice, once too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from scoring.errors import RedlineError

_PROBE_AT = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields of cron, and the zone whose clock they mean."""

    expression: str
    zone: str = "UTC"

    def after(self, at_s: float) -> float | None:
        """The first time later than `at_s`, in seconds since 1970; None where the expression has no more."""
        return next(self.from_(at_s), None)

    def from_(self, at_s: float) -> Iterator[float]:
        """All times later than `at_s`, in order, each once."""
        from cronsim import CronSim

        started = datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(self.zone))
        last_s = at_s
        for found in CronSim(self.expression, started):
            found_s = found.timestamp()
            if found_s > last_s:  # of an hour that comes twice cronsim names the first
                last_s = found_s
                yield found_s


def checked_cron(expression: str, zone: str) -> Cron:
    """The schedule, when cron reads it, the zone is known and a time ever comes; else RedlineError."""
    from cronsim import CronSimError

    hint = 'five fields: "*/5 * * * *", "0 8-18 * * MON-FRI"'
    if len(expression.split()) != 5:
        raise RedlineError(f"`{expression[:60]}` is no cron expression", hint)
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError) as error:  # an unknown zone is a KeyError, one with .. a ValueError
        raise RedlineError(f"`{zone[:60]}` is no time zone", 'a name such as "Europe/Vienna", "UTC"') from error
    try:
        found = Cron(expression, zone).after(_PROBE_AT.timestamp())
    except CronSimError as error:
        raise RedlineError(f"`{expression[:60]}` is no cron expression: {error}", hint) from error
    if found is None:
        raise RedlineError(f"`{expression[:60]}` never comes", hint)
    return Cron(expression, zone)
