"""Requests by the minute they began in: counts by status, percentiles of the durations, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from monitor.servicelog.stamps import at_of
from monitor.servicelog.tally import Batch, Ints, added, counted, together

STEP_RATIO = 1 / 512
"""A bin of durations is at most so much wider than its lower edge; a percentile is told as the middle of its bin."""
_MANTISSA_BITS, _BITS = 52, 9
_MOST_CELLS = 2_000_000
_BATCH = 131_072
_CODES = 1 << 20
_STATUSES = 1 << 10
_NO_MINUTE = 0


@dataclass(frozen=True, slots=True)
class Minute:
    """`at` is its start; None for requests whose lines tell no time. Percentiles are None where no duration is told."""

    at: datetime | None
    request_count: int
    by_status: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Minutes:
    """Owns the counts by minute, status and bin of the duration."""

    def __init__(self) -> None:
        self._waiting: list[Batch] = []
        self._count = 0
        self._coarser = 0  # powers of two by which bins are wider
        self._cells = tuple(np.empty(0, np.int64) for _ in range(3))

    def add(self, batch: Batch) -> None:
        if len(batch):
            self._waiting.append(batch)
            self._count += len(batch)
        if self._count >= _BATCH:
            self._flush()

    def found(self) -> Iterator[Minute]:
        """In the order of time; those without a time first."""
        self._flush()
        keys, counts, longest_us = self._cells
        minutes, rest = np.divmod(keys, _STATUSES * _CODES)
        bounds = np.flatnonzero(np.diff(minutes, prepend=-1)).tolist()
        for start, end in pairwise([*bounds, len(keys)]):
            status, codes = np.divmod(rest[start:end], _CODES)
            yield _minute(int(minutes[start]), status, codes, counts[start:end], longest_us[start:end], self._coarser)

    def _flush(self) -> None:
        if not self._waiting:
            return
        batch, self._waiting, self._count = together(self._waiting), [], 0
        start_ms = batch.start_ms
        minute = start_ms // 60_000 + 1
        if int(start_ms.min()) < 0:
            minute = np.where(start_ms >= 0, minute, _NO_MINUTE)
        found = counted(minute, batch.status, self._codes(batch.duration_us), batch.duration_us, _CODES)
        pairs = zip(self._cells, found, strict=True)
        self._cells = added(*(np.concatenate(pair) for pair in pairs))
        while len(self._cells[0]) > _MOST_CELLS and self._coarser < _BITS:
            self._coarser += 1
            keys, counts, longest_us = self._cells
            codes = keys % _CODES
            self._cells = added(keys - codes + (codes >> 1), counts, longest_us)

    def _codes(self, duration_us: Ints) -> Ints:
        """The bin of each duration: exponent and leading bits of the number as a float; 0 where none is told."""
        bits = (duration_us + 2).astype(np.float64).view(np.int64) >> (_MANTISSA_BITS - _BITS + self._coarser)
        codes: Ints = bits - (1022 << _BITS >> self._coarser)
        if int(duration_us.min()) < 0:
            codes = np.where(duration_us < 0, 0, codes)
        return codes


def _minute(number: int, status: Ints, codes: Ints, counts: Ints, longest_us: Ints, coarser: int) -> Minute:
    told = codes > 0
    order = np.argsort(codes[told], kind="stable")
    bins, sizes = codes[told][order], counts[told][order]
    ranks, longest_ms = np.cumsum(sizes), float(longest_us.max()) / 1000
    p50, p95, p99 = (_percentile_ms(bins, ranks, share, coarser, longest_ms) for share in (0.5, 0.95, 0.99))
    by_status = {str(code): int(counts[status == code].sum()) for code in np.unique(status).tolist()}
    at = None if number == _NO_MINUTE else at_of((number - 1) * 60_000)
    return Minute(at, int(counts.sum()), by_status, p50, p95, p99, longest_ms if len(bins) else None)


def _percentile_ms(bins: Ints, ranks: Ints, share: float, coarser: int, longest_ms: float) -> float | None:
    """Nearest rank, as the middle of its bin; never above the longest."""
    if not len(bins):
        return None
    code = int(bins[np.searchsorted(ranks, max(1, math.ceil(share * int(ranks[-1]))))])
    edges = np.array([code, code + 1], np.int64) + (1022 << _BITS >> coarser) << (_MANTISSA_BITS - _BITS + coarser)
    low, high = map(float, edges.view(np.float64))
    return min(max(0.0, (low + high) / 2 - 2) / 1000, longest_ms)
