"""One service log, block by block: ordinary lines all at once, the others one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.servicelog.blocks import LINE_BYTES
from monitor.servicelog.columns import PADDING, Ints
from monitor.servicelog.findleaks import Leaks
from monitor.servicelog.kept import KeptRows
from monitor.servicelog.lanes import Lane, lane, stamps_ms
from monitor.servicelog.pairing import Pairing, pair_key, score_keys
from monitor.servicelog.stamps import NO_TIME, common_ms, iso_ms
from monitor.servicelog.statuses import Answered
from monitor.servicelog.story import Findings, Pairable, Story, other_label
from monitor.servicelog.tally import Batch, Tally, together
from monitor.servicelog.weblane import web_lane


@dataclass(slots=True)
class Reading:
    """What all files tell, as it is read."""

    since_ms: int | None = None
    findings: Findings = field(default_factory=Findings)
    leaks: Leaks = field(default_factory=Leaks)
    tally: Tally = field(default_factory=Tally)
    rows: list[tuple[str, KeptRows]] = field(default_factory=list)
    undecodable_lines: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines. Without a lane every line is read by itself, to the same result."""

    text: bytes
    padded: bytes
    starts: Ints
    ends: Ints
    lane: Lane | None


def prepared(block: bytes, *, lanes: bool = True) -> Block:
    """The block with what can be told of it without those before. The last line of a file may lack its end."""
    starts, ends = _lines(block)
    padded = block + PADDING
    return Block(block, padded, starts, ends, lane(padded, starts, ends) if lanes else None)


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
        self._padded = PADDING
        self._web_scored = together([])
        self._stamp: tuple[int, int] | None = None
        self._in_lanes = 0

    def feed(self, block: Block) -> None:
        """The lines that come next."""
        self._lane, self._padded = block.lane, block.padded
        rest = np.arange(len(block.starts))
        if self._lane is not None:
            rest = self._web(block, np.flatnonzero(~self._lane.taken))
        self._one_by_one(block, rest)
        self._look_for_leaks(block)
        if not block.text.isascii():
            self._reading.undecodable_lines += _undecodable(block.text)
        self._count()
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
        take, first = self._story.take, self._first
        bounds = block.starts[rest].tolist(), block.ends[rest].tolist()
        for place, start, end in zip(rest.tolist(), *bounds, strict=True):
            take(first + place, block.text[start : min(end, start + LINE_BYTES)])

    def _web(self, block: Block, rest: Ints) -> Ints:
        """The lines that no lane has taken."""
        is_alone = self._story.statuses.is_empty
        web = web_lane(block.padded, block.starts, block.ends, rest) if is_alone else None
        if web is None or self._lane is None:
            return rest
        self._story.statuses.skip(len(web.taken), web.zone_ms)
        for (method, target, status), count in web.others.items():
            self._reading.findings.other(other_label(method, target, status), count)
        self._in_lanes += len(web.taken)
        web.scored.line += self._first
        self._lane.bare[web.bare] = True
        self._web_scored = web.scored
        stamp = np.full(len(block.starts), -1, np.int64)
        stamp[self._lane.stamped], stamp[web.taken] = self._lane.stamp, web.stamp
        self._lane.stamped = np.flatnonzero(stamp >= 0)
        self._lane.stamp = stamp[self._lane.stamped]
        self._lane.taken[web.taken] = True
        return np.flatnonzero(~self._lane.taken)

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
        """Line and instant of one of the lines that were taken all at once."""
        if self._lane is None or place < 0:
            return self._stamp
        start = int(self._lane.stamp[place])
        text = self._padded[start : start + 30]
        at_ms = common_ms(text[1:27]) if text[:1] == b"[" else iso_ms(text[:23])
        return int(self._lane.stamped[place]) + self._first, NO_TIME if at_ms is None else at_ms

    def _count(self) -> None:
        """Every request of the block is counted once."""
        story, parts = self._story, []
        parts.append(self._paired(story.pairable))
        parts += [self._web_scored, _batch_of(story.answered), _batch_of_rows(story.accessed)]
        self._web_scored = together([])
        story.pairable, story.answered, story.accessed = [], [], []
        if self._lane is not None:
            self._stamp = self._stamp_at(len(self._lane.stamped) - 1)
        self._lane = None
        batch = together(parts)
        if self._reading.since_ms is not None:
            start_ms = batch.start_ms
            batch = batch.where((start_ms == NO_TIME) | (start_ms >= self._reading.since_ms))
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
        return both.where(counts)

    def _stamp_accesses(self, both: Batch, counted: Ints, skipped: int, count: int) -> None:
        """Instants of the access lines that count; those of the lane have none yet."""
        if self._lane is None:
            return
        here = counted[(counted >= skipped) & (counted < skipped + count)]
        places = np.searchsorted(self._lane.stamped, both.line[here] - self._first)
        both.at_ms[here] = stamps_ms(self._padded, self._lane.stamp[places])

    def _fast(self) -> tuple[Batch, Batch]:
        if self._lane is None:
            return together([]), together([])
        self._in_lanes += len(self._lane.apps) + len(self._lane.accesses)
        for batch in (self._lane.apps, self._lane.accesses):
            batch.line = batch.line + self._first
        return self._lane.apps, self._lane.accesses


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
