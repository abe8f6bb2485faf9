"""The search in virtual time, against anything that can hold a level (contracts.md §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from capacity.evidence import PAUSE
from capacity.goals import Counts, latency_goals, parse_goal
from capacity.search import Asked, Pause, Trial, next_step
from capacity.summary import RECORD_DTYPE, Rows, Seen, seen
from capacity.unit import PER_SECOND
from capacity.validity import Health
from capacity.verdict import RateLimit, RateVerdict, Verdict
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

    def run(self, level: float, max_s: float, stop: Callable[[Row], bool] | None = None) -> list[Row]: ...

    def client(self) -> dict[str, float] | None: ...


def find_limit(
    prober: Prober,
    goals: Sequence[str],
    *,
    mode: str = "closed",
    max_level: float = 512,
    seed: int = 0,  # noqa: ARG001 - part of the contract; the search draws no random numbers
    max_s: float = 600.0,
    harm_budget: int = 300,
) -> Verdict | RateVerdict:
    """The verdict of the same search that `redline limit` runs, with the goals exactly as given."""
    if mode not in ("closed", "open"):
        raise ValueError(f"mode {mode!r} is neither 'closed' (levels are users) nor 'open' (requests per second)")
    per_second = PER_SECOND if mode == "open" else 0
    most = round(max_level * max(per_second, 1))
    asked = Asked(tuple(map(parse_goal, goals)), most, max_s, harm_budget, per_second)
    history: list[Seen] = []
    run = _Run(prober, per_second)
    while True:
        step = next_step(asked, history)
        if isinstance(step, Verdict):
            return in_rates(step, per_second) if per_second else step
        history.append(run.pause(step, len(history) + 1) if isinstance(step, Pause) else run.hold(step))


def in_rates(verdict: Verdict, per_second: int) -> RateVerdict:
    """The verdict of an open loop: its levels were requests per second, in fractions of `per_second`."""

    def rate(level: int | None) -> float | None:
        return None if level is None else level / per_second

    limits = tuple(
        RateLimit(one.goal, rate(one.level), one.low / per_second, rate(one.high), one.confirmed, one.bound_ratio)
        for one in verdict.limits
    )
    return RateVerdict(
        kind=verdict.kind,
        reason=verdict.reason,
        limits=limits,
        binding_goal=verdict.binding_goal,
        first_rejected_rps=rate(verdict.first_rejected_users),
        peak_rps=verdict.peak_rps,
        rejected_count=verdict.rejected_count,
        client=verdict.client,
        cost=verdict.cost,
    )


class _Run:
    """One search against one prober, whose rows count either from its own zero or from the start of each run.

    A row that ends before its run began tells the second kind: in the first run both are the same.
    """

    def __init__(self, prober: Prober, per_second: int = 0) -> None:
        self._prober = prober
        self._per_second = per_second
        self._start_s = prober.now_s
        self._counts_from_run = False

    def pause(self, pause: Pause, number: int) -> Seen:
        """Nothing is sent for a while."""
        started_s = self._prober.now_s
        self._prober.run(0, pause.seconds)
        seconds = self._prober.now_s - started_s
        return Seen(number, 0, PAUSE, started_s - self._start_s, seconds, 0.0, 0, 0, 0, {}, {}, 0, ())

    def hold(self, trial: Trial) -> Seen:
        """The trial, and what was still in flight when it ended."""
        started_s = self._prober.now_s
        tally = _Tally(trial)
        rows = self._prober.run(
            trial.level / self._per_second if self._per_second else trial.level,
            trial.transient_s + trial.rule.max_s,
            lambda row: tally.stop(self._since(row, started_s, started_s)),
        )
        told = self._prober.client()
        ended_s = self._prober.now_s
        slowest_s = max((row[2] for row in rows), default=DRAIN_MAX_S)
        late = self._prober.run(0, min(1.2 * slowest_s, DRAIN_MAX_S)) or []
        timed = [self._since(row, started_s, started_s) for row in rows]
        timed += [self._since(row, ended_s, started_s) for row in late]
        return seen(
            _records(timed, trial),
            trial.rule.goals,
            number=trial.number,
            level=trial.level,
            purpose=trial.purpose,
            started_s=started_s - self._start_s,
            seconds=ended_s - started_s,
            transient_s=trial.transient_s,
            batch_s=trial.rule.batch_s,
            ended_by=tally.ended_by,
            client=Health(told.get("lag_p99_s"), told.get("timely_ratio"), told.get("cpu_ratio")) if told else None,
        )

    def _since(self, row: Row, run_s: float, zero_s: float) -> Row:
        """The row of a run that began at `run_s`, its times counted from `zero_s`."""
        due_s, sent_s, latency_s, status = row
        if self._per_second:  # latency counts from the due time
            sent_s, latency_s = due_s, latency_s + sent_s - due_s
        self._counts_from_run = self._counts_from_run or sent_s + latency_s < run_s - 1e-6
        shift_s = (run_s if self._counts_from_run else 0.0) - zero_s
        return due_s + shift_s, sent_s + shift_s, latency_s, status


class _Tally:
    """Counts the rows of a trial as they complete and asks the watch: the stop function of a prober."""

    def __init__(self, trial: Trial) -> None:
        self.ended_by = "max_s"
        self._trial = trial
        self._watch = Watch(trial.rule)
        self._slow_s = tuple((goal.slow_ns or 0) / S for goal in latency_goals(trial.rule.goals))
        self._slow = [0] * len(self._slow_s)
        self._labels: dict[str, int] = {}
        self._attempts = self._good = self._rejected = self._answered = 0
        self._look_at_s = float("-inf")

    def stop(self, row: Row) -> bool:
        """Whether the trial ends with this row; times count from the start of the trial."""
        _, sent_s, latency_s, status = row
        self._rejected += status in REJECTED
        self._answered += 1
        if sent_s >= self._trial.transient_s:
            self._count(latency_s, status)
        elapsed_s = sent_s + latency_s - self._trial.transient_s
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
        counted = (self._attempts, self._good, tuple(self._slow), self._labels)
        counts = Counts(elapsed_s, *counted, self._rejected, self._answered)
        verdict = self._watch.see(counts)
        if verdict is None and self._rejected >= self._trial.allowance:
            verdict = "allowance"
        if verdict is not None:
            self.ended_by = verdict
        return verdict is not None


def _failure(status: int | None) -> Failure | None:
    if status is None:
        return Failure.DEADLINE_EXCEEDED
    return None if 200 <= status < 300 else Failure.UNEXPECTED_STATUS


def _records(rows: Sequence[Row], trial: Trial) -> Rows:
    """The rows as records; their times count from the start of the trial."""
    records = np.zeros(len(rows), dtype=RECORD_DTYPE)
    if not rows:
        return records
    due_s, sent_s, latency_s = (np.array([row[i] for row in rows], dtype=np.float64) for i in range(3))
    records["due_ns"], records["sent_ns"] = np.rint(due_s * S), np.rint(sent_s * S)
    records["done_ns"] = np.rint(sent_s * S) + np.rint(latency_s * S)
    records["status"] = [row[3] or 0 for row in rows]
    records["failure"] = [FAILURE_NUMBER[_failure(row[3])] for row in rows]
    records["flags"] = np.where(sent_s < trial.transient_s, FLAG_TRANSIENT, 0)
    records["trial"] = trial.number
    return records
