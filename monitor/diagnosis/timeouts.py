"""Causes in time: the platform's limit, the caller's deadline, queues in front of a worker, a slow load generator."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import ABSENT, PRESENT, UNKNOWN
from monitor.diagnosis.overload import replicas_for
from monitor.diagnosis.rule import NOBODY, Rule, Sign, Witnesses
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import (
    FRONT,
    NEEDS_LOG,
    NEEDS_TELEMETRY,
    NEEDS_TRAFFIC_LOG,
    NO_SERVER_ROW,
    in_traffic_log,
    read_logs,
    server_row,
    told_first,
    with_clue,
)
from scoring.endpoint import Hosting

LAG_MS = 100.0
CPU_RATIO = 0.9
_LOST = ("deadline_exceeded", "conn_reset", "empty_reply")
_QUEUES = (Hosting.ACI, Hosting.LOCAL)

_AT_LIMIT = Sign("that took about as long as the platform's limit", told_first(lambda facts: facts.is_at_limit))
_LONG = server_row("where the model's server took longer than the limit", lambda facts: facts.server_is_long)
_SHORT = server_row("where the model's server took less than the limit", lambda facts: facts.server_is_long is False)


def _limit_figures(_: Facts, setting: Setting) -> tuple[str, ...]:
    found = []
    if setting.limit_ms is not None:
        source = "as set" if setting.limit_is_set else "the platform's default, the endpoint's own is unknown"
        found.append(f"the limit is {setting.limit_ms:,.0f} ms ({source})")
    if setting.served_ms is not None:
        found.append(f"one request alone takes {setting.served_ms:,.0f} ms")
    return tuple(found)


def _raise_limit(setting: Setting) -> str:
    name = f"-e {setting.name} -n {setting.deployment}"
    return {
        Hosting.MANAGED: f"run `az ml online-deployment update {name} --set request_settings.request_timeout_ms=N` "
        "(at most 180,000)",
        Hosting.KUBERNETES: f"run `az ml online-deployment update {name} --set request_settings.request_timeout_ms=N` "
        "(at most 300,000)",
        Hosting.AKS: "run `service.update(scoring_timeout_ms=N)`",
    }.get(setting.hosting or Hosting.LOCAL, "give the container more CPU")


_NOT_SLOW_ALONE = Sign(
    "although one request alone takes less than a third of the limit: many at once wait for each other",
    lambda facts, setting: (
        frozenset({"client"})
        if facts.server_is_long is None
        and setting.served_ms
        and setting.limit_ms
        and setting.served_ms * 3 < setting.limit_ms
        else NOBODY
    ),
)
GATEWAY = Rule(
    id="D08",
    when=lambda facts, _: (
        facts.status == 504
        and not facts.function_failed
        and facts.server != ABSENT
        and facts.server_is_long is not False
        and (facts.is_at_limit is not False or facts.server_is_long is True or facts.clue == "slow_model")
    ),
    cause=lambda *_: "scoring took longer than the platform waits",
    next_step=lambda _, setting: f"{_raise_limit(setting)}, or make one request's work smaller",
    signs=(_LONG, _AT_LIMIT, with_clue("slow_model", text="with a text that says so"), in_traffic_log()),
    against=(_NOT_SLOW_ALONE,),
    needs=(NEEDS_TELEMETRY,),
    figures=_limit_figures,
)
UNREACHED = Rule(
    id="D09",
    when=lambda facts, _: (facts.status == 504 or facts.label == "deadline_exceeded") and facts.server == ABSENT,
    cause=lambda *_: (
        "the request hung before the model's server finished or even began it: a queue, a stuck worker, the network"
    ),
    next_step=lambda _, setting: (
        f"{read_logs(setting)} for workers that hang; compare WORKER_COUNT with max concurrent"
    ),
    signs=(NO_SERVER_ROW, _AT_LIMIT, with_clue("slow_model", text="with a text that says so"), in_traffic_log()),
    needs=(NEEDS_LOG,),
    figures=_limit_figures,
)


def slow_kind(facts: Facts) -> str:
    """What a 408 is about: "throttled", "network", "queue" or "model"."""
    if facts.is_throttled:
        return "throttled"
    if facts.model_status is not None and facts.model_status < 300:
        return "network"
    return "queue" if facts.server == PRESENT and facts.server_is_long is False else "model"


_REQUEST_TIMEOUT_CAUSE = {
    "throttled": "bandwidth throttling delayed the request past request_timeout_ms, not the model",
    "network": "the model answered 200, and the answer came after request_timeout_ms: the way, not the model",
    "queue": "the request waited for a worker until request_timeout_ms had passed; the model itself was quick",
    "model": "the model took longer than request_timeout_ms",
}
REQUEST_TIMEOUT = Rule(
    id="D11",
    when=lambda facts, setting: (
        facts.status == 408
        and not facts.function_failed
        and (setting.hosting in (Hosting.MANAGED, None) or facts.clue == "slow_model")
    ),
    cause=lambda facts, _: _REQUEST_TIMEOUT_CAUSE[slow_kind(facts)],
    next_step=lambda facts, setting: {
        "throttled": "send and return fewer bytes per request (5 MBPS per endpoint), or ask for more bandwidth",
        "network": "compare RequestThrottlingDelayMs and ResponseThrottlingDelayMs in the traffic log with the total",
        "queue": "set WORKER_COUNT to max_concurrent_requests_per_instance, or lower the latter",
        "model": f"{_raise_limit(setting)}, or lower max_concurrent_requests_per_instance",
    }[slow_kind(facts)],
    signs=(
        with_clue("slow_model", text="with the text `upstream request timeout`"),
        _AT_LIMIT,
        _LONG,
        Sign(
            "where the traffic log has the same answer",
            lambda facts, _: FRONT if facts.front == PRESENT else NOBODY,
        ),
    ),
    against=(
        Sign(_SHORT.text, lambda facts, setting: _SHORT.by(facts, setting) if slow_kind(facts) == "model" else NOBODY),
    ),
    needs=(NEEDS_TRAFFIC_LOG, NEEDS_TELEMETRY),
    key=slow_kind,
    figures=_limit_figures,
)


def _waited(facts: Facts, setting: Setting) -> bool:
    """The time was spent in front of a worker, not in it."""
    if facts.status == 504:
        return facts.server == PRESENT and facts.server_is_long is False and not facts.function_failed
    if facts.label != "deadline_exceeded" or not facts.is_queued:
        return False
    if facts.server == PRESENT:
        return facts.is_past_deadline is False
    return facts.server == UNKNOWN and setting.hosting in _QUEUES


QUEUED = Rule(
    id="D32",
    when=_waited,
    cause=lambda _, setting: (
        "requests waited for a worker until the time was up: this hosting queues and never rejects"
        if setting.hosting in _QUEUES
        else "requests waited in the container for a worker: fewer workers than requests it is sent at once"
    ),
    next_step=lambda _, setting: (
        "send fewer requests at once, or run more containers: `redline size` computes how many"
        if setting.hosting in _QUEUES
        else "set WORKER_COUNT to the max concurrent requests of an instance, or lower the latter"
    ),
    signs=(
        server_row("where the model's server itself was quick", lambda facts: facts.server_is_long is not True),
        Sign(
            "sent while more requests were held at once than are worked on",
            lambda facts, _: frozenset({"client"}) if facts.is_queued else NOBODY,
        ),
        _AT_LIMIT,
    ),
    needs=(NEEDS_TELEMETRY,),
    figures=lambda facts, setting: (
        *_limit_figures(facts, setting),
        *([sizing] if (sizing := replicas_for(setting)) is not None else []),
    ),
)


def is_busy(setting: Setting) -> bool:
    """The load generator could not keep its own time."""
    client = setting.client
    if client is None or client.is_fair:
        return False
    return (client.cpu_ratio or 0.0) > CPU_RATIO or (client.lag_p99_ms or 0.0) > LAG_MS


def busy_figures(_: Facts | None, setting: Setting) -> tuple[str, ...]:
    client = setting.client
    if client is None:
        return ()
    cpu = [] if client.cpu_ratio is None else [f"the load generator used up to {client.cpu_ratio:.0%} of a core"]
    lag = [] if client.lag_p99_ms is None else [f"its event loop was late by {client.lag_p99_ms:,.0f} ms (p99)"]
    return (*cpu, *lag)


def _busy(_: Facts, setting: Setting) -> Witnesses:
    return frozenset({"client"}) if is_busy(setting) else NOBODY


GENERATOR = Rule(
    id="D21",
    when=lambda facts, setting: (
        facts.label in ("deadline_exceeded", "connect_timeout", "dns_timeout")
        and is_busy(setting)
        and facts.is_past_deadline is not True
    ),
    cause=lambda *_: "the load generator was too busy to read answers in time: these failures are its own",
    next_step=lambda *_: "use fewer users per machine, and more machines: `locust --worker`; then measure again",
    signs=(
        Sign("in a run whose load generator was busy", _busy),
        server_row("where the model's server answered in time", lambda facts: facts.server_status == 200),
    ),
    figures=busy_figures,
)
LOST = Rule(
    id="D22",
    when=lambda facts, _: (
        facts.label in _LOST
        and facts.source == "client"
        and 2 in ((facts.server_status or 0) // 100, (facts.front_status or 0) // 100)
    ),
    cause=lambda facts, _: (
        "the service needs longer than the caller waits: the deadline is too small for it"
        if facts.is_past_deadline
        else "the model's server answered, and the answer did not reach the caller in time or at all"
    ),
    next_step=lambda facts, _: (
        "raise the scenario's deadline above the service's own time, or make one request's work smaller"
        if facts.is_past_deadline
        else "look at proxies and networks between: run from a machine in the endpoint's region and compare"
    ),
    signs=(
        server_row("where the model's server says that it answered 200", lambda _: True),
        Sign(
            "where the front end says that it passed a 200 on",
            lambda facts, _: FRONT if (facts.front_status or 0) // 100 == 2 else NOBODY,
        ),
        Sign("that the caller gave up or lost", told_first(lambda _: True)),
    ),
    key=lambda facts: bool(facts.is_past_deadline),
)
