"""From exception rows to what was thrown: the innermost cause, wherever a generation of the server put the stack.

0.5 and newer send the traceback as a text; 0.4 and other software send frames, which are put together as Python would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monitor.accounts import safe
from monitor.rows import Row
from monitor.traceback_text import UNKNOWN, Cause, innermost
from scoring.redact import redact
from scoring.served import Source, Thrown
from scoring.text import harmless

STACK_CHARS = 16_000
MOST_DEEP = 20
"""Details are lists of exceptions with lists of frames: a handful of levels."""
_KINDS = {"UserScriptException": "script", "UserScriptTimeout": "timeout"}
_HEADER = "Traceback (most recent call last):"
_CHAINED = "\n\nThe above exception was the direct cause of the following exception:\n\n"
_ALARM = re.compile(r", in alarm_handler\nTimeoutException\b[^\n]*$")
"""How a scoring time-out of 0.4 ends: the handler of its own alarm raises."""


def thrown_of(rows: Iterable[Row], table: str) -> tuple[Thrown, ...]:
    """Each exception once, oldest first."""
    found = {_thrown(row, table): None for row in rows}
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at)))


def _thrown(row: Row, table: str) -> Thrown:
    outer = str(row.get("type") or "").rpartition(".")[2]
    text = stack_in(row)
    cause = innermost(text := redact(text))  # before it is taken apart: a piece may not look like a secret
    return Thrown(
        Source.APP_INSIGHTS,
        at=row.get("at"),
        kind=_kind(outer, cause, text),
        type=safe(cause.type, 200) or UNKNOWN,
        message=safe(cause.message, 2_000) or "",
        frame=safe(cause.frame, 300),
        outer_type=safe(outer, 200) if outer != cause.type else None,
        request_id=safe(row.get("request_id"), 100),
        server_id=safe(row.get("server_id"), 100),
        instance=safe(row.get("instance"), 100),
        stack=harmless(text, max_chars=STACK_CHARS, keep_newlines=True),
        count=row.get("items") or 1,
        where=table,
    )


def _kind(outer: str, cause: Cause, text: str) -> str:
    """The script's own, its time-out, or the server's."""
    if outer.startswith("UserScript"):
        return _KINDS.get(outer, "script")
    if _ALARM.search(text):
        return "timeout"
    return "server" if cause.frame is None else "script"


def stack_in(row: Row) -> str:
    """The traceback: a text of the details or of the messages that holds one, else one of the frames in the details."""
    document, message = _document(row.get("details")), str(row.get("message") or row.get("outer_message") or "")
    texts = [*_texts(document), message, str(row.get("outer_message") or "")]
    whole = [text for text in texts if _HEADER in text]
    if whole:
        return max(whole, key=len)
    thrown = [one for one in document if isinstance(one, dict)] if isinstance(document, list) else []
    if not any(one.get("type") for one in thrown):
        thrown = [{"type": row.get("type") or UNKNOWN, "message": message}]
    return _CHAINED.join(_written(one) for one in reversed(thrown))  # the outermost stands first


def _written(thrown: Mapping[str, Any]) -> str:
    """One exception as Python prints it. Frames come with the innermost first."""
    parsed = thrown.get("parsedStack")
    frames = [one for one in parsed if isinstance(one, dict)] if isinstance(parsed, list) else []
    lines = [
        f'  File "{one.get("fileName")}", line {one.get("line")}, in {one.get("method")}' for one in reversed(frames)
    ]
    message = str(thrown.get("message") or "")
    return "\n".join([_HEADER, *lines, f"{thrown.get('type')}: {message}" if message else str(thrown.get("type"))])


def _document(details: Any) -> Any:
    if not isinstance(details, str):
        return details
    try:
        return json.loads(details)
    except (ValueError, RecursionError):
        return details  # cut by a limit: the text itself may hold the traceback


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text in the value, as deep as MOST_DEEP."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict) and depth < MOST_DEEP:
        for item in value if isinstance(value, list) else value.values():
            yield from _texts(item, depth + 1)
