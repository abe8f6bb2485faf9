"""The controller of a load: one hold, closed or open, told while it runs and kept in levels.jsonl."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import monotonic_ns

from capacity.arrivals import Rate
from capacity.goals import latency_goals, parse_goal
from capacity.plan import Plan
from capacity.runfolder import append_level
from locustfiles import _progress
from locustfiles._crew import Crew, Held, not_ready
from locustfiles._gate import Hold
from locustfiles._tally import Tick
from scoring.errors import Exit

READY_WITHIN_S = 60.0
TICK_S = 0.2
BACKOFF_S = 0.1
DEFAULT_DURATION_S = 60.0


def hold_load(crew: Crew, plan: Plan, folder: Path | None) -> int:
    """The load of the plan has been held; its level stands in levels.jsonl."""
    users = plan.most_users
    if not crew.users_ready(users, READY_WITHIN_S):
        raise not_ready(crew, users)
    hold = hold_of(plan)
    _progress.send("trial", users=users, due_rps=due_rps(hold, 0.0, 0), purpose="load")
    started_ns = monotonic_ns()

    def tell(tick: Tick) -> bool:
        spent_s = (monotonic_ns() - started_ns) / 1e9
        _progress.send("tick", **_told(tick, hold), spent_s=spent_s, budget_s=hold.max_s, harm_budget=hold.allowance)
        return False

    held = crew.hold(hold, tell, TICK_S, keep_rows=False)
    if held.ended_by == "allowance":
        text = f"the load ended early: it had caused {held.counts.rejected_count} rejections, as many as it may"
        _progress.send("note", text=text)
    if held.lost is not None:
        _progress.send("note", text=f"the load ended early: {held.lost}")
    if folder is not None:
        _keep(folder, _level(hold, held))
    _progress.send("trial_end", users=users, outcome="done", why=held.spoiled or "", ended_by=held.ended_by)
    return int(Exit.FINE)


def hold_of(plan: Plan) -> Hold:
    """What the plan asks for: users that send as soon as they are answered, or requests that are due at a rate."""
    max_s = plan.duration_s or DEFAULT_DURATION_S
    rate = None if plan.rps is None else Rate(plan.rps, plan.last_rps, 0.0 if plan.last_rps is None else max_s)
    return Hold(
        number=1,
        level=plan.most_users,
        ramp_s=0.0,
        transient_s=0.0,
        max_s=max_s,
        allowance=plan.harm_budget,
        backoff_s=BACKOFF_S,
        slow_ns=tuple(goal.slow_ns or 0 for goal in latency_goals(tuple(map(parse_goal, plan.thresholds)))),
        rate=rate,
        spacing=plan.spacing,
        seed=plan.seed,
        replay=plan.replay,
        speed=plan.speed,
    )


def _keep(folder: Path, level: dict[str, object]) -> None:
    """The level is in levels.jsonl, or the disk refused and that was told."""
    try:
        append_level(folder, level)
    except OSError as error:
        _progress.send("note", text=f"levels.jsonl cannot be written: {error.strerror or error}")


def due_rps(hold: Hold, since_open_s: float, sent_count: int) -> float | None:
    """Requests due per second at that time; of a replay those sent until then. None in a closed loop."""
    if hold.rate is not None:
        return hold.rate.at(since_open_s)
    return sent_count / since_open_s if hold.is_open and since_open_s > 0 else None


def _told(tick: Tick, hold: Hold) -> dict[str, object]:
    return {
        "users": hold.level,
        "due_rps": due_rps(hold, tick.elapsed_s, tick.attempt_count + tick.in_flight),
        "elapsed_s": tick.elapsed_s,
        "rps": tick.recent_rps,
        "p95_ms": tick.recent_p95_ms,
        "labels": tick.labels,
        "rejected_count": tick.rejected_count,
    }


def _level(hold: Hold, held: Held) -> dict[str, object]:
    return {
        "trial": hold.number,
        "users": hold.level,
        "seconds": held.seconds,
        "opened_monotonic_ns": held.opened_monotonic_ns,
        "ended_by": held.ended_by,
        "spoiled": held.spoiled,
        "attempt_count": held.counts.attempt_count,
        "rejected_count": held.counts.rejected_count,
        "renewed_count": held.counts.renewed_count,
        "exhausted_count": held.counts.exhausted_count,
        "unsent_count": held.counts.unsent_count,
        "waited_s": held.counts.waited_s,
        "lost": held.lost,
        "health": asdict(held.health),
    }
