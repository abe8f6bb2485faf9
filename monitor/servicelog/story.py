"""Line by line, what a service log tells: requests, exceptions, events, and messages that no rule knows."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from monitor.servicelog.exceptions import Exceptions, is_side_note
from monitor.servicelog.formats import parsed
from monitor.servicelog.happenings import Happening, happening
from monitor.servicelog.line import Kind, Line, is_scoring, path_of
from monitor.servicelog.stamps import NO_TIME, at_of
from monitor.servicelog.statuses import Answered, Statuses
from monitor.servicelog.tracebacks import Message, OpenMessages, is_header
from monitor.servicelog.wrappers import unwrapped
from monitor.templates import Templates
from scoring.redact import redact
from scoring.served import Event, EventKind, Source
from scoring.text import harmless

MOST_EVENTS = 20_000
MOST_OTHERS = 1_000
OTHERS = "(other)"
_BAD = frozenset("EWC")
_STARTS = frozenset(bytes([one]) for one in b"0123456789[{<JFMASOND")
_ACCESS_MARK = b'] "'
_FIRST_LINE_BYTES = 4_096
_REMEMBERED_PIDS = 10_000


@dataclass(frozen=True, slots=True)
class Pairable:
    """A line of a request that names its process: the server's own, or an access line. `other`: no scoring request."""

    number: int
    at_ms: int
    status: int
    duration_us: int
    pid: int
    method: bytes
    target: bytes
    is_access: bool

    @property
    def other(self) -> str | None:
        return None if is_scoring(self.method, self.target) else other_label(self.method, self.target, self.status)


class Findings:
    """What all files tell together, other than requests."""

    def __init__(self) -> None:
        self.exceptions = Exceptions()
        self.templates = Templates()
        self.events: list[Event] = []
        self.others: Counter[str] = Counter()

    def other(self, label: str, count: int = 1) -> None:
        known = label in self.others or len(self.others) < MOST_OTHERS
        self.others[label if known else OTHERS] += count


class Story:
    """Owns the state of one file between lines. `stamp_before(number)` is the instant of the last line before it."""

    def __init__(self, file: str, findings: Findings, stamp_before: Callable[[int], tuple[int, int] | None]) -> None:
        self._file = file
        self._findings = findings
        self._stamp_before = stamp_before
        self._messages = OpenMessages()
        self._instants = [(0, NO_TIME)]  # number and instant of the lines of the block, and of the last one before it
        self._last_number = 0
        self._booted: set[int] = set()
        self.statuses = Statuses()
        self.known_lines = 0
        self.pairable: list[Pairable] = []
        self.turns: list[tuple[int, int, bool, int]] = []  # number, status, whether an access line, ms ahead of UTC
        self.alone: dict[int, tuple[Line, int | None]] = {}  # statuses that stand alone, by number
        self.answered: list[Answered] = []
        self.accessed: list[tuple[int, int, int, int]] = []  # number, at_ms, status, duration_us

    def take(self, number: int, body: bytes) -> None:
        """One line, without its end. Lines that were skipped tell of a request, or nothing."""
        if number != self._last_number + 1 and not self._messages.is_empty:
            self._close(self._messages.passed(number - 1))
        self._last_number = number
        if body[:1] == b" " and _ACCESS_MARK not in body:  # part of a message, whatever it says
            if not self._messages.is_empty:
                self._messages.goes_on(body, number)
            return
        inner, wrapped_ms = unwrapped(body)
        line = parsed(inner)
        told_ms = line.at_ms if line.at_ms is not None else wrapped_ms
        if told_ms is not None:
            self._instants.append((number, told_ms))
        self.known_lines += line.kind is not Kind.BARE
        if line.kind is Kind.BARE:
            if not line.is_echo:
                self._bare(line, number)
        elif line.kind is Kind.MESSAGE:
            self._message(line, number)
        else:
            if not self._messages.is_empty:
                self._close(self._messages.passed(number))
            self._request(line, number, told_ms)

    @property
    def is_listening(self) -> bool:
        """Whether a message is open: a line with nothing in front may belong to it."""
        return not self._messages.is_empty

    def close(self) -> None:
        """The file ends here."""
        self._close(self._messages.close())
        self.answered += self.statuses.close()

    def _request(self, line: Line, number: int, told_ms: int | None) -> None:
        if line.kind is Kind.STATUS:
            self.turns.append((number, line.status or 0, False, 0))
            self.alone[number] = line, self.ms_at(number)
            return
        status = line.status or 0
        duration_us = -1 if line.duration_us is None else line.duration_us
        at_ms = NO_TIME if told_ms is None else told_ms
        method, target = line.method or b"", line.target or b""
        if line.pid is not None:
            at_ms = NO_TIME if line.at_ms is None else line.at_ms
            is_access = line.kind is Kind.ACCESS
            self.pairable.append(Pairable(number, at_ms, status, duration_us, line.pid, method, target, is_access))
            return
        self.turns.append((number, status, True, line.zone_ms))
        if is_scoring(method, target):
            self.accessed.append((number, at_ms, status, duration_us))
        else:
            self._findings.other(other_label(method, target, status))

    def _message(self, line: Line, number: int) -> None:
        is_chatter = line.level in ("I", "D") and (line.logger or "").startswith("azmlinfsrv.")
        if is_chatter and not is_header(line.text):
            self._close(self._messages.passed(number))
            return
        happened = None if is_chatter else happening(line.text)
        if happened is not None:
            self._close(self._messages.said(line.pid, number))
            self._event(happened, line.text, number, line.pid)
        elif line.level in _BAD or is_header(line.text):
            self._close(self._messages.begin(line, number, self.ms_at(number)))
        elif not self._messages.is_empty:
            self._close(self._messages.said(line.pid, number))

    def _bare(self, line: Line, number: int) -> None:
        happened = happening(line.text)
        if happened is not None:
            self._event(happened, line.text, number, None)
        elif (self._messages.is_empty or not self._messages.goes_on(line.text, number)) and is_header(line.text):
            self._close(self._messages.begin(line, number, self.ms_at(number)))

    def _event(self, happened: Happening, text: bytes, number: int, pid: int | None) -> None:
        self.known_lines += 1
        about = happened.pid if happened.pid is not None else pid
        if happened.kind is EventKind.WORKER_BOOTED and about is not None:
            if happened.is_ready and about in self._booted:
                self._booted.discard(about)
                return
            if not happened.is_ready and len(self._booted) < _REMEMBERED_PIDS:
                self._booted.add(about)
        if len(self._findings.events) < MOST_EVENTS:
            shown = harmless(redact(text.decode("utf-8", "backslashreplace")), max_chars=500)
            at, where = at_of(self.ms_at(number)), f"{self._file}:{number}"
            instance = None if about is None else str(about)
            event = Event(Source.SERVICE_LOG, at, happened.kind, shown, instance, happened.code, where)
            self._findings.events.append(event)

    def ms_at(self, number: int) -> int | None:
        """The instant of the line, or else of the last one before it that tells one."""
        place = bisect_right(self._instants, number, key=itemgetter(0)) - 1
        own = self._instants[place]
        other = None if own[0] == number else self._stamp_before(number)
        at_ms = other[1] if other is not None and other[0] > own[0] else own[1]
        return None if at_ms == NO_TIME else at_ms

    def next_block(self) -> None:
        """What was told of single lines is not asked for any more."""
        self._instants = self._instants[-1:]
        self.pairable, self.answered, self.accessed, self.turns, self.alone = [], [], [], [], {}

    def _close(self, messages: list[Message]) -> None:
        for message in messages:
            if message.has_traceback and not is_side_note(message):
                self._findings.exceptions.add(message, self._file)
            elif message.first.level in _BAD:
                text = message.first.text[:_FIRST_LINE_BYTES].decode("utf-8", "backslashreplace")
                self._findings.templates.add(text, at=at_of(message.at_ms), level=message.first.level)


def may_be_request(body: bytes) -> bool:
    """False for a line that neither tells of a request nor when a request was: part of a message, or printed."""
    return body[:1] in _STARTS or body[-3:].isdigit() or b'" ' in body or b" | " in body[:130]


def other_label(method: bytes, target: bytes, status: int) -> str:
    """`GET /swagger.json 200`: what is counted apart from scoring requests. Without query, without secrets."""
    if not method:
        return f"(malformed) {status}"
    path = harmless(redact((path_of(target) or b"/").decode("utf-8", "backslashreplace")), max_chars=100)
    return f"{method.decode('ascii', 'replace')[:20]} {path} {status}"
