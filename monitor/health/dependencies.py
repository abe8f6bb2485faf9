"""Whether what an endpoint depends on explains that it is not well: then only the incident of the cause is told."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.health.deciding import Standing
from scoring.health import Health


def is_blocked(standing: Standing, causes: Iterable[Standing], at_s: float, wait_s: float) -> bool:
    """True while a cause is FAILED or UNKNOWN, or may turn out to be.

    A cause that has not been looked at since this endpoint began to fail is waited for, `wait_s` at most.
    """
    return any(_explains(cause, standing, at_s, wait_s) for cause in causes)


def _explains(cause: Standing, standing: Standing, at_s: float, wait_s: float) -> bool:
    if cause.seen_s is None:
        return False
    if cause.incident is not None or cause.last in (Health.FAILED, Health.UNKNOWN):
        return True
    began_s = standing.dark.since_s
    return bool(standing.dark.count) and cause.seen_s < began_s and at_s - began_s < wait_s
