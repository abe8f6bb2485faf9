"""Our records in Locust's own statistics, so that its table, CSV files, web page and workers' reports are right.

An event per request would cost more than the request. So records are folded in some ten times a second, in the way
Locust's master folds in a worker's report. When somebody else listens to `events.request`, every request fires the
event instead, and Locust's own listener counts it: one or the other, never both.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from locust.exception import CatchResponseError
from locust.stats import RequestStats, StatsEntry, StatsError
from numpy.typing import NDArray

from capacity.summary import RECORD_DTYPE, label_counts
from scoring.attempt import Failure, label_of

LOCUSTS_OWN_LISTENERS = 1


def others_listen(environment: Any) -> bool:
    """Whether anybody but Locust's runner wants to hear of every request."""
    return len(environment.events.request._handlers) > LOCUSTS_OWN_LISTENERS


def fold(stats: RequestStats, records: bytes, *, method: str, name: str, since: str) -> None:
    """The records count in `stats`, as if an event had been fired for each; a response took from `since` on."""
    rows = np.frombuffer(records, dtype=RECORD_DTYPE)
    if not len(rows):
        return
    batch = StatsEntry.unserialize(_report(rows, method, name, since), stats)
    stats.total.extend(batch)
    stats.get(name, method).extend(batch)
    failed = label_counts(rows[rows["failure"] != 0])
    for label, count in failed.items():
        key = StatsError.create_key(method, name, label)
        error = stats.errors.setdefault(key, StatsError(method, name, label))
        error.occurrences += count
        error.last_seen = time.time()
        error.first_seen = error.first_seen or error.last_seen


def fire(
    environment: Any, *, method: str, name: str, latency_ns: int, size: int, outcome: tuple[int, Failure | None]
) -> None:
    """Everybody who listens to `events.request` hears of one attempt; `outcome` is its status and failure."""
    status, failure = outcome
    environment.events.request.fire(
        request_type=method,
        name=name,
        response_time=latency_ns / 1e6,
        response_length=size,
        response=None,
        context={},
        exception=None if failure is None else CatchResponseError(label_of(status or None, failure)),
        start_time=time.time() - latency_ns / 1e9,
        url=name,
    )


def _report(rows: NDArray[np.void], method: str, name: str, since: str) -> dict[str, Any]:
    """A worker's report of these rows: the fields of Locust's StatsEntry."""
    latency_ms = (rows["done_ns"] - rows[since]) / 1e6
    done_s = rows["done_ns"] / 1e9 + (time.time() - time.monotonic())
    seconds = done_s.astype(np.int64)
    return {
        "method": method,
        "name": name,
        "start_time": float(done_s.min()),
        "last_request_timestamp": float(done_s.max()),
        "num_requests": len(rows),
        "num_none_requests": 0,
        "num_failures": int(np.count_nonzero(rows["failure"])),
        "total_response_time": float(latency_ms.sum()),
        "min_response_time": float(latency_ms.min()),
        "max_response_time": float(latency_ms.max()),
        "total_content_length": int(rows["received_bytes"].astype(np.int64).sum()),
        "response_times": _counted(_rounded(latency_ms)),
        "num_reqs_per_sec": _counted(seconds),
        "num_fail_per_sec": _counted(seconds[rows["failure"] != 0]),
    }


def _rounded(latency_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Milliseconds to two significant digits, as Locust's histogram keeps them."""
    steps = (latency_ms < 100, latency_ms < 1_000, latency_ms < 10_000)
    step = np.select(steps, (1, 10, 100), default=1_000)
    rounded: NDArray[np.int64] = (np.rint(latency_ms / step) * step).astype(np.int64)
    return rounded


def _counted(values: NDArray[np.int64]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
