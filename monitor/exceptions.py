"""From exception rows to what was thrown: the innermost cause, wherever a generation of the server put the stack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from monitor.accounts import safe
from monitor.rows import Row
from monitor.traceback_text import innermost
from scoring.redact import redact
from scoring.served import Source, Thrown
from scoring.text import harmless

STACK_CHARS = 16_000
_KINDS = {"UserScriptException": "script", "UserScriptTimeout": "timeout"}


def thrown_of(rows: Iterable[Row]) -> tuple[Thrown, ...]:
    """Each exception once, oldest first."""
    found = {_thrown(row): None for row in rows}
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at)))


def _thrown(row: Row) -> Thrown:
    outer = str(row.get("type") or "").rpartition(".")[2]
    text = stack_in(row)
    cause = innermost(text)
    kind = _KINDS.get(outer, "server" if not outer.startswith("UserScript") else "script")
    return Thrown(
        Source.APP_INSIGHTS,
        at=row.get("at"),
        kind=kind,
        type=safe(cause.type, 200) or outer or "unknown",
        message=safe(cause.message, 2_000) or "",
        frame=safe(cause.frame, 300),
        outer_type=outer if outer and outer != cause.type else None,
        request_id=safe(row.get("request_id"), 100),
        server_id=safe(row.get("server_id"), 100),
        instance=safe(row.get("instance"), 100),
        stack=harmless(redact(text), max_chars=STACK_CHARS, keep_newlines=True),
        count=row.get("items") or 1,
        where="exceptions",
    )


def stack_in(row: Row) -> str:
    """The text with the traceback: of the details where they hold one, else the messages."""
    texts = [*_texts(_document(row.get("details"))), str(row.get("message") or ""), str(row.get("outer_message") or "")]
    whole = [text for text in texts if "Traceback (most recent call last)" in text]
    if whole:
        return max(whole, key=len)
    return max((text for text in texts[-2:] if text), key=len, default="")


def _document(details: Any) -> Any:
    if not isinstance(details, str):
        return details
    try:
        return json.loads(details)
    except ValueError:
        return details  # cut by a limit: the text itself may hold the traceback


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
