"""Causes in which a process ended: crash, memory, gunicorn's time-out, a stop from outside."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import ABSENT, PRESENT
from monitor.diagnosis.rule import NOBODY, Rule, Sign, Witnesses
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import (
    NEEDS_EVENTS,
    NEEDS_LOG,
    NEEDS_TELEMETRY,
    NO_SERVER_ROW,
    TELEMETRY,
    around,
    in_traffic_log,
    read_logs,
    told_first,
)
from scoring.endpoint import Hosting
from scoring.served import EventKind

SIGKILL = 9
_KILLED_CODES = (-SIGKILL, 128 + SIGKILL)  # exit codes of a process that signal 9 ended
_CUT = ("empty_reply", "conn_reset", "body_truncated")
_ENDED = (EventKind.WORKER_EXITED, EventKind.WORKER_BOOTED, EventKind.WORKER_KILLED)
_MOST_PER_DEATH = 50  # failures that one death explains: what its queue held


def is_cut_off(facts: Facts) -> bool:
    """The request ended without an answer of the model's server."""
    if facts.function_failed is not None or (facts.server == PRESENT and facts.source != facts.server_by):
        return False
    if facts.exception is not None and facts.exception_is_sure:
        return False
    if facts.label in _CUT:
        return True
    if facts.clue not in (None, "closed"):
        return False
    return facts.status in (500, 502) or (facts.status == 424 and facts.model_status is None)


def _killed_by(facts: Facts) -> Witnesses:
    """Who recorded that signal 9 ended a worker around the request."""
    return frozenset(
        witness
        for kind, witness, code in facts.events
        if (kind is EventKind.WORKER_KILLED and code == SIGKILL)
        or (kind is EventKind.WORKER_EXITED and code in _KILLED_CODES)
    )


def _is_killed(facts: Facts) -> bool:
    if facts.near(EventKind.OUT_OF_MEMORY) or _killed_by(facts):
        return True
    stopped = facts.near(EventKind.SERVER_STOPPED, EventKind.LIVENESS_FAILED)
    return bool(facts.near(EventKind.KILLING)) and not stopped


def _memory_witnesses(facts: Facts, _: Setting) -> Witnesses:
    return facts.near(EventKind.OUT_OF_MEMORY, EventKind.KILLING) | _killed_by(facts)


CUT_OFF = Sign(
    "that ended without an answer: closed, reset, or the front end's word that the replica closed",
    told_first(lambda facts: facts.label in _CUT or facts.clue == "closed"),
)
_HOLE = Sign(
    "without a row of the model's server: what a worker has not yet sent dies with it",
    lambda facts, _: TELEMETRY if facts.server == ABSENT and facts.near(*_ENDED, EventKind.OUT_OF_MEMORY) else NOBODY,
)
_NO_ROW = Sign(
    NO_SERVER_ROW.text,
    lambda facts, setting: NOBODY if _HOLE.by(facts, setting) else NO_SERVER_ROW.by(facts, setting),
    is_proof=False,  # a time-out or a kill leaves the same hole
)
_COMPLETE = Sign(
    "where the server wrote a whole answer down",
    lambda facts, _: (
        frozenset({facts.server_by})
        if facts.server == PRESENT and facts.server_by not in (None, facts.source)
        else NOBODY
    ),
)

WORKER_TIMEOUT = Rule(
    id="D06",
    when=lambda facts, _: is_cut_off(facts) and bool(facts.near(EventKind.WORKER_TIMED_OUT)),
    cause=lambda *_: "gunicorn killed the worker: one request took longer than WORKER_TIMEOUT (300 s unless set)",
    next_step=lambda *_: (
        "find what hangs in `run()`: score one payload alone; raise WORKER_TIMEOUT only if it is meant to take so long"
    ),
    signs=(
        around(EventKind.WORKER_TIMED_OUT, text="with `WORKER TIMEOUT` in the log within 5 s"),
        CUT_OFF,
        _HOLE,
    ),
    against=(_COMPLETE,),
    needs=(NEEDS_TELEMETRY,),
)
MEMORY = Rule(
    id="D03",
    when=lambda facts, _: is_cut_off(facts) and _is_killed(facts),
    cause=lambda *_: "the process was killed in the request, most likely for its memory (signal 9, out of memory)",
    next_step=lambda _, setting: (
        {
            Hosting.MANAGED: "choose an instance_type with more memory, or lower WORKER_COUNT",
            Hosting.KUBERNETES: "raise resources.limits.memory of the deployment, or lower WORKER_COUNT",
            Hosting.AKS: "run `service.update(memory_gb=...)` with more, or send fewer rows per request",
            Hosting.ACI: "deploy with more memory_gb, or send fewer rows per request",
        }.get(setting.hosting, "give the container more memory, or send fewer rows per request")
        if setting.hosting
        else "give the container more memory, or send fewer rows per request"
    ),
    signs=(
        Sign("with a kill by signal 9, or for memory, within 5 s", _memory_witnesses),
        CUT_OFF,
        _HOLE,
    ),
    against=(_COMPLETE,),
    needs=(NEEDS_EVENTS,),
)
STOPPED = Rule(
    id="D40",
    when=lambda facts, _: (
        (is_cut_off(facts) or facts.label == "connect_refused")
        and bool(facts.near(EventKind.SERVER_STOPPED))
        and not facts.near(EventKind.LIVENESS_FAILED)
    ),
    cause=lambda *_: "the container was stopped from outside: a new deployment, a scale-in, or its node was taken away",
    next_step=lambda _, setting: (
        f"run `az ml online-deployment show -e {setting.name} -n {setting.deployment}` and compare the time of the "
        "last change"
        if setting.hosting in (Hosting.MANAGED, Hosting.KUBERNETES)
        else "compare the time with deployments and scale-ins; keep one replica more than the load needs"
    ),
    signs=(
        around(EventKind.SERVER_STOPPED, text="while the server was told to stop"),
        around(EventKind.KILLING, text="while the container was killed on purpose"),
        CUT_OFF,
    ),
    against=(_COMPLETE,),
)
DIED = Rule(
    id="D02",
    when=lambda facts, _: (
        is_cut_off(facts)
        and (
            bool(facts.near(*_ENDED))
            or (facts.server == ABSENT and (facts.clue == "closed" or facts.label in _CUT[:1]))
        )
    ),
    cause=lambda *_: (
        "the worker process died in the request (native crash, `os._exit`, memory); its telemetry of up to 5 s is lost"
    ),
    next_step=lambda _, setting: (
        f"{read_logs(setting)} around the first of these times; run the payload with `python -X faulthandler`"
    ),
    signs=(
        around(EventKind.WORKER_EXITED, EventKind.WORKER_KILLED, text="with a worker's exit in the log within 5 s"),
        around(EventKind.WORKER_BOOTED, text="with a fresh worker in the log within 5 s"),
        CUT_OFF,
        _HOLE,
        _NO_ROW,
    ),
    against=(_COMPLETE,),
    needs=(NEEDS_LOG, NEEDS_EVENTS),
    doubt=lambda count, setting: _too_few_deaths(count, setting),
)


def _too_few_deaths(count: int, setting: Setting) -> tuple[str, ...]:
    deaths = sum(event.kind in _ENDED for event in setting.told.events)
    if deaths and count > _MOST_PER_DEATH * deaths:
        return (f"{count} failures are many for {deaths} ends or starts of workers",)
    return ()


CLOSED = Rule(
    id="D04",
    when=lambda facts, _: facts.clue == "closed" and not facts.from_model,
    cause=lambda *_: "the replica closed the connection before it answered: a crash, a kill, a time-out or a restart",
    next_step=lambda _, setting: f"{read_logs(setting)} around the first of these times: exits, kills, WORKER TIMEOUT",
    signs=(CUT_OFF, in_traffic_log()),
    needs=(NEEDS_LOG, NEEDS_EVENTS, NEEDS_TELEMETRY),
    most="medium",
)
