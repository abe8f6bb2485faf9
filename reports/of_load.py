"""From the attempts of one fixed load to its report: percentiles with exact intervals, thresholds met or missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capacity.goals import REJECTED_LABELS, Goal, parse_goal
from capacity.stats import nearest_rank, percentile_interval
from capacity.summary import Rows, Seen, is_bad, levels_of, seen
from capacity.validity import Health, reasons
from capacity.verdict import Client, Cost
from reports.load import LoadReport, Percentile, Threshold
from reports.of_run import run_facts, samples
from scoring.attempt import FAILURE_NUMBER, FLAG_RENEWED, FLAG_TRANSIENT, Failure
from scoring.told import Finding
from scoring.units import MS, S

if TYPE_CHECKING:
    from capacity.recorded import Recorded
    from capacity.runfolder import Run

PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999))
BATCH_S = 1.0


def load_report(found: Recorded, causes: Sequence[Finding] = ()) -> LoadReport | None:
    """The report of a load run; None when not one attempt was recorded after the transient."""
    run, rows = found.run, found.rows
    health, interrupted = health_of(found.levels), not was_held_to_the_end(found.levels)
    goals = tuple(parse_goal(text) for text in run.plan.thresholds)
    no_evidence = (rows["flags"] & (FLAG_TRANSIENT | FLAG_RENEWED)) != 0
    kept = rows[~no_evidence & (rows["failure"] != FAILURE_NUMBER[Failure.ABORTED])]
    held = found.levels[-1] if found.levels else {}
    trial = _trial(run, rows, goals)
    levels = levels_of([trial])
    if not levels:
        return None
    good = kept[kept["failure"] == 0]
    unfair = reasons(health, goals, trial.labels_all) + unrecorded(found.levels, len(kept))
    return LoadReport(
        endpoint=run.plan.endpoint,
        level=levels[0],
        percentiles=percentiles(good),
        thresholds=tuple(threshold(goal, kept) for goal in goals),
        rejected_count=sum(trial.labels_all.get(label, 0) for label in REJECTED_LABELS),
        client=client(health, unfair),
        cost=Cost(seconds=trial.seconds, attempt_count=len(rows)),
        run=str(run.folder),
        run_facts=run_facts(run, rows, finished=not interrupted),
        failures=samples(found.failures),
        causes=tuple(causes),
        mean_ms=float(np.mean(good["done_ns"] - good["sent_ns"])) / MS if len(good) else None,
        received_bytes=int(kept["received_bytes"].sum()),
        interrupted=interrupted,
        renewed_count=trial.renewed_count,
        waited_s=held.get("waited_s") or 0.0,
        lost=held.get("lost"),
    )


def health_of(levels: Sequence[dict[str, Any]]) -> Health | None:
    """What the generator said of itself at the end of the load; None when it did not come so far."""
    told = levels[-1].get("health") if levels else None
    known = {one.name for one in fields(Health)}
    return None if told is None else Health(**{name: value for name, value in told.items() if name in known})


def unrecorded(levels: Sequence[dict[str, Any]], kept_count: int) -> tuple[str, ...]:
    """Why the record does not hold every attempt that was counted; empty when it does."""
    counted = levels[-1].get("attempt_count", 0) if levels else 0
    if counted <= kept_count:
        return ()
    return (f"the disk refused the records of {counted - kept_count:,} of {counted:,} attempts",)


def was_held_to_the_end(levels: Sequence[dict[str, Any]]) -> bool:
    """True when the load ended because its time was over."""
    return bool(levels) and levels[-1].get("ended_by") not in ("stopped", "lost")


def percentiles(good: Rows) -> tuple[Percentile, ...]:
    """Nearest-rank percentiles of good answers, with exact 95 % intervals, and beside them from the due time."""
    sent = np.sort(good["done_ns"] - good["sent_ns"])
    due = np.sort(good["done_ns"] - good["due_ns"])
    return tuple(_percentile(name, q, sent, due) for name, q in PERCENTILES)


def threshold(goal: Goal, kept: Rows) -> Threshold:
    """Met when the fraction of bad answers seen is within the goal; unknown when nothing came back."""
    bad = int(is_bad(goal, kept).sum())
    met = bad <= goal.allowed_ratio * len(kept) if len(kept) else None
    return Threshold(goal.text, met, bad, len(kept))


def client(health: Health | None, unfair: Sequence[str]) -> Client:
    """The generator's own figures, in the units of a report."""
    if health is None:
        return Client(valid=not unfair, reasons=tuple(unfair))
    return Client(
        valid=not unfair,
        reasons=tuple(unfair),
        lag_p99_ms=None if health.lag_p99_s is None else health.lag_p99_s * 1e3,
        timely_ratio=health.timely_ratio,
        cpu_ratio=health.cpu_ratio,
        run_queue_ratio=health.run_queue_ratio,
    )


def _trial(run: Run, rows: Rows, goals: Sequence[Goal]) -> Seen:
    """The whole load as one trial that begins with its first request and ends with the last one sent."""
    zero_ns = int(rows["sent_ns"].min()) if len(rows) else 0
    last_ns = int(rows["sent_ns"].max()) if len(rows) else 0
    steady = rows[(rows["flags"] & FLAG_TRANSIENT) == 0]
    shifted = rows.copy()
    for name in ("due_ns", "sent_ns", "first_byte_ns", "done_ns"):
        shifted[name] -= zero_ns
    return seen(
        shifted,
        goals,
        number=1,
        level=run.plan.users or 1,
        purpose="load",
        started_s=0.0,
        seconds=(last_ns - zero_ns) / S,
        transient_s=(int(steady["sent_ns"].min()) - zero_ns) / S if len(steady) else 0.0,
        batch_s=BATCH_S,
        ended_by="max_s",
    )


def _percentile(name: str, q: float, sent: NDArray[np.int64], due: NDArray[np.int64]) -> Percentile:
    if not len(sent):
        return Percentile(name, None)
    interval = percentile_interval(sent.tolist(), q)
    low_ms, high_ms = (None, None) if interval is None else (interval[0] / MS, interval[1] / MS)
    return Percentile(name, nearest_rank(sent, q) / MS, low_ms, high_ms, nearest_rank(due, q) / MS)
