"""One service log, block by block: ordinary lines all at once, the others one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from monitor.servicelog.blocks import LINE_BYTES
from monitor.servicelog.columns import PADDING, Columns, Ints, three_digits
from monitor.servicelog.findleaks import Leaks
from monitor.servicelog.formats import parsed
from monitor.servicelog.heads import stamps_ms
from monitor.servicelog.jsonlane import Inner, inner_lines
from monitor.servicelog.kept import KeptRows
from monitor.servicelog.lanes import Lane, lane
from monitor.servicelog.line import Line
from monitor.servicelog.minutes import Minutes
from monitor.servicelog.oldlane import IN_FRONT, OldLane, old_lane
from monitor.servicelog.pairing import Pairing, pair_key, score_keys
from monitor.servicelog.stamps import NO_TIME, common_ms, iso_ms
from monitor.servicelog.statuses import Answered, Turns
from monitor.servicelog.story import Findings, Pairable, Story, may_be_request, other_label
from monitor.servicelog.tally import Batch, Tally, together
from monitor.servicelog.weblane import WebLane, web_lane
from monitor.servicelog.wrappers import unwrapped


@dataclass(slots=True)
class Reading:
    """What all files tell, as it is read."""

    since_ms: int | None = None
    findings: Findings = field(default_factory=Findings)
    leaks: Leaks = field(default_factory=Leaks)
    tally: Tally = field(default_factory=Tally)
    minutes: Minutes | None = None  # where there is one, requests are counted in it, and nothing else is told
    rows: list[tuple[str, KeptRows]] = field(default_factory=list)
    undecodable_lines: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines. Without a lane every line is read by itself, to the same result.

    `inner` is what lanes read: the lines without JSON around them, or as they are.
    """

    text: bytes
    starts: Ints
    ends: Ints
    inner: Inner
    is_json: bool
    lane: Lane | None

    def line(self, place: int) -> bytes:
        start = int(self.starts[place])
        return self.text[start : min(int(self.ends[place]), start + LINE_BYTES)]


def prepared(block: bytes, *, lanes: bool = True, only_requests: bool = False) -> Block:
    """The block with what can be told of it without those before. The last line of a file may lack its end.

    With `only_requests` it is not looked up where a secret may stand.
    """
    starts, ends = _lines(block)
    padded = block + PADDING
    unpacked = inner_lines(padded, len(block), starts, ends) if lanes else None
    inner = Inner(padded, starts, ends) if unpacked is None else unpacked
    found = lane(inner.text, inner.starts, inner.ends, only_requests=only_requests) if lanes else None
    return Block(block, starts, ends, inner, unpacked is not None, found)


class LogFile:
    """Owns the state of one file between blocks."""

    def __init__(self, name: str, reading: Reading) -> None:
        self._reading = reading
        self._name = name
        self._story = Story(name, reading.findings, self._stamp_before)
        self._pairing = Pairing()
        self._kept = KeptRows()
        reading.rows.append((name, self._kept))
        self._first = 1  # number of the block's first line
        self._lane: Lane | None = None
        self._block: Block | None = None
        self._old: OldLane | None = None
        self._web: WebLane | None = None
        self._stamp: tuple[int, int] | None = None
        self._in_lanes = 0

    def feed(self, block: Block) -> None:
        """The lines that come next."""
        self._lane, self._block = block.lane, block
        rest, self._old, self._web = np.arange(len(block.starts)), None, None
        if self._lane is not None:
            rest = self._others(block, self._lane)
        self._one_by_one(block, rest)
        if self._reading.minutes is None:
            self._look_for_leaks(block)
        if self._reading.minutes is None and not block.text.isascii():
            self._reading.undecodable_lines += _undecodable(block.text)
        self._count(block)
        self._first += len(block.starts)

    @property
    def line_count(self) -> int:
        return self._first - 1

    @property
    def known_lines(self) -> int:
        """How many lines have a known format."""
        return self._in_lanes + self._story.known_lines

    def close(self) -> None:
        """The file ends here."""
        self._story.close()
        self._reading.leaks.close()
        self._count()

    def _one_by_one(self, block: Block, rest: Ints) -> None:
        """The lines that no lane has taken; while a message is open also the idle ones, which may go on with it."""
        take, first, story = self._story.take, self._first, self._story
        only_requests = self._reading.minutes is not None
        idle = self._old.idle if self._old is not None else rest[:0]
        if story.is_listening and len(idle):
            self._hear(block, idle, -1, int(rest[0]) if len(rest) else len(block.starts))
        bounds = block.starts[rest].tolist(), block.ends[rest].tolist()
        following = [*rest.tolist(), len(block.starts)][1:]
        for place, start, end, after in zip(rest.tolist(), *bounds, following, strict=True):
            body = block.text[start : min(end, start + LINE_BYTES)]
            if only_requests and not may_be_request(body):
                continue
            take(first + place, body)
            if after > place + 1 and len(idle) and story.is_listening:
                self._hear(block, idle, place, after)

    def _hear(self, block: Block, idle: Ints, place: int, after: int) -> None:
        """The idle lines between two places, until no message is open."""
        for between in idle[np.searchsorted(idle, place) : np.searchsorted(idle, after)].tolist():
            if not self._story.is_listening:
                return
            start = int(block.starts[between])
            self._story.take(
                self._first + between, block.text[start : min(int(block.ends[between]), start + LINE_BYTES)]
            )

    def _others(self, block: Block, lane: Lane) -> Ints:
        """The lines that no lane has taken: neither that of servers 0.8 and newer, nor those of older ones."""
        inner = block.inner
        is_wrapped = np.ones(len(block.starts), np.bool_) if block.is_json else lane.begins != inner.starts
        untaken = np.flatnonzero(~lane.taken)
        self._old = old = old_lane(inner.text, is_wrapped, lane.begins, inner.ends, untaken)
        lane.taken[old.taken] = True
        lane.bare[old.bare] = True
        self._in_lanes += len(old.taken) - len(old.idle)
        self._web = web = web_lane(inner.text, inner.starts, inner.ends, np.flatnonzero(~lane.taken))
        if web is not None:
            for (method, target, status), count in web.others.items():
                self._reading.findings.other(other_label(method, target, status), count)
            self._in_lanes += len(web.taken)
            web.scored.line += self._first
            lane.taken[web.taken] = True
            lane.bare[web.bare] = True
        if block.is_json:
            lane.bare[:] = False
        parts = [(old.stamped, old.stamp)] + ([] if web is None else [(web.taken, web.stamp)])
        _stamped(lane, len(block.starts), [part for part in parts if len(part[0])])
        return np.flatnonzero(~lane.taken)

    def _look_for_leaks(self, block: Block) -> None:
        """Lines that nobody but the server words are passed over, where they are many."""
        leaks, bare = self._reading.leaks, None if self._lane is None else self._lane.bare
        if bare is None or 2 * int(bare.sum()) < len(bare):
            leaks.look(self._name, self._first, block.text)
            return
        turns = block.starts[np.flatnonzero(np.diff(~bare, prepend=False))].tolist()
        turns += [len(block.text)] * (len(turns) % 2)
        others = [block.text[start:end] for start, end in zip(turns[::2], turns[1::2], strict=True)]
        leaks.look_between(self._name, self._first, block.text, b"".join(others))

    def _stamp_before(self, number: int) -> tuple[int, int] | None:
        """The last instant among the lines that were taken all at once, before a line."""
        if self._lane is None:
            return self._stamp
        return self._stamp_at(int(np.searchsorted(self._lane.stamped, number - self._first)) - 1)

    def _stamp_at(self, place: int) -> tuple[int, int] | None:
        """Line and instant of the line, among those that were taken all at once, or of the last one before it."""
        while self._lane is not None and self._block is not None and place >= 0:
            line, start = int(self._lane.stamped[place]), int(self._lane.stamp[place])
            text = self._block.inner.text[start : start + 30]
            if start == IN_FRONT:
                at_ms = _read(self._block.line(line))[1]
            else:
                at_ms = common_ms(text[1:27]) if text[:1] == b"[" else iso_ms(text[:23])
            if at_ms is not None:
                return line + self._first, at_ms
            place -= 1
        return self._stamp

    def _turns(self, block: Block) -> Turns:
        """The statuses and access lines of the block in order, of lanes and of single lines."""
        story, web = self._story, self._web
        columns = [np.array(story.turns, np.int64).reshape(-1, 4).T]
        if self._old is not None and len(self._old.statuses):
            lines = self._old.statuses
            code = three_digits(Columns(block.inner.text).words(block.inner.ends[lines] - 3), 0)
            columns.append(np.array([lines + self._first, code, np.zeros_like(code), np.zeros_like(code)]))
        if web is not None:
            one = np.ones_like(web.status)
            columns.append(np.array([web.taken + self._first, web.status, one, one * web.zone_ms]))
        number, status, is_access, zone_ms = np.concatenate(columns, axis=1)
        order = np.argsort(number)
        told = partial(self._told, block)
        return Turns(number[order], status[order], is_access[order] == 1, zone_ms[order], told)

    def _told(self, block: Block, number: int) -> tuple[Line, int | None]:
        """The line of a status, and its instant or the last one before it."""
        known = self._story.alone.get(number)
        if known is not None:
            return known
        place = number - self._first
        line, told_ms = _read(block.line(place))
        return line, told_ms if told_ms is not None else self._story.ms_at(number)

    def _count(self, block: Block | None = None) -> None:
        """Every request of the block is counted once."""
        story, parts = self._story, []
        parts.append(self._paired(story.pairable))
        if block is not None:
            story.answered += story.statuses.take(self._turns(block))
        web_scored = together([]) if self._web is None else self._web.scored
        parts += [web_scored, _batch_of(story.answered), _batch_of_rows(story.accessed)]
        story.next_block()
        self._old, self._web = None, None
        if self._lane is not None:
            self._stamp = self._stamp_at(len(self._lane.stamped) - 1)
        self._lane, self._block = None, None
        batch = together(parts)
        if self._reading.since_ms is not None:
            start_ms = batch.start_ms
            batch = batch.where((start_ms == NO_TIME) | (start_ms >= self._reading.since_ms))
        if self._reading.minutes is not None:
            self._reading.minutes.add(batch)
            return
        self._reading.tally.add(batch)
        self._kept.add(batch)

    def _paired(self, slow: list[Pairable]) -> Batch:
        """The requests among the lines that name their process, each once; what is no scoring request counts apart."""
        apps, accesses = self._fast()
        own = _batch_of_rows([(one.number, one.at_ms, one.status, one.duration_us, one.pid) for one in slow])
        both = together([apps, accesses, own])
        keys = score_keys(both.pid, both.status)
        keys[len(apps) + len(accesses) :] = [pair_key(one.pid, one.method, one.target, one.status) for one in slow]
        is_access = np.zeros(len(both), np.bool_)
        is_access[len(apps) : len(apps) + len(accesses)] = True
        is_access[len(apps) + len(accesses) :] = [one.is_access for one in slow]
        others = [one.other for one in slow]
        counts = np.ones(len(both), np.bool_)
        order = np.argsort(both.line, kind="stable")
        counts[order] = ~is_access[order] | self._pairing.unpaired(keys[order], is_access[order])
        self._stamp_accesses(both, np.flatnonzero(counts & is_access), len(apps), len(accesses))
        for place, label in enumerate(others, len(apps) + len(accesses)):
            if label is not None and counts[place]:
                counts[place] = False
                self._reading.findings.other(label)
        return together([both.where(counts), *(() if self._lane is None else (self._lane.settled,))])

    def _stamp_accesses(self, both: Batch, counted: Ints, skipped: int, count: int) -> None:
        """Instants of the access lines that count; those of the lane have none yet."""
        if self._lane is None or self._block is None:
            return
        here = counted[(counted >= skipped) & (counted < skipped + count)]
        places = np.searchsorted(self._lane.stamped, both.line[here] - self._first)
        both.at_ms[here] = stamps_ms(self._block.inner.text, self._lane.stamp[places])

    def _fast(self) -> tuple[Batch, Batch]:
        if self._lane is None:
            return together([]), together([])
        self._in_lanes += len(self._lane.apps) + len(self._lane.accesses) + 2 * len(self._lane.settled)
        for batch in (self._lane.apps, self._lane.accesses, self._lane.settled):
            batch.line = batch.line + self._first
        return self._lane.apps, self._lane.accesses


def _read(body: bytes) -> tuple[Line, int | None]:
    """A line, and the instant that it or what stands in front of it tells."""
    inner, wrapped_ms = unwrapped(body)
    line = parsed(inner)
    return line, line.at_ms if line.at_ms is not None else wrapped_ms


def _stamped(lane: Lane, count: int, parts: list[tuple[Ints, Ints]]) -> None:
    """The lane tells the instants of more lines."""
    if not parts:
        return
    stamp = np.full(count, -1, np.int64)
    for lines, stamps in [(lane.stamped, lane.stamp), *parts]:
        stamp[lines] = stamps
    lane.stamped = np.flatnonzero(stamp != -1)
    lane.stamp = stamp[lane.stamped]


def _lines(block: bytes) -> tuple[Ints, Ints]:
    """Where each line starts and ends; the end is that of its text."""
    raw = np.frombuffer(block, np.uint8)
    feeds = np.flatnonzero(raw == 10)
    if len(block) and not block.endswith(b"\n"):
        feeds = np.append(feeds, len(block))
    starts = np.concatenate((np.zeros(1, np.int64), feeds[:-1] + 1)) if len(feeds) else feeds
    before = raw[np.maximum(feeds - 1, 0)] if len(feeds) else feeds
    return starts, feeds - ((before == 13) & (feeds > starts))


def _undecodable(block: bytes) -> int:
    """How many lines are no UTF-8."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return sum(1 for line in block.split(b"\n") if not line.isascii() and not _is_utf8(line))
    return 0


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _batch_of(answered: list[Answered]) -> Batch:
    return _batch_of_rows([(one.number, NO_TIME if one.at_ms is None else one.at_ms, one.status) for one in answered])


def _batch_of_rows(rows: Sequence[tuple[int, ...]]) -> Batch:
    """Columns of rows of line, instant, status, duration and process; those after the status may be missing."""
    if not rows:
        return together([])
    columns = np.array([(*row, *(-1,) * (5 - len(row))) for row in rows], np.int64).T
    return Batch(*columns)
