"""What the trials so far say about each level: does it pass or fail, and is that agreed?

A level's state follows its latest two trials where they agree, so that an endpoint that has changed (a cold start that
ended, a leak) is judged as it is. One trial alone is a provisional state; two that disagree call for a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from capacity.goals import Goal, GoalKind
from capacity.stats import sprt
from capacity.summary import Evidence, Seen
from capacity.watch import EVIDENCE

MAX_TRIALS_TO_AGREE = 5
MAX_HOLDS = 2
"""After this many confirming holds, or trials that contradict each other, all the evidence of a level decides it."""
LONG_S = 8.0
BURSTS = 10.0
"""Overdispersion from which bad answers count as coming in bursts."""
STEADY_BAND = 1.25
WARM_UP, PAUSE = "warm-up", "pause"


class State(StrEnum):
    PASS = "pass"  # noqa: S105 - a word, not a password
    FAIL = "fail"
    CONFLICT = "conflict"


def steady_trials(history: Sequence[Seen]) -> list[Seen]:
    """The trials without the pauses, and of the warm-up only the last, steady part."""
    warm = [trial for trial in history if trial.purpose == WARM_UP]
    return [trial for trial in history if trial.purpose not in (PAUSE, WARM_UP) or trial in warm[-1:]]


def fair_trials(history: Sequence[Seen]) -> list[Seen]:
    """The steady trials that measured the endpoint, and not the client."""
    return [trial for trial in steady_trials(history) if not trial.invalid]


def evidence_trials(history: Sequence[Seen]) -> list[Seen]:
    """The fair trials that speak for or against their level: those with answers, and not cut short by a stop.

    Once the endpoint is known to stall now and then, a short trial without a bad answer says nothing about it.
    """
    from_level = stalls_from(history)
    return [
        trial
        for trial in fair_trials(history)
        if trial.ended_by != "stopped"
        and any(item.total for item in trial.evidence)
        and not (
            from_level is not None
            and trial.level >= from_level
            and trial.measured_s < LONG_S
            and not any(item.bad for item in trial.evidence)
        )
    ]


def stalls_from(history: Sequence[Seen]) -> int | None:
    """Half the lowest level at which a confirming hold went bad in bursts: answers that fail together, with good
    stretches between. A stall hits as many answers as are in flight, so it matters less the fewer there are.
    """
    levels = (
        trial.level
        for trial in history
        if trial.purpose == "confirm"
        and trial.ended_by != "pass"
        and trial.evidence
        and 2 * trial.rejected_count < max(item.bad for item in trial.evidence)
        and max(item.dispersion for item in trial.evidence) >= BURSTS
    )
    lowest = min(levels, default=None)
    return None if lowest is None else lowest // 2


def outcome(trial: Seen, goals: Sequence[Goal]) -> State:
    """How one trial ended; where time ran out, whether the bad fraction seen is beyond some goal."""
    if trial.ended_by in ("pass", "fail"):
        return State(trial.ended_by)
    return _by_ratio(trial.evidence, goals, ended_on_bad=trial.ended_by == "allowance")


def _by_ratio(items: Sequence[Evidence], goals: Sequence[Goal], *, ended_on_bad: bool = False) -> State:
    """A trial that ends on its k-th bad answer overstates the fraction; (k - 1) / (n - 1) does not (Haldane 1945)."""
    last = int(ended_on_bad)
    beyond = any(
        item.bad - last > goal.allowed_ratio * (item.total - last) for item, goal in zip(items, goals, strict=True)
    )
    return State.FAIL if beyond else State.PASS


def leaning(item: Evidence, goal: Goal) -> float:
    """Log likelihood ratio against the goal; above 0 the bad fraction seen is beyond it."""
    return sprt(item.bad, item.total, goal.allowed_ratio, item.dispersion)


def is_decisive(trial: Seen, goals: Sequence[Goal]) -> bool:
    """The sequential test of some goal ended beyond its error bounds, not by running out of time."""
    leans = [leaning(item, goal) for item, goal in zip(trial.evidence, goals, strict=True)]
    return max(leans) >= EVIDENCE or max(leans) <= -EVIDENCE


def states(history: Sequence[Seen], goals: Sequence[Goal]) -> dict[int, State]:
    """The state of every level that has evidence, ascending."""
    trials = evidence_trials(history)
    return {level: _state(at_level(trials, level), goals) for level in sorted({trial.level for trial in trials})}


def _state(trials: list[Seen], goals: Sequence[Goal]) -> State:
    outcomes = [outcome(trial, goals) for trial in trials]
    was_held_twice = sum(trial.purpose == "confirm" for trial in trials) >= MAX_HOLDS
    if not was_held_twice and (len(outcomes) == 1 or outcomes[-1] == outcomes[-2]):
        return outcomes[-1]
    if not was_held_twice and len(outcomes) < MAX_TRIALS_TO_AGREE:
        return State.CONFLICT
    return _by_ratio([pool([trial.evidence[i] for trial in trials]) for i in range(len(goals))], goals)


def at_level(trials: Sequence[Seen], level: int) -> list[Seen]:
    """The trials at one level, in order."""
    return [trial for trial in trials if trial.level == level]


def agreed_count(history: Sequence[Seen], goals: Sequence[Goal], level: int) -> int:
    """How many of the latest trials at a level ended alike."""
    outcomes = [outcome(trial, goals) for trial in at_level(evidence_trials(history), level)]
    count = 0
    for item in reversed(outcomes):
        if item != outcomes[-1]:
            break
        count += 1
    return count


def is_unsteady(history: Sequence[Seen], goals: Sequence[Goal]) -> bool:
    """At two levels well apart, decided trials went from pass to fail and back, or the other way round.

    One turn alone is an endpoint that warmed up or wore out; around one level it is chance near the limit.
    """
    trials = evidence_trials(history)
    turned = []
    for level in sorted({trial.level for trial in trials}):
        decided = [outcome(trial, goals) for trial in at_level(trials, level) if is_decisive(trial, goals)]
        if sum(before != after for before, after in pairwise(decided)) >= 2:
            turned.append(level)
    return bool(turned) and turned[-1] > STEADY_BAND * turned[0]


def is_rejection(trials: Sequence[Seen], goals: Sequence[Goal]) -> bool:
    """The trials failed because of rejections: most answers that were not good are 429 or 503."""
    rejected = sum(trial.rejected_count for trial in trials)
    failing = failing_goals(trials, goals)
    slow = all(goal.kind is GoalKind.LATENCY for goal in failing)
    bad = sum(max((item.bad for item in trial.evidence), default=0) for trial in trials)
    return rejected > 0 and (not slow or 2 * rejected >= bad)


def pool(items: Sequence[Evidence]) -> Evidence:
    """Evidence of several trials as one: counts add up, the dispersion is the mean weighted by answers."""
    total = sum(item.total for item in items)
    dispersion = sum(item.dispersion * item.total for item in items) / total if total else 1.0
    return Evidence(sum(item.bad for item in items), total, dispersion)


def pooled_by_level(history: Sequence[Seen], goals: Sequence[Goal]) -> dict[int, tuple[Evidence, ...]]:
    """Per level and goal all evidence in one, without decided trials that later ones overruled."""
    trials = evidence_trials(history)
    pooled = {}
    for level in sorted({trial.level for trial in trials}):
        kept = _not_overruled(at_level(trials, level), goals)
        pooled[level] = tuple(pool([trial.evidence[i] for trial in kept]) for i in range(len(goals)))
    return pooled


def _not_overruled(trials: list[Seen], goals: Sequence[Goal]) -> list[Seen]:
    outcomes = [outcome(trial, goals) for trial in trials]
    if len(outcomes) < 3 or outcomes[-1] != outcomes[-2]:
        return trials
    return [
        trial
        for trial, item in zip(trials, outcomes, strict=True)
        if item == outcomes[-1] or not is_decisive(trial, goals)
    ]


def failing_goals(trials: Sequence[Seen], goals: Sequence[Goal]) -> tuple[Goal, ...]:
    """The goals beyond their ratio, in their order; where none is, the one nearest to it."""
    pooled = [pool([trial.evidence[i] for trial in trials]) for i in range(len(goals))]
    shares = [share_of_goal(item, goal) for item, goal in zip(pooled, goals, strict=True)]
    return tuple(goal for goal, share in zip(goals, shares, strict=True) if share > 1 or share == max(shares))


def share_of_goal(item: Evidence, goal: Goal) -> float:
    """The bad fraction seen, in units of what the goal allows; above 1 it is beyond the goal."""
    return item.bad / (goal.allowed_ratio * max(item.total, 1))


def tolerates_rejections(goals: Sequence[Goal]) -> bool:
    """No goal calls a rejection bad, so only the harm budget stands in the way of more of them."""
    return all(goal.kind is GoalKind.TIMEOUTS for goal in goals)


def rejection_ratio(goals: Sequence[Goal]) -> float:
    """The largest fraction of rejections that the goals tolerate between them."""
    ratios = [goal.allowed_ratio for goal in goals if goal.kind in (GoalKind.REJECTED, GoalKind.ERRORS)]
    return min(ratios) if ratios else max(goal.allowed_ratio for goal in goals)
