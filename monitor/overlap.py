"""What a log has that it did not have when it was last looked at. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def fresh_lines(before: Sequence[str], now: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The lines of `now` after those it shares with the end of `before`, and whether some between may be missing.

    Both are the last lines of one log at two times: the longest end of `before` that `now` begins with is what they
    share (Knuth, Morris and Pratt).

    >>> fresh_lines(["a", "b", "c"], ["b", "c", "d"])
    (['d'], False)
    >>> fresh_lines(["a", "b"], ["x", "y"])
    (['x', 'y'], True)
    """
    if not before or not now:
        return now, False
    shared = _shared(before[-len(now) :], now)
    return now[shared:], shared == 0


def _shared(before: Sequence[str], now: Sequence[str]) -> int:
    """The length of the longest end of `before` that `now` begins with."""
    borders = _borders(now)
    length = 0
    for line in before:
        if length == len(now):
            length = borders[length - 1]
        while length and now[length] != line:
            length = borders[length - 1]
        if now[length] == line:
            length += 1
    return length


def _borders(lines: Sequence[str]) -> list[int]:
    """For each place, the length of the longest proper beginning that the lines up to there also end with."""
    borders = [0] * len(lines)
    length = 0
    for place in range(1, len(lines)):
        while length and lines[place] != lines[length]:
            length = borders[length - 1]
        if lines[place] == lines[length]:
            length += 1
        borders[place] = length
    return borders
