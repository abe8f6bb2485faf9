"""From the trials to the verdict: limits with their intervals, levels, and a sentence that says what was found."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from capacity.evidence import (
    PAUSE,
    RECOVER,
    WARM_UP,
    at_level,
    changes,
    evidence_trials,
    failing_goals,
    fair_trials,
    has_ceased,
    is_decisive,
    outcome,
    pool,
    pooled_by_level,
    share_of_goal,
    steady_trials,
    tolerates_rejections,
)
from capacity.goals import NOT_LOAD_LABELS, REJECTED_LABELS, Goal
from capacity.looks import goal_belief
from capacity.stats import clopper_pearson_upper, log_evidence, spent_confidence
from capacity.summary import Evidence, Seen, levels_of
from capacity.threshold import SIDE, Belief, interval, most_likely_level
from capacity.unit import Unit
from capacity.validity import Health, reasons
from capacity.verdict import Client, Cost, Kind, Level, Limit, Trial, Verdict
from scoring.attempt import Failure

if TYPE_CHECKING:
    from capacity.trial import Asked

STOPPED = "the run was stopped before the limit was found"
BESIDE = 0.02
"""Rates this close to the limit, as a share of it, speak for its bound."""
KNEE_SHARE = 0.95
"""Throughput has stopped growing where it reaches this share of its peak."""
OUTRUN_SHARE = 0.9
"""A rate of which less than this share is answered well has outrun the endpoint."""


def conclude(asked: Asked, history: Sequence[Seen], kind: Kind, *, interrupted: bool = False) -> Verdict:
    """The verdict over everything seen. `kind` is taken as given; limits say what the evidence carries."""
    trials = [trial for trial in history if trial.purpose != PAUSE]
    levels = levels_of(steady_trials(history))
    limits = _limits(asked, history, kind)
    binding = _binding(asked, history, limits)
    if kind is Kind.FOUND and binding is not None and (binding.level or 0) < asked.lowest:
        return conclude(asked, history, Kind.MISSED_AT_ZERO_LOAD, interrupted=interrupted)
    return Verdict(
        kind=kind,
        reason=STOPPED if interrupted else _reason(asked, history, kind, binding),
        limits=limits,
        binding_goal=binding.goal if binding else None,
        first_rejected_users=min((t.level for t in steady_trials(history) if t.has_rejections), default=None),
        knee_users=knee_of_rates(levels, Unit(asked.per_second)) if asked.per_second else knee(levels),
        peak_rps=max((level.timed_rps or 0.0 for level in levels), default=0.0),
        levels=levels,
        rejected_count=sum(trial.rejected_count for trial in trials),
        renewed_count=sum(trial.renewed_count for trial in trials),
        lost=next((trial.lost for trial in trials if trial.lost is not None), None),
        client=_client(history, kind, asked.goals),
        cost=Cost(
            seconds=history[-1].started_s + history[-1].seconds if history else 0.0,
            attempt_count=sum(trial.sent_count for trial in trials),
        ),
        trials=tuple(_row(trial, asked.goals) for trial in history),
        warm_up_s=_warm_up_s(history),
        little_residual_ratio=None if asked.per_second else _little_residual(levels),
        first_seen=_first_seen(trials),
        interrupted=interrupted,
        per_second=asked.per_second,
    )


def _limits(asked: Asked, history: Sequence[Seen], kind: Kind) -> tuple[Limit, ...]:
    pooled = pooled_by_level(history, asked.goals)
    low = min(pooled, default=asked.lowest)
    missed = kind is Kind.MISSED_AT_ZERO_LOAD
    blamed = failing_goals(at_level(evidence_trials(history), low), asked.goals) if missed else ()
    return tuple(
        _missed(goal, pooled[low][i])
        if goal in blamed and pooled
        else _limit(
            goal, {level: items[i] for level, items in pooled.items()}, kind, asked, goal_belief(asked, history, i)
        )
        for i, goal in enumerate(asked.goals)
    )


def _missed(goal: Goal, here: Evidence) -> Limit:
    return Limit(goal.text, 0, 0, 0, False, _bound(here), here.bad, here.total)


def _limit(goal: Goal, levels: dict[int, Evidence], kind: Kind, asked: Asked, told: Belief | None) -> Limit:
    """The middle of what is believed, where some level speaks against the goal; else the most likely tried level."""
    if not levels:
        return Limit(goal.text, None, 0, None, False, None, 0, 0)
    low: int
    high: int | None
    if told is not None:
        level, low, high = min(told.told(), asked.max_level), told.level(SIDE), told.level(1.0 - SIDE)
        low, high = int(low * asked.low_margin), int(high * asked.high_margin)
    else:
        level = most_likely_level(levels, goal.allowed_ratio)
        low, high = interval(levels, goal.allowed_ratio)
    beside = BESIDE * level if asked.per_second else 0
    here = pool([item for tried, item in levels.items() if abs(tried - level) <= beside])
    bound = _bound(here) if here.total else None
    return Limit(
        goal=goal.text,
        level=level,
        low=min(low, level),
        high=None if high is None or kind is Kind.AT_LEAST else max(high, level),
        confirmed=bound is not None and bound <= goal.allowed_ratio,
        bound_ratio=bound,
        bad_count=here.bad,
        attempt_count=here.total,
    )


def _bound(here: Evidence) -> float:
    """The 95 % upper bound of the bad fraction, over all the looks at which a hold may have ended."""
    confidence = spent_confidence(here.bad)
    return clopper_pearson_upper(here.bad / here.dispersion, here.total / here.dispersion, confidence)


def _binding(asked: Asked, history: Sequence[Seen], limits: tuple[Limit, ...]) -> Limit | None:
    """The smallest limit; of equal ones the one whose evidence just above speaks loudest against it."""
    known = [limit for limit in limits if limit.level is not None]
    if not known:
        return None
    smallest = min(limit.level or 0 for limit in known)
    tied = [limit for limit in known if limit.level == smallest]
    pooled = pooled_by_level(history, asked.goals)
    above = min((level for level in pooled if level > smallest), default=None)
    if above is None or len(tied) == 1:
        return tied[0]
    goals = {goal.text: i for i, goal in enumerate(asked.goals)}
    return min(tied, key=lambda limit: _speaks_for(pooled[above][goals[limit.goal]], asked.goals[goals[limit.goal]]))


def _speaks_for(item: Evidence, goal: Goal) -> float:
    return log_evidence(item.bad / item.dispersion, item.total / item.dispersion, goal.allowed_ratio)


def knee(levels: Sequence[Level]) -> int | None:
    """The smallest number of users that completes 95 % of the peak rate; None without at least two levels."""
    rates = {level.users: level.timed_rps for level in levels if level.timed_rps is not None}
    peak = max(rates.values(), default=0.0)
    if len(rates) < 2 or not peak:
        return None
    return next(users for users, rate in rates.items() if rate >= KNEE_SHARE * peak)


def knee_of_rates(levels: Sequence[Level], unit: Unit) -> int | None:
    """The highest rate that good answers still follow; None where none has clearly outrun them above it."""
    timed = [row for row in levels if row.timed_rps is not None]
    followed = [row.users for row in timed if row.completed_rps >= OUTRUN_SHARE * unit.amount(row.users)]
    knee_level = max(followed, default=0)
    outrun = any(_most_rps(row) < OUTRUN_SHARE * unit.amount(row.users) for row in timed if row.users > knee_level)
    return knee_level if followed and outrun else None


def _most_rps(row: Level) -> float:
    """Two standard deviations of a Poisson count above the rate seen."""
    return row.completed_rps + 2 * sqrt(row.completed_rps / row.seconds)


def _first_seen(trials: Sequence[Seen]) -> dict[str, int]:
    labels = sorted({label for trial in trials for label in trial.labels_all})
    lost = {str(Failure.AUTH_FAILED): trial.level for trial in trials if trial.lost is not None}
    return {label: min(trial.level for trial in trials if label in trial.labels_all) for label in labels} | lost


def _little_residual(levels: Sequence[Level]) -> float | None:
    """The worst |N − X·R|/N over levels without rejections: their users wait outside the endpoint after one."""
    residuals = [
        abs(level.users - level.in_flight_mean) / level.users
        for level in levels
        if level.in_flight_mean is not None
        and level.timed_rps is not None
        and not REJECTED_LABELS & level.status_count.keys()
    ]
    return max(residuals, default=None)


def _warm_up_s(history: Sequence[Seen]) -> float | None:
    parts = [trial for trial in history if trial.purpose == WARM_UP]
    return parts[-1].started_s + parts[-1].seconds if parts else None


def _health_that_mattered(trial: Seen, goals: Sequence[Goal]) -> Health | None:
    """The generator's health, unless the trial counts although it was poor: a rejection is one whoever is slow."""
    return None if reasons(trial.client, goals, trial.labels_all, trial.median_s) else trial.client


def _client(history: Sequence[Seen], kind: Kind, goals: Sequence[Goal]) -> Client:
    fair = fair_trials(history)
    told = [health for trial in fair if (health := _health_that_mattered(trial, goals)) is not None]
    why_not: dict[str, None] = {}
    if kind is Kind.CLIENT_LIMITED:
        why_not = dict.fromkeys(reason for trial in history[-3:] for reason in trial.invalid)
    lags = [health.lag_p99_s for health in told if health.lag_p99_s is not None]
    return Client(
        valid=kind is not Kind.CLIENT_LIMITED and bool(fair),
        reasons=tuple(why_not) if fair or why_not else ("no trial was completed",),
        lag_p99_ms=1000 * max(lags) if lags else None,
        timely_ratio=min((h.timely_ratio for h in told if h.timely_ratio is not None), default=None),
        cpu_ratio=max((h.cpu_ratio for h in told if h.cpu_ratio is not None), default=None),
        run_queue_ratio=max((h.run_queue_ratio for h in told if h.run_queue_ratio is not None), default=None),
        late_p99_ms=max((1000 * h.late_p99_s for h in told if h.late_p99_s is not None), default=None),
        canary_count=sum(trial.client.canary_count for trial in history if trial.client is not None),
        ceiling_rps=min((h.ceiling_rps for h in told if h.ceiling_rps is not None), default=None),
        ceiling_ratio=max((h.ceiling_ratio for h in told if h.ceiling_ratio is not None), default=None),
    )


def _row(trial: Seen, goals: Sequence[Goal]) -> Trial:
    return Trial(
        number=trial.number,
        users=trial.level,
        purpose=trial.purpose,
        started_s=round(trial.started_s, 3),
        seconds=round(trial.seconds, 3),
        attempt_count=trial.sent_count,
        rejected_count=trial.rejected_count,
        outcome=outcome_word(trial, goals),
        why=why(trial, goals),
    )


def outcome_word(trial: Seen, goals: Sequence[Goal]) -> str:
    """What a person reads about how a trial ended."""
    if trial.purpose in (WARM_UP, PAUSE, RECOVER):
        return trial.purpose
    if trial.invalid:
        return "invalid"
    if trial.ended_by in ("pass", "fail"):
        return trial.ended_by
    if not any(item.total for item in trial.evidence):
        return "undecided"
    return str(outcome(trial, goals)) if is_decisive(trial, goals) else "undecided"


def why(trial: Seen, goals: Sequence[Goal]) -> str:
    """The goal that decided the trial, with its counts."""
    if trial.invalid:
        return "; ".join(trial.invalid)
    if not trial.evidence or not any(item.total for item in trial.evidence):
        return "no answers to judge"
    goal, item = max(zip(goals, trial.evidence, strict=True), key=lambda pair: share_of_goal(pair[1], pair[0]))
    return f"{goal.text}: {item.bad} of {item.total} bad"


def _reason(asked: Asked, history: Sequence[Seen], kind: Kind, binding: Limit | None) -> str:
    level = binding.level if binding else None
    goal = binding.goal if binding else "the goals"
    if kind is Kind.FOUND:
        return f"{goal} holds up to {_load(asked, level or 0)} and is missed above"
    if kind is Kind.AT_LEAST:
        tried = max(trial.level for trial in history)
        held, most = _load(asked, level or 0), Unit(asked.per_second).number(tried)
        return f"every goal held at {held}, and nothing clearly failed up to {most}"
    if kind is Kind.MISSED_AT_ZERO_LOAD:
        return f"{goal} is missed at {'the lowest rate' if asked.per_second else 'one user'}: not a matter of load"
    if kind is Kind.CLIENT_LIMITED:
        return f"the load generator was the wall at {_load(asked, history[-1].level)}: {'; '.join(history[-1].invalid)}"
    if kind is Kind.NOT_A_LOAD_PROBLEM:
        return _not_load_reason(asked, history[-1])
    if kind is Kind.NOT_STEADY and has_ceased(history):
        return "no answer is good any more, though some were before: the endpoint changed while it was measured"
    if kind is Kind.NOT_STEADY and changes(history):
        return "a light load took longer and longer to answer: the endpoint changed while it was measured"
    if kind is Kind.NOT_STEADY:
        return "the same load passed and failed by turns: the endpoint changed while it was measured"
    if history and history[-1].ended_by == "stopped":
        return STOPPED
    rejected = sum(trial.rejected_count for trial in history)
    if history and history[-1].ended_by == "allowance" and tolerates_rejections(asked.goals):
        return f"{_load(asked, history[-1].level)} cause more rejections than one trial may, and no goal speaks of them"
    if rejected >= asked.harm_budget:
        return f"the harm budget of {asked.harm_budget} rejected requests is spent before the limit was found"
    return f"the time budget of {asked.budget_s:.0f} s is spent before the limit was found"


def _load(asked: Asked, level: int) -> str:
    return Unit(asked.per_second).words(level)


def _not_load_reason(asked: Asked, trial: Seen) -> str:
    if trial.lost is not None:
        since_s = trial.started_s + trial.seconds - trial.waited_s
        return f"nothing could be sent after {since_s:.0f} s, the credential could not be renewed: {trial.lost}"
    told = {label: count for label, count in trial.labels_all.items() if label in NOT_LOAD_LABELS}
    label = max(told, key=lambda key: told[key])
    total = sum(trial.labels_all.values())
    return f"{told[label]} of {total} answers at {_load(asked, trial.level)} were {label}, which no load explains"
