"""424 of managed endpoints: what the two `ms-azureml-model-error-*` headers say."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import PRESENT
from monitor.diagnosis.rule import NOBODY, Rule, Sign
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import (
    FRONT,
    NEEDS_EVENTS,
    NEEDS_LOG,
    NEEDS_TELEMETRY,
    around,
    read_events,
    read_logs,
    told_first,
)
from scoring.served import EventKind

_PROBES = (EventKind.LIVENESS_FAILED, EventKind.READINESS_FAILED)


def error_kind(facts: Facts) -> str:
    """What a 424 is about: "probes", "model", or "unknown"."""
    if facts.clue == "not_ready" or facts.near(*_PROBES):
        return "probes"
    return "model" if facts.model_status is not None or facts.reason is not None else "unknown"


def _cause(facts: Facts, _: Setting) -> str:
    if error_kind(facts) == "probes":
        return "no container passed its probes: it was not ready, or the probes are stricter than the model is quick"
    if facts.model_status is not None:
        return f"the model's container answered {facts.model_status}"
    return "the model's container failed without an answer of its own"


def _next_step(facts: Facts, setting: Setting) -> str:
    if error_kind(facts) == "probes":
        return (
            f"{read_events(setting)}; raise readiness_probe.failure_threshold or initial_delay if the model loads long"
        )
    return f"{read_logs(setting)}; read ms-azureml-model-error-statuscode and -reason of one answer"


MODEL_ERROR = Rule(
    id="D12",
    when=lambda facts, _: facts.status == 424,
    cause=_cause,
    next_step=_next_step,
    signs=(
        Sign(
            "with `ms-azureml-model-error-reason` or `-statuscode`",
            told_first(lambda facts: facts.reason is not None or facts.model_status is not None),
        ),
        around(*_PROBES, text="while a probe failed"),
        Sign(
            "where the traffic log gives the model's status or the reason",
            lambda facts, _: (
                FRONT
                if facts.front == PRESENT and (facts.front_clue is not None or facts.model_status is not None)
                else NOBODY
            ),
        ),
    ),
    needs=(NEEDS_LOG, NEEDS_EVENTS, NEEDS_TELEMETRY),
    key=lambda facts: (error_kind(facts), facts.model_status),
)
LIVENESS = Rule(
    id="D12",
    when=lambda facts, _: (
        facts.label in ("502", "empty_reply", "conn_reset")
        and not facts.from_model
        and bool(facts.near(EventKind.LIVENESS_FAILED))
    ),
    cause=lambda *_: "the container was restarted because its liveness probe failed: too slow to answer it under load",
    next_step=lambda _, setting: f"{read_events(setting)}; raise liveness_probe.timeout or failure_threshold",
    signs=(
        around(EventKind.LIVENESS_FAILED, text="while the liveness probe failed"),
        Sign("that ended without an answer", told_first(lambda _: True)),
    ),
    needs=(NEEDS_EVENTS,),
    key=lambda _: "liveness",
)
