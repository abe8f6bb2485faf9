"""Is it the client? Each sign that a trial measured the load generator rather than the endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from capacity.goals import Goal
from scoring.attempt import Failure
from scoring.units import S

LAG_FLOOR_S = 0.005
LAG_SHARE_OF_GOAL = 0.10
LAG_SHARE_OF_SERVICE = 0.15
TIMELY_RATIO = 0.999
CPU_RATIO = 0.85
RUN_QUEUE_RATIO = 0.10
CLIENT_WALLS = (Failure.OUT_OF_FILES, Failure.OUT_OF_PORTS)
REMEDY = "use `--processes 2`, more workers or a machine with free cores"


@dataclass(frozen=True, slots=True)
class Health:
    """What the generator says of itself over one trial. None: not measured, which is no sign either way."""

    lag_p99_s: float | None = None  # how late a 10 ms sleep wakes, idle baseline subtracted
    timely_ratio: float | None = None  # attempts sent within 1 ms + 1 % of their due time
    cpu_ratio: float | None = None  # busiest second of the process, of one core
    run_queue_ratio: float | None = None  # share of the time ready to run but waiting for a core


def allowed_lag_s(goals: Sequence[Goal], service_s: float | None = None) -> float:
    """The p99 lag that still leaves the strictest latency goal measurable: 10 % of it; without one, 15 % of the median
    service time, since lag then only thins out the load. Never below 5 ms.
    """
    slow = [goal.slow_ns for goal in goals if goal.slow_ns is not None]
    if slow:
        return max(LAG_FLOOR_S, LAG_SHARE_OF_GOAL * min(slow) / S)
    return max(LAG_FLOOR_S, LAG_SHARE_OF_SERVICE * (service_s or 0.0))


def reasons(
    health: Health | None, goals: Sequence[Goal], labels: Mapping[str, int], service_s: float | None = None
) -> tuple[str, ...]:
    """Why a trial is no fair measurement, one sentence each; empty when nothing speaks against it.

    >>> reasons(Health(cpu_ratio=0.97), [], {})
    ('the generator used 97 % of a core (fair below 85 %)',)
    """
    found = [
        f"{labels[wall]} attempts failed with {wall}: the client ran out of them"
        for wall in CLIENT_WALLS
        if labels.get(wall)
    ]
    if health is None:
        return tuple(found)
    lag_s = allowed_lag_s(goals, service_s)
    if health.lag_p99_s is not None and health.lag_p99_s > lag_s:
        found.append(
            f"the generator woke up {1e3 * health.lag_p99_s:.1f} ms late at p99 (fair up to {1e3 * lag_s:.1f} ms)"
        )
    if health.timely_ratio is not None and health.timely_ratio < TIMELY_RATIO:
        found.append(f"{100 * health.timely_ratio:.2f} % of the requests left in time (fair from 99.9 %)")
    if health.cpu_ratio is not None and health.cpu_ratio >= CPU_RATIO:
        found.append(
            f"the generator used {100 * health.cpu_ratio:.0f} % of a core (fair below {100 * CPU_RATIO:.0f} %)"
        )
    if health.run_queue_ratio is not None and health.run_queue_ratio > RUN_QUEUE_RATIO:
        found.append(
            f"the generator waited for a core {100 * health.run_queue_ratio:.0f} % of the time (fair up to"
            f" {100 * RUN_QUEUE_RATIO:.0f} %)"
        )
    return tuple(found)
