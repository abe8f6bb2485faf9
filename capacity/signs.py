"""Signs of which wall was hit, from the attempts of a search: how rejections came, and what answers were made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.stats import nearest_rank
from capacity.summary import Rows
from capacity.verdict import Trial
from scoring.status import REJECTED
from scoring.units import MS, S

REASON = "ms-azureml-model-error-reason"
LEAST = 20
"""Of accepted and of rejected attempts each, or nothing is said about what told them apart."""
LONGEST_TRIAL = 50_000


@dataclass(frozen=True, slots=True)
class Signs:
    """What the attempts tell beside the levels. None: not measured."""

    rejection_p50_ms: float | None = None
    separation_ratio: float | None = None
    """How well the number of accepted requests in flight tells who is rejected: 0.5 not at all, 1 exactly."""
    separated_at: int | None = None  # with so many accepted in flight the next one is rejected
    early_ms: float | None = None  # median latency of the first trial at the lightest load
    late_ms: float | None = None  # of the last one there
    light_transfer_ms: float | None = None  # median from first byte to last, at the lightest load
    busy_transfer_ms: float | None = None  # the same at the heaviest
    received_bytes_rps: float | None = None  # body bytes per second of the busiest trial
    reasons: Mapping[str, int] = field(default_factory=dict)  # what rejections say of themselves


def signs_of(rows: Rows, trials: Sequence[Trial], failures: Iterable[Mapping[str, Any]] = ()) -> Signs:
    """The signs in the attempts of these trials."""
    counted = [trial for trial in trials if trial.users > 0]
    rows = rows[np.isin(rows["trial"], [trial.number for trial in counted])]
    if not len(rows):
        return Signs()
    refused = _refused(rows)
    separated = _separation(rows)
    users = {trial.number: trial.users for trial in counted}
    level = np.array([users[int(number)] for number in rows["trial"]])
    good = rows["failure"] == 0
    lightest = rows[good & (level == level.min())]
    numbers = np.unique(lightest["trial"])
    return Signs(
        early_ms=_latency_ms(lightest, numbers[:1]),
        late_ms=_latency_ms(lightest, numbers[-1:]),
        rejection_p50_ms=_median_ms(rows["done_ns"][refused] - rows["sent_ns"][refused]),
        separation_ratio=None if separated is None else separated[0],
        separated_at=None if separated is None else separated[1],
        light_transfer_ms=_transfer_ms(lightest),
        busy_transfer_ms=_transfer_ms(rows[good & (level == level.max())]),
        received_bytes_rps=_received(rows, counted),
        reasons=dict(Counter(_reasons(failures))),
    )


def _refused(rows: Rows) -> NDArray[np.bool_]:
    refused: NDArray[np.bool_] = np.isin(rows["status"], sorted(REJECTED)) & (rows["failure"] != 0)
    return refused


def _separation(rows: Rows) -> tuple[float, int] | None:
    """(balanced accuracy of the best threshold, the threshold) over all trials that rejected; None of too few."""
    rejected_with: list[NDArray[np.int64]] = []
    accepted_with: list[NDArray[np.int64]] = []
    for number in np.unique(rows["trial"][_refused(rows)]):
        own = rows[rows["trial"] == number][:LONGEST_TRIAL]
        refused = _refused(own)
        others = _accepted_in_flight(own, ~refused)
        since = own["sent_ns"] >= own["sent_ns"][refused].min()
        rejected_with.append(others[refused])
        accepted_with.append(others[~refused & since])
    rejected, accepted = (np.concatenate(parts) if parts else np.zeros(0) for parts in (rejected_with, accepted_with))
    if min(len(rejected), len(accepted)) < LEAST:
        return None
    thresholds = np.unique(np.concatenate([rejected, accepted]))
    right = [(np.mean(rejected >= at) + np.mean(accepted < at)) / 2 for at in thresholds]
    best = int(np.argmax(right))
    return float(right[best]), int(thresholds[best])


def _accepted_in_flight(rows: Rows, accepted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each attempt, how many accepted ones were sent before it and are answered after."""
    sent, done = np.sort(rows["sent_ns"][accepted]), np.sort(rows["done_ns"][accepted])
    before = np.searchsorted(sent, rows["sent_ns"], side="left")
    over = np.searchsorted(done, rows["sent_ns"], side="right")
    return np.asarray(before - over, dtype=np.int64)


def _median_ms(took_ns: NDArray[np.int64]) -> float | None:
    return nearest_rank(np.sort(took_ns), 0.5) / MS if len(took_ns) else None


def _latency_ms(good: Rows, numbers: NDArray[np.uint16]) -> float | None:
    own = good[np.isin(good["trial"], numbers)]
    return _median_ms(own["done_ns"] - own["sent_ns"])


def _transfer_ms(good: Rows) -> float | None:
    timed = good[good["first_byte_ns"] > 0]
    return _median_ms(timed["done_ns"] - timed["first_byte_ns"])


def _received(rows: Rows, trials: Sequence[Trial]) -> float | None:
    """Body bytes per second of the trial that received most of them, among those of at least a second."""
    told = []
    for trial in trials:
        own = rows[rows["trial"] == trial.number]
        seconds = float(own["done_ns"].max() - own["sent_ns"].min()) / S if len(own) else 0.0
        if seconds >= 1.0:
            told.append(float(own["received_bytes"].sum()) / seconds)
    return max(told, default=None)


def _reasons(failures: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for row in failures:
        headers = row.get("headers")
        reason = headers.get(REASON) if isinstance(headers, dict) else None
        if row.get("label") in ("429", "503") and isinstance(reason, str):
            yield reason[:60]
