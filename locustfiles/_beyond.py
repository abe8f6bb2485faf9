"""Edge: overload, recovery and bursts against a crew, once the limit is known and its verdict is on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from capacity.aftermath import Settling, shown
from capacity.beyond import Asked, Phase, asked_of, concluded, harm, next_phase, obstacle, spent_s, trial_of
from capacity.goals import parse_goal
from capacity.journal import asked_of as search_of
from capacity.journal import opened_line, phase_line
from capacity.overload import Beyond, Shown
from capacity.plan import Plan
from capacity.summary import label_counts
from capacity.validity import reasons
from capacity.verdict import Verdict
from locustfiles import _progress
from locustfiles._crew import Crew, Held
from locustfiles._tally import Tick
from locustfiles._trials import EVERY_S, NEGLIGIBLE_S, Ticker, hold_of, told_level, write_line


def look_beyond(crew: Crew, plan: Plan, verdict: Verdict, folder: Path | None, keep: Callable[[Beyond], None]) -> None:
    """`keep` has what was seen beyond the limit, after each phase and at the end; a stop keeps what there is."""
    most = search_of(plan).max_level
    why_not = obstacle(verdict, most, "--max-rps" if plan.is_open else "--max-users")
    if why_not is not None:
        keep(Beyond(plan.beyond_budget, left_out=(why_not,), per_second=verdict.per_second))
        return
    asked = asked_of(verdict, tuple(map(parse_goal, plan.goals)), most, plan.beyond_budget)
    history: list[Shown] = []
    began_s = time.monotonic()
    while not crew.is_stopping and (phase := next_phase(asked, history)) is not None:
        started_s = asked.started_s + time.monotonic() - began_s
        history.append(_held(crew, plan, asked, phase, history, folder, started_s))
        keep(concluded(asked, history, interrupted=True))
    keep(concluded(asked, history, interrupted=crew.is_stopping))


def _held(
    crew: Crew, plan: Plan, asked: Asked, phase: Phase, history: list[Shown], folder: Path | None, started_s: float
) -> Shown:
    """The phase, held and summed up once the gate is closed again."""
    trial = trial_of(asked, phase)
    at = told_level(phase.level, asked.per_second)
    _progress.send("trial", number=phase.number, **at, purpose=str(phase.kind))
    watch = _Watched(asked, phase, history, at)
    held = crew.hold(hold_of(trial, plan), watch.tick, EVERY_S)
    result = _shown(held, plan, asked, phase, watch.ended_by or held.ended_by, started_s)
    write_line(folder, opened_line(trial, started_s, held.opened_monotonic_ns, is_open=plan.is_open))
    write_line(folder, phase_line(result, held.health, is_open=plan.is_open))
    kept = "" if result.goodput_ratio is None else f"{100 * result.goodput_ratio:.0f} % of the highest rate, "
    again = "not good" if result.good_after_s is None else f"good after {result.good_after_s:.1f} s"
    why = f"{kept}{result.rejected_count} rejected, {again} at {asked.unit.words(phase.level)}"
    _progress.send("trial_end", **at, outcome=str(phase.kind), why=why)
    return result


def _shown(held: Held, plan: Plan, asked: Asked, phase: Phase, ended_by: str, started_s: float) -> Shown:
    rows = held.rows
    if plan.is_open:
        rows["sent_ns"] = rows["due_ns"]  # latency counts from the due time
    waited = held.counts.waited_s > NEGLIGIBLE_S
    spoiled = [held.spoiled, "users waited for a renewed credential" if waited else None]
    signs = reasons(held.health, asked.goals, label_counts(rows), asked.service_s)
    return shown(
        rows,
        asked.goals,
        number=phase.number,
        phase=phase.kind,
        level=phase.level,
        of_limit_ratio=phase.level / asked.limit,
        started_s=started_s,
        seconds=held.seconds,
        settle_s=phase.ramp_s + asked.service_s,
        window_s=phase.window_s,
        peak_rps=asked.peak_rps,
        ended_by="lost" if held.lost is not None else "time" if ended_by == "max_s" else ended_by,
        invalid=(*(reason for reason in spoiled if reason is not None), *signs),
    )


class _Watched:
    """The tick of one phase: ends it when it is good again, and tells how it goes."""

    def __init__(self, asked: Asked, phase: Phase, history: list[Shown], at: dict[str, float]) -> None:
        self.ended_by: str | None = None
        self._settling = Settling(asked.goals, phase.window_s)
        self._until_good = phase.until_good
        self._ticker = Ticker(
            at,
            rejected_before=harm(history),
            harm_budget=asked.harm_budget,
            spent_s=spent_s(asked, history),
            budget_s=asked.budget_s,
        )

    def tick(self, now: Tick) -> bool:
        """Whether the phase has shown enough."""
        self._ticker.tell(now)
        if self._settling.see(now) and self._until_good:
            self.ended_by = "good"
        return self.ended_by is not None
