"""The phases beyond the limit against the endpoints of the bench, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.limits.endpoint import Endpoint, Row, Service
from capacity.aftermath import Settling, shown
from capacity.beyond import Asked, Phase, concluded, next_phase
from capacity.goals import Counts, latency_goals, parse_goal
from capacity.overload import Beyond, Shown
from capacity.summary import RECORD_DTYPE, Rows
from scoring.attempt import FAILURE_NUMBER, Failure, label_of
from scoring.status import REJECTED
from scoring.units import S


def asked(limit: int, peak_rps: float, *goals: str, service_s: float = 0.05, budget: int = 2000, per: int = 0) -> Asked:
    """The question with everything else as usual; `per`: levels are this fraction of a request per second."""
    return Asked(
        tuple(map(parse_goal, goals or ("rejected<=0.1%", "errors<=1%"))),
        limit=limit,
        max_level=10 * limit,
        peak_rps=peak_rps,
        service_s=service_s,
        harm_budget=budget,
        per_second=per,
    )


def looked_beyond(asked: Asked, service: Service, *, seed: int = 1, per: int = 0) -> Beyond:
    """What the phases show of the endpoint; `per`: it is driven in an open loop."""
    endpoint = Endpoint(service, seed, open_loop=per > 0)
    history: list[Shown] = []
    while (phase := next_phase(asked, history)) is not None:
        history.append(_held(asked, phase, endpoint, per))
    return concluded(asked, history)


def _held(asked: Asked, phase: Phase, endpoint: Endpoint, per: int) -> Shown:
    started_s = endpoint.now_s
    watch = _Watch(asked, phase, started_s)
    rows = endpoint.run(phase.level / per if per else phase.level, phase.max_s, watch.stop)
    ended_s = endpoint.now_s
    rows += endpoint.run(0, min(max((row[2] for row in rows), default=0.0), DRAIN_MAX_S))
    return shown(
        _records(rows, started_s, from_due=per > 0),
        asked.goals,
        number=phase.number,
        phase=phase.kind,
        level=phase.level,
        of_limit_ratio=phase.level / asked.limit,
        started_s=started_s,
        seconds=ended_s - started_s,
        settle_s=phase.ramp_s + asked.service_s,
        window_s=phase.window_s,
        peak_rps=asked.peak_rps,
        ended_by=watch.ended_by,
    )


DRAIN_MAX_S = 5.0


class _Watch:
    """The stop function of a phase."""

    def __init__(self, asked: Asked, phase: Phase, started_s: float) -> None:
        self.ended_by = "time"
        self._phase, self._started_s = phase, started_s
        self._slow_s = [(goal.slow_ns or 0) / S for goal in latency_goals(asked.goals)]
        self._slow = [0] * len(self._slow_s)
        self._labels: dict[str, int] = {}
        self._good = self._rejected = 0
        self._settling: Callable[[Counts], bool] = Settling(asked.goals, phase.window_s).see

    def stop(self, row: Row) -> bool:
        due_s, sent_s, latency_s, status = row
        label = label_of(status, None if status == 200 else Failure.UNEXPECTED_STATUS)
        self._labels[label] = self._labels.get(label, 0) + 1
        self._rejected += status in REJECTED
        done_s = sent_s + latency_s
        if status == 200:
            self._good += 1
            self._slow = [n + (done_s - due_s > s) for n, s in zip(self._slow, self._slow_s, strict=True)]
        if self._rejected >= self._phase.allowance:
            self.ended_by = "allowance"
            return True
        total = sum(self._labels.values())
        counts = Counts(done_s - self._started_s, total, self._good, tuple(self._slow), self._labels, self._rejected)
        if self._phase.until_good and self._settling(counts):
            self.ended_by = "good"
        return self.ended_by == "good"


def _records(rows: list[Row], started_s: float, *, from_due: bool) -> Rows:
    records = np.zeros(len(rows), dtype=RECORD_DTYPE)
    for record, (due_s, sent_s, latency_s, status) in zip(records, rows, strict=True):
        done_s = sent_s + latency_s
        record["due_ns"] = int((due_s - started_s) * S)
        record["sent_ns"] = int(((due_s if from_due else sent_s) - started_s) * S)
        record["done_ns"] = int((done_s - started_s) * S)
        record["status"] = status or 0
        record["failure"] = 0 if status == 200 else FAILURE_NUMBER[Failure.UNEXPECTED_STATUS]
    return records
