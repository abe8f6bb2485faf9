"""Entries of a service log for a person: one line, or a message with all its lines, fit to be shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor.servicelog.formats import parsed
from monitor.servicelog.happenings import happening
from monitor.servicelog.line import Kind, Line, path_of
from monitor.servicelog.stamps import at_of
from monitor.servicelog.wrappers import unwrapped
from scoring.errors import RedlineError
from scoring.payloads import redact_payloads
from scoring.redact import redact
from scoring.text import harmless

TEXT_CHARS = 65_536
_MOST_LINES = 2_000
_STATUS = re.compile(r"[1-9](?:\d\d|xx)", re.IGNORECASE)
_KINDS = {Kind.APP: "request", Kind.ACCESS: "access", Kind.STATUS: "request"}


@dataclass(frozen=True, slots=True)
class LogEntry:
    """`line` is the number of its first line in the file. `text` has all its lines, without secrets."""

    at: datetime | None
    level: str | None  # "D", "I", "W", "E", "C"
    line: int
    kind: str  # "request", "access", "event", "exception", "message" or "text"
    status: int | None
    duration_ms: float | None
    text: str  # payloads are told by their shape, unless they were asked for
    request: tuple[object, ...] = ()  # the same for both lines of one request


@dataclass(slots=True)
class _Begun:
    line: Line
    number: int
    at_ms: int | None
    parts: list[bytes]
    size: int = 0
    cut_count: int = 0


class Entries:
    """Owns the entry that may have more lines. A line with nothing in front goes on with the one before it."""

    def __init__(self, *, with_payloads: bool = False) -> None:
        self._with_payloads = with_payloads
        self._begun: _Begun | None = None
        self._last_ms: int | None = None

    def take(self, number: int, body: bytes) -> LogEntry | None:
        """The entry that is complete because this line begins another; None while it goes on."""
        inner, wrapped_ms = unwrapped(body)
        line = parsed(inner)
        told_ms = line.at_ms if line.at_ms is not None else wrapped_ms
        self._last_ms = told_ms if told_ms is not None else self._last_ms
        if line.kind is Kind.BARE and self._goes_on(line):
            self._add(inner)
            return None
        done = self.flush()
        self._begun = _Begun(line, number, self._last_ms, [inner], len(inner))
        return done

    def flush(self) -> LogEntry | None:
        """The entry as far as it has come."""
        begun, self._begun = self._begun, None
        return None if begun is None else _entry(begun, with_payloads=self._with_payloads)

    def _goes_on(self, line: Line) -> bool:
        if self._begun is None or happening(line.text) is not None:
            return False
        before = self._begun.line
        return before.kind is Kind.MESSAGE or (before.kind is Kind.BARE and not line.is_echo and not before.is_echo)

    def _add(self, text: bytes) -> None:
        begun = self._begun
        if begun is None or len(begun.parts) >= _MOST_LINES or begun.size > TEXT_CHARS:
            if begun is not None:
                begun.cut_count += 1
            return
        begun.parts.append(text)
        begun.size += len(text)


def is_wanted(status: str | None, since_at: datetime | None, pattern: str | None) -> Callable[[LogEntry], bool]:
    """A test of entries. RedlineError where the statuses or the pattern cannot be read."""
    codes = None if status is None else _codes(status)
    sought = None if pattern is None else _pattern(pattern)

    def wanted(entry: LogEntry) -> bool:
        if codes is not None and (entry.status is None or not _in_codes(entry.status, codes)):
            return False
        if since_at is not None and entry.at is not None and entry.at < since_at:
            return False
        return sought is None or sought.search(entry.text) is not None

    return wanted


class OncePerRequest:
    """Owns which requests were told by the server's own line, so that their access lines can be left out."""

    def __init__(self) -> None:
        self._waiting: Counter[tuple[object, ...]] = Counter()

    def is_second(self, entry: LogEntry) -> bool:
        """True for the access line of a request that another line has told."""
        if entry.kind == "request":
            self._waiting[entry.request] += 1
        if entry.kind != "access" or not self._waiting[entry.request]:
            return False
        self._waiting[entry.request] -= 1
        return True


def _codes(status: str) -> tuple[str, ...]:
    codes = tuple(one.strip().lower() for one in status.split(",") if one.strip())
    wrong = next((one for one in codes if _STATUS.fullmatch(one) is None), None)
    if wrong is not None or not codes:
        shown = harmless(wrong or status, max_chars=50)
        raise RedlineError(
            f"`{shown}` is not a status", "a code or a class, more of them with commas: 503, 5xx, 4xx,5xx"
        )
    return codes


def _in_codes(status: int, codes: tuple[str, ...]) -> bool:
    return any(one == str(status) or (one.endswith("xx") and one[0] == str(status)[0]) for one in codes)


def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        shown = harmless(pattern, max_chars=100)
        raise RedlineError(f"`{shown}` is not a regular expression: {error}", "--grep 'Timeout|refused'") from error


def _entry(begun: _Begun, *, with_payloads: bool) -> LogEntry:
    text = b"\n".join(begun.parts).decode("utf-8", "backslashreplace").rstrip("\n")
    if begun.cut_count:
        text += f"\n… [{begun.cut_count} more lines]"
    line = begun.line
    text = redact(text)
    shown = harmless(text if with_payloads else redact_payloads(text), max_chars=TEXT_CHARS, keep_newlines=True)
    return LogEntry(
        at_of(begun.at_ms),
        line.level,
        begun.number,
        _kind(begun),
        line.status,
        None if line.duration_us is None else line.duration_us / 1000,
        redact(shown),
        _request(line),
    )


def _request(line: Line) -> tuple[object, ...]:
    if line.pid is None:
        return (line.status,)
    return line.pid, line.method, path_of(line.target or b""), line.status


def _kind(begun: _Begun) -> str:
    if begun.line.kind in _KINDS:
        return _KINDS[begun.line.kind]
    if any(b"Traceback (most recent call last):" in part for part in begun.parts):
        return "exception"
    if happening(begun.line.text) is not None:
        return "event"
    return "message" if begun.line.kind is Kind.MESSAGE else "text"
