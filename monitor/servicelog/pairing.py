"""Two lines of one request counted once: the server's own line and the access line of the same process.

The server's line always counts, as it has the duration. An access line counts where no line of the server waits for
it: same process, method, path and status. That is a balance that never falls below zero.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from monitor.servicelog.line import path_of

Ints = npt.NDArray[np.int64]


def pair_key(pid: int, method: bytes, target: bytes, status: int) -> int:
    """A number that the two lines of one request share. Requests to `/score` have the ones from 0 on.

    >>> bool(pair_key(784, b"POST", b"/score?v=1", 200) == score_keys(np.array([784]), np.array([200]))[0])
    True
    """
    path = path_of(target)
    if method == b"POST" and path == b"/score":
        return pid * 1000 + status
    return -1 - zlib.crc32(b"%d %s %s %d" % (pid, method, path, status))


def score_keys(pid: Ints, status: Ints) -> Ints:
    """The keys of requests to `/score`."""
    return pid * 1000 + status


class Pairing:
    """Owns how many lines of the server wait for their access line, by key."""

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}

    def unpaired(self, keys: Ints, is_access: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which access lines have no line of the server. The lines come in order, over all calls."""
        order = np.argsort(keys, kind="stable")
        ordered, access = keys[order], is_access[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(keys) else order
        lengths = np.diff(starts, append=len(keys))
        step = np.where(access, -1, 1)
        running = np.cumsum(step)
        waiting = np.array([self._waiting.get(key, 0) for key in ordered[starts].tolist()], np.int64)
        base = np.repeat(running[starts] - step[starts] - waiting, lengths)
        balance = running - base
        lowest = _lowest_so_far(np.minimum(balance, 0), starts, lengths)
        before = np.concatenate(([0], lowest[:-1])) if len(keys) else lowest
        before[starts] = 0
        self._remember(ordered, balance - lowest, starts + lengths - 1)
        found = np.zeros(len(keys), np.bool_)
        found[order] = lowest < before
        return found

    def _remember(self, ordered: Ints, left: Ints, last: Ints) -> None:
        for key, count in zip(ordered[last].tolist(), left[last].tolist(), strict=True):
            if count:
                self._waiting[key] = count
            else:
                self._waiting.pop(key, None)


def _lowest_so_far(values: Ints, starts: Ints, lengths: Ints) -> Ints:
    """The running minimum within each stretch."""
    depth = np.repeat(np.arange(len(starts)) * (2 * len(values) + 2), lengths)
    return np.minimum.accumulate(values - depth) + depth
