"""Which level to look at closely, and when the limit is known well enough."""

from __future__ import annotations

from collections.abc import Sequence

from capacity.evidence import CONFIRM, REFINE, at_level, pooled_by_level
from capacity.summary import Seen
from capacity.threshold import SIDE, Belief, belief, log_factor
from capacity.trial import Asked, harm, spent_s

NARROW, WIDE, KNOWN = 0.08, 0.15, 0.9
"""Widths of the 95 % interval, as shares of the limit, and the probability that makes one level known."""
MAX_LOOKS, LOOKS_SENT = 40, 5000
LOOKS_S, OPEN_LOOKS_S = (50.0, 150.0), (200.0, 300.0)
"""How long to look closely in all: usually, and where the answer is still wide."""
HARM_SHARE = 0.4
"""Of the harm budget; what is left is for the hold and the look above."""


def binding_belief(asked: Asked, history: Sequence[Seen]) -> Belief | None:
    """Of the goals that some level speaks against, what is known of the one with the smallest limit."""
    pooled = pooled_by_level(history, asked.goals)
    told = []
    for i, goal in enumerate(asked.goals):
        levels = {level: items[i] for level, items in pooled.items()}
        if any(log_factor(item, goal.allowed_ratio) < 0 for item in levels.values()):
            told.append(belief(levels, goal.allowed_ratio, asked.worth))
    return min(told, key=lambda one: one.quantile(0.5), default=None)


def next_look(asked: Asked, history: Sequence[Seen], told: Belief) -> int | None:
    """The level to look at closely; None once the limit is known to NARROW, or no more is to be spent on it.

    Of the levels around the middle of what is believed, the one that has been looked at least.
    """
    low, middle, high = (told.quantile(q) for q in (SIDE, 0.5, 1 - SIDE))
    if is_known(told) or (high - low) / middle <= NARROW:
        return None
    looks = [trial for trial in history if trial.purpose in (REFINE, CONFIRM)]
    since_s = spent_s(history) - (looks[0].started_s if looks else spent_s(history))
    sent = sum(trial.attempt_count for trial in looks)
    wide = (high - low) / middle > WIDE
    is_enough = sent > LOOKS_SENT and not wide and not asked.per_second
    is_enough = is_enough or harm(history) > HARM_SHARE * asked.harm_budget
    if len(looks) >= MAX_LOOKS or since_s > _looks_s(asked, wide) or is_enough:
        return None
    options = {min(max(told.level(q), asked.lowest), asked.max_level) for q in (0.25, 0.75)}
    options = {*options, min(max(options) + asked.lowest, asked.max_level)} if len(options) == 1 else options
    return min(sorted(options), key=lambda n: len(at_level(looks, n)))


def _looks_s(asked: Asked, wide: bool) -> float:
    """How long to look closely, in all; longer where the answer is still wide."""
    usual_s, long_s = OPEN_LOOKS_S if asked.per_second else LOOKS_S
    return min(long_s if wide else usual_s, 0.7 * asked.budget_s)


def is_known(told: Belief) -> bool:
    """One whole level has KNOWN of the probability."""
    level = told.level(0.5)
    inside = (told.thresholds >= level) & (told.thresholds < level + 1)
    return float(told.mass[inside].sum()) >= KNOWN
