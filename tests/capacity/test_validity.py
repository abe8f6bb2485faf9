"""Is it the client? One row per sign."""

from __future__ import annotations

import pytest

from capacity.goals import Goal, parse_goal
from capacity.validity import Health, allowed_lag_s, reasons

P95, P99, REJECTED = map(parse_goal, ("p95<=300ms", "p99<=20ms", "rejected<=0.1%"))


@pytest.mark.parametrize(
    ("health", "labels", "words"),
    [
        # nothing told, nothing said
        (None, {}, []),
        (Health(), {}, []),
        # a quiet generator
        (Health(lag_p99_s=0.001, timely_ratio=1.0, cpu_ratio=0.3, run_queue_ratio=0.01), {"200": 9}, []),
        # it wakes up late; 5 ms are fair whatever the goal
        (Health(lag_p99_s=0.005), {}, []),
        (Health(lag_p99_s=0.0051), {}, ["5.1 ms late"]),
        # it sends late: fair from 99.9 %
        (Health(timely_ratio=0.999), {}, []),
        (Health(timely_ratio=0.9989), {}, ["99.89 % of the requests left in time"]),
        # one core is all that one process has
        (Health(cpu_ratio=0.849), {}, []),
        (Health(cpu_ratio=0.85), {}, ["85 % of a core"]),
        # of few requests a few may be late by chance: 1 of 100, 4 of 1,000
        (Health(timely_ratio=0.99, attempt_count=100), {}, []),
        (Health(timely_ratio=0.98, attempt_count=100), {}, ["98.00 %"]),
        (Health(timely_ratio=0.996, attempt_count=1_000), {}, []),
        (Health(timely_ratio=0.995, attempt_count=1_000), {}, ["99.50 %"]),
        # in an open loop it counts how late they left, not how many
        (Health(timely_ratio=0.97, late_p99_s=0.005), {}, []),
        (Health(timely_ratio=1.0, late_p99_s=0.0051), {}, ["left 5.1 ms after they were due"]),
        # another process is answered faster
        (Health(canary_count=12), {}, []),
        (Health(canary_count=12, canary_gap_s=0.031), {}, ["31.0 ms faster than the users, in 12 answers"]),
        # it waits for a core
        (Health(run_queue_ratio=0.10), {}, []),
        (Health(run_queue_ratio=0.31), {}, ["waited for a core 31 % of the time"]),
        # it ran out of file descriptors or ports, told or not
        (None, {"out_of_files": 3}, ["3 attempts failed with out_of_files"]),
        (Health(), {"out_of_ports": 1, "200": 8}, ["1 attempts failed with out_of_ports"]),
        # a name that could be looked up before the load
        (None, {"dns_timeout": 2}, ["2 attempts failed with dns_timeout: the client's resolver"]),
        # every sign has its own sentence
        (
            Health(lag_p99_s=0.05, timely_ratio=0.5, cpu_ratio=1.0, run_queue_ratio=0.5),
            {"out_of_files": 1},
            ["out_of_files", "50.0 ms late", "50.00 %", "100 % of a core", "50 % of the time"],
        ),
    ],
)
def test_each_sign_of_a_client_at_its_wall_is_a_reason(
    health: Health | None, labels: dict[str, int], words: list[str]
) -> None:
    """Nothing is a reason but what was measured, and each reason says the value seen."""
    found = reasons(health, (REJECTED,), labels)
    assert len(found) == len(words)
    assert all(word in reason for word, reason in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("goals", "service_s", "allowed_s"),
    [
        # a tenth of the strictest latency goal
        ((P95,), None, 0.03),
        # never below 5 ms, which a hub cannot promise
        ((P95, P99), 2.0, 0.005),
        # without a latency goal a share of the service time
        ((REJECTED,), 1.0, 0.15),
        ((REJECTED,), 0.02, 0.005),
        # nothing known
        ((), None, 0.005),
    ],
)
def test_the_lag_that_is_fair_follows_the_strictest_latency_goal(
    goals: tuple[Goal, ...], service_s: float | None, allowed_s: float
) -> None:
    """10 % of it, or 15 % of the median service time, at least 5 ms."""
    assert allowed_lag_s(goals, service_s) == pytest.approx(allowed_s)
