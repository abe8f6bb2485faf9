"""Messages with a traceback to exceptions, each once although the server prints it twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from monitor.servicelog.stamps import at_of
from monitor.servicelog.tracebacks import Message
from monitor.traceback_text import Cause, innermost
from scoring.redact import redact
from scoring.served import Event, EventKind, Source, Thrown
from scoring.text import harmless

MOST_KEPT = 5_000
_MOST_CAUSES = 2_000
_STACK_CHARS = 16_384
_MESSAGE_CHARS = 2_000
_LOAD = re.compile(rb"\AEncountered Exception Traceback|\AException in worker process|\ANo score script found")
_LOADING = re.compile(r"UserScript(?:Import|Load|Init)\w*|in (?:invoke_init|load_script|_load_user_script)\b")
_TIMEOUT = re.compile(r"\bUserScriptTimeout\b|\bTimeoutException\b")
_SCRIPT = re.compile(r"\bUserScriptException\b|\bRunFunctionException\b")
_ABORTED = re.compile(r"\bin (?:handle_abort|worker_abort)\b")


@dataclass(frozen=True, slots=True)
class _Told:
    """What a text says, fit to be shown."""

    kind: str
    cause: Cause
    stack: str


class Exceptions:
    """Owns the exceptions of one account, and those that may be printed once more."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._kept: list[Thrown] = []
        self._more: dict[tuple[str, str, str, str | None], Thrown] = {}
        self._waiting: dict[tuple[str, int | None], Thrown] = {}
        self._told: dict[bytes, _Told] = {}

    def add(self, message: Message, file: str) -> None:
        """A complete message with a traceback."""
        text = message.text
        told = self._told_of(text)
        where, pid = f"{file}:{message.number}", message.first.pid
        if _LOAD.search(text) or _LOADING.search(told.stack):
            self.events.append(_load_failure(message, told, where))
            return
        if told.cause.type == "SystemExit" and _ABORTED.search(told.stack):
            return  # gunicorn ends a worker that timed out: an event says so
        thrown = Thrown(
            Source.SERVICE_LOG,
            at_of(message.at_ms),
            told.kind,
            told.cause.type,
            told.cause.message,
            frame=told.cause.frame,
            outer_type=told.cause.outer_type,
            instance=None if pid is None else str(pid),
            stack=told.stack,
            where=where,
        )
        self._once(thrown, (file, pid), is_trace=message.first.logger == "azmlinfsrv.trace")

    def found(self) -> tuple[Thrown, ...]:
        """In the order they were told; beyond MOST_KEPT, one of each cause with its count."""
        for thrown in self._waiting.values():
            self._keep(thrown)
        self._waiting.clear()
        return (*self._kept, *self._more.values())

    def _once(self, thrown: Thrown, process: tuple[str, int | None], *, is_trace: bool) -> None:
        """`azmlinfsrv.trace` prints what the server's own line then prints again."""
        before = self._waiting.pop(process, None)
        if before is not None and (is_trace or _signature(before) != _signature(thrown)):
            self._keep(before)
        if is_trace:
            self._waiting[process] = thrown
        else:
            self._keep(thrown)

    def _keep(self, thrown: Thrown) -> None:
        if len(self._kept) < MOST_KEPT:
            self._kept.append(thrown)
            return
        key = _signature(thrown)
        same = self._more.get(key)
        if same is not None:
            self._more[key] = replace(same, count=same.count + 1)
        elif len(self._more) < MOST_KEPT:
            self._more[key] = thrown

    def _told_of(self, text: bytes) -> _Told:
        told = self._told.get(text)
        if told is None:
            if len(self._told) >= _MOST_CAUSES:
                self._told.clear()
            told = self._told[text] = _told(text)
        return told


def is_side_note(message: Message) -> bool:
    """True for a traceback beside a warning, or one that the server logs while no request fails."""
    first = message.first
    if first.level == "W":
        return True
    return (
        first.logger == "azmlinfsrv.trace" and first.text != b"" and not first.text.startswith((b"(<class", b"Traceb"))
    )


def _told(text: bytes) -> _Told:
    shown = text.decode("utf-8", "backslashreplace")
    shown = redact(shown)  # before it is taken apart: a piece may not look like a secret
    cause = innermost(_traceback_of(shown))
    stack = harmless(shown, max_chars=_STACK_CHARS, keep_newlines=True)
    safe = Cause(
        _safe(cause.type, 200),
        _safe(cause.message, _MESSAGE_CHARS),
        None if cause.frame is None else _safe(cause.frame, 300),
        None if cause.outer_type is None else _safe(cause.outer_type, 200),
    )
    return _Told(_kind(shown, cause), safe, stack)


def _traceback_of(shown: str) -> str:
    """From the traceback on: the title before it belongs to the logger."""
    start = shown.find("Traceback (most recent call last):")
    title = shown[:start] if start > 0 else ""
    return (title if "<class '" in title else "") + ("\n" if "<class '" in title else "") + shown[max(start, 0) :]


def _safe(text: str, most: int) -> str:
    return harmless(redact(text), max_chars=most)


def _kind(shown: str, cause: Cause) -> str:
    if _TIMEOUT.search(shown):
        return "timeout"
    return "script" if _SCRIPT.search(shown) or cause.frame is not None else "server"


def _signature(thrown: Thrown) -> tuple[str, str, str, str | None]:
    return thrown.kind, thrown.type, thrown.message, thrown.frame


def _load_failure(message: Message, told: _Told, where: str) -> Event:
    cause = told.cause
    place = f" ({cause.frame})" if cause.frame else ""
    pid = message.first.pid
    return Event(
        Source.SERVICE_LOG,
        at_of(message.at_ms),
        EventKind.SCRIPT_FAILED_TO_LOAD,
        harmless(f"{cause.type}: {cause.message}{place}", max_chars=_MESSAGE_CHARS),
        instance=None if pid is None else str(pid),
        where=where,
    )
