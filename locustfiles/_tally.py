"""Counts of a hold while it runs, made from the same records that are kept on disk. Pure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capacity.goals import REJECTED_LABELS, Counts
from capacity.summary import RECORD_DTYPE, label_counts
from scoring.attempt import FLAG_RENEWED, FLAG_TRANSIENT

RECENT_NS = 1_000_000_000
"""Rate and percentile of a tick look back this far from its latest answer."""

LATE_NS = 2_000_000
"""1 ms of allowance, and 1 ms that is the grain of the event loop's timers."""

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Tick(Counts):
    """The counts so far, and what the last second looked like. None: no answer came in it."""

    in_flight: int = 0
    recent_rps: float | None = None
    recent_p95_ms: float | None = None  # good answers
    waited_s: float = 0.0  # the longest that users of one process waited for a credential
    renewed_count: int = 0  # answers of 401 that a renewal explains, which count nowhere else
    exhausted_count: int = 0  # of an open loop: requests due while every connection was in use
    unsent_count: int = 0  # of an open loop: requests due before the gate closed, and never sent


class Tally:
    """Adds up rows of one hold, whose times count from its opening.

    A latency counts from `from_field`: "sent_ns" in a closed loop, "due_ns" in an open one.
    """

    def __init__(self, slow_ns: tuple[int, ...], transient_s: float, from_field: str = "sent_ns") -> None:
        self._slow_ns = slow_ns
        self._from = from_field
        self._transient_s = transient_s
        self._attempts = 0
        self._good = 0
        self._slow = [0] * len(slow_ns)
        self._labels: Counter[str] = Counter()
        self._rejected = self._answered = 0
        self._late = 0
        self._renewed = 0
        self._recent: deque[tuple[NDArray[np.int64], NDArray[np.int64]]] = deque()  # done, latency or -1

    def add(self, rows: Rows) -> None:
        """The rows count from here on."""
        if not len(rows):
            return
        refused = (rows["flags"] & FLAG_RENEWED) != 0
        if refused.any():
            self._renewed += int(np.count_nonzero(refused))
            rows = rows[~refused]
            if not len(rows):
                return
        self._answered += len(rows)
        labels = label_counts(rows)
        self._rejected += sum(labels.get(label, 0) for label in REJECTED_LABELS)
        kept = rows[(rows["flags"] & FLAG_TRANSIENT) == 0]
        self._labels.update(labels if len(kept) == len(rows) else label_counts(kept))
        self._attempts += len(kept)
        self._late += int(np.count_nonzero(kept["sent_ns"] - kept["due_ns"] > LATE_NS))
        latency_ns = np.where(rows["failure"] == 0, rows["done_ns"] - rows[self._from], -1)
        good_ns = (kept["done_ns"] - kept[self._from])[kept["failure"] == 0]
        self._good += len(good_ns)
        for place, slow_ns in enumerate(self._slow_ns):
            self._slow[place] += int(np.count_nonzero(good_ns > slow_ns))
        self._recent.append((rows["done_ns"].copy(), latency_ns))
        newest_ns = int(rows["done_ns"].max())
        while len(self._recent) > 1 and int(self._recent[0][0].max()) < newest_ns - RECENT_NS:
            self._recent.popleft()

    @property
    def timely_ratio(self) -> float | None:
        """Share of the attempts sent at most LATE_NS after they were due; None of none."""
        return 1 - self._late / self._attempts if self._attempts else None

    @property
    def attempt_count(self) -> int:
        """The attempts of which `timely_ratio` tells."""
        return self._attempts

    def tick(
        self,
        since_open_s: float,
        in_flight: int,
        waited_s: float = 0.0,
        exhausted_count: int = 0,
        unsent_count: int = 0,
    ) -> Tick:
        """What is known `since_open_s` after the opening."""
        rps, p95_ms = self._last_second(since_open_s)
        return Tick(
            elapsed_s=since_open_s - self._transient_s,
            attempt_count=self._attempts,
            good_count=self._good,
            slow_count=tuple(self._slow),
            labels=dict(sorted(self._labels.items())),
            rejected_count=self._rejected,
            answered_count=self._answered,
            in_flight=in_flight,
            recent_rps=rps,
            recent_p95_ms=p95_ms,
            waited_s=waited_s,
            renewed_count=self._renewed,
            exhausted_count=exhausted_count,
            unsent_count=unsent_count,
        )

    def _last_second(self, since_open_s: float) -> tuple[float | None, float | None]:
        """Answers per second and p95 (nearest rank) of the good ones among those of the last second."""
        since_ns = int(since_open_s * 1e9) - RECENT_NS
        parts = [latency[done > since_ns] for done, latency in self._recent]
        latest = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        good = np.sort(latest[latest >= 0])
        if not len(latest) or since_open_s <= 0:
            return None, None
        rps = len(latest) / min(since_open_s, RECENT_NS / 1e9)
        return rps, float(good[-(-len(good) * 95 // 100) - 1]) / 1e6 if len(good) else None


def rows_of(raw: bytes, opened_ns: int) -> Rows:
    """The records as rows whose times count from `opened_ns`; a first byte that never came stays 0."""
    rows = np.frombuffer(raw, dtype=RECORD_DTYPE).copy()
    for name in ("due_ns", "sent_ns", "done_ns"):
        rows[name] -= opened_ns
    rows["first_byte_ns"][rows["first_byte_ns"] != 0] -= opened_ns
    return rows
