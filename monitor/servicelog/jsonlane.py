"""Lines that a container runtime wrapped in JSON, all at once: the block with what stood in them in their places.

Lines of one source are alike but for the text and the digits of their instants. One line of each kind is read by the
grammar; the others are compared with it. What is escaped in any other way than `\\"` is left to be read by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.servicelog.columns import Bools, Columns, Ints
from monitor.servicelog.tails import as_pattern
from monitor.servicelog.wrappers import LOG_KEYS, unwrapped

Letters = npt.NDArray[np.uint8]
_MOST_SHAPES = 40
_MOST_AROUND = 250
_STAND_IN = b"\x01"  # stands for an escaped quote meanwhile
_NAME = rb'"(?:%s)" ?: ?' % b"|".join(one.encode() for one in LOG_KEYS)
_KEY = re.compile(_NAME)
_VALUE = re.compile(_NAME + rb'"(?P<inner>(?:[^"\\]|\\")*?)(?=(?:\\[rn])*")')
_STRING = re.compile(rb'"[^"\\]*"')


@dataclass(frozen=True, slots=True)
class Inner:
    """What stood in the lines: `text` has as many lines as the block, and of each what lies from start to end counts.

    That is nothing for a line that is not wrapped in an ordinary way.
    """

    text: bytes
    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True)
class _Shape:
    """What stands before and after the text, with every digit as `0`."""

    before: bytes
    after: bytes


def inner_lines(padded: bytes, size: int, starts: Ints, ends: Ints) -> Inner | None:
    """The block without JSON around its lines; None where they are mostly not wrapped so."""
    raw = np.frombuffer(padded, np.uint8)
    is_wrapped = (raw[starts] == ord("{")) & (ends > starts)
    if 2 * int(is_wrapped.sum()) < len(starts) or not len(starts) or _STAND_IN in padded[:size]:
        return None
    is_wrapped &= ~((raw[starts + 19] == ord(",")) & (raw[starts + 23] == ord(" ")))
    is_wrapped[_lines_at(np.flatnonzero((raw[:size] - np.uint8(32)) > 95), raw, starts)] = False
    text = padded[:size].replace(b'\\"', _STAND_IN) + padded[size:]
    columns = Columns(text)
    begins, stops = _bounds(columns.bytes[: len(text) - len(padded) + size], len(starts))
    widths, tails = _around(columns, padded, starts, ends, begins, stops, np.flatnonzero(is_wrapped))
    is_alike = widths >= 0
    begins, stops = np.where(is_alike, begins + widths, begins), np.where(is_alike, stops - tails, begins)
    _leave_out(columns.bytes, begins, stops)
    return Inner(text.replace(_STAND_IN, b'"'), begins, stops)


def _lines_at(places: Ints, raw: Letters, starts: Ints) -> Ints:
    """The lines with a byte that is neither plain ASCII nor a line feed."""
    places = places[raw[places] != 10]
    return np.unique(np.searchsorted(starts, places, "right") - 1)


def _bounds(raw: Letters, count: int) -> tuple[Ints, Ints]:
    """Where the lines stand once escaped quotes are shorter; all but perhaps the last end with a line feed."""
    feeds = np.flatnonzero(raw == 10)
    if len(feeds) < count:
        feeds = np.append(feeds, len(raw))
    starts = np.concatenate((np.zeros(1, np.int64), feeds[:-1] + 1))
    return starts, feeds


def _around(
    columns: Columns, padded: bytes, starts: Ints, ends: Ints, begins: Ints, stops: Ints, rest: Ints
) -> tuple[Ints, Ints]:
    """How much stands before and after the text of each line; -1 where that is not known."""
    widths, tails = np.full(len(starts), -1, np.int64), np.zeros(len(starts), np.int64)
    for _ in range(_MOST_SHAPES):
        if not len(rest):
            break
        shape = _shape(padded[starts[rest[0]] : min(int(ends[rest[0]]), int(starts[rest[0]]) + 8192)])
        if shape is None:
            rest = rest[1:]
            continue
        room = stops[rest] - begins[rest] >= len(shape.before) + len(shape.after)
        fits = rest[room]
        alike = columns.has(begins[fits], shape.before) & columns.has(stops[fits] - len(shape.after), shape.after)
        widths[fits[alike]], tails[fits[alike]] = len(shape.before), len(shape.after)
        taken = _spread(room, alike)
        taken[0] = True
        rest = rest[~taken]
    return widths, tails


def _spread(room: Bools, alike: Bools) -> Bools:
    found = np.zeros(len(room), np.bool_)
    found[np.flatnonzero(room)[alike]] = True
    return found


def _leave_out(raw: Letters, begins: Ints, stops: Ints) -> None:
    """Nothing is left of a text with a quote or a backslash in it: it ends elsewhere, or is escaped otherwise."""
    places = np.flatnonzero((raw == ord('"')) | (raw == ord("\\")))
    first = np.searchsorted(places, begins)
    bad = (first < len(places)) & (places[np.minimum(first, len(places) - 1)] < stops) if len(places) else first < 0
    stops[bad] = begins[bad]


def _shape(line: bytes) -> _Shape | None:
    """What stands around the text of a line; None where it is not wrapped in an ordinary way."""
    match = _VALUE.search(line)
    if match is None:
        return None
    inner, before, after = match["inner"], line[: match.start("inner")], line[match.end("inner") :]
    around = before + after.replace(b"\\n", b"").replace(b"\\r", b"")
    alone = _STRING.sub(b"", around)
    if b"\\" in around or b"?" in around or any(byte in b"0123456789" for byte in alone):
        return None
    if (
        len(around) > _MOST_AROUND
        or len(_KEY.findall(around)) > 1
        or _unwrapped_once(line) != inner.replace(b'\\"', b'"')
    ):
        return None
    return _Shape(as_pattern(before), as_pattern(after))


def _unwrapped_once(line: bytes) -> bytes | None:
    """What stands in a line of JSON; None where it is none."""
    return unwrapped(line, most=1)[0] if line[:1] == b"{" else None
