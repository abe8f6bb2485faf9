"""Edge: every fact that the checks rest on, gathered beside each other where one does not need the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.doctor import control, probes, reach
from monitor.doctor.arrivals import arrived
from monitor.doctor.facts import (
    Address,
    Arrival,
    Connected,
    Facts,
    Gap,
    Handshake,
    Known,
    NotSeen,
    Rights,
    Seen,
)
from monitor.doctor.tasks import Task
from monitor.doctor.telemetry import is_off
from monitor.metrics import metrics_url, series_told
from monitor.slices import Slice
from scoring.controlplane.deployed import Deployed, DiagnosticSetting
from scoring.endpoint import Endpoint, Hosting
from scoring.scenario import Scenario
from scoring.status import AUTH

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

NETWORK_S = 45.0
SIGN_IN_S = 60.0
BY_A_PERSON_S = 900.0
CONTROL_S = 60.0
METRICS_S = 60.0
ASKS = ("browser", "device-code")
"""Ways to sign in that wait for a person."""
METRICS_PERIOD = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at, and how long. `say` hears what is waited for."""

    endpoint: Endpoint
    scenario: Scenario
    config: str
    environ: Mapping[str, str]
    wait_s: float
    say: Callable[[str], None]


def gathered(asked: Asked) -> Facts:
    """The facts, each known or with the reason why it is not."""
    now_s = time.time()
    endpoint = asked.endpoint
    asked.say(f"looking at {endpoint.host}")
    azure = Task("signing in to Azure", lambda: _session(asked))
    network = _whole(Task(f"reaching {endpoint.host}", lambda: _network(endpoint)).within(NETWORK_S))
    entry = probes.entered(endpoint, asked.scenario, asked.environ, is_reached=network.is_reached)
    asked.say("asking Azure who is signed in, and what it knows of the endpoint")
    session = azure.within(BY_A_PERSON_S if endpoint.azure.auth in ASKS else SIGN_IN_S)
    told = _Told.of(asked, session)
    arrival, metrics = _watched(asked, told, entry.scored)
    if not isinstance(session, Gap):
        session.rest.close()
    return Facts(
        endpoint=endpoint,
        config=asked.config,
        now_s=now_s,
        addresses=network.addresses,
        connected=network.connected,
        shaken=network.shaken,
        without_key=entry.without_key,
        wrong_key=entry.wrong_key,
        credential=entry.credential,
        scored=entry.scored,
        sign_in=session if isinstance(session, Gap) else session.sign_in,
        deployed=told.deployed,
        rights_endpoint=told.rights_endpoint,
        rights_logs=told.rights_logs,
        rights_metrics=told.rights_metrics,
        arrival=arrival,
        diagnostics=told.diagnostics,
        metrics=metrics,
        swagger=entry.swagger,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the control plane told."""

    endpoint: Endpoint  # with the workspace that Azure names, where redline.toml names none
    deployed: Known[Deployed]
    rights_endpoint: Known[Rights]
    rights_logs: Known[Rights]
    rights_metrics: Known[Rights]
    diagnostics: Known[tuple[DiagnosticSetting, ...]]

    @classmethod
    def of(cls, asked: Asked, session: Known[control.Session]) -> _Told:
        """The answers to all questions, those that need no other at the same time."""
        endpoint = asked.endpoint
        gap = _unasked(endpoint, session)
        if gap is not None or isinstance(session, Gap):
            return cls(endpoint, *[gap or Gap("nobody is signed in to Azure")] * 5)
        deployed = Task("Azure, asked for the endpoint", lambda: control.deployed(session, endpoint))
        rights = Task("Azure, asked for rights", lambda: control.rights_on_endpoint(session, endpoint))
        metrics = Task("Azure, asked for rights", lambda: control.rights_on_subscription(session, endpoint))
        kept = Task("Azure, asked for diagnostic settings", lambda: control.diagnostics(session, endpoint))
        found = deployed.within(CONTROL_S)
        logs = Task("Azure, asked for rights", lambda: _logs_rights(session, found))
        return cls(
            _with_workspace(endpoint, found),
            found,
            rights.within(CONTROL_S),
            logs.within(CONTROL_S),
            metrics.within(CONTROL_S),
            kept.within(CONTROL_S),
        )


def _session(asked: Asked) -> Known[control.Session]:
    endpoint = asked.endpoint
    named = (endpoint.arm_id, endpoint.workspace_id, endpoint.app_insights_id)
    if not any(named) and endpoint.auth in ("none", "key"):
        return Gap(
            "nothing of Azure is named: neither arm_id nor workspace_id is set",
            f"redline init --endpoint {endpoint.name} --from-config config.json --out redline.toml",
        )
    return control.session(endpoint, asked.environ)


def _unasked(endpoint: Endpoint, session: Known[control.Session]) -> Gap | None:
    """Why the control plane cannot be asked; None where it can."""
    if isinstance(session, Gap):
        return Gap("nobody is signed in to Azure", session.fix) if session.is_error else session
    if endpoint.arm_id is None:
        return Gap(
            "arm_id is not set, so Azure cannot be asked about the endpoint",
            f"redline init --endpoint {endpoint.name} --from-config config.json --out redline.toml",
        )
    return None


def _logs_rights(session: control.Session, deployed: Known[Deployed]) -> Known[Rights]:
    if isinstance(deployed, Gap):
        return Gap(deployed.why, deployed.fix)
    if deployed.logs_workspace_arm_id is None:
        return Gap(next(iter(deployed.notes), "Azure names no Log Analytics workspace of the endpoint"))
    return control.rights(session, deployed.logs_workspace_arm_id)


def _with_workspace(endpoint: Endpoint, deployed: Known[Deployed]) -> Endpoint:
    """The endpoint with the workspace and component that Azure names, where redline.toml names neither."""
    if isinstance(deployed, Gap) or endpoint.workspace_id or endpoint.app_insights_id:
        return endpoint
    return replace(endpoint, workspace_id=deployed.logs_workspace_id, app_insights_id=deployed.app_insights_id)


def _watched(asked: Asked, told: _Told, scored: Known[Seen]) -> tuple[Known[Arrival | NotSeen], Known[int]]:
    """Our own request in the telemetry, and the metrics, looked for at the same time."""
    metrics = Task[int]("Azure Monitor metrics", lambda: _metrics(told.endpoint))
    limit_s = asked.wait_s + METRICS_S
    arrival = Task[Arrival | NotSeen]("Azure Monitor Logs", lambda: _arrival(asked, told, scored))
    return arrival.within(limit_s), metrics.within(METRICS_S)


def _arrival(asked: Asked, told: _Told, scored: Known[Seen]) -> Known[Arrival | NotSeen]:
    endpoint = told.endpoint
    if not isinstance(scored, Seen) or scored.status is None or scored.status in AUTH:
        return Gap("no scoring request came through")
    if scored.failure is not None and not scored.is_of_model:
        return Gap("our own request did not reach the model server, so there is no row of it")
    if is_off(endpoint, told.deployed):
        return Gap("Application Insights is off", f"redline doctor {endpoint.name} --fix app-insights")
    if not endpoint.workspace_id and not endpoint.app_insights_id:
        return Gap(
            "neither workspace_id nor app_insights_id is set", 'workspace_id = "GUID" of the Log Analytics workspace'
        )
    credential = _credential(endpoint)
    return arrived(endpoint, scored, credential, wait_s=asked.wait_s, say=asked.say)


def _metrics(endpoint: Endpoint) -> Known[int]:
    if endpoint.hosting in (Hosting.ACI, Hosting.AKS, Hosting.LOCAL):
        return Gap(f"a service on {endpoint.hosting} has no metrics of its own in Azure Monitor")
    if endpoint.arm_id is None or metrics_url(endpoint) is None:
        missing = "arm_id" if endpoint.arm_id is None else "metrics_url"
        return Gap(f"{missing} is not set", f'{missing} = "…" in [endpoints.{endpoint.name}] of redline.toml')
    until_at = datetime.now(UTC)
    series, problems = series_told(endpoint, _credential(endpoint), Slice(until_at - METRICS_PERIOD, until_at), ())
    if problems and not series:
        return Gap(problems[0].sentence, problems[0].next_step, is_error=True)
    return len(series)


def _credential(endpoint: Endpoint) -> TokenCredential:
    from scoring.azure_auth import azure_credential

    return azure_credential(endpoint)


@dataclass(frozen=True, slots=True)
class _Network:
    addresses: Known[tuple[Address, ...]]
    connected: Known[tuple[Connected, ...]]
    shaken: Known[Handshake | None]

    @property
    def is_reached(self) -> bool:
        """Whether an address takes connections."""
        return not isinstance(self.connected, Gap) and any(one.failure is None for one in self.connected)


def _whole(network: Known[_Network]) -> _Network:
    """What was found, or the same gap three times."""
    return _Network(network, network, network) if isinstance(network, Gap) else network


def _network(endpoint: Endpoint) -> _Network:
    """Name, then connections, then TLS with the first address that takes one."""
    addresses = reach.looked_up(endpoint.host)
    if isinstance(addresses, Gap) or not addresses:
        gap = Gap("the name stands for no address")
        return _Network(addresses, gap, gap)
    connected = reach.connections(addresses, endpoint.port)
    first = next((one.address for one in connected if one.failure is None), None)
    if first is None:
        return _Network(addresses, connected, Gap("no address takes connections"))
    return _Network(addresses, connected, reach.handshake(endpoint, first) if endpoint.is_tls else None)
