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
    difference,
    matches,
    number_in,
    place_of,
    span,
    three_digits,
    word,
)
from monitor.servicelog.heads import Headed, headed, instants_ms, pids
from monitor.servicelog.stamps import NO_TIME
from monitor.servicelog.tails import as_pattern, may_hide, shapes
from monitor.servicelog.tally import Batch

_MOST_HOSTS = 24
_MOST_HOST_BYTES = 64
_SERVER, _GUNICORN, _ACCESS = word(b"] azmlin"), word(b"] gunico"), word(b"rn.acces")
_OWN, _PRINT, _TRACE = word(b"fsrv - P"), word(b"print - "), word(b"trace - ")
_LEVELS = np.zeros(256, np.bool_)
_LEVELS[list(b"DIWEC")] = True
_MAY_BEGIN = np.zeros(256, np.bool_)
_MAY_BEGIN[list(b"TE |+")] = True  # a traceback, its title, or the margin of a group


@dataclass(slots=True)
class Lane:
    """`taken` says which lines need no more reading; `stamped` are those of them, and where their instants stand.

    `settled` are scoring requests whose access line follows at once, with the same process and status; `apps` and
    `accesses` those that are still to be paired; `line` holds places in the block, from 0. `bare` are the lines without
    a word that a client chose: nothing leaks there. `begins` is where each line begins behind what a container put in
    front.
    """

    taken: Bools
    bare: Bools
    begins: Ints
    stamped: Ints
    stamp: Ints
    settled: Batch
    apps: Batch
    accesses: Batch


def lane(padded: bytes, starts: Ints, ends: Ints, *, only_requests: bool = False) -> Lane:
    """The ordinary lines among those from `starts` to `ends`, whose closing line feeds are left out.

    With `only_requests` whatever else the server says is taken, and none is `bare`.
    """
    columns = Columns(padded)
    found, begins = headed(columns, padded, starts, ends)
    first, second = found.body[:, 0], found.body[:, 1]
    of_server = first == _SERVER
    app_lines, apps = _apps(columns, padded, found.where(np.flatnonzero(of_server & (second == _OWN))))
    may_be = np.flatnonzero((first == _GUNICORN) & (second == _ACCESS))
    accessed = found.without_body(may_be)
    access_lines, status, bare_lines = _accesses(columns, padded, accessed, only_requests=only_requests)
    said = np.flatnonzero(of_server & matches(second, b"fsrv."))
    is_first, is_second = _settled(len(starts), app_lines, apps.status, access_lines, status)
    accesses = _unsettled(access_lines, status, ~is_second)
    taken, bare = np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)
    for lines in (apps.line, access_lines.line[is_second], accesses.line):
        taken[lines] = True
    if only_requests:
        taken[found.line[said]] = True
    else:
        chatter = found.where(said)
        chatter = chatter.without_body(np.flatnonzero(_is_print(chatter)))
        taken[chatter.line] = True
        plain = _hide_nothing(columns, padded, chatter.bracket + 13, chatter.end)
        for lines in (apps.line, bare_lines, chatter.line[plain]):
            bare[lines] = True
    if found.has_fronts:
        bare[found.line[found.stamp != starts[found.line]]] = False  # what a container puts in front may be anything
    bare &= taken
    stamped = taken[found.line]
    lines, stamps = (found.line, found.stamp) if stamped.all() else (found.line[stamped], found.stamp[stamped])
    settled, waiting = (apps, apps.where(slice(0))) if is_first.all() else (apps.where(is_first), apps.where(~is_first))
    return Lane(taken, bare, begins, lines, stamps, settled, waiting, accesses)


def _settled(count: int, apps: Headed, status: Ints, accesses: Headed, told: Ints) -> tuple[Bools, Bools]:
    """Which lines of the server have their access line right after them, and which access lines those are."""
    if not len(apps.line):
        return np.zeros(0, np.bool_), np.zeros(len(accesses.line), np.bool_)
    after = np.full(count + 1, -1, np.int64)
    after[apps.line + 1] = np.arange(len(apps.line))
    before = after[accesses.line]
    good = (before >= 0) & (apps.bracket[before] - apps.stamp[before] == accesses.bracket - accesses.stamp)
    digits = accesses.bracket - accesses.stamp - 27
    shift = np.uint64(64) - np.uint64(8) * np.clip(digits, 1, 7).astype(np.uint64)
    good &= ((apps.pid[before] ^ accesses.pid) << shift) == 0
    good &= status[before] == told
    is_first = np.zeros(len(apps.line), np.bool_)
    is_first[before[good]] = True
    return is_first, good


def _unsettled(lines: Headed, status: Ints, chosen: Bools) -> Batch:
    """The access lines that are still to be paired, without their instants."""
    rest = np.flatnonzero(chosen)
    lines, status = lines.without_body(rest), status[rest]
    pid, is_pid = pids(lines)
    nothing = np.full(len(rest), -1, np.int64)
    return Batch(lines.line, np.full_like(nothing, NO_TIME), status, nothing, pid).where(is_pid)


def _is_print(lines: Headed) -> Bools:
    """Whether a message follows `azmlinfsrv.print - ` or `azmlinfsrv.trace - ` that cannot begin a traceback."""
    logger = span(lines.body, 13)
    begins: Bools = _MAY_BEGIN[(span(lines.body, 21) & np.uint64(255)).view(np.int64)]
    quiet: Bools = (lines.level == ord("I")) | (lines.level == ord("D"))
    quiet &= (logger == _PRINT) | (logger == _TRACE)
    return quiet & ~begins


def _apps(columns: Columns, padded: bytes, lines: Headed) -> tuple[Headed, Batch]:
    """`azmlinfsrv - POST /score 200 0.984ms 18`: the lines that are such, and what they tell."""
    after = lines.bracket + 31
    whole = columns.words(after)
    digits = place_of(whole, b".")
    good = (digits > 0) & (digits < 8)
    if not good.all():
        digits = np.clip(digits, 1, 7)
    decimals = columns.words(after + digits)
    good &= difference(lines.body, b"OST /score 000 ", 2) == 0
    good &= are_digits(whole, digits) & matches(decimals, b".???ms ")
    good &= _are_sizes(columns, after + digits + 7, lines.end) & _LEVELS[lines.level]
    pid, is_pid = pids(lines)
    at_ms = instants_ms(padded, lines.stamp, columns.rows(lines.stamp))
    fraction_us = three_digits(decimals, 1)
    good &= is_pid & (at_ms != NO_TIME) & (fraction_us >= 0)
    status = three_digits(lines.body[:, 3], 3)
    batch = Batch(lines.line, at_ms, status, number_in(whole, digits) * 1000 + fraction_us, pid)
    return (lines, batch) if good.all() else (lines.without_body(good), batch.where(good))


def _are_sizes(columns: Columns, starts: Ints, ends: Ints) -> Bools:
    """Whether between two places stand digits only, 1 to 8 of them."""
    size = ends - starts
    good = (size >= 1) & (size <= 8)
    good &= are_digits(columns.words(starts), size if good.all() else np.clip(size, 0, 8))
    return good


def _accesses(columns: Columns, padded: bytes, lines: Headed, *, only_requests: bool) -> tuple[Headed, Ints, Ints]:
    """`gunicorn.access - HOST - - [01/Jan/2026:10:00:00 +0000] "POST /score HTTP/1.1" 200 18 "-" "curl"`.

    The lines that are such if their process id is one, their statuses, and those in which no secret can stand.
    """
    bracket, bare = _brackets(columns, padded, lines)
    if not bracket.all():
        found = np.flatnonzero(bracket)
        lines, bracket, bare = lines.without_body(found), bracket[found], bare[found]
    request = columns.rows(bracket + 27)
    size = columns.words(bracket + 56)
    digits = place_of(size, b" ")
    good = (digits > 0) & (digits < 8)
    good &= difference(request, b'] "POST /score HTTP/0.0" 000 0') == 0
    good &= are_digits(size, digits if good.all() else np.clip(digits, 0, 7)) & _LEVELS[lines.level]
    good &= (columns.bytes[bracket + 57 + digits] == ord('"')) & (columns.bytes[lines.end - 1] == ord('"'))
    good &= bracket + 58 + digits <= lines.end
    if only_requests:
        bare[:] = False
    else:
        bare &= good & _hide_nothing(columns, padded, bracket + 56 + digits, lines.end)
    status, bare_lines = three_digits(request[:, 3], 1), lines.line[bare]
    return (lines, status, bare_lines) if good.all() else (lines.without_body(good), status[good], bare_lines)


def _hide_nothing(columns: Columns, padded: bytes, tails: Ints, ends: Ints) -> Bools:
    """Which ends of lines have one of a few shapes in which no secret can stand."""
    found = np.zeros(len(tails), np.bool_)
    for tail, alike in shapes(columns, padded, tails, ends):
        found[alike] = not (may_hide(tail))
    return found


def are_addresses(columns: Columns, starts: Ints, ends: Ints) -> Bools:
    """Whether between two places stand digits and dots only, at most 15 of them."""
    size = ends - starts
    good: Bools = (size > 0) & (size < 16)
    for offset in (0, 8):
        good &= are_digits_or_dots(columns.words(starts + offset), np.clip(size - offset, 0, 8))
    return good


def _brackets(columns: Columns, padded: bytes, lines: Headed) -> tuple[Ints, Bools]:
    """The place of the bracket after `s - HOST - - ` in each line; 0 where it is not as in some of them.

    And whether the host is an address, so that no secret can stand in it.
    """
    found, bare = np.zeros(len(lines.line), np.int64), np.zeros(len(lines.line), np.bool_)
    rest = np.arange(len(found))
    for _ in range(_MOST_HOSTS):
        if not len(rest):
            break
        begin, end = int(lines.bracket[rest[0]]) + 16, int(lines.end[rest[0]])
        width = padded.find(b" - - [", begin + 4, end) - begin
        front = padded[begin : begin + width + 6]
        if not 4 <= width <= _MOST_HOST_BYTES or not front.startswith(b"s - "):
            rest = rest[1:]
            continue
        places = lines.bracket[rest] + 16
        here = matches(columns.words(places), b"s - ") & matches(columns.words(places + width), b" - - [")
        alike, places = (rest, places) if here.all() else (rest[here], places[here])
        found[alike] = places + width + 5
        bare[alike] = _are_addresses_like(columns, places + 4, front[4:width])
        rest = rest[~here]
    return found, bare


def _are_addresses_like(columns: Columns, starts: Ints, first: bytes) -> Bools:
    """Which hosts, all as long as the first, are addresses."""
    good = np.zeros(len(starts), np.bool_)
    if is_address(first):
        good = columns.has(starts, as_pattern(first))
    rest = np.flatnonzero(~good)
    good[rest] = are_addresses(columns, starts[rest], starts[rest] + len(first))
    return good


def is_address(text: bytes) -> bool:
    """Whether there are digits and dots only, at most 15 of them."""
    return 0 < len(text) < 16 and not text.strip(b"0123456789.")
