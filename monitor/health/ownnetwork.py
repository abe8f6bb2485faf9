"""Whether it is our own network that is down: then one incident of the watcher is told, and none of every endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.health.deciding import Policy, Seen, Standing
from scoring.attempt import Failure
from scoring.health import REASON_OK, Health

SUBJECT = "redline:network"
REASON = "own_network"
FEWEST_HOSTS = 2
FEWEST_CHECKS = 2  # in a row of each of so many hosts, before it is told
_OUTWARD = frozenset({str(Failure.DNS_TIMEOUT), str(Failure.NETWORK_UNREACHABLE)})
POLICY = Policy(unknown_after_count=1, recover_after_count=1, stale_s=None, flap_count=1_000_000_000)


def points_outward(standing: Standing) -> bool:
    """True when the last check of the endpoint met no name server or no route."""
    return standing.last is Health.UNKNOWN and standing.reason in _OUTWARD


def out_of_reach(hosts: Mapping[str, str], standings: Iterable[Standing]) -> list[Standing]:
    """The endpoints that our own network may keep us from; empty where one host alone is, or another was reached since.

    `hosts`: of the endpoints that are not on this machine, by name.
    """
    looked = [one for one in standings if one.subject in hosts and one.seen_s is not None]
    away = [one for one in looked if points_outward(one)]
    if len({hosts[one.subject] for one in away}) < FEWEST_HOSTS:
        return []
    since_s = min(one.dark.since_s for one in away)
    is_reached = any(not points_outward(one) and (one.seen_s or 0.0) >= since_s for one in looked)
    return [] if is_reached else away


def network_seen(hosts: Mapping[str, str], standings: Iterable[Standing]) -> Seen | None:
    """The network as an observation, from the last check of every endpoint; None while there is too little to say."""
    known = list(standings)
    away = out_of_reach(hosts, known)
    if not away:
        is_looked = any(one.subject in hosts and not points_outward(one) for one in known)
        return Seen(Health.OK, REASON_OK) if is_looked else None
    sure = {hosts[one.subject] for one in away if one.dark.count >= FEWEST_CHECKS}
    if len(sure) < FEWEST_HOSTS:
        return None
    return Seen(Health.UNKNOWN, REASON, f"no name server or no route for all {len(sure)} hosts that were checked")


def is_to_blame(
    hosts: Mapping[str, str], standing: Standing, others: Iterable[Standing], network: Standing | None
) -> bool:
    """True while our own network explains that the endpoint is out of reach.

    When it is well again, each endpoint has to be looked at once more before anything is said of it.
    """
    if not points_outward(standing) or standing.subject not in hosts:
        return False
    if network is not None and network.good.count and (standing.seen_s or 0.0) < network.good.since_s:
        return True
    return bool(out_of_reach(hosts, [*others, standing]))
