"""The scenarios that the search has been tuned on."""

from __future__ import annotations

from dataclasses import replace

from bench.limits.endpoint import Service
from bench.limits.scenario import Scenario

DEFAULTS = ("rejected<=0.1%", "errors<=1%")
_QUEUE = Service(servers=4, service_s=0.05)
_GROWING = Service(servers=4, replicas=1, service_s=0.05, scale_to=3, scale_s=20.0)
_STORM = Service(servers=8, service_s=0.05, give_up_s=0.5, retries=2)

TUNED = (
    Scenario("cliff of 8, 20 ms", Service(servers=8, room=8, service_s=0.02), DEFAULTS, group="cliff"),
    Scenario("cliff of 50, 100 ms", Service(servers=50, room=50, service_s=0.1), DEFAULTS, group="cliff"),
    Scenario("cliff of 3, 400 ms", Service(servers=3, room=3, service_s=0.4, spread=0.5), DEFAULTS, group="cliff"),
    Scenario("cliff of 24 after a queue", Service(servers=8, room=24, service_s=0.03), DEFAULTS, group="cliff"),
    Scenario("routed, 4 x 4, 2 %", Service(servers=4, room=4, replicas=4), ("rejected<=2%",)),
    Scenario("routed, 6 x 8, 0.1 %", Service(servers=8, room=8, replicas=6, service_s=0.1, shape="gamma"),
             ("rejected<=0.1%",)),
    Scenario("p95, queue of 4", _QUEUE, ("p95<=300ms",)),
    Scenario("p99, queue of 8, bimodal", Service(servers=8, service_s=0.1, shape="bimodal"), ("p99<=900ms",)),
    Scenario(
        "p99, stalls",
        Service(servers=16, service_s=0.05, stall_every_s=20.0, stall_s=0.1),
        ("p99<=200ms",),
    ),
    Scenario("p95, cold for 30 s", replace(_QUEUE, servers=8, cold_s=30.0, cold_factor=5.0), ("p95<=300ms",)),
    Scenario("p95, thrash", Service(servers=10, service_s=0.04, thrash_ratio=0.03), ("p95<=400ms",)),
    Scenario(
        "three goals, queue of 12",
        Service(servers=6, room=40, service_s=0.05, spread=0.5),
        (*DEFAULTS, "p95<=250ms"),
    ),
    Scenario("quota of 200/s", Service(servers=100, service_s=0.1, quota_rps=200.0), ("rejected<=0.1%",)),
    Scenario("grows while tested", _GROWING, ("p95<=300ms",), steady=Service(servers=12, service_s=0.05)),
    Scenario("open, p95, queue of 8", Service(servers=8), ("p95<=200ms",), mode="open", max_level=2000),
    Scenario("open, routed, p99", Service(servers=4, replicas=4, spread=0.5), ("p99<=400ms",), "open", max_level=2000),
    Scenario("open, 8 + 8 waiting, 0.1 %", Service(servers=8, room=16), DEFAULTS, "open", max_level=2000),
    Scenario("open, quota of 150/s", Service(servers=50, quota_rps=150.0), ("rejected<=1%",), "open", max_level=2000),
    Scenario("open, retry storm", _STORM, ("p95<=300ms",), "open", max_level=2000, steady=Service(servers=8)),
    Scenario("saturated client", Service(servers=400, service_s=0.1, client_rps=600.0), ("p95<=300ms",),
             kinds=("CLIENT_LIMITED",), group="client"),
    Scenario("client with room", Service(servers=10, room=10, client_rps=9000.0), DEFAULTS, group="cliff"),
    Scenario("missed at one user", Service(), ("p95<=20ms",), kinds=("MISSED_AT_ZERO_LOAD",), group="verdict"),
    Scenario("errors at any load", Service(room=8, error_ratio=0.03), DEFAULTS, kinds=("MISSED_AT_ZERO_LOAD",),
             group="verdict"),
    Scenario("leak", replace(_QUEUE, servers=8, leak_per_s=0.006), ("p95<=300ms",),
             kinds=("NOT_STEADY", "BUDGET_SPENT"), group="verdict"),
    Scenario("nothing fails", Service(servers=100, room=100), DEFAULTS, kinds=("AT_LEAST",), max_level=64,
             group="verdict"),
)  # fmt: skip
