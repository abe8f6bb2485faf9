"""Ordinary lines of servers 0.7 and older, and lines with nothing in front, all at once: chatter and statuses.

Lines are few texts, alike but for their instants and digits: each text is read once, by the grammars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.servicelog.columns import Bools, Columns, Ints, difference, three_digits
from monitor.servicelog.formats import parsed
from monitor.servicelog.happenings import happening
from monitor.servicelog.heads import instants_ms
from monitor.servicelog.line import Kind, Line
from monitor.servicelog.stamps import NO_TIME
from monitor.servicelog.tails import may_hide, shapes
from monitor.servicelog.tracebacks import is_header
from monitor.servicelog.wrappers import unwrapped

IN_FRONT = -2
"""The place of an instant that is told by what a container puts in front."""
_STAMP = b"0000-00-00 00:00:00,000 | "
_AFTER_STAMP = 23
_ANY_STAMP = b"2000-01-01 00:00:00,000"
_LEAST_LINES, _LEAST_RATIO = 64, 0.1
"""Of fewer lines each is read by itself: that is faster."""


@dataclass(slots=True)
class OldLane:
    """Places in the block. `idle` lines tell nothing unless a message is open; `statuses` stand alone in their lines.

    `stamped` are the lines with an instant, which stands at `stamp`, or IN_FRONT. `bare`: those in which no secret can
    stand.
    """

    taken: Ints
    idle: Ints
    statuses: Ints
    stamped: Ints
    stamp: Ints
    bare: Ints


def old_lane(padded: bytes, is_wrapped: Bools, begins: Ints, ends: Ints, rest: Ints) -> OldLane:
    """What is ordinary among the lines `rest`, which begin at `begins` behind what a container puts in front."""
    nothing = np.empty(0, np.int64)
    found = OldLane(nothing, nothing, nothing, nothing, nothing, nothing)
    if len(rest) < max(_LEAST_LINES, _LEAST_RATIO * len(begins)):
        return found
    columns = Columns(padded)
    head = columns.rows(begins[rest])
    is_old = (difference(head, _STAMP) == 0) & (ends[rest] - begins[rest] > len(_STAMP))
    old = rest[is_old]
    old = old[instants_ms(padded, begins[old], head[is_old]) != NO_TIME]
    _stamped(found, columns, padded, old, begins, ends)
    _plain(found, columns, padded, rest[~is_old], begins, ends)
    _stamp(found, is_wrapped, begins)
    return found


def _stamp(found: OldLane, is_wrapped: Bools, begins: Ints) -> None:
    """Instants stand in the lines, or in front of them: there nothing is known of secrets."""
    found.idle.sort()
    found.statuses.sort()
    in_front = found.taken[is_wrapped[found.taken] & ~np.isin(found.taken, found.stamped)]
    lines = np.concatenate((found.stamped, in_front))
    stamps = np.concatenate((begins[found.stamped], np.full(len(in_front), IN_FRONT)))
    order = np.argsort(lines)
    found.stamped, found.stamp = lines[order], stamps[order]
    found.bare = found.bare[~is_wrapped[found.bare]]


def _stamped(found: OldLane, columns: Columns, padded: bytes, old: Ints, begins: Ints, ends: Ints) -> None:
    """Lines with an instant of their own: chatter, and statuses."""
    for text, alike in shapes(columns, padded, begins[old] + _AFTER_STAMP, ends[old]):
        lines = old[alike]
        if text[-6:-3] == b" | " and text[-3:].isdigit():
            lines = _statuses(found, columns, lines, ends)
        elif not _is_chatter(parsed(_ANY_STAMP + text)):
            continue
        found.taken = np.concatenate((found.taken, lines))
        found.stamped = np.concatenate((found.stamped, lines))
        if not may_hide(text):
            found.bare = np.concatenate((found.bare, lines))


def _plain(found: OldLane, columns: Columns, padded: bytes, plain: Ints, begins: Ints, ends: Ints) -> None:
    """Lines without an instant of their own."""
    for text, alike in shapes(columns, padded, begins[plain], ends[plain]):
        lines = plain[alike]
        if len(text) == 3 and text.isdigit():
            lines = _statuses(found, columns, lines, ends)
        elif _is_idle(text):
            found.idle = np.concatenate((found.idle, lines))
        else:
            continue
        found.taken = np.concatenate((found.taken, lines))
        if not may_hide(text):
            found.bare = np.concatenate((found.bare, lines))


def _statuses(found: OldLane, columns: Columns, lines: Ints, ends: Ints) -> Ints:
    """Those of the lines that end in a status, from 100 to 599."""
    code = three_digits(columns.words(ends[lines] - 3), 0)
    lines = lines[(code >= 100) & (code <= 599)]
    found.statuses = np.concatenate((found.statuses, lines))
    return lines


def _is_chatter(line: Line) -> bool:
    """Whether a message with a level in front neither is nor begins anything that is told of."""
    quiet = line.kind is Kind.MESSAGE and line.level in ("I", "D")
    return quiet and not is_header(line.text) and happening(line.text) is None


def _is_idle(text: bytes) -> bool:
    """Whether a line without an instant goes on with an open message, or is nothing."""
    line = parsed(text)
    if text[:1] == b"{" or unwrapped(text)[0] is not text or line.kind is not Kind.BARE:
        return False
    return line.is_echo or (happening(line.text) is None and not is_header(line.text))
