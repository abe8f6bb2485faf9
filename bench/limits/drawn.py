"""Scenarios drawn at random: kind, service, goal and what goes wrong are a function of a number.

Even numbers are for tuning; odd ones are held out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

from bench.limits.endpoint import Endpoint, Service
from bench.limits.scenario import Scenario
from bench.limits.truth import binding

LEAST, AT_CAP = 3, 0.9


def drawn(number: int) -> Scenario:
    """The scenario of that number; its name tells it apart in results and tables."""
    chance = random.Random(f"scenario {number}")
    kind = list(_KINDS)[(number // 2) % len(_KINDS)]
    scenario = _KINDS[kind](chance)
    return replace(scenario, name=f"{number}: {kind}, {scenario.name}", long=150_000)


def drawn_up_to(count: int, *, held_out: bool) -> list[Scenario]:
    """The even or the odd ones below `count`, without those whose limit is no number of users worth a percentage or
    lies at the cap."""
    scenarios = [drawn(number) for number in range(int(held_out), count, 2)]
    return [one for one in scenarios if LEAST <= binding(one)[1] < AT_CAP * one.max_level]


def _log_uniform(chance: random.Random, low: float, high: float) -> float:
    return math.exp(chance.uniform(math.log(low), math.log(high)))


def _service(chance: random.Random, most: int = 40) -> Service:
    """A shared pool of servers."""
    return Service(
        servers=round(_log_uniform(chance, 3, most)),
        service_s=round(_log_uniform(chance, 0.02, 0.25), 3),
        shape=chance.choice(("lognormal", "lognormal", "gamma", "bimodal", "constant")),
        spread=round(chance.uniform(0.15, 1.0), 2),
    )


def _latency_goal(chance: random.Random, service: Service) -> str:
    """A percentile that one user would meet, with room for a queue."""
    percent = chance.choice((90, 95, 95, 99))
    alone = sorted(_alone_s(service))
    slow_s = alone[len(alone) * percent // 100] * chance.uniform(1.5, 4.0)
    return f"p{percent}<={1000 * slow_s:.0f}ms"


def _alone_s(service: Service) -> list[float]:
    endpoint, left = (
        Endpoint(Service(1, None, 1, service.service_s, service.shape, service.spread), 7),
        iter(range(3000)),
    )
    return [row[2] for row in endpoint.run(1, 1e9, lambda _: next(left, None) is None)]


def _scenario(service: Service, goal: str, group: str = "smooth") -> Scenario:
    work = f"{service.replicas} x {service.servers}, {1000 * service.service_s:.0f} ms {service.shape} {service.spread}"
    return Scenario(f"{work}, {goal}", service, (goal,), group=group)


def _cliff(chance: random.Random) -> Scenario:
    service = _service(chance, 80)
    room = service.servers + chance.choice((0, 0, chance.randint(1, 12)))
    return _scenario(replace(service, room=room), "rejected<=0.1%", group="cliff")


def _routed(chance: random.Random) -> Scenario:
    return _scenario(_with_room(chance), f"rejected<={chance.choice((0.1, 0.2, 0.5, 1, 2))}%")


def _with_room(chance: random.Random) -> Service:
    service = replace(_service(chance, 10), replicas=chance.randint(2, 6))
    return replace(service, room=service.servers + chance.choice((0, 0, service.servers, chance.randint(1, 8))))


def _queue(chance: random.Random) -> Scenario:
    service = _service(chance)
    return _scenario(service, _latency_goal(chance, service))


def _routed_queue(chance: random.Random) -> Scenario:
    service = replace(_service(chance, 10), replicas=chance.randint(2, 5))
    return _scenario(service, _latency_goal(chance, service))


def _stalls(chance: random.Random) -> Scenario:
    every_s, stall_s = _log_uniform(chance, 4, 40), _log_uniform(chance, 0.05, 0.4)
    service = replace(_service(chance), stall_every_s=every_s, stall_s=stall_s, stall_fixed=chance.random() < 0.5)
    return _scenario(service, _latency_goal(chance, service))


def _cold(chance: random.Random) -> Scenario:
    service = _service(chance)
    cold = replace(service, cold_s=chance.uniform(12, 60), cold_factor=round(chance.uniform(1.5, 6), 1))
    return _scenario(cold, _latency_goal(chance, service))


def _thrash(chance: random.Random) -> Scenario:
    service = replace(_service(chance, 20), thrash_ratio=round(_log_uniform(chance, 0.01, 0.15), 3))
    return _scenario(service, _latency_goal(chance, service))


def _quota(chance: random.Random) -> Scenario:
    service = replace(_service(chance), servers=120, quota_rps=round(_log_uniform(chance, 40, 500)))
    return _scenario(service, f"rejected<={chance.choice((0.1, 0.5, 1))}%")


def _open(of: Callable[[random.Random], Scenario]) -> Callable[[random.Random], Scenario]:
    def opened(chance: random.Random) -> Scenario:
        closed = of(chance)
        return replace(closed, mode="open", max_level=3000)

    return opened


_KINDS: dict[str, Callable[[random.Random], Scenario]] = {
    "cliff": _cliff,
    "routed": _routed,
    "queue": _queue,
    "routed queue": _routed_queue,
    "stalls": _stalls,
    "cold": _cold,
    "thrash": _thrash,
    "quota": _quota,
    "open queue": _open(_queue),
    "open routed": _open(_routed),
    "open quota": _open(_quota),
    "open room": _open(
        lambda chance: _scenario(replace(s := _service(chance, 20), room=2 * s.servers), "rejected<=0.1%")
    ),
}
