"""Messages of many lines put together again, also where two workers write at the same time.

Lines after the first have nothing in front that says whose they are. A traceback has a grammar, though: each line goes
to the open message that can go on with it, to the one last written to where several can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from monitor.servicelog.line import Line

MOST_BYTES = 65_536
MOST_OPEN = 16
MOST_LINES_APART = 500


class _Is(IntEnum):
    HEADER = 0
    FILE = 1
    INDENTED = 2
    BLANK = 3
    LINK = 4
    OTHER = 5


class _At(IntEnum):
    TEXT = 0  # no traceback seen
    FRAMES = 1  # in a traceback, its last line not seen
    ENDED = 2  # its last line seen
    LINKED = 3  # another one is announced


_NEXT: dict[_At, dict[_Is, _At]] = {
    _At.TEXT: {**dict.fromkeys(_Is, _At.TEXT), _Is.HEADER: _At.FRAMES},
    _At.FRAMES: {**dict.fromkeys(_Is, _At.FRAMES), _Is.LINK: _At.LINKED, _Is.OTHER: _At.ENDED},
    _At.ENDED: {
        _Is.BLANK: _At.ENDED,
        _Is.LINK: _At.LINKED,
        _Is.OTHER: _At.ENDED,
        _Is.INDENTED: _At.ENDED,
    },
    _At.LINKED: {_Is.BLANK: _At.LINKED, _Is.HEADER: _At.FRAMES},
}
_FIRST_CHOICE: dict[_Is, tuple[_At, ...]] = {
    _Is.HEADER: (_At.LINKED, _At.TEXT, _At.FRAMES),
    _Is.FILE: (_At.FRAMES, _At.TEXT),
    _Is.INDENTED: (_At.FRAMES, _At.ENDED, _At.TEXT),
    _Is.BLANK: (_At.ENDED, _At.LINKED, _At.TEXT, _At.FRAMES),
    _Is.LINK: (_At.ENDED, _At.FRAMES, _At.TEXT),
    _Is.OTHER: (_At.FRAMES, _At.TEXT, _At.ENDED),
}


@dataclass(slots=True, eq=False)
class Message:
    """A message that may have more lines. `parts` are its lines; `after` those that belong to it only if more comes."""

    first: Line
    number: int
    at_ms: int | None
    parts: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)
    state: _At = _At.TEXT
    wants_source: bool = False
    size: int = 0
    last_number: int = 0

    @property
    def text(self) -> bytes:
        return b"\n".join(self.parts)

    @property
    def has_traceback(self) -> bool:
        return self.state is not _At.TEXT


class OpenMessages:
    """Owns the messages that are not complete. Methods give back those that are, in order of their first line."""

    def __init__(self) -> None:
        self._open: list[Message] = []  # last written to first

    def begin(self, line: Line, number: int, at_ms: int | None) -> list[Message]:
        """A message begins. Complete: those of the same process, and the oldest where too many are open."""
        done = self.passed(number) + self._take([one for one in self._open if one.first.pid == line.pid])
        message = Message(line, number, at_ms, last_number=number)
        _add(message, line.text, _At.FRAMES if _is_header_at_end(line.text) else _At.TEXT)
        self._open.insert(0, message)
        return done + self._take(self._open[MOST_OPEN:])

    def goes_on(self, text: bytes, number: int) -> bool:
        """True when the line belongs to an open message, which has taken it."""
        kind = _kind(text)
        able = [one for one in self._open if kind in _NEXT[one.state]]
        if not able:
            return False
        message = able[0] if len(able) == 1 else min(able, key=lambda one: _rank(one, kind))
        message.last_number = number
        _add(message, text, _NEXT[message.state][kind], kind)
        if message is not self._open[0]:
            self._open.remove(message)
            self._open.insert(0, message)
        return True

    def passed(self, number: int) -> list[Message]:
        """Another line stands between: finished messages are complete, and unfinished ones left far behind."""
        return self._take(
            [
                one
                for one in self._open
                if one.state in (_At.TEXT, _At.ENDED) or number - one.last_number > MOST_LINES_APART
            ]
        )

    def said(self, pid: int | None, number: int) -> list[Message]:
        """The process says something else: what it said before is complete."""
        return self.passed(number) + self._take([one for one in self._open if pid is not None and one.first.pid == pid])

    def close(self) -> list[Message]:
        return self._take(list(self._open))

    @property
    def is_empty(self) -> bool:
        return not self._open

    def _take(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            self._open.remove(message)
        return sorted(messages, key=lambda one: one.number)


def is_header(text: bytes) -> bool:
    """True for the line that a traceback begins with."""
    return text.lstrip(b" |+").startswith((b"Traceback (most recent call last):", b"Exception Group Traceback ("))


def _is_header_at_end(text: bytes) -> bool:
    return text.rstrip().endswith(b"Traceback (most recent call last):")


def _kind(text: bytes) -> _Is:
    if not text.strip():
        return _Is.BLANK
    if is_header(text):
        return _Is.HEADER
    if text[:1] in (b" ", b"\t"):
        return _Is.FILE if text.lstrip(b" |").startswith(b'File "') else _Is.INDENTED
    if text.startswith((b"The above exception was the direct cause", b"During handling of the above exception")):
        return _Is.LINK
    return _Is.OTHER


def _rank(message: Message, kind: _Is) -> tuple[int, bool]:
    """Lower goes first; where equal, the one last written to."""
    out_of_turn = message.state is _At.FRAMES and kind in (_Is.FILE, _Is.INDENTED)
    return _FIRST_CHOICE[kind].index(message.state), out_of_turn and message.wants_source == (kind is _Is.FILE)


def _add(message: Message, text: bytes, state: _At, kind: _Is = _Is.OTHER) -> None:
    message.wants_source = kind is _Is.FILE
    if message.state is _At.ENDED and state is _At.ENDED and (message.after or kind is _Is.BLANK):
        _keep(message, message.after, text)
        return
    if message.after:
        message.parts += message.after
        message.after = []
    message.state = state
    _keep(message, message.parts, text)


def _keep(message: Message, lines: list[bytes], text: bytes) -> None:
    room = MOST_BYTES - message.size
    if room > 0:
        lines.append(text[:room])
        message.size += len(text) + 1
