"""Whether it is our own network that is down: then one incident of the watcher is told, and none of every endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.health.deciding import Policy, Seen, Standing
from scoring.attempt import Failure
from scoring.health import REASON_OK, Health

SUBJECT = "redline:network"
REASON = "own_network"
_OUTWARD = frozenset({str(Failure.DNS_TIMEOUT), str(Failure.NETWORK_UNREACHABLE)})
POLICY = Policy(unknown_after_count=1, recover_after_count=1, stale_s=None, flap_count=1_000_000_000)
"""Told at once: that every host is out of reach at a time rests on as many checks as there are hosts."""


def points_outward(standing: Standing) -> bool:
    """True when the last check of the endpoint met no name server or no route."""
    return standing.last is Health.UNKNOWN and standing.reason in _OUTWARD


def network_seen(hosts: Mapping[str, str], standings: Iterable[Standing]) -> Seen | None:
    """The network as an observation, from the last check of every endpoint; None while there is too little to say.

    `hosts`: of the endpoints that are not on this machine, by name. Two hosts at least must be out of reach, and no
    other within.
    """
    looked = {one.subject: one for one in standings if one.subject in hosts and one.seen_s is not None}
    away = {hosts[name] for name, standing in looked.items() if points_outward(standing)}
    reached = {hosts[name] for name, standing in looked.items() if not points_outward(standing)}
    if reached:
        return Seen(Health.OK, REASON_OK)
    if len(away) < 2:
        return None
    evidence = f"no name server or no route for all {len(away)} hosts that were checked"
    return Seen(Health.UNKNOWN, REASON, evidence)
