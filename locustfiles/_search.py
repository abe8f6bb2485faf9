"""Edge: the search against a crew. Asks capacity.search for the next step, holds it, writes down what it showed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import gevent

from capacity.conclusion import conclude, outcome_word, why
from capacity.evidence import PAUSE
from capacity.goals import Goal
from capacity.journal import asked_of, ended_line, opened_line
from capacity.plan import Plan
from capacity.search import Asked, Pause, Trial, harm, next_step
from capacity.summary import Seen, seen
from capacity.verdict import Kind, Verdict
from capacity.watch import Watch
from locustfiles import _progress
from locustfiles._crew import Crew, Held
from locustfiles._tally import Tick
from locustfiles._trials import EVERY_S, NEGLIGIBLE_S, Ticker, hold_of, told_level, write_line


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
        write_line(folder, ended_line(result))


def _try(crew: Crew, trial: Trial, plan: Plan, history: Sequence[Seen], folder: Path | None, started_s: float) -> Seen:
    """One trial, held and summed up once the gate is closed again."""
    asked = asked_of(plan)
    at = told_level(trial.level, asked.per_second)
    _progress.send("trial", number=trial.number, **at, purpose=trial.purpose)
    write_line(folder, opened_line(trial, started_s, time.monotonic_ns(), is_open=plan.is_open))
    watch = _Watched(trial, asked, harm(history), started_s)
    held = crew.hold(hold_of(trial, plan), watch.tick, EVERY_S)
    ended_by = "not_load" if held.lost is not None else watch.ended_by or held.ended_by
    result = _seen(trial, held, ended_by, started_s, is_open=plan.is_open)
    write_line(folder, opened_line(trial, started_s, held.opened_monotonic_ns, is_open=plan.is_open))
    _progress.send(
        "trial_end",
        **at,
        outcome=outcome_word(result, trial.rule.goals),
        why=why(result, trial.rule.goals),
    )
    return result


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
    """The tick of one trial: asks the watch, and tells how it goes."""

    def __init__(self, trial: Trial, asked: Asked, rejected_before: int, started_s: float) -> None:
        self.ended_by: str | None = None
        self._watch = Watch(trial.rule)
        self._ticker = Ticker(
            told_level(trial.level, asked.per_second),
            rejected_before=rejected_before,
            harm_budget=asked.harm_budget,
            spent_s=started_s + trial.transient_s,
            budget_s=asked.budget_s,
        )

    def tick(self, now: Tick) -> bool:
        """Whether the trial has shown enough."""
        self._ticker.tell(now)
        self.ended_by = "max_s" if now.waited_s > NEGLIGIBLE_S else self._watch.see(now)
        return self.ended_by is not None


def _pause(crew: Crew, pause: Pause, number: int, started_s: float) -> Seen:
    began_s = time.monotonic()
    while time.monotonic() - began_s < pause.seconds and not crew.is_stopping:
        gevent.sleep(0.05)
    return Seen(number, 0, PAUSE, started_s, time.monotonic() - began_s, 0.0, 0, 0, 0, {}, {}, 0, ())
