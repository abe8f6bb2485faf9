"""How many replicas a target rate needs: Erlang's models, and Microsoft's formula beside them.

All models assume Poisson arrivals (many independent callers) at a constant rate, a front end that knows which slots
are free, and callers that do not return after a rejection. Offered load in *erlangs* is the rate times the service
time: the mean number of busy slots if none were ever rejected.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from fractions import Fraction

from capacity.verdict import Sizing

AZURE_TARGET_UTILISATION = 0.7
"""Default of `autoscale_target_utilization` (v1) and of the Kubernetes target utilisation (v2), as a ratio."""


def erlang_b(servers: int, erlangs: float) -> float:
    """The share of requests rejected when all servers are busy and nobody waits (Erlang's loss formula, M/G/c/c).

    It depends on the mean service time only, not on how service times are spread.

    >>> round(erlang_b(2, 1.0), 6)
    0.2
    """
    return rejected_ratio(servers, erlangs)


def erlang_c(servers: int, erlangs: float) -> float:
    """The share of requests that wait when nobody is rejected (M/M/c); 1 once the load reaches the servers.

    C = c B / (c - a (1 - B)) with B of `erlang_b`. Assumes exponential service times.
    """
    lost = erlang_b(servers, erlangs)
    if erlangs >= servers:
        return 1.0
    return servers * lost / (servers - erlangs * (1.0 - lost))


def rejected_ratio(servers: int, erlangs: float, queue_places: int = 0) -> float:
    """The share of requests that find all servers busy and all places to wait taken (M/M/c/K, K = c + queue places).

    With B_0 = 1, each further place n = 1 .. K gives B_n = a B_(n-1) / (min(n, c) + a B_(n-1)): Erlang's recursion,
    continued over the queue. Every step is a ratio in 0..1, so nothing overflows, and rounding errors fade.
    Without queue places the spread of service times does not matter; with them it is taken as exponential, which
    overstates rejections for steadier services and understates them for more erratic ones.
    """
    if not (servers >= 0 and erlangs >= 0.0 and queue_places >= 0):
        raise ValueError(f"nothing may be below 0, got {servers} servers, {erlangs} erlangs, {queue_places} places")
    if servers == 0:
        return 1.0
    ratio = 1.0
    for place in range(1, servers + queue_places + 1):
        offered = erlangs * ratio
        ratio = offered / (min(place, servers) + offered)
    return ratio


def replicas_for(
    target_rps: float,
    service_s: float,
    concurrency: int,
    reject_goal: float,
    queue_places: int = 0,
    random_routing: bool = False,
) -> int:
    """The smallest number of replicas that rejects at most `reject_goal` (a ratio) of the target rate.

    `concurrency` requests are served and `queue_places` wait at each replica. The front end sends a request wherever
    there is room; with `random_routing` it picks a replica blindly, so that each replica is a small system of its own.
    """
    if not 0.0 < reject_goal < 1.0:
        raise ValueError(f"a reject goal needs 0 < ratio < 1, got {reject_goal}")
    _check_system(target_rps, service_s, concurrency)
    erlangs = target_rps * service_s

    def good_enough(replicas: int) -> bool:
        return _rejected_by(replicas, erlangs, concurrency, queue_places, random_routing) <= reject_goal

    enough = 1
    while not good_enough(enough):
        enough *= 2
    return 1 + bisect_left(range(1, enough + 1), True, key=good_enough)


def formula_replicas(
    target_rps: float, service_s: float, concurrency: int, utilisation: float = AZURE_TARGET_UTILISATION
) -> int:
    """Microsoft's formula: ceil(target_rps x service_s / utilisation / concurrency), at least 1.

    It is the number at which the autoscaler of azureml-fe comes to rest, whatever share of requests that rejects.
    Computed in decimals as given, so that 7 requests/s of 1 s at 0.7 is 10 and not 11.

    >>> formula_replicas(20, 10, 1, 0.7)
    286
    """
    _check_system(target_rps, service_s, concurrency)
    if not 0.0 < utilisation <= 1.0:
        raise ValueError(f"a target utilisation needs 0 < ratio <= 1, got {utilisation}")
    erlangs = Fraction(str(target_rps)) * Fraction(str(service_s))
    return max(1, math.ceil(erlangs / Fraction(str(utilisation)) / concurrency))


def sizing(
    target_rps: float,
    service_s: float,
    concurrency: int,
    reject_goal: float,
    queue_places: int = 0,
    random_routing: bool = False,
    utilisation: float = AZURE_TARGET_UTILISATION,
) -> Sizing:
    """Replicas by the queueing model and by Microsoft's formula, each with the share of requests it rejects.

    A managed endpoint admits twice `max_concurrent_requests_per_instance` per instance: pass as many queue places as
    concurrency. The limit of azureml-fe is a waiting time and not a number of places: without places the
    result is on the safe side.
    """
    replicas = replicas_for(target_rps, service_s, concurrency, reject_goal, queue_places, random_routing)
    formula = formula_replicas(target_rps, service_s, concurrency, utilisation)
    erlangs = target_rps * service_s
    return Sizing(
        target_rps=target_rps,
        service_s=service_s,
        concurrency=concurrency,
        replicas=replicas,
        rejected_ratio=_rejected_by(replicas, erlangs, concurrency, queue_places, random_routing),
        formula_replicas=formula,
        formula_rejected_ratio=_rejected_by(formula, erlangs, concurrency, queue_places, random_routing),
    )


def _rejected_by(replicas: int, erlangs: float, concurrency: int, queue_places: int, random_routing: bool) -> float:
    """Random routing thins Poisson arrivals into Poisson arrivals, so one replica stands for all."""
    if random_routing:
        return rejected_ratio(concurrency, erlangs / replicas, queue_places)
    return rejected_ratio(replicas * concurrency, erlangs, replicas * queue_places)


def _check_system(target_rps: float, service_s: float, concurrency: int) -> None:
    if not (0.0 < target_rps < math.inf and 0.0 < service_s < math.inf):
        raise ValueError(
            f"sizing needs a rate and a service time above 0, got {target_rps} requests/s of {service_s} s"
        )
    if concurrency < 1:
        raise ValueError(f"a replica serves at least 1 request at once, got {concurrency}")
