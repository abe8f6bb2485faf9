"""Ordinary access lines of web servers that name no process, all at once.

Lines of one server are alike but for their digits: where the first stands, and what follows the size, is looked up in
one line and compared in all others. Every line in doubt is left to be read by itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from monitor.servicelog.columns import Bools, Columns, Ints, are_digits, letter, matches, number_in, place_of
from monitor.servicelog.formats import duration_in, parsed
from monitor.servicelog.lanes import are_addresses
from monitor.servicelog.line import is_scoring
from monitor.servicelog.stamps import NO_TIME, common_ms, zone_ms
from monitor.servicelog.tails import as_pattern, may_hide, shapes
from monitor.servicelog.tally import Batch, together
from monitor.servicelog.wrappers import unwrapped

_MOST_SHAPES = 24
_MOST_BEFORE = 128


@dataclass(slots=True)
class WebLane:
    """`taken` are lines that need no more reading, `stamp` where their instants stand; `scored` are to be counted."""

    taken: Ints
    stamp: Ints
    status: Ints
    bare: Ints  # those in which no secret can stand
    scored: Batch
    others: Counter[tuple[bytes, bytes, int]]
    zone_ms: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the lines of one kind of request share, from the bracket on up to the status."""

    offset: int  # of the bracket in the line
    pattern: bytes
    method: bytes
    target: bytes
    zone: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """The lines of one shape."""

    batch: Batch
    bracket: Ints
    bare: Ints
    shape: _Shape


def web_lane(padded: bytes, starts: Ints, ends: Ints, lines: Ints) -> WebLane | None:
    """The ordinary access lines among `lines`; None where there are none."""
    columns = Columns(padded)
    parts: list[_Part] = []
    rest = lines
    for _ in range(_MOST_SHAPES):
        shape, rest = _next_shape(padded, starts, ends, rest, parts[0].shape.zone if parts else None)
        if shape is None:
            break
        alike = _alike(columns, shape, starts[rest] + shape.offset, ends[rest])
        here = rest[alike]
        bracket = starts[here] + shape.offset
        good, bare, duration_us = _tails(columns, padded, bracket + len(shape.pattern) - 1, ends[here])
        bare &= are_addresses(columns, starts[here], bracket - 5) & columns.has_exactly(bracket - 5, b" - - [")
        at_ms = _stamps(columns, padded, bracket, shape.zone)
        good &= at_ms != NO_TIME
        status = number_in(columns.words(bracket + len(shape.pattern) - 5), 3)
        nobody = np.full(len(here), -1, np.int64)
        batch = Batch(here, at_ms, status, duration_us, nobody).where(good)
        parts.append(_Part(batch, bracket[good], here[good & bare], shape))
        rest = rest[~alike]
    return _lane(parts)


def _alike(columns: Columns, shape: _Shape, bracket: Ints, ends: Ints) -> Bools:
    """Which lines have the shape."""
    alike = matches(columns.words(bracket), b"[00/???/")
    rest = np.flatnonzero(alike & (bracket + len(shape.pattern) <= ends))
    rest = rest[columns.has(bracket[rest] + 8, shape.pattern[8:])]
    rest = rest[columns.has_exactly(bracket[rest] + 22, shape.zone)]
    alike[:] = False
    alike[rest] = True
    return alike


def _lane(parts: list[_Part]) -> WebLane | None:
    if not sum(len(part.batch) for part in parts):
        return None
    scored: list[Batch] = []
    others: Counter[tuple[bytes, bytes, int]] = Counter()
    for part in parts:
        batch, shape = part.batch, part.shape
        if is_scoring(shape.method, shape.target):
            scored.append(batch)
            continue
        codes, counts = np.unique(batch.status, return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            others[shape.method, shape.target, code] += count
    columns = ((part.batch.line, part.bracket, part.batch.status, part.bare) for part in parts)
    taken, stamp, status, bare = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.argsort(taken, kind="stable")
    zone = zone_ms(parts[0].shape.zone)
    return WebLane(taken[order], stamp[order], status[order], bare, together(scored), others, zone)


def _next_shape(padded: bytes, starts: Ints, ends: Ints, rest: Ints, zone: bytes | None) -> tuple[_Shape | None, Ints]:
    """The shape of the first of the lines that has one, and the lines from it on."""
    for place, line in enumerate(rest[:_MOST_SHAPES].tolist()):
        shape = _shape(padded[starts[line] : min(ends[line], starts[line] + 4096)])
        if shape is not None and zone in (None, shape.zone):
            return shape, rest[place:]
    return None, rest


def _shape(text: bytes) -> _Shape | None:
    body = unwrapped(text)[0]
    line = parsed(body)
    method, target = line.method or b"", line.target or b""
    if line.format != "access" or b"?" in target or not method:
        return None
    if not is_scoring(method, target) and any(byte in b"0123456789" for byte in target):
        return None
    offset = text.find(b"[", len(text) - len(body))
    end = text.find(b'" ', text.find(b'"', offset) + 1) + 2
    zone = text[offset + 22 : offset + 27]
    head = text[offset : end + 4]
    if text[offset + 27 : offset + 28] != b"]" or offset > _MOST_BEFORE or not head.isascii() or b"?" in head:
        return None
    fixed = b"[00/???/0000:00:00:00 ?0000] " + as_pattern(head[29:]) + b"0"
    return _Shape(offset, fixed, method, target, zone)


def _tails(columns: Columns, padded: bytes, sizes: Ints, ends: Ints) -> tuple[Bools, Bools, Ints]:
    """Which lines end in one of a few shapes after the size, which of them hide no secret, and their durations."""
    good, bare = np.zeros(len(sizes), np.bool_), np.zeros(len(sizes), np.bool_)
    duration_us = np.full(len(sizes), -1, np.int64)
    words = columns.words(sizes)
    digits = place_of(words, b" ")
    is_size = np.flatnonzero((digits > 0) & (digits < 8) & are_digits(words, np.minimum(digits, 7)))
    tails = (sizes + digits)[is_size]
    for text, alike in shapes(columns, padded, tails, ends[is_size]):
        here = is_size[alike]
        good[here] = True
        bare[here] = not (may_hide(text))
        duration_us[here] = _durations(columns, tails[alike], text)
    return good, bare, duration_us


def _durations(columns: Columns, tails: Ints, text: bytes) -> Ints:
    """The durations of tails that are alike but for their digits."""
    found = duration_in(text)
    if found is None:
        return np.full(len(tails), -1, np.int64)
    whole, fraction, scale_us = found
    total = np.zeros(len(tails), np.int64)
    for place in range(*whole):
        total = total * 10 + (columns.bytes[tails + place] - np.uint8(48))
    divisor = 1
    for place in range(*fraction):
        total = total * 10 + (columns.bytes[tails + place] - np.uint8(48))
        divisor *= 10
    return np.rint(total / divisor * scale_us).astype(np.int64)


def _stamps(columns: Columns, padded: bytes, bracket: Ints, zone: bytes) -> Ints:
    """Instants of `[07/Feb/2021:08:21:31 +0000]`: minutes are read once each, seconds of every line."""
    if not len(bracket):
        return np.empty(0, np.int64)
    first, second, third = (columns.words(bracket + offset) for offset in (1, 9, 17))
    minute = letter(third, 0)
    changed = (first[1:] != first[:-1]) | (second[1:] != second[:-1]) | (minute[1:] != minute[:-1])
    places = np.flatnonzero(np.concatenate(([True], changed)))
    read = [common_ms(padded[place + 1 : place + 18] + b":00 " + zone) for place in bracket[places].tolist()]
    minute_ms = np.repeat(
        np.array([NO_TIME if one is None else one for one in read], np.int64), np.diff(places, append=len(bracket))
    )
    seconds = number_in(third >> np.uint64(16), 2)
    return np.where((minute_ms == NO_TIME) | (seconds > 59), NO_TIME, minute_ms + seconds * 1000)
