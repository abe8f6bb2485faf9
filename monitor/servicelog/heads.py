"""What servers 0.8 and newer put in front of a line, in all lines of a block at once: instant, level, process id."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.servicelog.columns import (
    SECONDS,
    Bools,
    Columns,
    Ints,
    Rows,
    Words,
    are_digits,
    difference,
    looked_up,
    number_in,
    place_of,
    three_digits,
)
from monitor.servicelog.stamps import NO_TIME, iso_ms
from monitor.servicelog.tails import as_pattern
from monitor.servicelog.wrappers import unwrapped

_MOST_PREFIXES = 12
_MOST_PREFIX_BYTES = 256
_LEAST_BYTES = 40  # of a line with an instant, a process id and a logger
_PID = 27  # where the process id begins
_STAMP = b"0???-??-?? ??:??:??,??? ? ["  # without an instant, too, the line is the server's
_OLD_STAMP = b"0000-00-00 00:00:00,000 | "  # of servers 0.7 and older
_BYTE = np.uint64(0xFF)


@dataclass(slots=True)
class Headed:
    """Lines that begin as the server's do: the places of the instant and of the bracket after the process id.

    `level` is the byte that tells it, `pid` the eight bytes from the process id on, `body` the 32 from the bracket on.
    """

    line: Ints
    stamp: Ints
    bracket: Ints
    end: Ints
    level: Ints
    pid: Words
    body: Rows
    has_fronts: bool = False  # something stands before some of the instants

    def where(self, chosen: Bools | Ints) -> Headed:
        """Some of the lines."""
        return replace(self.without_body(chosen), body=self.body[chosen])

    def without_body(self, chosen: Bools | Ints) -> Headed:
        """Some of the lines, for whom has no use for what follows the bracket."""
        line, stamp, bracket, end = self.line[chosen], self.stamp[chosen], self.bracket[chosen], self.end[chosen]
        return Headed(line, stamp, bracket, end, self.level[chosen], self.pid[chosen], self.body[:0])


def headed(columns: Columns, padded: bytes, starts: Ints, ends: Ints) -> tuple[Headed, Ints]:
    """Lines that begin with an instant, a level and a process id, behind whatever a container put in front.

    And where each line of all begins behind that.
    """
    begins, head = starts, columns.rows(starts)
    good = difference(head, _STAMP) == 0
    rest = np.flatnonzero(~good & (ends - starts > 60))
    rest = rest[difference(head[rest], _OLD_STAMP) != 0]
    moved, moved_by = _behind(columns, padded, starts, ends, rest)
    if len(moved):
        begins = begins.copy()
        begins[moved] += moved_by
        head[moved] = columns.rows(begins[moved])
        good[moved] = difference(head[moved], _STAMP) == 0
    good &= ends - begins > _LEAST_BYTES
    lines, stamps = np.flatnonzero(good), begins
    if len(lines) < len(good):
        head, stamps, ends = head[lines], stamps[lines], ends[lines]
    pid = columns.words(stamps + _PID)
    digits = place_of(pid, b"]")
    brackets = stamps + digits + _PID
    level = (head[:, 3] & _BYTE).view(np.int64)
    found = Headed(lines, stamps, brackets, ends, level, pid, columns.rows(brackets), bool(len(moved)))
    short = digits < 8
    return (found if short.all() else found.where(np.flatnonzero(short))), begins


def _behind(columns: Columns, padded: bytes, starts: Ints, ends: Ints, rest: Ints) -> tuple[Ints, Ints]:
    """Lines with something in front that is alike but for its digits, and how long that is."""
    lines, widths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for _ in range(_MOST_PREFIXES):
        if not len(rest):
            break
        first = padded[starts[rest[0]] : min(ends[rest[0]], starts[rest[0]] + 4096)]
        width = len(first) - len(unwrapped(first)[0])
        if not 0 < width <= _MOST_PREFIX_BYTES or first[:1] == b"{":
            rest = rest[1:]
            continue
        alike = columns.has(starts[rest], as_pattern(first[:width]))
        lines.append(rest[alike])
        widths.append(np.full(len(lines[-1]), width))
        rest = rest[~alike]
    return np.concatenate(lines), np.concatenate(widths)


def pids(lines: Headed) -> tuple[Ints, Bools]:
    """The process ids, and whether they are such."""
    digits = lines.bracket - lines.stamp - _PID
    return number_in(lines.pid, np.maximum(digits, 1)), (digits > 0) & are_digits(lines.pid, digits)


def stamps_ms(padded: bytes, places: Ints) -> Ints:
    """The instants that stand at places, as `2026-01-01 10:00:00,617`; NO_TIME where none does."""
    return instants_ms(padded, places, Columns(padded).rows(places)) if len(places) else places


def instants_ms(padded: bytes, places: Ints, head: Rows) -> Ints:
    """The same, with the bytes from the places on; the signs between the numbers stand where they should."""
    if not len(places):
        return places
    day, minute, second = head[:, 0], head[:, 1], head[:, 2]
    changed = np.flatnonzero(np.concatenate(([True], (day[1:] != day[:-1]) | (minute[1:] != minute[:-1]))))
    read = [_minute_ms(padded[place : place + 16]) for place in places[changed].tolist()]
    if len(read) == 1:
        minute_ms: Ints | int = read[0]
    else:
        minute_ms = np.repeat(np.array(read, np.int64), np.diff(changed, append=len(places)))
    found = looked_up(SECONDS, second, 1) + three_digits(second, 4)
    good = found >= 0
    found += minute_ms
    if NO_TIME in read:
        good &= np.asarray(minute_ms) != NO_TIME
    return found if good.all() else np.where(good, found, NO_TIME)


def _minute_ms(text: bytes) -> int:
    at_ms = iso_ms(text + b":00") if text[10:11] == b" " else None
    return NO_TIME if at_ms is None else at_ms
