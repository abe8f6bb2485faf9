"""Beyond the limit, on purpose: the next phase of overload, recovery and bursts, from what the earlier ones showed.

No clock and no I/O. Overload at 1.5 and 2 times the limit; back to 0.7 times it until every goal is kept again; where
that does not happen, less and less load until it does: the most that is good then is the hidden capacity. Then bursts
from 0.3 times the limit. The rejections that all of it may cause are a budget of its own, shared out over the phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from capacity.aftermath import behaviour, evidence, hidden_level
from capacity.goals import Goal
from capacity.overload import Beyond, PhaseKind, Shown
from capacity.trial import Trial
from capacity.unit import Unit
from capacity.verdict import Kind, Verdict
from capacity.watch import Rule

OVERLOADS = (1.5, 2.0)
RECOVERY = 0.7
STEPS_DOWN = (0.5, 0.35, 0.2, 0.1)
QUIET = 0.3
BURSTS = (1.3, 2.0, 3.0)
WEIGHTS = {PhaseKind.OVERLOAD: 3, PhaseKind.RECOVERY: 2, PhaseKind.BURST: 1}
"""Shares of the harm budget."""
BUDGET_S = 300.0
OVERLOAD_S, OVERLOAD_SERVICES, OVERLOAD_LONGEST_S = (5.0, 15.0), 100.0, 60.0
RECOVERY_S, STEP_S, QUIET_S, BURST_S = 60.0, 15.0, 15.0, 10.0
RAMP_S, RAMP_SERVICES = 0.5, 1.5
WINDOW_S, WINDOW_SERVICES, WINDOW_ANSWERS, WINDOW_LONGEST_S = 0.5, 5.0, 20.0, 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Where the limit lies, and what looking beyond it may cost."""

    goals: tuple[Goal, ...]
    limit: int
    max_level: int
    peak_rps: float
    service_s: float  # median under the lightest load
    harm_budget: int
    first_number: int = 1
    started_s: float = 0.0
    budget_s: float = BUDGET_S
    per_second: int = 0  # of an open loop: levels are requests per second in this fraction

    @property
    def lowest(self) -> int:
        """One user, or one request per second."""
        return max(self.per_second, 1)

    @property
    def unit(self) -> Unit:
        """What its levels count."""
        return Unit(self.per_second)

    @property
    def window_s(self) -> float:
        """Long enough for some answers at the load of the recovery."""
        answers_s = WINDOW_ANSWERS / (RECOVERY * self.peak_rps) if self.peak_rps > 0 else WINDOW_LONGEST_S
        return min(max(WINDOW_S, WINDOW_SERVICES * self.service_s, answers_s), max(WINDOW_LONGEST_S, self.service_s))

    def above(self, ratios: Sequence[float]) -> list[int]:
        """Levels at these multiples of the limit, as far as they may be tried; each once, and beyond the limit."""
        levels = (min(ceil(ratio * self.limit - 1e-9), self.max_level) for ratio in ratios)
        return sorted({level for level in levels if level > self.limit})

    def below(self, ratio: float) -> int:
        return max(floor(ratio * self.limit + 1e-9), self.lowest)


@dataclass(frozen=True, slots=True)
class Phase:
    """A level to hold: until it is good again, or `max_s` are over, or `allowance` rejections have come."""

    number: int
    kind: PhaseKind
    level: int
    ramp_s: float
    max_s: float
    allowance: int
    window_s: float
    until_good: bool


def asked_of(verdict: Verdict, goals: tuple[Goal, ...], max_level: int, harm_budget: int) -> Asked:
    """The question, from a verdict for which there is no `obstacle`."""
    binding = verdict.binding
    told = [level.p50_ms for level in verdict.levels if level.p50_ms is not None]
    return Asked(
        goals=goals,
        limit=(binding.level if binding else None) or 1,
        max_level=max_level,
        peak_rps=verdict.peak_rps,
        service_s=told[0] / 1000 if told else 1.0,
        harm_budget=harm_budget,
        first_number=1 + max((trial.number for trial in verdict.trials), default=0),
        started_s=verdict.cost.seconds,
        per_second=verdict.per_second,
    )


def obstacle(verdict: Verdict, max_level: int, cap: str = "--max-users") -> str | None:
    """Why nothing can be looked at beyond the limit; None when it can."""
    binding = verdict.binding
    if verdict.interrupted:
        return "the run was stopped before the limit was known"
    if verdict.kind is Kind.AT_LEAST:
        return f"nothing failed up to the highest load tried, so its limit is not known: raise {cap}"
    if verdict.kind is not Kind.FOUND or binding is None or not binding.level:
        return "no limit was found to go beyond"
    if max_level <= binding.level:
        return f"{cap} leaves no room above the limit"
    return None


def next_phase(asked: Asked, history: Sequence[Shown]) -> Phase | None:
    """What to hold next; None when everything has been seen, or nothing more may be spent."""
    if history and history[-1].ended_by in ("stopped", "lost"):
        return None
    if harm(history) >= asked.harm_budget or spent_s(asked, history) >= asked.budget_s:
        return None
    overloads = asked.above(OVERLOADS)
    done = _of(history, PhaseKind.OVERLOAD)
    if len(done) < len(overloads):
        return _phase(asked, history, PhaseKind.OVERLOAD, overloads[len(done)])
    recovery = _of(history, PhaseKind.RECOVERY)
    if not recovery:
        return _phase(asked, history, PhaseKind.RECOVERY, asked.below(RECOVERY))
    if recovery[-1].good_after_s is None:
        return _step_down(asked, history)
    return _burst(asked, history)


def _step_down(asked: Asked, history: Sequence[Shown]) -> Phase | None:
    """Less load than at the last step; None once it was good there, or there is no less."""
    last = history[-1]
    if last.phase is PhaseKind.STEP_DOWN and last.good_after_s is not None:
        return None
    level = next((level for ratio in STEPS_DOWN if (level := asked.below(ratio)) < last.level), None)
    return None if level is None else _phase(asked, history, PhaseKind.STEP_DOWN, level)


def _burst(asked: Asked, history: Sequence[Shown]) -> Phase | None:
    """A quiet load, and from there a burst; no further burst where the quiet load was not good."""
    levels = asked.above(BURSTS)
    done = len(_of(history, PhaseKind.BURST))
    if done >= len(levels):
        return None
    if history[-1].phase is not PhaseKind.QUIET:
        return _phase(asked, history, PhaseKind.QUIET, asked.below(QUIET))
    if history[-1].good_after_s is None:
        return None
    return _phase(asked, history, PhaseKind.BURST, levels[done])


def _phase(asked: Asked, history: Sequence[Shown], kind: PhaseKind, level: int) -> Phase:
    ramp_s = min(RAMP_S, RAMP_SERVICES * asked.service_s)
    left_s = max(asked.budget_s - spent_s(asked, history), asked.window_s)
    return Phase(
        number=asked.first_number + len(history),
        kind=kind,
        level=level,
        ramp_s=ramp_s,
        max_s=min(left_s if level == asked.below(STEPS_DOWN[-1]) else _longest_s(asked, kind), left_s),
        allowance=_allowance(asked, history, kind),
        window_s=asked.window_s,
        until_good=kind in (PhaseKind.RECOVERY, PhaseKind.STEP_DOWN, PhaseKind.QUIET),
    )


def _longest_s(asked: Asked, kind: PhaseKind) -> float:
    if kind is PhaseKind.OVERLOAD:
        least_s, most_s = OVERLOAD_S
        usual_s = min(max(least_s, OVERLOAD_SERVICES * asked.service_s), most_s)
        return min(max(usual_s, 3 * asked.service_s), OVERLOAD_LONGEST_S)
    longest_s = {PhaseKind.RECOVERY: RECOVERY_S, PhaseKind.STEP_DOWN: STEP_S, PhaseKind.QUIET: QUIET_S}
    return max(longest_s.get(kind, BURST_S), 6 * asked.window_s)


def _allowance(asked: Asked, history: Sequence[Shown], kind: PhaseKind) -> int:
    """Rejections that a phase may cause: its share of what is left. A recovery may use all of it, for without one
    nothing follows."""
    left = asked.harm_budget - harm(history)
    if kind in (PhaseKind.RECOVERY, PhaseKind.STEP_DOWN):
        return left
    counts = {PhaseKind.OVERLOAD: len(asked.above(OVERLOADS)), PhaseKind.BURST: len(asked.above(BURSTS))}
    counts[PhaseKind.RECOVERY] = 1
    to_come = sum(WEIGHTS[one] * max(counts[one] - len(_of(history, one)), 0) for one in WEIGHTS)
    return max(1, left * WEIGHTS.get(kind, 1) // max(to_come, 1))


def trial_of(asked: Asked, phase: Phase) -> Trial:
    """The phase as something to hold: every attempt counts, and nothing but the allowance ends it."""
    rule = Rule(asked.goals, 0.0, phase.max_s, 0, phase.window_s, phase.allowance, 0.0, run_out=True)
    return Trial(
        number=phase.number,
        level=phase.level,
        purpose=str(phase.kind),
        ramp_s=phase.ramp_s,
        transient_s=0.0,
        rule=rule,
        allowance=phase.allowance,
        backoff_s=asked.service_s,
    )


def harm(history: Sequence[Shown]) -> int:
    """Rejections caused so far."""
    return sum(phase.rejected_count for phase in history)


def spent_s(asked: Asked, history: Sequence[Shown]) -> float:
    """Seconds since the first phase began."""
    return history[-1].started_s + history[-1].seconds - asked.started_s if history else 0.0


def _of(history: Sequence[Shown], kind: PhaseKind) -> list[Shown]:
    return [phase for phase in history if phase.phase is kind]


def left_out(asked: Asked, history: Sequence[Shown], *, interrupted: bool) -> tuple[str, ...]:
    """What was not looked at, and why."""
    told = []
    missing = [
        words
        for kind, ratios, words in (
            (PhaseKind.OVERLOAD, OVERLOADS, "overload"),
            (PhaseKind.BURST, BURSTS, "bursts"),
        )
        if len(_of(history, kind)) < len(asked.above(ratios))
    ]
    if missing:
        told.append(f"{' and '.join(missing)} not looked at to the end: {_why(asked, history, interrupted)}")
    cut = [phase for phase in _of(history, PhaseKind.OVERLOAD) if phase.ended_by == "allowance"]
    if any(phase.goodput_ratio is None for phase in cut):
        told.append("an overload had spent its share of the budget before it had a rate; --beyond-budget raises it")
    capped = [ratio for ratio in BURSTS if ceil(ratio * asked.limit - 1e-9) > asked.max_level]
    if capped:
        told.append(f"{capped[-1]:g} times the limit is beyond the highest load allowed")
    return tuple(told)


def _why(asked: Asked, history: Sequence[Shown], interrupted: bool) -> str:
    if interrupted or not history:
        return "the run was stopped"
    if history[-1].ended_by == "lost":
        return "the credential could not be renewed"
    if harm(history) >= asked.harm_budget:
        return f"the budget of {asked.harm_budget} rejections is spent; --beyond-budget raises it"
    if spent_s(asked, history) >= asked.budget_s:
        return f"its {asked.budget_s:.0f} s are spent"
    ratio = QUIET if history[-1].phase is PhaseKind.QUIET else RECOVERY
    return f"the endpoint was not good again at {ratio:g} times the limit"


def concluded(asked: Asked, history: Sequence[Shown], *, interrupted: bool = False) -> Beyond:
    """What the phases come to."""
    return Beyond(
        harm_budget=asked.harm_budget,
        per_second=asked.per_second,
        phases=tuple(history),
        behaviour=behaviour(asked.service_s, history),
        evidence=evidence(history),
        hidden_level=hidden_level(history),
        left_out=left_out(asked, history, interrupted=interrupted),
        interrupted=interrupted,
    )
