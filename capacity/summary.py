"""From the attempts of one trial to what it says: counts, evidence per goal, rate and latencies.

A trial's attempts come as a numpy array of scoring.attempt.RECORD_FIELDS whose times count from the trial's start.
Attempts sent during the transient are flagged; they are harm, but no evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.carried import Carried, carried
from capacity.goals import NOT_LOAD_LABELS, REJECTED_LABELS, TIMEOUT_LABELS, Goal, GoalKind
from capacity.stats import clustering, nearest_rank
from capacity.validity import Health, reasons
from capacity.verdict import Level
from scoring.attempt import (
    FAILURE_NUMBER,
    FAILURES,
    FLAG_CANARY,
    FLAG_RENEWED,
    FLAG_TRANSIENT,
    RECORD_FIELDS,
    Failure,
    label_of,
)
from scoring.units import MS, S

RECORD_DTYPE = np.dtype(list(RECORD_FIELDS))
Rows = NDArray[np.void]
LATE_NS = 2_000_000
"""Of an open loop: a request sent so long after it was due is late."""
RISEN_Z = 2.0
"""Standard errors between the halves of a trial from which the later one stands for it."""
SLICES = 8
"""Equal parts of a trial, whose differences tell how long the endpoint remembers (stats.sliced_dispersion)."""
_NO_LATENCY = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bad answers over all answers that say something about load, and how clustered the bad ones are."""

    bad: int
    total: int
    dispersion: float = 1.0
    slices: tuple[tuple[int, int], ...] = ()  # (bad, total) in each of SLICES equal parts of the time


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one trial showed. Counts, latencies and evidence leave the transient out, `rejected_count` does not."""

    number: int
    level: int
    purpose: str
    started_s: float  # since the start of the search
    seconds: float  # the whole trial, until the gate closed
    measured_s: float  # from the end of the transient until the gate closed
    attempt_count: int
    good_count: int
    completed_count: int  # good answers that came between the end of the transient and the closing of the gate
    labels: dict[str, int]
    labels_all: dict[str, int]  # transient included
    rejected_count: int  # transient included
    evidence: tuple[Evidence, ...]  # in the order of the goals
    has_rejections: bool = False  # a rejection is among the evidence
    latency_ns: NDArray[np.int64] = field(default_factory=lambda: _NO_LATENCY)  # good answers, ascending
    server_ns: NDArray[np.int64] = field(default_factory=lambda: _NO_LATENCY)  # where the endpoint told, ascending
    in_flight_mean: float | None = None  # Little's law: sum of latencies over measured_s
    carried: Carried | None = None  # transient included
    ended_by: str = ""  # "pass" | "fail" | "not_load" | "allowance" | "max_s" | "stopped"
    invalid: tuple[str, ...] = ()  # why it was no fair measurement
    client: Health | None = None
    renewed_count: int = 0  # answers of 401 that a renewal explains; in no other count
    waited_s: float = 0.0  # users waited for a credential
    lost: str | None = None  # why nothing could be sent any more
    due_count: int | None = None  # of an open loop: requests due after the transient, sent or not
    late_count: int = 0  # of an open loop: sent more than LATE_NS after they were due
    unsent_count: int = 0  # of an open loop: due and never sent
    exhausted: str | None = None  # of an open loop: in words, that the connections ran out
    from_sending_ns: NDArray[np.int64] | None = None  # of an open loop: `latency_ns` counts from the due time

    @property
    def sent_count(self) -> int:
        """Every attempt of the trial, whatever came of it."""
        return sum(self.labels_all.values()) + self.renewed_count

    @property
    def median_s(self) -> float | None:
        return float(self.latency_ns[(len(self.latency_ns) - 1) // 2]) / S if len(self.latency_ns) else None


def seen(
    rows: Rows,
    goals: Sequence[Goal],
    *,
    number: int,
    level: int,
    purpose: str,
    started_s: float,
    seconds: float,
    transient_s: float,
    batch_s: float,
    ended_by: str,
    spoiled: tuple[str, ...] = (),
    client: Health | None = None,
    waited_s: float = 0.0,
    lost: str | None = None,
    is_open: bool = False,
    unsent_count: int = 0,
    exhausted: str | None = None,
) -> Seen:
    """The summary of one trial's rows; `seconds` is the time from its start until the gate closed.

    In an open loop goals judge latency from the due time; `unsent_count` requests were due and never sent, and
    `exhausted` says that the connections ran out.
    A slow client makes a level look better than it is, so a level that failed by rejections has failed all the same.
    """
    refused = (rows["flags"] & FLAG_RENEWED) != 0
    as_sent = rows = rows[~refused]
    if is_open:
        rows = from_due(rows)
        client = client and replace(client, late_p99_s=late_p99_s(_kept(as_sent)))
        spoiled, client = _unless_the_endpoint(spoiled, client, exhausted, _kept(as_sent), goals)
    judged = _judged(rows, _kept(rows), ended_by)
    measured_s = max(seconds - transient_s, 0.0)
    counts = _counted(rows)
    labels_all, good_ns = counts["labels_all"], counts["latency_ns"]
    service_s = float(good_ns[len(good_ns) // 2]) / S if len(good_ns) else None
    return Seen(
        **counts,
        number=number,
        level=level,
        purpose=purpose,
        started_s=started_s,
        seconds=seconds,
        measured_s=measured_s,
        completed_count=_completed(rows, transient_s, seconds),
        has_rejections=bool(_has_label(judged, REJECTED_LABELS).any()),
        evidence=tuple(_evidence(goal, judged, batch_s, ended_by) for goal in goals),
        in_flight_mean=_in_flight(_with_canary(as_sent), measured_s),
        carried=_carried(rows),
        ended_by=ended_by,
        invalid=spoiled
        or (() if _is_rejected(rows, goals, ended_by) else reasons(client, goals, labels_all, service_s)),
        client=client,
        renewed_count=int(refused.sum()),
        waited_s=waited_s,
        lost=lost,
        exhausted=exhausted,
        **(_of_open(as_sent, unsent_count) if is_open else {}),
    )


def _counted(rows: Rows) -> dict[str, Any]:
    """What is counted and sorted alone: the transient in the fields that say so."""
    kept, labels_all = _kept(rows), label_counts(rows)
    good = kept[kept["failure"] == 0]
    return {
        "attempt_count": len(kept),
        "good_count": len(good),
        "labels": label_counts(kept),
        "labels_all": labels_all,
        "rejected_count": sum(labels_all.get(label, 0) for label in REJECTED_LABELS),
        "latency_ns": np.sort(good["done_ns"] - good["sent_ns"]),
        "server_ns": np.sort(good["server_us"][good["server_us"] > 0].astype(np.int64) * 1000),
    }


def _is_rejected(rows: Rows, goals: Sequence[Goal], ended_by: str) -> bool:
    """The trial ended by its bad answers, and at least half of all were rejections: of slow ones the client may be the
    cause."""
    rejected = int(_has_label(rows, REJECTED_LABELS).sum())
    bad = max((int(is_bad(goal, rows).sum()) for goal in goals), default=0)
    return ended_by in ("fail", "allowance") and rejected > 0 and 2 * rejected >= bad


def from_due(rows: Rows) -> Rows:
    """The same attempts as if each had been sent when it was due."""
    moved = rows.copy()
    moved["sent_ns"] = moved["due_ns"]
    return moved


def is_late(rows: Rows) -> NDArray[np.bool_]:
    """Sent more than LATE_NS after they were due."""
    late: NDArray[np.bool_] = rows["sent_ns"] - rows["due_ns"] > LATE_NS
    return late


def late_p99_s(kept: Rows) -> float | None:
    """Nearest-rank p99 of how long after its due time a request was sent; None of none."""
    late_ns = np.sort(kept["sent_ns"] - kept["due_ns"])
    return float(late_ns[-(-len(late_ns) * 99 // 100) - 1]) / S if len(late_ns) else None


def _carried(rows: Rows) -> Carried | None:
    good = rows[rows["failure"] == 0]
    return carried(
        rows["sent_ns"][_has_label(rows, REJECTED_LABELS)], good["sent_ns"], good["done_ns"] - good["sent_ns"]
    )


def _kept(rows: Rows) -> Rows:
    steady = rows[(rows["flags"] & FLAG_TRANSIENT) == 0]
    ended: Rows = steady[steady["failure"] != FAILURE_NUMBER[Failure.ABORTED]]
    return ended


def _with_canary(rows: Rows) -> Rows:
    """What is evidence, and what the canary sent in the place of users meanwhile."""
    canary = rows[((rows["flags"] & FLAG_CANARY) != 0) & (rows["failure"] != FAILURE_NUMBER[Failure.ABORTED])]
    attending: Rows = np.concatenate((_kept(rows), canary))
    return attending


def _in_flight(kept: Rows, measured_s: float) -> float | None:
    """How many were at the endpoint at once, in the mean: Little's law."""
    return float((kept["done_ns"] - kept["sent_ns"]).sum()) / S / measured_s if measured_s > 0 and len(kept) else None


def _of_open(rows: Rows, unsent_count: int) -> dict[str, Any]:
    """What only an open loop has."""
    due, kept = rows[(rows["flags"] & FLAG_TRANSIENT) == 0], _kept(rows)
    good = kept[kept["failure"] == 0]
    return {
        "due_count": len(due) + unsent_count,
        "unsent_count": unsent_count,
        "late_count": int(is_late(kept).sum()),
        "from_sending_ns": np.sort(good["done_ns"] - good["sent_ns"]),
    }


def _unless_the_endpoint(
    spoiled: tuple[str, ...], client: Health | None, exhausted: str | None, as_sent: Rows, goals: Sequence[Goal]
) -> tuple[tuple[str, ...], Health | None]:
    """What spoiled a trial whose connections ran out: nothing, where even from their sending too many answers were bad.

    Then the endpoint held all connections, and would not have done better with more requests. Late sends are no sign
    of a slow client in such a trial.
    """
    if exhausted is None:
        return spoiled, client
    missed = any(is_bad(goal, as_sent).sum() > goal.allowed_ratio * len(as_sent) for goal in goals)
    told = spoiled if missed or exhausted in spoiled else (*spoiled, exhausted)
    return told, client and replace(client, timely_ratio=None, late_p99_s=None)


def _judged(rows: Rows, kept: Rows, ended_by: str) -> Rows:
    """The rows that are evidence: all of them where a trial ended by its rejections and most lie in the transient."""
    if ended_by != "allowance":
        return kept
    ended = rows[rows["failure"] != FAILURE_NUMBER[Failure.ABORTED]]
    inside = int(_has_label(kept, REJECTED_LABELS).sum())
    return kept if 2 * inside >= int(_has_label(ended, REJECTED_LABELS).sum()) else ended


def label_counts(rows: Rows) -> dict[str, int]:
    """How many attempts bear each label; the counts add up to the number of rows.

    >>> label_counts(np.zeros(0, dtype=RECORD_DTYPE))
    {}
    """
    keys = rows["status"].astype(np.int64) * 256 + rows["failure"]
    counted: Counter[str] = Counter()
    for key, count in zip(*np.unique(keys, return_counts=True), strict=True):
        counted[label_of(int(key) >> 8 or None, FAILURES[int(key) & 255])] += int(count)
    return dict(sorted(counted.items()))


def is_bad(goal: Goal, rows: Rows) -> NDArray[np.bool_]:
    """Row by row: is the answer bad under the goal?"""
    if goal.kind is GoalKind.REJECTED:
        return _has_label(rows, REJECTED_LABELS)
    if goal.kind is GoalKind.TIMEOUTS:
        return _has_label(rows, TIMEOUT_LABELS)
    failed: NDArray[np.bool_] = rows["failure"] != 0
    if goal.slow_ns is None:
        return failed
    slow: NDArray[np.bool_] = rows["done_ns"] - rows["sent_ns"] > goal.slow_ns
    return failed | slow


def levels_of(trials: Sequence[Seen]) -> tuple[Level, ...]:
    """One row per level, ascending; trials that were no fair measurement are counted, not merged."""
    numbers = sorted({trial.level for trial in trials})
    rows = (_level(number, [trial for trial in trials if trial.level == number]) for number in numbers)
    return tuple(row for row in rows if row is not None)


def _level(users: int, trials: list[Seen]) -> Level | None:
    kept = [trial for trial in trials if not trial.invalid and trial.attempt_count]
    if not kept:
        return None
    labels: Counter[str] = Counter()
    for trial in kept:
        labels.update(trial.labels)
    latency = np.sort(np.concatenate([_from_sending(trial) for trial in kept]))
    server = np.sort(np.concatenate([trial.server_ns for trial in kept]))
    seconds = sum(trial.measured_s for trial in kept)
    busy = sum((trial.in_flight_mean or 0.0) * trial.measured_s for trial in kept)
    return Level(
        users=users,
        attempt_count=sum(trial.attempt_count for trial in kept),
        good_count=sum(trial.good_count for trial in kept),
        seconds=seconds,
        completed_rps=sum(trial.completed_count for trial in kept) / seconds if seconds else 0.0,
        status_count=dict(sorted(labels.items())),
        p50_ms=_ms(latency, 0.5),
        p90_ms=_ms(latency, 0.9),
        p95_ms=_ms(latency, 0.95),
        p99_ms=_ms(latency, 0.99),
        p999_ms=_ms(latency, 0.999),
        max_ms=_ms(latency, 1.0),
        server_p50_ms=_ms(server, 0.5),
        in_flight_mean=busy / seconds if seconds else None,
        trial_count=len(kept),
        discarded_count=len(trials) - len(kept),
        **_due_columns(kept),
    )


def _from_sending(trial: Seen) -> NDArray[np.int64]:
    return trial.latency_ns if trial.from_sending_ns is None else trial.from_sending_ns


def _due_columns(kept: Sequence[Seen]) -> dict[str, Any]:
    """The columns of a level that only an open loop has."""
    due_counts = [trial.due_count for trial in kept if trial.due_count is not None]
    if not due_counts:
        return {}
    latency = np.sort(np.concatenate([trial.latency_ns for trial in kept]))
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999, "max": 1.0}
    columns = {f"{name}_from_due_ms": _ms(latency, q) for name, q in shares.items()}
    return {**columns, "due_count": sum(due_counts), "late_count": sum(trial.late_count for trial in kept)}


def _completed(rows: Rows, transient_s: float, seconds: float) -> int:
    """Whoever sent them and when: in a steady state as many attempts run into the window as run out of it."""
    done_ns = rows["done_ns"]
    inside = (done_ns >= transient_s * S) & (done_ns <= seconds * S)
    return int(np.count_nonzero(inside & (rows["failure"] == 0)))


def _ms(ascending_ns: NDArray[np.int64], q: float) -> float | None:
    return nearest_rank(ascending_ns, q) / MS if len(ascending_ns) else None


def _evidence(goal: Goal, kept: Rows, batch_s: float, ended_by: str) -> Evidence:
    """What the rows say of the goal; of the later half alone where it is clearly worse than the first, so that what
    was steady only at the end (a queue that filled, a quota used up) is not taken for better than it is. A trial that
    stopped because it failed ends on its worst by rule."""
    told = kept[~_has_label(kept, NOT_LOAD_LABELS)]
    told = told[np.argsort(told["done_ns"], kind="stable")]
    whole = _clustered(goal, told, batch_s)
    if ended_by == "fail" or not whole.bad:
        return whole
    middle_ns = (told["done_ns"][0] + told["done_ns"][-1]) // 2
    first, later = (_clustered(goal, told[part], batch_s) for part in _halves(told["done_ns"] <= middle_ns))
    if not first.total or not later.total:
        return whole
    ratio = whole.bad / whole.total
    error = np.sqrt(ratio * (1 - ratio) * (1 / first.total + 1 / later.total) * later.dispersion)
    return later if later.bad / later.total - first.bad / first.total > RISEN_Z * error else whole


def _halves(is_first: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return is_first, ~is_first


def _clustered(goal: Goal, told: Rows, batch_s: float) -> Evidence:
    """Under a latency goal answers are also as clustered as those slower than the median: a queue that forgets slowly
    shows it before the first answer is bad."""
    bad = is_bad(goal, told)
    if not len(told):
        return Evidence(0, 0)
    done_s = told["done_ns"] / S
    part = np.minimum(SLICES * (done_s - done_s[0]) / max(done_s[-1] - done_s[0], 1e-9), SLICES - 1).astype(np.int64)
    bads, totals = np.bincount(part, weights=bad, minlength=SLICES), np.bincount(part, minlength=SLICES)
    slices = tuple(zip(map(int, bads), map(int, totals), strict=True))
    return Evidence(int(bad.sum()), len(told), clustering(done_s, bad, batch_s), slices)


def _has_label(rows: Rows, labels: frozenset[str]) -> NDArray[np.bool_]:
    """Rows counted under one of the labels: a complete answer with that status, or that failure class."""
    statuses = [int(label) for label in labels if label.isdigit()]
    failures = [FAILURE_NUMBER[Failure(label)] for label in labels if not label.isdigit()]
    by_status = rows["failure"] <= FAILURE_NUMBER[Failure.UNEXPECTED_STATUS]
    return (by_status & np.isin(rows["status"], statuses)) | np.isin(rows["failure"], failures)
