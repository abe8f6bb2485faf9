"""Requests to cells: counts per time bucket, status and bin of the duration, in bounded memory.

Buckets grow with the period, each a multiple of the one before, so that neither the order of the requests nor how they
come in batches changes the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.servicelog.stamps import NO_TIME, at_of
from scoring.account import FINE_BIN_RATIO, LEAST_BIN, LEAST_MS, Cell

Ints = npt.NDArray[np.int64]
BUCKETS_S = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)
MOST_BUCKETS = 120
MOST_EXACT = 2_000_000
MOST_CELLS = 20_000
_BATCH = 262_144
_COARSER = (1, 2, 3, 4, 5, 6, 8, 10)  # bins taken together where there are too many cells
_NO_BIN, _LEAST, _FIRST_BIN, _BINS = 0, 1, 3_000, 1 << 15
_STATUSES = 1 << 10
_MOST_DENSE = 1 << 22  # counters side by side
_SHARES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
NO_DURATION = -1


@dataclass(slots=True)
class Batch:
    """Requests as columns. `at_ms` is when the line was written: the end of the request; NO_TIME where not told."""

    line: Ints
    at_ms: Ints
    status: Ints
    duration_us: Ints
    pid: Ints

    def __len__(self) -> int:
        return len(self.line)

    def where(self, chosen: npt.NDArray[np.bool_] | Ints | slice) -> Batch:
        return Batch(*(column[chosen] for column in self.columns))

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        return self.line, self.at_ms, self.status, self.duration_us, self.pid

    @property
    def start_ms(self) -> Ints:
        """When the requests began, where both instant and duration were told; else the instant."""
        return np.where(self.at_ms == NO_TIME, NO_TIME, self.at_ms - np.maximum(self.duration_us, 0) // 1000)


def together(batches: list[Batch]) -> Batch:
    """All requests of the batches, in order."""
    batches = [one for one in batches if len(one)]
    if not batches:
        return Batch(*(np.empty(0, np.int64) for _ in range(5)))
    if len(batches) == 1:
        return batches[0]
    return Batch(*(np.concatenate(columns) for columns in zip(*(one.columns for one in batches), strict=True)))


class Tally:
    """Owns the counts of one account."""

    def __init__(self) -> None:
        self.count = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self._waiting: list[Batch] = []
        self._waiting_count = 0
        self._bucket_s = BUCKETS_S[0]
        self._keys = np.empty(0, np.int64)
        self._counts = np.empty(0, np.int64)
        self._longest_us = np.empty(0, np.int64)
        self._exact: list[Ints] | None = []
        self._exact_count = 0

    def add(self, batch: Batch) -> None:
        if not len(batch):
            return
        self.count += len(batch)
        self._waiting.append(batch)
        self._waiting_count += len(batch)
        if self._waiting_count >= _BATCH:
            self._flush()

    def cells(self) -> tuple[tuple[Cell, ...], int, float]:
        """The cells, their bucket in seconds, and the ratio of their bins: finest where there are few enough."""
        self._flush()
        coarser = next((k for k in _COARSER if len(self._coarse_keys(k)) <= MOST_CELLS), _COARSER[-1])
        keys, counts, longest_us = added(_coarse(self._keys, coarser), self._counts, self._longest_us)
        rows = zip(keys.tolist(), counts.tolist(), longest_us.tolist(), strict=True)
        return tuple(self._told(rows)), self._bucket_s, FINE_BIN_RATIO**coarser

    def exact_ms(self) -> dict[str, float] | None:
        """Nearest-rank percentiles of all durations; None where there are none or too many."""
        self._flush()
        if not self._exact:
            return None
        ordered = np.sort(np.concatenate(self._exact))
        found = {name: float(ordered[max(1, math.ceil(share * len(ordered))) - 1]) / 1000 for name, share in _SHARES}
        return {**found, "max": float(ordered[-1]) / 1000}

    def _coarse_keys(self, coarser: int) -> Ints:
        return self._keys if coarser == 1 else np.unique(_coarse(self._keys, coarser))

    def _told(self, rows: Iterator[tuple[int, int, int]]) -> Iterator[Cell]:
        before, at = 0, None
        for key, count, longest_us in rows:
            rest, code = divmod(key, _BINS)
            bucket, status = divmod(rest, _STATUSES)
            if bucket != before:
                before, at = bucket, at_of((bucket - 1) * self._bucket_s * 1000)
            number = None if code == _NO_BIN else LEAST_BIN if code == _LEAST else code - _FIRST_BIN
            yield Cell(at, str(status), count, number, None if number is None else longest_us / 1000)

    def _flush(self) -> None:
        if not self._waiting:
            return
        batch, self._waiting, self._waiting_count = together(self._waiting), [], 0
        start_ms = batch.start_ms
        self._keep_exact(batch.duration_us)
        timed = start_ms >= 0
        if timed.any():
            self._widen(int(start_ms[timed].min()), int(batch.at_ms[timed].max()))
        bucket = np.where(timed, start_ms // (1000 * self._bucket_s) + 1, 0)
        found = counted(bucket, batch.status, _codes(batch.duration_us), batch.duration_us)
        parts = zip((self._keys, self._counts, self._longest_us), found, strict=True)
        self._keys, self._counts, self._longest_us = added(*(np.concatenate(pair) for pair in parts))

    def _keep_exact(self, duration_us: Ints) -> None:
        told = duration_us[duration_us >= 0]
        if self._exact is None or not len(told):
            return
        self._exact.append(told)
        self._exact_count += len(told)
        if self._exact_count > MOST_EXACT:
            self._exact = None

    def _widen(self, first_ms: int, last_ms: int) -> None:
        """The period is as long as needed, and its bucket the shortest that divides it into few enough."""
        self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
        self.last_ms = last_ms if self.last_ms is None else max(self.last_ms, last_ms)
        bucket_s = bucket_s_for(self.first_ms, self.last_ms)
        if bucket_s > self._bucket_s:
            bucket, rest = np.divmod(self._keys, _STATUSES * _BINS)
            wider = np.where(bucket == 0, 0, (bucket - 1) * self._bucket_s // bucket_s + 1)
            self._bucket_s = bucket_s
            keys = wider * (_STATUSES * _BINS) + rest
            self._keys, self._counts, self._longest_us = added(keys, self._counts, self._longest_us)


def bucket_s_for(first_ms: int, last_ms: int) -> int:
    """The shortest bucket that divides the period into at most MOST_BUCKETS.

    >>> bucket_s_for(0, 119_999), bucket_s_for(0, 120_000)
    (1, 5)
    """
    return next(
        (one for one in BUCKETS_S if last_ms // (1000 * one) - first_ms // (1000 * one) < MOST_BUCKETS), BUCKETS_S[-1]
    )


def counted(
    bucket: Ints, status: Ints, codes: Ints, duration_us: Ints, codes_each: int = _BINS
) -> tuple[Ints, Ints, Ints]:
    """The requests of each key: keys in order, counts, longest durations. Without sorting where keys are few.

    A key is (bucket * 1024 + status) * codes_each + code.
    """
    statuses = np.flatnonzero(np.bincount(status))
    rank = np.zeros(int(statuses[-1]) + 1, np.int64)
    rank[statuses] = np.arange(len(statuses))
    first_bucket, first_code = int(bucket.min()), int(codes[codes > _LEAST].min(initial=_BINS)) - 2
    depth, width = int(bucket.max()) - first_bucket + 1, max(2, int(codes.max()) - first_code + 1)
    if depth * len(statuses) * width > _MOST_DENSE:
        keys = (bucket * _STATUSES + status) * codes_each + codes
        return added(keys, np.ones(len(keys), np.int64), duration_us)
    places = ((bucket - first_bucket) * len(statuses) + rank[status]) * width
    places += np.where(codes > _LEAST, codes - first_code, codes)
    counts = np.bincount(places)
    longest_us = np.full(len(counts), NO_DURATION, np.int64)
    np.maximum.at(longest_us, places, duration_us)
    told = np.flatnonzero(counts)
    group, low = np.divmod(told, width)
    ago, number = np.divmod(group, len(statuses))
    code = np.where(low > _LEAST, low + first_code, low)
    keys = ((ago + first_bucket) * _STATUSES + statuses[number]) * codes_each + code
    return keys, counts[told], longest_us[told]


def _codes(duration_us: Ints) -> Ints:
    """The bin of each duration as a number from 0 on, so that it fits into a key."""
    codes = np.full(len(duration_us), _NO_BIN, np.int64)
    codes[duration_us >= 0] = _LEAST
    long = duration_us > LEAST_MS * 1000
    bins = np.floor(np.log(duration_us[long] / 1000) / math.log(FINE_BIN_RATIO)).astype(np.int64)
    codes[long] = np.minimum(bins + _FIRST_BIN, _BINS - 1)
    return codes


def _coarse(keys: Ints, coarser: int) -> Ints:
    codes = keys % _BINS
    wide = (codes - _FIRST_BIN) // coarser + _FIRST_BIN
    return keys - codes + np.where(codes <= _LEAST, codes, wide)


def added(keys: Ints, counts: Ints, longest_us: Ints) -> tuple[Ints, Ints, Ints]:
    """Each key once: counts added up, the longest duration kept."""
    if not len(keys):
        return keys, counts, longest_us
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    firsts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return ordered[firsts], np.add.reduceat(counts[order], firsts), np.maximum.reduceat(longest_us[order], firsts)
