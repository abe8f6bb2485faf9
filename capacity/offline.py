"""The search in virtual time, against anything that can hold a level (contracts.md §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from capacity.evidence import PAUSE
from capacity.goals import Counts, latency_goals, parse_goal
from capacity.search import Asked, Pause, Trial, next_step
from capacity.summary import RECORD_DTYPE, Rows, Seen, seen
from capacity.validity import Health
from capacity.verdict import Verdict
from capacity.watch import Watch
from scoring.attempt import FAILURE_NUMBER, FLAG_TRANSIENT, Failure, label_of
from scoring.status import REJECTED
from scoring.units import S

DRAIN_MAX_S = 30.0
LOOK_EVERY_S = 0.02
"""Between answers that failed the watch is asked this often, as the live search asks it at its ticks."""

Row = tuple[float, float, float, int | None]
"""(due_s, sent_s, latency_s, status or None for no answer); latency counts from sent."""


class Prober(Protocol):
    """An endpoint and a load generator in a time of their own; state persists from run to run."""

    now_s: float

    def run(self, level: int, max_s: float, stop: Callable[[Row], bool] | None = None) -> list[Row]: ...

    def client(self) -> dict[str, float] | None: ...


def find_limit(
    prober: Prober,
    goals: Sequence[str],
    *,
    mode: str = "closed",
    max_level: int = 512,
    seed: int = 0,  # noqa: ARG001 - part of the contract; the closed search draws no random numbers
    max_s: float = 600.0,
    harm_budget: int = 300,
) -> Verdict:
    """The verdict of the same search that `redline limit` runs, with the goals exactly as given."""
    if mode != "closed":
        raise ValueError(f"mode {mode!r} is not served: the search finds concurrency limits, mode 'closed'")
    asked = Asked(tuple(map(parse_goal, goals)), max_level, max_s, harm_budget)
    history: list[Seen] = []
    start_s = prober.now_s
    while True:
        step = next_step(asked, history)
        if isinstance(step, Verdict):
            return step
        history.append(
            _paused(prober, step, len(history) + 1, start_s)
            if isinstance(step, Pause)
            else _tried(prober, step, start_s)
        )


def _paused(prober: Prober, pause: Pause, number: int, start_s: float) -> Seen:
    started_s = prober.now_s - start_s
    prober.run(0, pause.seconds)
    seconds = prober.now_s - start_s - started_s
    return Seen(number, 0, PAUSE, started_s, seconds, 0.0, 0, 0, 0, {}, {}, 0, ())


def _tried(prober: Prober, trial: Trial, start_s: float) -> Seen:
    started_s = prober.now_s
    tally = _Tally(trial, started_s)
    rows = prober.run(trial.level, trial.transient_s + trial.rule.max_s, tally.stop)
    seconds = prober.now_s - started_s
    records = _records(rows, started_s, trial)
    told = prober.client()
    _drain(prober, rows)
    health = Health(told.get("lag_p99_s"), told.get("timely_ratio"), told.get("cpu_ratio")) if told else None
    return seen(
        records,
        trial.rule.goals,
        number=trial.number,
        level=trial.level,
        purpose=trial.purpose,
        started_s=started_s - start_s,
        seconds=seconds,
        transient_s=trial.transient_s,
        batch_s=trial.rule.batch_s,
        ended_by=tally.ended_by,
        client=health,
    )


def _drain(prober: Prober, rows: Sequence[Row]) -> None:
    """Idles until what was in flight has surely come back, as the gate of the live search does."""
    prober.run(0, min(2 * max((row[2] for row in rows), default=0.05), DRAIN_MAX_S))


class _Tally:
    """Counts the rows of a trial as they complete and asks the watch: the stop function of a prober."""

    def __init__(self, trial: Trial, started_s: float) -> None:
        self.ended_by = "max_s"
        self._trial = trial
        self._started_s = started_s
        self._watch = Watch(trial.rule)
        self._slow_s = tuple((goal.slow_ns or 0) / S for goal in latency_goals(trial.rule.goals))
        self._slow = [0] * len(self._slow_s)
        self._labels: dict[str, int] = {}
        self._attempts = self._good = self._rejected = 0
        self._look_at_s = float("-inf")

    def stop(self, row: Row) -> bool:
        _, sent_s, latency_s, status = row
        origin_s = _origin(row, self._started_s)
        self._rejected += status in REJECTED
        if sent_s - origin_s >= self._trial.transient_s:
            self._count(latency_s, status)
        elapsed_s = sent_s + latency_s - origin_s - self._trial.transient_s
        if elapsed_s < self._look_at_s and _failure(status) is None:
            return False
        self._look_at_s = elapsed_s + LOOK_EVERY_S
        return self._ends(elapsed_s)

    def _count(self, latency_s: float, status: int | None) -> None:
        failure = _failure(status)
        label = label_of(status, failure)
        self._labels[label] = self._labels.get(label, 0) + 1
        self._attempts += 1
        if failure is None:
            self._good += 1
            for i, slow_s in enumerate(self._slow_s):
                self._slow[i] += latency_s > slow_s

    def _ends(self, elapsed_s: float) -> bool:
        counts = Counts(elapsed_s, self._attempts, self._good, tuple(self._slow), self._labels, self._rejected)
        verdict = self._watch.see(counts)
        if verdict is None and self._rejected >= self._trial.allowance:
            verdict = "allowance"
        if verdict is not None:
            self.ended_by = verdict
        return verdict is not None


def _origin(row: Row, started_s: float) -> float:
    """Where the row's clock has its zero: a prober may count from its own zero or from the start of the run."""
    return started_s if row[1] + row[2] >= started_s - 1e-6 else 0.0


def _failure(status: int | None) -> Failure | None:
    if status is None:
        return Failure.DEADLINE_EXCEEDED
    return None if 200 <= status < 300 else Failure.UNEXPECTED_STATUS


def _records(rows: Sequence[Row], started_s: float, trial: Trial) -> Rows:
    """The rows as records whose times count from the start of the trial."""
    records = np.zeros(len(rows), dtype=RECORD_DTYPE)
    for i, row in enumerate(rows):
        origin_s = _origin(row, started_s)
        due_s, sent_s, latency_s, status = row[0] - origin_s, row[1] - origin_s, row[2], row[3]
        record = records[i]
        record["due_ns"], record["sent_ns"] = round(due_s * S), round(sent_s * S)
        record["done_ns"] = round(sent_s * S) + round(latency_s * S)
        record["status"], record["failure"] = status or 0, FAILURE_NUMBER[_failure(status)]
        record["flags"] = FLAG_TRANSIENT if sent_s < trial.transient_s else 0
        record["trial"] = trial.number
    return records
