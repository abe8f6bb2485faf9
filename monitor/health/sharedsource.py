"""Whether a workspace that several endpoints share is what hinders their telemetry: then one of them tells it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.health.deciding import Standing
from monitor.health.history import endpoint_and_rule
from scoring.health import Health

_OF_ENDPOINT = frozenset(("no_traffic", "no_status", "metric_missing"))
"""What is UNKNOWN of one endpoint although its source answers."""


def is_told_elsewhere(sources: Mapping[str, str], standing: Standing, others: Iterable[Standing]) -> bool:
    """True while another endpoint of the same source has told that the source is silent, or has seen that it is not.

    `sources`: where each endpoint's telemetry is, by its name. When the source answers again, each endpoint has to be
    looked at once more before anything is said of it.
    """
    if not _is_silent(standing):
        return False
    return any(
        _is_open(other) or (not _is_silent(other) and (other.seen_s or 0.0) > (standing.seen_s or 0.0))
        for other in others
        if other.subject != standing.subject and _source(sources, other) == _source(sources, standing)
    )


def _is_silent(standing: Standing) -> bool:
    return standing.last is Health.UNKNOWN and standing.reason not in _OF_ENDPOINT


def _is_open(standing: Standing) -> bool:
    return standing.incident is not None and standing.incident.state is Health.UNKNOWN


def _source(sources: Mapping[str, str], standing: Standing) -> str | None:
    """None for what is no telemetry."""
    endpoint, rule = endpoint_and_rule(standing.subject)
    return sources.get(endpoint) if rule == "telemetry" else None
