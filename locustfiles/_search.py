"""Edge: the search against a crew. Asks capacity.search for the next step, holds it, writes down what it showed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gevent

from capacity.arrivals import Rate
from capacity.conclusion import conclude, outcome_word, why
from capacity.evidence import PAUSE
from capacity.goals import Goal, latency_goals
from capacity.journal import asked_of, ended_line, opened_line
from capacity.plan import Plan
from capacity.runfolder import append_level
from capacity.search import Asked, Pause, Trial, harm, next_step
from capacity.summary import Seen, seen
from capacity.unit import PER_SECOND, Unit
from capacity.verdict import Kind, Verdict
from capacity.watch import Watch
from locustfiles import _progress
from locustfiles._crew import Crew, Held
from locustfiles._gate import Hold
from locustfiles._tally import Tick

EVERY_S = 0.05
NEGLIGIBLE_S = 0.02
"""A level whose users waited longer than this for a credential has not been held."""


def find(crew: Crew, plan: Plan, folder: Path | None) -> Verdict:
    """The verdict, with every trial in levels.jsonl and told as progress. A stopped run keeps what it has."""
    asked = asked_of(plan)
    history: list[Seen] = []
    began_s = time.monotonic()
    while True:
        if crew.is_stopping:
            return conclude(asked, history, Kind.BUDGET_SPENT, interrupted=True)
        step = next_step(asked, history)
        if isinstance(step, Verdict):
            return step
        now_s = time.monotonic() - began_s
        result = (
            _pause(crew, step, len(history) + 1, now_s)
            if isinstance(step, Pause)
            else _try(crew, step, plan, history, folder, now_s)
        )
        history.append(result)
        _write(folder, ended_line(result))


def _try(crew: Crew, trial: Trial, plan: Plan, history: Sequence[Seen], folder: Path | None, started_s: float) -> Seen:
    """One trial, held and summed up once the gate is closed again."""
    asked = asked_of(plan)
    at = told_level(trial.level, asked)
    _progress.send("trial", number=trial.number, **at, purpose=trial.purpose)
    _write(folder, opened_line(trial, started_s, time.monotonic_ns(), is_open=plan.is_open))
    watch = _Watched(trial, asked, harm(history), started_s)
    held = crew.hold(hold_of(trial, plan), watch.tick, EVERY_S)
    ended_by = "not_load" if held.lost is not None else watch.ended_by or held.ended_by
    result = _seen(trial, held, ended_by, started_s, is_open=plan.is_open)
    _write(folder, opened_line(trial, started_s, held.opened_monotonic_ns, is_open=plan.is_open))
    _progress.send(
        "trial_end",
        **at,
        outcome=outcome_word(result, trial.rule.goals),
        why=why(result, trial.rule.goals),
    )
    return result


def told_level(level: int, asked: Asked) -> dict[str, float]:
    """The level as progress tells it: a number of users, or the rate at which requests are due."""
    amount = Unit(asked.per_second).amount(level)
    return {"due_rps": amount} if asked.per_second else {"users": amount}


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


def _seen(trial: Trial, held: Held, ended_by: str, started_s: float, *, is_open: bool) -> Seen:
    goals: tuple[Goal, ...] = trial.rule.goals
    exhausted = held.spoiled if is_open and held.counts.exhausted_count and held.ended_by != "stopped" else None
    return seen(
        held.rows,
        goals,
        number=trial.number,
        level=trial.level,
        purpose=trial.purpose,
        started_s=started_s,
        seconds=held.seconds,
        transient_s=trial.transient_s,
        batch_s=trial.rule.batch_s,
        ended_by=ended_by,
        client=held.health,
        spoiled=_spoiled(held, exhausted),
        waited_s=held.counts.waited_s,
        lost=held.lost,
        is_open=is_open,
        unsent_count=held.counts.unsent_count,
        exhausted=exhausted,
    )


def _spoiled(held: Held, exhausted: str | None) -> tuple[str, ...]:
    waited_s = held.counts.waited_s
    waited = f"its users waited {waited_s:.2g} s for a renewed credential" if waited_s > NEGLIGIBLE_S else None
    return tuple(reason for reason in (held.spoiled, waited) if reason is not None and reason != exhausted)


class _Watched:
    """The tick of one trial: asks the watch, and tells four times a second how it goes."""

    def __init__(self, trial: Trial, asked: Asked, rejected_before: int, started_s: float) -> None:
        self.ended_by: str | None = None
        self._watch = Watch(trial.rule)
        self._trial, self._asked = trial, asked
        self._rejected_before, self._started_s = rejected_before, started_s
        self._told_s = float("-inf")

    def tick(self, now: Tick) -> bool:
        """Whether the trial has shown enough."""
        if now.elapsed_s - self._told_s >= 0.25:
            self._told_s = now.elapsed_s
            self._tell(now)
        self.ended_by = "max_s" if now.waited_s > NEGLIGIBLE_S else self._watch.see(now)
        return self.ended_by is not None

    def _tell(self, now: Tick) -> None:
        _progress.send(
            "tick",
            **told_level(self._trial.level, self._asked),
            elapsed_s=round(now.elapsed_s, 3),
            rps=now.recent_rps,
            p95_ms=now.recent_p95_ms,
            labels=now.labels,
            rejected_count=self._rejected_before + now.rejected_count,
            harm_budget=self._asked.harm_budget,
            spent_s=round(self._started_s + self._trial.transient_s + now.elapsed_s, 3),
            budget_s=self._asked.budget_s,
        )


def _pause(crew: Crew, pause: Pause, number: int, started_s: float) -> Seen:
    began_s = time.monotonic()
    while time.monotonic() - began_s < pause.seconds and not crew.is_stopping:
        gevent.sleep(0.05)
    return Seen(number, 0, PAUSE, started_s, time.monotonic() - began_s, 0.0, 0, 0, 0, {}, {}, 0, ())


def _write(folder: Path | None, line: dict[str, Any]) -> None:
    """The line is in levels.jsonl, or the disk refused and that was told: the search goes on either way."""
    if folder is None:
        return
    try:
        append_level(folder, line)
    except OSError as error:
        _progress.send("note", text=f"levels.jsonl cannot be written: {error.strerror or error}")
