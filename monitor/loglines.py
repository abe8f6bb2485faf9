"""From console, event and trace rows to events and log templates. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.accounts import safe
from monitor.eventtext import named, told_in
from monitor.rows import Row
from monitor.templates import Templates
from scoring.served import Event, LogTemplate, Source

_LEVELS = {0: "D", 1: "I", 2: "W", 3: "E", 4: "C"}


def console_events(rows: Iterable[Row]) -> Iterator[Event]:
    """What the container's console says of its workers."""
    for row in rows:
        text = str(row.get("message") or "")
        told = told_in(text)
        if told is not None:
            kind, pid, code = told
            instance = pid or safe(row.get("instance"), 100)
            yield Event(Source.CONSOLE_LOG, row.get("at"), kind, safe(text, 500) or "", instance, code)


def deployment_events(rows: Iterable[Row]) -> Iterator[Event]:
    """What Azure says of the deployment's containers."""
    for row in rows:
        name, text = str(row.get("name") or ""), str(row.get("message") or "")
        said = safe(f"{name}: {text}" if text else name, 500) or ""
        yield Event(Source.EVENT_LOG, row.get("at"), named(name), said, safe(row.get("instance"), 100))


def templates_of(rows: Iterable[Row]) -> tuple[LogTemplate, ...]:
    """Troubled log lines of the script, alike but for numbers, ids and values."""
    templates = Templates()
    for row in rows:
        text = safe(row.get("message"), 1_000)
        if text is not None:
            templates.add(text, at=row.get("last_at"), level=_LEVELS.get(row.get("severity") or 1), count=row["n"] or 1)
    return templates.found()
