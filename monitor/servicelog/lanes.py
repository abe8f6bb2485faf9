"""The ordinary lines of a block, all at once: requests and their access lines of servers 0.8 and newer, and chatter.

What is taken here means exactly what the grammar of its format says; every line in doubt is left to be read by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.servicelog.columns import (
    Bools,
    Columns,
    Ints,
    are_digits,
    are_digits_or_dots,
    matches,
    number_in,
    place_of,
)
from monitor.servicelog.stamps import NO_TIME, iso_ms
from monitor.servicelog.tails import as_pattern, may_hide, shapes
from monitor.servicelog.tally import Batch
from monitor.servicelog.wrappers import unwrapped

_MOST_PREFIXES = 12
_MOST_PREFIX_BYTES = 256
_MOST_HOSTS = 24
_LEAST_BYTES = 40  # of a line with an instant, a process id and a logger
_MOST_HOST_BYTES = 64
_LEVELS = np.zeros(256, np.bool_)
_LEVELS[list(b"DIWEC")] = True
_MAY_BEGIN = np.zeros(256, np.bool_)
_MAY_BEGIN[list(b"TE |+")] = True  # a traceback, its title, or the margin of a group


@dataclass(slots=True)
class Lane:
    """`taken` says which lines need no more reading; `stamped` are those of them, and where their instants stand.

    `apps` and `accesses` are the scoring requests among them; `line` holds places in the block, from 0.
    `bare` are those without a word that a client chose: nothing leaks there.
    """

    taken: Bools
    bare: Bools
    stamped: Ints
    stamp: Ints
    apps: Batch
    accesses: Batch


@dataclass(slots=True)
class _Prefixed:
    """Lines that begin as the server's do: the places of the instant and of the bracket after the process id."""

    line: Ints
    stamp: Ints
    bracket: Ints
    end: Ints

    def where(self, chosen: Bools | Ints) -> _Prefixed:
        return _Prefixed(self.line[chosen], self.stamp[chosen], self.bracket[chosen], self.end[chosen])


def lane(padded: bytes, starts: Ints, ends: Ints) -> Lane:
    """The ordinary lines among those from `starts` to `ends`, whose closing line feeds are left out."""
    columns = Columns(padded)
    found = _prefixed(columns, padded, starts, ends)
    first, second = columns.words(found.bracket), columns.words(found.bracket + 8)
    of_server = matches(first, b"] azmlin")
    apps = _apps(columns, padded, found.where(np.flatnonzero(of_server & matches(second, b"fsrv - P"))))
    access_lines = np.flatnonzero(matches(first, b"] gunico") & matches(second, b"rn.acces"))
    accesses, bare_lines = _accesses(columns, padded, found.where(access_lines))
    chatter = found.where(np.flatnonzero(of_server & matches(second, b"fsrv.")))
    chatter = chatter.where(_is_print(columns, chatter))
    taken, bare = np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)
    for lines in (apps.line, accesses.line, chatter.line):
        taken[lines] = True
    plain = _hide_nothing(columns, padded, chatter.bracket + 13, chatter.end)
    for lines in (apps.line, bare_lines, chatter.line[plain]):
        bare[lines] = True
    bare[found.line[found.stamp != starts[found.line]]] = False  # what a container puts in front may be anything
    stamped = taken[found.line]
    return Lane(taken, bare, found.line[stamped], found.stamp[stamped], apps, accesses)


def _is_print(columns: Columns, lines: _Prefixed) -> Bools:
    """Whether a message follows `azmlinfsrv.print - ` or `azmlinfsrv.trace - ` that cannot begin a traceback."""
    level = columns.bytes[lines.stamp + 24]
    word = columns.words(lines.bracket + 13)
    begins: Bools = _MAY_BEGIN[columns.bytes[lines.bracket + 21]]
    quiet: Bools = (level == ord("I")) | (level == ord("D"))
    return quiet & (matches(word, b"print - ") | matches(word, b"trace - ")) & ~begins


def _prefixed(columns: Columns, padded: bytes, starts: Ints, ends: Ints) -> _Prefixed:
    """Lines that begin with an instant, a level and a process id, behind whatever a container put in front."""
    stamps = starts
    good = _has_stamp(columns, stamps)
    rest = np.flatnonzero(~good & (ends - starts > 60))
    for _ in range(_MOST_PREFIXES):
        if not len(rest):
            break
        first = padded[starts[rest[0]] : min(ends[rest[0]], starts[rest[0]] + 4096)]
        width = len(first) - len(unwrapped(first)[0])
        if not 0 < width <= _MOST_PREFIX_BYTES or first[:1] == b"{":
            rest = rest[1:]
            continue
        alike = columns.has(starts[rest], as_pattern(first[:width]))
        stamps = stamps.copy() if stamps is starts else stamps
        stamps[rest[alike]] += width
        good[rest[alike]] = _has_stamp(columns, stamps[rest[alike]])
        rest = rest[~alike]
    lines = np.flatnonzero(good & (ends - stamps > _LEAST_BYTES))
    stamps = stamps[lines]
    digits = place_of(columns.words(stamps + 27), b"]")
    return _Prefixed(lines, stamps, stamps + digits + 27, ends[lines]).where(np.flatnonzero(digits < 8))


def _has_stamp(columns: Columns, places: Ints) -> Bools:
    """Whether the signs around seconds, a level and a bracket stand where they do after an instant."""
    good = matches(columns.words(places + 16), b":??,??? ") & matches(columns.words(places + 24), b"? [")
    rest = np.flatnonzero(good)
    places = places[rest]
    good[rest] = matches(columns.words(places), b"0???-??-") & matches(columns.words(places + 8), b"?? ??:??")
    return good


def stamps_ms(padded: bytes, places: Ints) -> Ints:
    """The instants that stand at places, as `2026-01-01 10:00:00,617`; NO_TIME where none does."""
    if not len(places):
        return places
    columns = Columns(padded)
    day, minute, second = (columns.words(places + offset) for offset in (0, 8, 16))
    changed = np.flatnonzero(np.concatenate(([True], (day[1:] != day[:-1]) | (minute[1:] != minute[:-1]))))
    read = [_minute_ms(padded[place : place + 16]) for place in places[changed].tolist()]
    minute_ms = np.repeat(np.array(read, np.int64), np.diff(changed, append=len(places)))
    seconds = number_in(second >> np.uint64(8), 2)
    good = (minute_ms != NO_TIME) & (seconds < 60) & matches(second, b":00,000 ")
    return np.where(good, minute_ms + seconds * 1000 + number_in(second >> np.uint64(32), 3), NO_TIME)


def _minute_ms(text: bytes) -> int:
    at_ms = iso_ms(text + b":00") if text[10:11] == b" " else None
    return NO_TIME if at_ms is None else at_ms


def _pids(columns: Columns, lines: _Prefixed) -> tuple[Ints, Bools]:
    """The process ids, and whether they are such."""
    words, digits = columns.words(lines.stamp + 27), lines.bracket - lines.stamp - 27
    return number_in(words, np.maximum(digits, 1)), (digits > 0) & are_digits(words, digits)


def _apps(columns: Columns, padded: bytes, lines: _Prefixed) -> Batch:
    """`azmlinfsrv - POST /score 200 0.984ms 18`."""
    after = lines.bracket + 31
    whole = columns.words(after)
    digits = place_of(whole, b".")
    good = (digits > 0) & (digits < 8)
    digits = np.clip(digits, 1, 7)
    status, decimals, stop = columns.words(after - 5), columns.words(after + digits), after + digits + 7
    size = lines.end - stop
    good &= matches(columns.words(after - 13), b"T /score") & matches(status, b" 000 ") & are_digits(whole, digits)
    good &= matches(decimals, b".000ms ") & (size >= 1) & (size <= 8)
    good &= are_digits(columns.words(stop), np.clip(size, 0, 8))
    good &= matches(columns.words(after - 15), b"OS") & _LEVELS[columns.bytes[lines.stamp + 24]]
    pid, is_pid = _pids(columns, lines)
    at_ms = stamps_ms(padded, lines.stamp)
    duration_us = number_in(whole, digits) * 1000 + number_in(decimals >> np.uint64(8), 3)
    batch = Batch(lines.line, at_ms, number_in(status >> np.uint64(8), 3), duration_us, pid)
    good &= is_pid & (at_ms != NO_TIME)
    return batch if good.all() else batch.where(good)


def _accesses(columns: Columns, padded: bytes, lines: _Prefixed) -> tuple[Batch, Ints]:
    """`gunicorn.access - HOST - - [01/Jan/2026:10:00:00 +0000] "POST /score HTTP/1.1" 200 18 "-" "curl"`.

    Without their instants, and the lines among them in which no secret can stand.
    """
    bracket = _brackets(columns, padded, lines)
    found = np.flatnonzero(bracket)
    lines, bracket = lines.where(found), bracket[found]
    status, size = columns.words(bracket + 51), columns.words(bracket + 56)
    good = columns.has(bracket + 27, b'] "POST /score HTTP/0.0"') & matches(status, b" 000 0")
    good &= matches(columns.words(lines.bracket + 16), b"s - ") & _LEVELS[columns.bytes[lines.stamp + 24]]
    digits = place_of(size, b" ")
    good &= (digits > 0) & (digits < 8) & are_digits(size, np.clip(digits, 0, 7))
    good &= (columns.bytes[bracket + 57 + digits] == ord('"')) & (columns.bytes[lines.end - 1] == ord('"'))
    good &= bracket + 58 + digits <= lines.end
    pid, is_pid = _pids(columns, lines)
    good &= is_pid
    bare = are_addresses(columns, lines.bracket + 20, bracket - 5)
    bare &= _hide_nothing(columns, padded, bracket + 56 + digits, lines.end)
    nothing = np.full(len(good), -1, np.int64)
    batch = Batch(lines.line, np.full_like(nothing, NO_TIME), number_in(status >> np.uint64(8), 3), nothing, pid)
    return batch.where(good), lines.line[good & bare]


def _hide_nothing(columns: Columns, padded: bytes, tails: Ints, ends: Ints) -> Bools:
    """Which ends of lines have one of a few shapes in which no secret can stand."""
    found = np.zeros(len(tails), np.bool_)
    for tail, alike in shapes(columns, padded, tails, ends):
        found[alike] = not (may_hide(tail))
    return found


def are_addresses(columns: Columns, starts: Ints, ends: Ints) -> Bools:
    """Whether between two places stand digits and dots only, at most 15 of them."""
    size = ends - starts
    good = (size > 0) & (size < 16)
    for offset in (0, 8):
        good &= are_digits_or_dots(columns.words(starts + offset), np.clip(size - offset, 0, 8))
    return good


def _brackets(columns: Columns, padded: bytes, lines: _Prefixed) -> Ints:
    """The place of the bracket in ` - - [` in each line; 0 where it is not at one of the places that some have it."""
    found = np.zeros(len(lines.line), np.int64)
    rest = np.arange(len(found))
    for _ in range(_MOST_HOSTS):
        if not len(rest):
            break
        begin = int(lines.bracket[rest[0]])
        offset = padded.find(b" - - [", begin + 20, int(lines.end[rest[0]])) - begin
        if not 0 <= offset <= _MOST_HOST_BYTES:
            rest = rest[1:]
            continue
        places = lines.bracket[rest] + offset
        here = matches(columns.words(places), b" - - [")
        found[rest[here]] = places[here] + 5
        rest = rest[~here]
    return found
