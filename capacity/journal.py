"""levels.jsonl: a line when a trial opens and one when it has ended, and the search they tell of. Pure.

A run that was killed is read back from these lines and the attempts: the trial that was running counts as stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from capacity.conclusion import conclude
from capacity.evidence import PAUSE
from capacity.goals import Goal, parse_goal
from capacity.overload import PhaseKind, Shown
from capacity.plan import DEFAULT_MAX_RPS, Plan
from capacity.search import Asked, Trial
from capacity.summary import Rows, Seen, seen
from capacity.unit import PER_SECOND
from capacity.validity import Health
from capacity.verdict import Kind, Verdict
from scoring.units import S

OPENED, ENDED = "opened", "ended"
BEYOND = frozenset(PhaseKind)
"""Purposes of what is held after the search, on which its verdict does not rest."""


def opened_line(trial: Trial, started_s: float, opened_ns: int, *, is_open: bool = False) -> dict[str, Any]:
    """What must be known of a trial while it runs; `opened_ns` is monotonic, like the times in attempts.bin."""
    return {
        "kind": OPENED,
        "number": trial.number,
        **_at(trial.level, is_open),
        "purpose": trial.purpose,
        "started_s": started_s,
        "opened_ns": opened_ns,
        "transient_s": trial.transient_s,
        "batch_s": trial.rule.batch_s,
    }


def ended_line(trial: Seen) -> dict[str, Any]:
    """What became of a trial; pauses have this line alone."""
    return {
        "kind": ENDED,
        "number": trial.number,
        **_at(trial.level, trial.due_count is not None),
        "purpose": trial.purpose,
        "started_s": trial.started_s,
        "seconds": trial.seconds,
        "ended_by": trial.ended_by,
        "invalid": list(trial.invalid),
        "client": asdict(trial.client) if trial.client else None,
        "attempt_count": trial.sent_count,
        "renewed_count": trial.renewed_count,
        "waited_s": trial.waited_s,
        "lost": trial.lost,
        "rejected_count": trial.rejected_count,
        "status_count": trial.labels_all,
        "unsent_count": trial.unsent_count,
        "exhausted": trial.exhausted,
    }


def phase_line(phase: Shown, client: Health, *, is_open: bool = False) -> dict[str, Any]:
    """What became of a phase beyond the limit."""
    told = {name: value for name, value in asdict(phase).items() if name not in ("phase", "level")}
    level = _at(phase.level, is_open)
    return {"kind": ENDED, **level, "purpose": str(phase.phase), **told, "client": asdict(client)}


def asked_of(plan: Plan) -> Asked:
    """What a plan asks the search for."""
    goals = tuple(map(parse_goal, plan.goals))
    if not plan.is_open:
        return Asked(goals, plan.max_users, plan.budget_s, plan.harm_budget)
    most = round((plan.max_rps or DEFAULT_MAX_RPS) * PER_SECOND)
    return Asked(goals, most, plan.budget_s, plan.harm_budget, PER_SECOND)


def _at(level: int, is_open: bool) -> dict[str, float]:
    """The level under the name of its unit."""
    return {"rps": level / PER_SECOND} if is_open else {"users": level}


def _level_of(line: dict[str, Any]) -> int:
    return round(line["rps"] * PER_SECOND) if "rps" in line else int(line["users"])


def history_from(lines: Sequence[dict[str, Any]], rows: Rows, goals: Sequence[Goal]) -> list[Seen]:
    """The trials that the lines and the attempts tell of, the one cut short included."""
    lines = [line for line in lines if line.get("purpose") not in BEYOND]
    opened = {line["number"]: line for line in lines if line.get("kind") == OPENED}
    ended = {line["number"]: line for line in lines if line.get("kind") == ENDED}
    return [
        _trial(opened[number], ended.get(number), rows, goals) if number in opened else _pause(ended[number])
        for number in sorted(opened.keys() | ended.keys())
    ]


def unfinished_verdict(plan: Plan, lines: Sequence[dict[str, Any]], rows: Rows) -> Verdict:
    """What a run that never wrote its verdict had found out when it ended."""
    asked = asked_of(plan)
    return conclude(asked, history_from(lines, rows, asked.goals), Kind.BUDGET_SPENT, interrupted=True)


def _pause(line: dict[str, Any]) -> Seen:
    """A pause; or a trial whose opening was lost, of which only the time and the harm are known."""
    labels, rejected = dict(line.get("status_count") or {}), int(line.get("rejected_count") or 0)
    return Seen(line["number"], 0, PAUSE, line["started_s"], line["seconds"], 0.0, 0, 0, 0, {}, labels, rejected, ())


def _trial(opened: dict[str, Any], ended: dict[str, Any] | None, rows: Rows, goals: Sequence[Goal]) -> Seen:
    own = rows[rows["trial"] == opened["number"]].copy()
    for name in ("due_ns", "sent_ns", "done_ns"):
        own[name] -= opened["opened_ns"]
    last_s = float(np.max(own["done_ns"])) / S if len(own) else 0.0
    client = ended["client"] if ended else None
    return seen(
        own,
        goals,
        number=opened["number"],
        level=_level_of(opened),
        purpose=opened["purpose"],
        started_s=opened["started_s"],
        seconds=ended["seconds"] if ended else last_s,
        transient_s=opened["transient_s"],
        batch_s=opened["batch_s"],
        ended_by=ended["ended_by"] if ended else "stopped",
        spoiled=tuple(ended["invalid"]) if ended else (),
        client=Health(**client) if client else None,
        waited_s=ended.get("waited_s", 0.0) if ended else 0.0,
        lost=ended.get("lost") if ended else None,
        is_open="rps" in opened,
        unsent_count=ended.get("unsent_count", 0) if ended else 0,
        exhausted=ended.get("exhausted") if ended else None,
    )
