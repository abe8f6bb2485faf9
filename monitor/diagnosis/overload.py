"""Causes in the amount of load: full queues, limits, replicas that are not there yet or not at all."""

from __future__ import annotations

import math

from monitor.diagnosis.facts import WITNESS, Facts
from monitor.diagnosis.ids import ABSENT
from monitor.diagnosis.rule import NOBODY, Rule, Sign, Witnesses
from monitor.diagnosis.setting import TARGET_RATIO, Setting
from monitor.diagnosis.signs import (
    NEEDS_EVENTS,
    NEEDS_LOG,
    NEEDS_SETTINGS,
    NEEDS_TRAFFIC_LOG,
    ROUTED,
    SERVER_ANSWERED,
    TELEMETRY,
    around,
    in_traffic_log,
    read_events,
    read_logs,
    with_clue,
)
from scoring.endpoint import Hosting
from scoring.served import EventKind

_STARTS = (EventKind.CONTAINER_STARTED, EventKind.SERVER_STARTED, EventKind.BACK_OFF)
_LIMIT_CLUES = ("pending", "rate_limited", "overloaded")
_PROBES = (EventKind.READINESS_FAILED, EventKind.LIVENESS_FAILED)


def _client_if(holds: bool | None) -> Witnesses:
    return frozenset({"client"}) if holds else NOBODY


_OVER = Sign(
    "sent while more requests were held at once than are admitted",
    lambda facts, _: _client_if(facts.is_over_admitted),
)
_NOT_OVER = Sign(
    "sent while the client held no more requests than are admitted",
    lambda facts, _: _client_if(facts.is_over_admitted is False),
)
_NEVER_REACHED = Sign(
    "that never reached the model's server, whose telemetry of that time has arrived",
    lambda facts, _: TELEMETRY if facts.server == ABSENT else NOBODY,
)


def figures(_: Facts, setting: Setting) -> tuple[str, ...]:
    """Load against size, and Microsoft's formula for the replicas that the load needs."""
    found = []
    users = max((one.users for one in setting.client.stretches), default=None) if setting.client is not None else None
    if users is not None and setting.admitted is not None:
        found.append(f"the client held up to {users} requests at once; {setting.admitted} are admitted")
    sizing = replicas_for(setting)
    if sizing is not None:
        found.append(sizing)
    elif setting.peak_rps is not None:
        found.append(_arrived(setting.peak_rps))
    return tuple(found)


def _arrived(rps: float) -> str:
    return f"up to {rps:.3g} requests/s arrived"


def _too_many_figures(facts: Facts, setting: Setting) -> tuple[str, ...]:
    if limit_kind(facts) != "rate":
        return figures(facts, setting)
    return () if setting.peak_rps is None else (_arrived(setting.peak_rps),)


def replicas_for(setting: Setting) -> str | None:
    """ceil(rps x t / target / max_concurrent) as a sentence; None where one of the four is unknown."""
    endpoint = setting.told.endpoint
    if endpoint is None or endpoint.max_concurrent is None or not setting.peak_rps or not setting.served_ms:
        return None
    rps, seconds, held = setting.peak_rps, setting.served_ms / 1000, endpoint.max_concurrent
    replicas = math.ceil(rps * seconds / TARGET_RATIO / held)
    present = "" if endpoint.instances is None else f"; there are {endpoint.instances}"
    return f"ceil({rps:.3g} rps x {seconds:.3g} s / {TARGET_RATIO} / {held}) = {replicas} replicas{present}"


def _is_overload(facts: Facts, setting: Setting) -> bool:
    if facts.status != 503 or facts.from_model:
        return False
    return facts.clue == "overloaded" or (facts.clue is None and setting.hosting in ROUTED)


OVERLOADED = Rule(
    id="D05",
    when=_is_overload,
    cause=lambda *_: "more requests than the replicas take: the router's queue was full, or the wait in it too long",
    next_step=lambda _, setting: (
        {
            Hosting.AKS: "raise autoscale_min_replicas or num_replicas, or lower autoscale_target_utilization",
            Hosting.KUBERNETES: "raise scale_settings.min_instances, or lower target_utilization_percentage",
        }.get(setting.hosting or Hosting.LOCAL, "send fewer requests at once, or add replicas")
        + "; `redline size` computes how many"
    ),
    signs=(
        with_clue("overloaded", text="with the router's text `Too many requests ... (overloaded)`"),
        _OVER,
        _NEVER_REACHED,
        in_traffic_log(),
    ),
    against=(_NOT_OVER, SERVER_ANSWERED),
    needs=(NEEDS_SETTINGS,),
    figures=figures,
)
SCALE_OUT = Rule(
    id="D07",
    when=lambda facts, setting: _is_overload(facts, setting) and _is_scale_out(facts, setting),
    cause=lambda *_: (
        "scale-out lag: the load rose faster than replicas came, and the rejections ended when they were there"
    ),
    next_step=lambda _, setting: (
        "raise scale_settings.min_instances to what the peak needs"
        if setting.hosting is Hosting.KUBERNETES
        else "raise autoscale_min_replicas to what the peak needs"
    ),
    signs=(
        Sign(
            "sent in the first minutes after the load rose, and none later",
            lambda facts, _: _client_if(facts.is_after_step),
        ),
        Sign("in a period in which replicas were added", lambda _, setting: _scaled_by(setting)),
        around(EventKind.SCALED, EventKind.CONTAINER_STARTED, text="while a replica was being added"),
    ),
    needs=(NEEDS_EVENTS,),
    figures=figures,
)


def _scaled_by(setting: Setting) -> Witnesses:
    return frozenset(WITNESS[event.source] for event in setting.told.events if event.kind is EventKind.SCALED)


def _is_scale_out(facts: Facts, setting: Setting) -> bool:
    return facts.is_after_step is True and (bool(_scaled_by(setting)) or setting.is_overcome(facts.label))


NOT_READY = Rule(
    id="D25",
    when=lambda facts, setting: (
        (
            (facts.status == 503 and not facts.from_model and facts.clue in (None, "not_ready"))
            and (
                facts.clue == "not_ready"
                or setting.hosting in (Hosting.ACI, Hosting.LOCAL)
                or bool(facts.near(*_PROBES))
            )
        )
        or (
            facts.label in ("connect_refused", "conn_reset", "502")
            and bool(facts.near(*_STARTS))
            and not facts.from_model
        )
    ),
    cause=lambda *_: "no replica was ready: containers were starting, restarting, or failed their readiness probe",
    next_step=lambda _, setting: f"{read_events(setting)}; then {read_logs(setting)} of the time before",
    signs=(
        with_clue("not_ready", text="with a text that says that no replica was ready"),
        around(*_PROBES, text="while a probe failed"),
        around(*_STARTS, text="while a container was starting"),
        Sign(_NEVER_REACHED.text, _NEVER_REACHED.by, is_proof=False),  # why none was ready, it does not tell
    ),
    against=(SERVER_ANSWERED,),
    needs=(NEEDS_EVENTS, NEEDS_LOG),
)


def limit_kind(facts: Facts) -> str | None:
    """Which of the two limits a 429 is about: "pending", "rate", or None where nothing tells."""
    if facts.clue in ("pending", "overloaded"):
        return "pending"
    if facts.clue == "rate_limited":
        return "rate"
    if facts.is_over_admitted is None:
        return None
    return "pending" if facts.is_over_admitted else "rate"


def _too_many_cause(facts: Facts, setting: Setting) -> str:
    admitted = "" if setting.admitted is None else f" ({setting.admitted} here)"
    return {
        "pending": f"more than 2 x max_concurrent_requests_per_instance x instances were in flight{admitted}",
        "rate": "the endpoint's limit of requests per second was passed, not the one of requests at once",
    }.get(limit_kind(facts) or "", "one of two limits was passed: requests at once, or requests per second")


def _too_many_step(facts: Facts, setting: Setting) -> str:
    where = f"-e {setting.name} -n {setting.deployment}"
    return {
        "pending": f"run `az ml online-deployment update {where} --set instance_count=N`, or raise "
        "max_concurrent_requests_per_instance together with WORKER_COUNT",
        "rate": "ask for a larger quota of requests per second for the endpoint, or spread the load over two endpoints",
    }.get(limit_kind(facts) or "", "look at ms-azureml-model-error-reason of one answer, and at the traffic log")


TOO_MANY = Rule(
    id="D13",
    when=lambda facts, _: facts.status == 429 and not facts.from_model,
    cause=_too_many_cause,
    next_step=_too_many_step,
    signs=(
        with_clue("pending", "overloaded", text="with the reason `too_many_pending_request`"),
        with_clue("rate_limited", text="with a text that names the rate limit"),
        Sign(_OVER.text, lambda facts, _: _client_if(limit_kind(facts) == "pending" and facts.is_over_admitted)),
        Sign(
            "where the traffic log gives the same reason",
            lambda facts, _: frozenset({"traffic log"}) if facts.front_clue in _LIMIT_CLUES else NOBODY,
        ),
        _NEVER_REACHED,
    ),
    against=(
        Sign(_NOT_OVER.text, lambda facts, _: _client_if(_says_pending(facts) and facts.is_over_admitted is False)),
    ),
    needs=(NEEDS_SETTINGS, NEEDS_TRAFFIC_LOG),
    key=limit_kind,
    figures=_too_many_figures,
)


def _says_pending(facts: Facts) -> bool:
    return facts.clue in ("pending", "overloaded")
