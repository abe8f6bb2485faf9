"""From the attempts of one fixed load to its report: percentiles with exact intervals, thresholds met or missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from capacity.goals import REJECTED_LABELS, Goal, parse_goal
from capacity.omission import Latencies, corrected_percentiles
from capacity.stats import nearest_rank, percentile_interval
from capacity.summary import Rows, Seen, from_due, is_bad, is_late, levels_of, seen
from capacity.told import most_in_flight
from capacity.unit import PER_SECOND
from capacity.validity import Health, reasons
from capacity.verdict import Client, Cost
from reports.load import LoadReport, Percentile, Schedule, Threshold
from reports.of_run import run_facts, samples
from scoring.attempt import FAILURE_NUMBER, FLAG_RENEWED, FLAG_TRANSIENT, Failure
from scoring.told import Finding
from scoring.units import MS, S

if TYPE_CHECKING:
    from capacity.plan import Plan
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
    trial = trial_of(run, rows, goals, held, health)
    levels = levels_of([replace(trial, invalid=())])
    if not levels:
        return None
    good = kept[kept["failure"] == 0]
    unfair = unfair_reasons(trial, goals, held) + unrecorded(found.levels, len(kept))
    return LoadReport(
        endpoint=run.plan.endpoint,
        level=levels[0],
        percentiles=percentiles(good, is_open=run.plan.is_open),
        thresholds=tuple(threshold(goal, from_due(kept) if run.plan.is_open else kept) for goal in goals),
        rejected_count=sum(trial.labels_all.get(label, 0) for label in REJECTED_LABELS),
        client=client(trial.client or health, unfair),
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
        schedule=schedule_of(run.plan, held, rows, trial) if run.plan.is_open else None,
        mean_from_due_ms=float(np.mean(good["done_ns"] - good["due_ns"])) / MS if len(good) else None,
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
    return bool(levels) and levels[-1].get("ended_by") not in ("stopped", "lost", "silent")


def percentiles(good: Rows, *, is_open: bool = False) -> tuple[Percentile, ...]:
    """Nearest-rank percentiles of good answers, with exact 95 % intervals; beside them from the due time, and for a
    closed loop with what it left out."""
    if not len(good):
        return tuple(Percentile(name, None) for name, _ in PERCENTILES)
    sent, due = np.sort(good["done_ns"] - good["sent_ns"]), np.sort(good["done_ns"] - good["due_ns"])
    shares = [q for _, q in PERCENTILES]
    left_out = [None] * len(shares) if is_open else corrected_percentiles(sent, shares)
    return tuple(
        _percentile(name, q, sent, due, more_ns) for (name, q), more_ns in zip(PERCENTILES, left_out, strict=True)
    )


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
        late_p99_ms=None if health.late_p99_s is None else health.late_p99_s * 1e3,
    )


def unfair_reasons(trial: Seen, goals: Sequence[Goal], held: Mapping[str, Any]) -> tuple[str, ...]:
    """Why it was no fair measurement. Where connections ran out that is why requests were late, not a slow client."""
    if trial.due_count is None or not held.get("exhausted_count"):
        return trial.invalid
    health = trial.client and replace(trial.client, timely_ratio=None, late_p99_s=None)
    return (str(held.get("spoiled")), *reasons(health, goals, trial.labels_all, trial.median_s))


def trial_of(run: Run, rows: Rows, goals: Sequence[Goal], held: Mapping[str, Any], health: Health | None) -> Seen:
    """The whole load as one trial: of an open loop as long as it was held, else from its first request to its last."""
    is_open = run.plan.is_open
    first_ns, last_ns = (int(rows["sent_ns"].min()), int(rows["sent_ns"].max())) if len(rows) else (0, 0)
    zero_ns = int(held.get("opened_monotonic_ns") or first_ns) if is_open else first_ns
    seconds = (last_ns - zero_ns) / S
    steady = rows[(rows["flags"] & FLAG_TRANSIENT) == 0]
    shifted = rows.copy()
    for name in ("due_ns", "sent_ns", "first_byte_ns", "done_ns"):
        shifted[name] -= zero_ns
    return seen(
        shifted,
        goals,
        number=1,
        level=level_of(run.plan, rows, seconds),
        purpose="load",
        started_s=0.0,
        seconds=float(held.get("seconds") or seconds) if is_open else seconds,
        transient_s=0.0 if is_open or not len(steady) else (int(steady["sent_ns"].min()) - zero_ns) / S,
        batch_s=BATCH_S,
        ended_by="max_s",
        client=health,
        is_open=is_open,
        unsent_count=int(held.get("unsent_count") or 0),
    )


def level_of(plan: Plan, rows: Rows, seconds: float) -> int:
    """The users; of an open loop the mean rate due, in its unit."""
    if not plan.is_open:
        return plan.users or 1
    if plan.rps is None:
        rps = len(rows) / seconds if seconds > 0 else 0.0
    else:
        rps = (plan.rps + (plan.rps if plan.last_rps is None else plan.last_rps)) / 2
    return max(round(rps * PER_SECOND), 1)


def schedule_of(plan: Plan, held: Mapping[str, Any], rows: Rows, trial: Seen) -> Schedule:
    """What was due in an open loop, and what became of it."""
    sent = rows[(rows["flags"] & FLAG_RENEWED) == 0]
    unsent = held.get("unsent_count")
    due_count = None if unsent is None else len(sent) + int(unsent)
    seconds = trial.seconds
    return Schedule(
        first_rps=plan.rps,
        last_rps=plan.last_rps,
        spacing=None if plan.replay else plan.spacing,
        replay=plan.replay.rstrip("/").rpartition("/")[2] if plan.replay else None,
        speed=plan.speed if plan.replay else None,
        pool_count=plan.max_users,
        due_count=due_count,
        sent_count=len(sent),
        late_count=int(is_late(sent).sum()),
        unsent_count=unsent,
        exhausted_count=held.get("exhausted_count"),
        due_rps=due_count / seconds if due_count is not None and seconds > 0 else None,
        sent_rps=len(sent) / seconds if seconds > 0 else None,
        latest_ms=float((sent["sent_ns"] - sent["due_ns"]).max()) / MS if len(sent) else None,
        in_flight_max=most_in_flight(rows),
    )


def _percentile(name: str, q: float, sent: Latencies, due: Latencies, corrected_ns: int | None) -> Percentile:
    low_ms, high_ms = _interval_ms(sent, q)
    due_low_ms, due_high_ms = _interval_ms(due, q)
    return Percentile(
        name,
        nearest_rank(sent, q) / MS,
        low_ms,
        high_ms,
        nearest_rank(due, q) / MS,
        due_low_ms,
        due_high_ms,
        None if corrected_ns is None else corrected_ns / MS,
    )


def _interval_ms(ascending_ns: Latencies, q: float) -> tuple[float | None, float | None]:
    ends = percentile_interval(ascending_ns, q)
    return (None, None) if ends is None else (ends[0] / MS, ends[1] / MS)
