"""Is it the client? Each sign that a trial measured the load generator rather than the endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from capacity.goals import Goal
from scoring.attempt import Failure
from scoring.units import S

LAG_FLOOR_S = 0.005
LAG_SHARE_OF_GOAL = 0.10
LAG_SHARE_OF_SERVICE = 0.15
TIMELY_RATIO = 0.999
CHANCE_RATIO = 0.01
CPU_RATIO = 0.85
RUN_QUEUE_RATIO = 0.10
CEILING_RATIO = 0.70
CLIENT_WALLS = {
    Failure.OUT_OF_FILES: "the client had no file descriptor left; raise it: `ulimit -n 65536`",
    Failure.OUT_OF_PORTS: "the client had no local port left; widen net.ipv4.ip_local_port_range or use more machines",
    Failure.DNS_NOT_FOUND: "the client could no longer look the name up; see its resolver: `redline doctor`",
    Failure.DNS_TIMEOUT: "the client's resolver gave no answer in time; see it: `redline doctor`",
}
"""Failures of the client's own means. The name could be looked up before the load, so load alone took that away."""
REMEDIES = (
    "let this machine use more cores: `--processes 2`, and no other work beside it",
    "send from more machines: Locust workers (docs/deploy.md), or `redline export azure-load-testing`",
    "in a locustfile of your own, send with redline's user class or FastHttpUser rather than HttpUser",
)
"""What to do when the client is the wall, what costs least first."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the generator says of itself over one trial. None: not measured, which is no sign either way."""

    lag_p99_s: float | None = None  # how late a 10 ms sleep wakes, idle baseline subtracted
    timely_ratio: float | None = None  # attempts sent in time
    cpu_ratio: float | None = None  # busiest second of the process, of one core
    run_queue_ratio: float | None = None  # share of the time ready to run but waiting for a core
    late_p99_s: float | None = None  # of an open loop: how late requests left; judged in place of `timely_ratio`
    canary_count: int = 0  # answers to the canary, another process that sends in the place of a user now and then
    canary_gap_s: float | None = None  # what users waited longer than the canary, where that is beyond chance
    ceiling_rps: float | None = None  # what one core of this generator can send at most, where it was measured
    ceiling_ratio: float | None = None  # the rate of the trial as a share of it
    attempt_count: int | None = None  # of how many attempts the timely ratio tells; None: of very many


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
        f"{labels[wall]} attempts failed with {wall}: {meaning}"
        for wall, meaning in CLIENT_WALLS.items()
        if labels.get(wall)
    ]
    if health is None:
        return tuple(found)
    return (*found, *_late(health, allowed_lag_s(goals, service_s)), *_busy(health))


def _late(health: Health, lag_s: float) -> list[str]:
    """The signs that time was lost between the wire and the clock."""
    found = []
    if health.lag_p99_s is not None and health.lag_p99_s > lag_s:
        found.append(
            f"the generator woke up {1e3 * health.lag_p99_s:.1f} ms late at p99 (fair up to {1e3 * lag_s:.1f} ms)"
        )
    if health.late_p99_s is not None and health.late_p99_s > lag_s:
        found.append(
            f"requests left {1e3 * health.late_p99_s:.1f} ms after they were due at p99 (fair up to"
            f" {1e3 * lag_s:.1f} ms)"
        )
    if health.late_p99_s is None and not _is_timely(health):
        found.append(f"{100 * (health.timely_ratio or 0.0):.2f} % of the requests left in time (fair from 99.9 %)")
    if health.canary_gap_s is not None:
        found.append(
            f"a second process was answered {1e3 * health.canary_gap_s:.1f} ms faster than the users, in"
            f" {health.canary_count} answers: the generator loses that time"
        )
    return found


def _is_timely(health: Health) -> bool:
    """No more requests left late than a client that sends 99.9 % in time may have by chance."""
    ratio, count = health.timely_ratio, health.attempt_count
    if ratio is None or ratio >= TIMELY_RATIO:
        return True
    return count is not None and round((1 - ratio) * count) <= chance_late(count)


def chance_late(count: int) -> int:
    """Late sends that may be chance where 1 in 1,000 may be late: one in a hundred fair trials has more (Poisson).

    One late send alone is no sign, however few there are.

    >>> [chance_late(count) for count in (6, 100, 1_000, 10_000)]
    [1, 1, 4, 18]
    """
    mean, late = (1 - TIMELY_RATIO) * count, 1
    term = mean * exp(-mean)
    below = exp(-mean) + term
    while below < 1 - CHANCE_RATIO:
        late += 1
        term *= mean / late
        below += term
    return late


def _busy(health: Health) -> list[str]:
    """The signs that the process is near its end."""
    found = []
    if health.cpu_ratio is not None and health.cpu_ratio >= CPU_RATIO:
        found.append(
            f"the generator used {100 * health.cpu_ratio:.0f} % of a core (fair below {100 * CPU_RATIO:.0f} %)"
        )
    if health.run_queue_ratio is not None and health.run_queue_ratio > RUN_QUEUE_RATIO:
        found.append(
            f"the generator waited for a core {100 * health.run_queue_ratio:.0f} % of the time (fair up to"
            f" {100 * RUN_QUEUE_RATIO:.0f} %)"
        )
    if health.ceiling_ratio is not None and health.ceiling_ratio > CEILING_RATIO:
        found.append(
            f"the generator sent {100 * health.ceiling_ratio:.0f} % of the {health.ceiling_rps or 0:,.0f} requests/s"
            f" that it can (fair up to {100 * CEILING_RATIO:.0f} %)"
        )
    return found
