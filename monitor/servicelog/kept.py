"""The requests that are kept one by one: all of few, else those that failed and the slowest."""

from __future__ import annotations

import numpy as np

from monitor.servicelog.tally import Batch, together

MOST_ROWS = 20_000
SLOWEST = 20


class KeptRows:
    """Owns the rows of one file, in bounded memory."""

    def __init__(self) -> None:
        self._all: list[Batch] | None = []
        self._count = 0
        self._failed: list[Batch] = []
        self._failed_count = 0
        self._slowest = together([])

    def add(self, batch: Batch) -> None:
        self._count += len(batch)
        if self._all is not None:
            self._all.append(batch)
            if self._count > MOST_ROWS:
                self._all = None
        if self._failed_count < MOST_ROWS:
            failed = batch.where((batch.status < 200) | (batch.status > 299))
            failed = failed.where(np.argsort(failed.line, kind="stable"))
            self._failed.append(failed)
            self._failed_count += len(failed)
        self._slowest = _slowest(together([self._slowest, batch.where(batch.duration_us > self._least_us())]))

    def _least_us(self) -> int:
        """A duration up to this is not among the slowest."""
        return int(self._slowest.duration_us.min()) if len(self._slowest) == SLOWEST else -1

    @property
    def are_all(self) -> bool:
        return self._all is not None

    def rows(self, most: int = MOST_ROWS) -> Batch:
        """In the order of their lines, each once, at most so many."""
        if self._all is not None:
            kept = together(self._all)
        else:
            failed = together(self._failed)
            slow = self._slowest.where(~np.isin(self._slowest.line, failed.line))
            kept = together([slow, failed])
        kept = kept.where(np.arange(len(kept)) < most)
        return kept.where(np.argsort(kept.line, kind="stable"))


def _slowest(batch: Batch) -> Batch:
    """The requests with the longest durations, the first of equals."""
    timed = batch.where(batch.duration_us >= 0)
    if len(timed) <= SLOWEST:
        return timed
    least = np.partition(timed.duration_us, len(timed) - SLOWEST)[len(timed) - SLOWEST]
    chosen = np.flatnonzero(timed.duration_us >= least)
    order = np.lexsort((timed.line[chosen], -timed.duration_us[chosen]))
    return timed.where(chosen[order[:SLOWEST]])
