"""Edge: one trial after another against a crew: what each is told as, written down as, and held as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capacity.arrivals import Rate
from capacity.goals import latency_goals
from capacity.plan import Plan
from capacity.runfolder import append_level
from capacity.trial import Trial
from capacity.unit import PER_SECOND, Unit
from locustfiles import _progress
from locustfiles._gate import Hold
from locustfiles._tally import Tick

EVERY_S = 0.05
TOLD_EVERY_S = 0.25
NEGLIGIBLE_S = 0.02
"""A level whose users waited longer than this for a credential has not been held."""


class Ticker:
    """Tells four times a second how a trial goes. `spent_s` and `rejected_before` are of what was before it."""

    def __init__(
        self, at: dict[str, float], *, rejected_before: int, harm_budget: int, spent_s: float, budget_s: float
    ) -> None:
        self._at = at
        self._rejected_before, self._harm_budget = rejected_before, harm_budget
        self._spent_s, self._budget_s = spent_s, budget_s
        self._told_s = float("-inf")

    def tell(self, now: Tick) -> None:
        """It has been told, unless that was done a moment ago."""
        if now.elapsed_s - self._told_s < TOLD_EVERY_S:
            return
        self._told_s = now.elapsed_s
        _progress.send(
            "tick",
            **self._at,
            elapsed_s=round(now.elapsed_s, 3),
            rps=now.recent_rps,
            p95_ms=now.recent_p95_ms,
            labels=now.labels,
            rejected_count=self._rejected_before + now.rejected_count,
            harm_budget=self._harm_budget,
            spent_s=round(self._spent_s + now.elapsed_s, 3),
            budget_s=self._budget_s,
        )


def told_level(level: int, per_second: int) -> dict[str, float]:
    """The level as progress tells it: a number of users, or the rate at which requests are due."""
    amount = Unit(per_second).amount(level)
    return {"due_rps": amount} if per_second else {"users": amount}


def hold_of(trial: Trial, plan: Plan) -> Hold:
    """What the generator is to hold: users, or in an open loop a rate. No two trials send at the same instants."""
    return Hold(
        number=trial.number,
        level=trial.level,
        ramp_s=trial.ramp_s,
        transient_s=trial.transient_s,
        max_s=trial.transient_s + trial.rule.max_s,
        allowance=trial.allowance,
        backoff_s=trial.backoff_s,
        slow_ns=tuple(goal.slow_ns or 0 for goal in latency_goals(trial.rule.goals)),
        rate=Rate(trial.level / PER_SECOND) if plan.is_open else None,
        spacing=plan.spacing,
        seed=plan.seed + trial.number,
    )


def write_line(folder: Path | None, line: dict[str, Any]) -> None:
    """The line is in levels.jsonl, or the disk refused and that was told: the search goes on either way."""
    if folder is None:
        return
    try:
        append_level(folder, line)
    except OSError as error:
        _progress.send("note", text=f"levels.jsonl cannot be written: {error.strerror or error}")
