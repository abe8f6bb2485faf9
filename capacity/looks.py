"""Which level to look at closely, and when the limit is known well enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from capacity.carried import Carried
from capacity.evidence import (
    CONFIRM,
    REFINE,
    at_level,
    changes,
    current_trials,
    evidence_trials,
    pooled_by_level,
)
from capacity.goals import Goal, GoalKind, latency_goals
from capacity.summary import Seen
from capacity.threshold import SIDE, Belief, belief, log_factor
from capacity.trial import Asked, harm, spent_s

NARROW, WIDE, KNOWN = 0.08, 0.15, 0.9
"""Widths of the 95 % interval, as shares of the limit, and the probability that makes one level known."""
COSTLY = 0.04
"""Of the limit: so much is not given away to caution while there is time to look."""
LEAST_LOOKS, MAX_LOOKS, LOOKS_SENT = 4, 40, 5000
"""Fewer close looks, at the endpoint as it is, cannot show how long it remembers."""
LOOKS_S, OPEN_LOOKS_S = (50.0, 350.0), (200.0, 300.0)
"""How long to look closely in all: usually, and where the answer is still wide."""
LOOKS_UNTIL = 0.8
"""Of the time budget."""
STALL_S = 1.0
"""Close looks last for this over what a latency goal allows, in all: stalls that are rare and yet matter to it come up
several times."""
UNCHANGED_S = 40.0
"""What has changed while it was looked at, is looked at for so long again."""
LOW, HIGH, FAR = 0.25, 0.75, 0.95
"""Quantiles of what is believed at which to look. Where a goal allows few rejections, more of them are seen FAR out."""
FEW_ALLOWED = 0.005
HARM_SHARE = 0.5
"""Of the harm budget; what is left is for the hold and the look above."""
CARRIED_ERROR, SURELY, INSIDE_ERROR = 0.015, 3.0, 0.01
"""Relative standard error up to which what is carried counts, how many of them are added, and that of Little's law."""


def binding_belief(asked: Asked, history: Sequence[Seen]) -> Belief | None:
    """Of the goals that some level speaks against, what is known of the one with the smallest limit."""
    told = [one for i in range(len(asked.goals)) if (one := goal_belief(asked, history, i)) is not None]
    return min(told, key=lambda one: one.quantile(0.5), default=None)


def goal_belief(asked: Asked, history: Sequence[Seen], i: int) -> Belief | None:
    """What is known of the limit of one goal; None without a level that speaks against it."""
    told = _belief(asked, history, i)
    return None if told is None else replace(told, careful=asked.careful(asked.goals[i]))


def _belief(asked: Asked, history: Sequence[Seen], i: int) -> Belief | None:
    goal = asked.goals[i]
    levels = {level: items[i] for level, items in pooled_by_level(history, asked.goals).items()}
    if not any(log_factor(item, goal.allowed_ratio) < 0 for item in levels.values()):
        return None
    if goal.kind is GoalKind.LATENCY:
        return belief(levels, goal.allowed_ratio, asked.worth, is_gradual=True)
    most = carried_at_most(asked, history, goal)
    if most is None:
        return belief(levels, goal.allowed_ratio)
    kept = {n: item for n, item in levels.items() if n <= most or log_factor(item, goal.allowed_ratio) < 0}
    return belief(kept, goal.allowed_ratio).capped(most)


def carried_at_most(asked: Asked, history: Sequence[Seen], goal: Goal) -> float | None:
    """The level beyond which a limit by rejections cannot lie, since an endpoint that accepts so much while it refuses
    more accepts no more under a lower load; None where nothing was refused for long enough to say.

    A quota with saved-up tokens takes more for a while; by this it shows what it is.
    """
    if goal.kind not in (GoalKind.REJECTED, GoalKind.ERRORS):
        return None
    trials = current_trials(history, asked.goals)
    inside_ratio = _inside_ratio(trials)
    bounds = []
    for trial in trials:
        if trial.carried is not None and trial.carried.error_ratio <= CARRIED_ERROR:
            most = _in_levels(asked, trial.carried, inside_ratio) * (1.0 + SURELY * trial.carried.error_ratio)
            bounds.append((trial.level, most / (1.0 - goal.allowed_ratio)))
    return min((most for level, most in bounds if most < (1.0 - INSIDE_ERROR) * level), default=None)


def _in_levels(asked: Asked, one: Carried, inside_ratio: float) -> float:
    """As a rate, or as users: by Little's law so many of the accepted are inside at once."""
    if asked.per_second:
        return asked.per_second * one.rps
    return (1.0 + INSIDE_ERROR) * one.rps * one.latency_s / inside_ratio


def _inside_ratio(trials: Sequence[Seen]) -> float:
    """The share of its time for which a user has a request inside, at the highest level without rejections."""
    clean = [trial for trial in trials if not trial.rejected_count and trial.in_flight_mean and trial.measured_s > 0.5]
    top = max(clean, key=lambda trial: trial.level, default=None)
    return min((top.in_flight_mean or 0.0) / top.level, 1.0) if top else 1.0


def next_look(asked: Asked, history: Sequence[Seen], told: Belief) -> int | None:
    """The level to look at closely; None once the limit is known to NARROW, or no more is to be spent on it.

    Of the levels around the middle of what is believed, the one that has been looked at least.
    """
    since = max(changes(history), default=0)
    looks = [trial for trial in history if trial.purpose in (REFINE, CONFIRM) and trial.number > since]
    if _is_enough(asked, history, looks, told):
        return None
    is_far = _few_rejections_allowed(asked, history) and not asked.per_second
    quantiles = (LOW, HIGH, FAR) if is_far else (LOW, HIGH)
    options = {min(max(told.level(q), asked.lowest), asked.max_level) for q in quantiles}
    options = {*options, min(max(options) + asked.lowest, asked.max_level)} if len(options) == 1 else options
    is_downward = _few_rejections_allowed(asked, history) and not is_far
    return min(sorted(options, reverse=is_downward), key=lambda n: len(at_level(looks, n)))


def _few_rejections_allowed(asked: Asked, history: Sequence[Seen]) -> bool:
    return harm(history) > 0 and min(goal.allowed_ratio for goal in asked.goals) <= FEW_ALLOWED


def _is_enough(asked: Asked, history: Sequence[Seen], looks: Sequence[Seen], told: Belief) -> bool:
    low, middle, high = (told.quantile(q) for q in (SIDE, 0.5, 1 - SIDE))
    width_ratio = (high - low) / middle
    is_wide = width_ratio > WIDE or (_costs_users(told) and not asked.per_second)
    is_cliff = is_known(told) and harm(history) > 0
    few = sum(trial.purpose == REFINE for trial in looks) < LEAST_LOOKS or not _is_unchanged(asked, history)
    few = few or sum(trial.measured_s for trial in looks) < _least_looks_s(asked)
    if (is_cliff or not few) and (is_known(told) or (width_ratio <= NARROW and not is_wide)):
        return True
    since_s = spent_s(history) - (looks[0].started_s if looks else spent_s(history))
    sent = sum(trial.attempt_count for trial in looks)
    if sent > LOOKS_SENT and not is_wide and not (few and not is_cliff) and not asked.per_second:
        return True
    usual_s, long_s = OPEN_LOOKS_S if asked.per_second else LOOKS_S
    usual_s = max(usual_s, _least_looks_s(asked))
    return (
        len(looks) >= MAX_LOOKS
        or since_s > min(long_s if is_wide else usual_s, 0.7 * asked.budget_s)
        or spent_s(history) > LOOKS_UNTIL * asked.budget_s
        or harm(history) > HARM_SHARE * asked.harm_budget
    )


def _is_unchanged(asked: Asked, history: Sequence[Seen]) -> bool:
    """Nothing was overruled of late: an endpoint that has grown once may grow again under the same load."""
    kept = {trial.number for trial in current_trials(history, asked.goals)}
    overruled = [trial.number for trial in evidence_trials(history) if trial.number not in kept]
    since = [
        trial.seconds
        for trial in history
        if trial.purpose in (REFINE, CONFIRM) and trial.number > max(overruled, default=0)
    ]
    return not overruled or sum(since) >= UNCHANGED_S


def _costs_users(told: Belief) -> bool:
    """Caution names a limit well below the middle of what is believed: at few users, one is a lot."""
    middle = told.level(0.5)
    return middle - told.told() > COSTLY * middle


def _least_looks_s(asked: Asked) -> float:
    """How long the close looks last at least, in all: 20 s for p95, 100 s for p99."""
    return max((STALL_S / goal.allowed_ratio for goal in latency_goals(asked.goals)), default=0.0)


def is_known(told: Belief) -> bool:
    """One whole level has KNOWN of the probability."""
    level = told.level(0.5)
    inside = (told.thresholds >= level) & (told.thresholds < level + 1)
    return float(told.mass[inside].sum()) >= KNOWN
