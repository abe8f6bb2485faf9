"""Scenarios that the search has not been tuned on: looked at once, when it was done."""

from __future__ import annotations

from bench.limits.endpoint import Service
from bench.limits.scenario import Scenario
from bench.limits.tuned import DEFAULTS

HELD_OUT = (
    Scenario("cliff of 17, 35 ms", Service(servers=17, room=17, service_s=0.035, spread=0.6), DEFAULTS, group="cliff"),
    Scenario("cliff of 72, 60 ms, gamma", Service(servers=72, room=72, service_s=0.06, shape="gamma"), DEFAULTS,
             group="cliff"),
    Scenario("cliff of 12, not ready for 15 s", Service(servers=12, room=12, unready_s=15.0), DEFAULTS, group="cliff"),
    Scenario("routed, 3 x 10, 0.5 %", Service(servers=10, room=10, replicas=3, service_s=0.08), ("rejected<=0.5%",)),
    Scenario("p90, queue of 16, wide spread", Service(servers=16, service_s=0.12, spread=1.0), ("p90<=600ms",)),
    Scenario("p99, routed to 3 queues of 6", Service(servers=6, replicas=3, service_s=0.05), ("p99<=350ms",)),
    Scenario("p99, stalls every 8 s", Service(servers=12, service_s=0.04, stall_every_s=8.0, stall_s=0.15,
             stall_fixed=True), ("p99<=250ms",)),
    Scenario("p95, cold for 50 s", Service(servers=6, service_s=0.06, cold_s=50.0, cold_factor=3.0), ("p95<=400ms",)),
    Scenario("p95, strong thrash", Service(servers=6, service_s=0.05, thrash_ratio=0.1), ("p95<=500ms",)),
    Scenario("grows twice", Service(servers=5, service_s=0.06, scale_to=3, scale_s=15.0), ("p95<=400ms",),
             steady=Service(servers=15, service_s=0.06)),
    Scenario("open, p90, queue of 4, slow", Service(servers=4, service_s=0.2), ("p90<=900ms",), "open", max_level=1000),
    Scenario("open, routed to 5 x 3, 1 %", Service(servers=3, room=6, replicas=5, service_s=0.04), ("rejected<=1%",),
             "open", max_level=2000),
    Scenario("open, p99, queue of 20", Service(servers=20, service_s=0.08, shape="gamma"), ("p99<=300ms",), "open",
             max_level=2000),
    Scenario("saturated client, 20 ms", Service(servers=300, service_s=0.02, client_rps=1500.0), DEFAULTS,
             kinds=("CLIENT_LIMITED",), group="client"),
    Scenario("slow leak", Service(servers=8, leak_per_s=0.01), ("p95<=300ms",), kinds=("NOT_STEADY", "BUDGET_SPENT"),
             group="verdict"),
)  # fmt: skip
