"""A fixed number of users, each with one request in flight: `locust -f closed_loop.py --host URI -u 10 -t 1m`.

With a run folder (`--run-folder`, or the variable REDLINE_RUN) the users and the duration stand in its run.json, every
attempt is recorded there, and the process ends when the time is over.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import monotonic_ns

from capacity.goals import latency_goals, parse_goal
from capacity.plan import Plan
from capacity.runfolder import append_level
from locustfiles import _progress
from locustfiles._crew import Crew, Held, not_ready
from locustfiles._gate import Hold
from locustfiles._session import attach
from locustfiles._tally import Tick
from locustfiles._user import ScoringUser
from scoring.errors import Exit

__all__ = ["ScoringUser"]

READY_WITHIN_S = 60.0
TICK_S = 0.2
BACKOFF_S = 0.1
DEFAULT_DURATION_S = 60.0


def hold_fixed_load(crew: Crew, plan: Plan, folder: Path | None) -> int:
    """The load of the plan has been held; its level stands in levels.jsonl."""
    users = plan.most_users
    if not crew.users_ready(users, READY_WITHIN_S):
        raise not_ready(crew, users)
    hold = Hold(
        number=1,
        level=users,
        ramp_s=0.0,
        transient_s=0.0,
        max_s=plan.duration_s or DEFAULT_DURATION_S,
        allowance=plan.harm_budget,
        backoff_s=BACKOFF_S,
        slow_ns=tuple(goal.slow_ns or 0 for goal in latency_goals(tuple(map(parse_goal, plan.thresholds)))),
    )
    _progress.send("trial", users=users, purpose="load")
    started_ns = monotonic_ns()

    def tell(tick: Tick) -> bool:
        spent_s = (monotonic_ns() - started_ns) / 1e9
        _progress.send("tick", **_told(tick, users), spent_s=spent_s, budget_s=hold.max_s, harm_budget=hold.allowance)
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


def _keep(folder: Path, level: dict[str, object]) -> None:
    """The level is in levels.jsonl, or the disk refused and that was told."""
    try:
        append_level(folder, level)
    except OSError as error:
        _progress.send("note", text=f"levels.jsonl cannot be written: {error.strerror or error}")


def _told(tick: Tick, users: int) -> dict[str, object]:
    return {
        "users": users,
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
        "waited_s": held.counts.waited_s,
        "lost": held.lost,
        "health": asdict(held.health),
    }


attach("load", hold_fixed_load, also_without_run_folder=False)
