"""The rules in the order they are tried: the most specific cause first."""

from __future__ import annotations

from monitor.diagnosis import access, model, network, overload, script, timeouts, workers
from monitor.diagnosis.facts import Facts
from monitor.diagnosis.rule import Rule
from monitor.diagnosis.setting import Setting

RULES: tuple[Rule, ...] = (
    access.RENEWED,
    network.ENDED,
    network.NO_CREDENTIAL,
    network.WALL,
    network.REDIRECT,
    network.PROXY,
    script.SCORING_TIMEOUT,
    script.NOT_LOADED,
    workers.WORKER_TIMEOUT,
    script.EXCEPTION,
    script.SERVER_BUG,
    script.PAYLOAD,
    script.METHOD,
    access.HEADERS,
    script.OWN_STATUS,
    workers.STOPPED,
    workers.MEMORY,
    model.LIVENESS,
    workers.DIED,
    workers.CLOSED,
    model.MODEL_ERROR,
    overload.NOT_READY,
    overload.SCALE_OUT,
    overload.OVERLOADED,
    overload.TOO_MANY,
    timeouts.REQUEST_TIMEOUT,
    timeouts.GENERATOR,
    timeouts.QUEUED,
    timeouts.GATEWAY,
    timeouts.UNREACHED,
    timeouts.LOST,
    access.EXPIRED,
    access.KEY,
    access.FORBIDDEN,
    access.NOT_FOUND,
    access.OPERATION,
    network.WAY,
    network.SILENT,
    network.LARGE,
)


def rule_for(facts: Facts, setting: Setting) -> Rule | None:
    """The rule that explains such a failure; None where none does."""
    return next((rule for rule in RULES if rule.when(facts, setting)), None)
