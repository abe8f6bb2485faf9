"""From console, event and trace rows to events and log templates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.accounts import safe
from monitor.rows import Row
from monitor.servicelog.formats import parsed
from monitor.servicelog.happenings import happening
from monitor.templates import Templates
from scoring.served import Event, EventKind, LogTemplate, Source

_NAMED = {
    "backoff": EventKind.BACK_OFF,
    "killing": EventKind.KILLING,
    "pulled": EventKind.CONTAINER_STARTED,
    "created": EventKind.CONTAINER_STARTED,
    "started": EventKind.CONTAINER_STARTED,
    "livenessprobefailed": EventKind.LIVENESS_FAILED,
    "readinessprobefailed": EventKind.READINESS_FAILED,
    "oomkilled": EventKind.OUT_OF_MEMORY,
    "oomkilling": EventKind.OUT_OF_MEMORY,
}
_LEVELS = {0: "D", 1: "I", 2: "W", 3: "E", 4: "C"}


def console_events(rows: Iterable[Row]) -> Iterator[Event]:
    """What the container's console says of its workers; `instance` is the worker's pid where a line names one."""
    for row in rows:
        text = str(row.get("message") or "")
        line = parsed(text.rstrip("\r\n").encode("utf-8", "replace"))
        told = happening(line.text)
        if told is not None and not told.is_ready:
            instance = safe(row.get("instance"), 100) if told.pid is None else str(told.pid)
            yield Event(Source.CONSOLE_LOG, row.get("at"), told.kind, safe(text, 500) or "", instance, told.code)


def deployment_events(rows: Iterable[Row]) -> Iterator[Event]:
    """What Azure says of the deployment's containers."""
    for row in rows:
        name, text = str(row.get("name") or ""), str(row.get("message") or "")
        said = safe(f"{name}: {text}" if text else name, 500) or ""
        yield Event(Source.EVENT_LOG, row.get("at"), named(name), said, safe(row.get("instance"), 100))


def named(name: str) -> EventKind:
    """The kind of an event of AmlOnlineEndpointEventLog.

    >>> named("LivenessProbeFailed"), named("Rescheduled")
    (<EventKind.LIVENESS_FAILED: 'liveness_failed'>, <EventKind.OTHER: 'other'>)
    """
    return _NAMED.get(name.lower().replace("_", ""), EventKind.OTHER)


def templates_of(rows: Iterable[Row]) -> tuple[LogTemplate, ...]:
    """Troubled log lines of the script, alike but for numbers, ids and values."""
    templates = Templates()
    for row in rows:
        text = safe(row.get("message"), 1_000)
        if text is not None:
            templates.add(text, at=row.get("last_at"), level=_LEVELS.get(row.get("severity") or 1), count=row["n"] or 1)
    return templates.found()
