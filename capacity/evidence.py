"""What the trials so far say about each level: does it pass or fail, and is that agreed?

A level's state follows its latest two trials where they agree, and one trial alone is a provisional state: that is
enough to find where to look. What the limit is, all evidence near it decides together (capacity.threshold). An endpoint
that has changed (a cold start that ended, replicas added) is judged as it is: later trials overrule earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from math import sqrt

from capacity.goals import Goal, GoalKind
from capacity.stats import rank_shift, sliced_dispersion, sprt
from capacity.summary import Evidence, Seen
from capacity.watch import EVIDENCE

STEADY_BAND = 1.25
PLAIN, OVERRULED_Z = 1.5, 4.0
BETTER = 4.0
"""Fewer bad answers by this factor, under as many users or more: an endpoint that has grown."""
MOVED, MOVED_FLOOR_S, MOVED_Z = 0.15, 0.002, 3.0
NEIGHBOURS = 1.3
PRIOR_SLICES, FEW, PRIOR_TRIALS = 2.0, 2.4, 3.0
OPEN_HINTS, HINT_RATIO = ("rise", "halve"), 0.8
WARM_UP, PAUSE, REFINE, CONFIRM, GUARD, RECOVER = "warm-up", "pause", "refine", "confirm", "guard", "recover"
ABOVE = "above"


class State(StrEnum):
    PASS = "pass"  # noqa: S105 - a word, not a password
    FAIL = "fail"
    CONFLICT = "conflict"


def steady_trials(history: Sequence[Seen]) -> list[Seen]:
    """The trials without the pauses and looks at how it recovers, and of the warm-up only the last, steady part."""
    warm = [trial for trial in history if trial.purpose == WARM_UP]
    return [trial for trial in history if trial.purpose not in (PAUSE, WARM_UP, RECOVER) or trial in warm[-1:]]


def fair_trials(history: Sequence[Seen]) -> list[Seen]:
    """The steady trials that measured the endpoint, and not the client."""
    return [trial for trial in steady_trials(history) if not trial.invalid]


def evidence_trials(history: Sequence[Seen]) -> list[Seen]:
    """The fair trials that speak for or against their level: with answers, not cut short by a stop, not overtaken.

    A quick trial that failed without rejections only shows where to look: once a level has been looked at closely,
    after the endpoint had time to warm up, it no longer counts; in an open loop, whose queues fill slowly, no more does
    one that passed near there. Nor does what a guard has shown to be of the past.
    """
    close = next((trial for trial in history if trial.purpose == REFINE), None)
    changed = changes(history)
    since = changed[-1] if changed else 0
    return [
        trial
        for trial in fair_trials(history)
        if trial.ended_by != "stopped"
        and any(item.total for item in trial.evidence)
        and trial.number > since
        and not (close is not None and trial.number < close.number and _is_hint(trial, close.level))
    ]


def changes(history: Sequence[Seen]) -> list[int]:
    """Numbers of the guards at which the median latency under a light load had moved since the one before.

    What has become slower once is suspected of a leak: half the certainty is enough to say that it goes on.
    """
    fair = [trial for trial in fair_trials(history) if trial.purpose in (WARM_UP, GUARD) and len(trial.latency_ns)]
    found, needed_z = [], MOVED_Z
    for before, now in pairwise(fair):
        if now.purpose == GUARD and has_moved(before, now, needed_z):
            found.append(now.number)
            needed_z = MOVED_Z / 2 if (now.median_s or 0.0) > (before.median_s or 0.0) else MOVED_Z
    return found


def has_moved(before: Seen, now: Seen, needed_z: float = MOVED_Z) -> bool:
    """By more than MOVED of the smaller median, and beyond chance: Mann and Whitney's z."""
    first, second = before.median_s or 0.0, now.median_s or 0.0
    apart = abs(second - first) > max(MOVED * min(first, second), MOVED_FLOOR_S)
    return apart and abs(rank_shift(before.latency_ns, now.latency_ns)) > needed_z


def has_ceased(history: Sequence[Seen]) -> bool:
    """The latest trials have not one good answer, though an earlier one passed: nobody is there any more."""
    tried = [trial for trial in fair_trials(history) if trial.attempt_count]
    return any(trial.ended_by == "pass" for trial in tried) and not any(trial.good_count for trial in tried[-2:])


def _is_hint(trial: Seen, level: int) -> bool:
    if trial.purpose in OPEN_HINTS and trial.level > HINT_RATIO * level:
        return True
    return trial.ended_by != "pass" and 2 * trial.rejected_count < max(item.bad for item in trial.evidence)


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
    trials = current_trials(history, goals)
    return {level: _state(at_level(trials, level), goals) for level in sorted({trial.level for trial in trials})}


def _state(trials: list[Seen], goals: Sequence[Goal]) -> State:
    outcomes = [outcome(trial, goals) for trial in trials]
    if len(outcomes) == 1 or outcomes[-1] == outcomes[-2]:
        return outcomes[-1]
    return State.CONFLICT


def current_trials(history: Sequence[Seen], goals: Sequence[Goal]) -> list[Seen]:
    """The evidence without what a later trial has plainly overruled: an endpoint that changed is judged as it is."""
    trials = evidence_trials(history)
    kept = [
        trial
        for i, trial in enumerate(trials)
        if not any(_overrules(later, trial, j, goal) for later in trials[i + 1 :] for j, goal in enumerate(goals))
    ]
    outgrown = {trial.number for i in range(len(goals)) for trial in _outgrown(trials, i, goals[i])}
    return [trial for trial in kept if trial.number not in outgrown]


def _outgrown(trials: Sequence[Seen], i: int, goal: Goal) -> list[Seen]:
    """The trials that missed the goal before the endpoint grew. It has grown where a later trial, with as many users or
    more, is plainly better than an earlier one; what failed until then, at that level or above, is of the past."""
    for k in range(len(trials) - 1, 0, -1):
        weaker = [old.level for old in trials[:k] if _is_better(trials[k], old, i)]
        if weaker:
            return [
                old
                for old in trials[:k]
                if old.level >= min(weaker) and old.evidence[i].bad > goal.allowed_ratio * old.evidence[i].total
            ]
    return []


def _overrules(later: Seen, trial: Seen, i: int, goal: Goal) -> bool:
    """One fails where the other, with as many users or more, holds, and chance does not explain the difference."""
    old, new = trial.evidence[i], later.evidence[i]
    if not old.total or not new.total or trial.level == 0:
        return False
    was, now = old.bad / old.total, new.bad / new.total
    got_better = was > PLAIN * goal.allowed_ratio and now < goal.allowed_ratio and later.level >= trial.level
    got_worse = now > PLAIN * goal.allowed_ratio and was < goal.allowed_ratio and later.level <= trial.level
    return (got_better or got_worse) and _differ(old, new)


def _is_better(later: Seen, trial: Seen, i: int) -> bool:
    """With as many users or more, beyond chance."""
    old, new = trial.evidence[i], later.evidence[i]
    if later.level < trial.level or not old.total or not new.total or trial.level == 0:
        return False
    return old.bad * new.total > BETTER * new.bad * old.total and _differ(old, new)


def _differ(old: Evidence, new: Evidence) -> bool:
    """Chance does not explain it: not even if all bad answers of a trial were one cluster, where both have some."""
    pooled = (old.bad + new.bad) / (old.total + new.total)
    dispersion = max(old.dispersion, new.dispersion, float(max(old.bad, new.bad)) if min(old.bad, new.bad) else 1.0)
    variance = pooled * (1 - pooled) * dispersion * (1 / old.total + 1 / new.total)
    return abs(old.bad / old.total - new.bad / new.total) > OVERRULED_Z * sqrt(variance)


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
    """Evidence of several trials as one: counts add up, the dispersion is the mean weighted by bad answers."""
    bad, total = sum(item.bad for item in items), sum(item.total for item in items)
    dispersion = sum(item.dispersion * item.bad for item in items) / bad if bad else 1.0
    return Evidence(bad, total, dispersion)


def pooled_by_level(history: Sequence[Seen], goals: Sequence[Goal]) -> dict[int, tuple[Evidence, ...]]:
    """Per level and goal all current evidence in one, each level as clustered as those around it."""
    trials = current_trials(history, goals)
    kept = {level: at_level(trials, level) for level in sorted({trial.level for trial in trials})}
    pooled = [_spread_over(kept, i) for i in range(len(goals))]
    return {level: tuple(by_level[level] for by_level in pooled) for level in kept}


def _spread_over(kept: dict[int, list[Seen]], i: int) -> dict[int, Evidence]:
    """Evidence of one goal. Clusters cannot be seen where nothing was bad, and hardly in one short trial, so levels
    within a factor NEIGHBOURS share what they show. Where most answers are bad there is none to share."""
    pooled = {level: pool([trial.evidence[i] for trial in trials]) for level, trials in kept.items()}
    few = [level for level, item in pooled.items() if 2 * item.bad < item.total]
    spread = dict(pooled)
    for level in few:
        near = [n for n in few if max(n, level) <= NEIGHBOURS * min(n, level)]
        rough = _mean([(pooled[n].dispersion, pooled[n].bad) for n in near])
        shared = _shared_dispersion([kept[n] for n in near], i, rough)
        spread[level] = Evidence(pooled[level].bad, pooled[level].total, shared)
    return spread


def _shared_dispersion(levels: Sequence[Sequence[Seen]], i: int, rough: float) -> float:
    """By the slices of the close looks; while these show little, `rough`, that of clusters inside single trials, counts
    as PRIOR_SLICES more, and what lies above 1 is raised as Student's distribution is wider than the normal one."""
    close = [trial.evidence[i].slices for trials in levels for trial in trials if trial.purpose in (REFINE, CONFIRM)]
    told, count = sliced_dispersion([slices for slices in close if slices])
    known = PRIOR_SLICES + count
    dispersion = 1.0 + max((PRIOR_SLICES * rough + count * told) / known - 1.0, 0.0) * (1.0 + FEW / known)
    return dispersion * _between([[trial.evidence[i] for trial in trials] for trials in levels], dispersion)


def _between(levels: Sequence[Sequence[Evidence]], dispersion: float) -> float:
    """By how much trials at one level differ more than the dispersion explains; at least 1. PRIOR_TRIALS count as if
    they differed by just so much."""
    chi_squared, count = 0.0, 0
    for items in levels:
        bad, total = sum(item.bad for item in items), sum(item.total for item in items)
        if bad:
            ratio = bad / total
            squares = sum((item.bad - item.total * ratio) ** 2 / item.total for item in items if item.total)
            chi_squared += squares / (ratio * (1.0 - ratio)) / dispersion
            count += len(items) - 1
    return max(1.0, (PRIOR_TRIALS + chi_squared) / (PRIOR_TRIALS + count))


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    weight = sum(share for _, share in weighted)
    return sum(value * share for value, share in weighted) / weight if weight else 1.0


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
