"""The next step of the search, from everything seen so far: no clock, no I/O.

Warm up at one user; double (later: half as many more) until a level fails; bisect to adjacent levels; let the smallest
that fails fail twice, hold the largest that passes until the goal is confirmed, and let something well above it fail.
A level that contradicts itself is tried again. Every trial carries the rejections it may cause, and the sum stays
within the harm budget.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from capacity.conclusion import conclude
from capacity.evidence import (
    MAX_HOLDS,
    PAUSE,
    WARM_UP,
    State,
    agreed_count,
    at_level,
    evidence_trials,
    is_rejection,
    is_unsteady,
    rejection_ratio,
    stalls_from,
    states,
    tolerates_rejections,
)
from capacity.goals import Goal, latency_goals
from capacity.summary import Seen
from capacity.verdict import Kind, Verdict
from capacity.watch import Rule

WARM_UP_MAX_S = 90.0
WARM_UP_PART_S = 2.5
WARM_UP_REJECTIONS = 30
ZERO_LOAD_REJECTIONS = 60
SETTLED_AFTER_S = 65.0
"""A latency limit, and a goal missed at one user, are believed only this long after the start: until then the endpoint
may be cold. Waiting costs it nothing; a cliff of rejections does not depend on the service time and needs no wait."""
REPEATS_OF_UNFAIR = 4
UNFAIR_PAUSE_S = 1.5
ABOVE = 1.15
CLOSE_RATIO = 0.10
GENTLE_FROM = 32
DEFAULT_SERVICE_S = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """What the search is to find, and what it may cost."""

    goals: tuple[Goal, ...]
    max_level: int = 512
    budget_s: float = 600.0
    harm_budget: int = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """Hold `level` users: released over `ramp_s`, counted from `transient_s` on, ended by the rule or the allowance."""

    number: int
    level: int
    purpose: str
    ramp_s: float
    transient_s: float
    rule: Rule
    allowance: int  # rejections, transient included
    backoff_s: float  # a user's wait after 429 or 503 without Retry-After


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


Step = Trial | Pause | Verdict


def next_step(asked: Asked, history: Sequence[Seen]) -> Step:
    """What to do after `history`: a trial, a pause, or the verdict."""
    if history and history[-1].ended_by in ("not_load", "stopped"):
        kind = Kind.NOT_A_LOAD_PROBLEM if history[-1].ended_by == "not_load" else Kind.BUDGET_SPENT
        return conclude(asked, history, kind)
    if history and history[-1].ended_by == "allowance" and tolerates_rejections(asked.goals):
        return conclude(asked, history, Kind.BUDGET_SPENT)
    unfair = _unfair_in_a_row(history)
    if unfair > REPEATS_OF_UNFAIR:
        return conclude(asked, history, Kind.CLIENT_LIMITED)
    if _is_spent(asked, history):
        return conclude(asked, history, _kind_at_the_end(asked, history))
    if unfair and history[-1].purpose != PAUSE:
        return Pause(UNFAIR_PAUSE_S)
    if unfair:
        return _trial(asked, history, history[-2].level, history[-2].purpose)
    if not is_warm(history):
        return _warm_up(asked, history)
    return _climb(asked, history)


def _climb(asked: Asked, history: Sequence[Seen]) -> Step:
    known = states(history, asked.goals)
    if is_unsteady(history, asked.goals):
        return conclude(asked, history, Kind.NOT_STEADY)
    conflict = next((level for level, state in known.items() if state is State.CONFLICT), None)
    if conflict is not None:
        return _trial(asked, history, conflict, "agree")
    low, high = bracket(history, asked.goals)
    if high is None:
        return _grow(asked, history, low)
    if high == 1:
        return _at_zero_load(asked, history)
    if high - low > 1 and not _is_close_enough(asked, history, low, high):
        return _trial(asked, history, (low + high) // 2, "bisect")
    return _settle(asked, history, low, high)


def _grow(asked: Asked, history: Sequence[Seen], low: int) -> Step:
    if low < 1:
        return _trial(asked, history, 1, "base")
    if low < asked.max_level:
        return _trial(asked, history, min(_next_level(low), asked.max_level), "grow")
    if not _was_confirmed(history, low):
        return _trial(asked, history, low, "confirm")
    return conclude(asked, history, Kind.AT_LEAST)


def _next_level(level: int) -> int:
    """Twice as many users; half as many more from GENTLE_FROM on, where every user too many is one rejection more."""
    return 2 * level if level < GENTLE_FROM else level + level // 2


def _settle(asked: Asked, history: Sequence[Seen], low: int, high: int) -> Step:
    """Evidence on both sides: the level above fails twice, the limit holds, and something well above fails."""
    if agreed_count(history, asked.goals, high) < 2:
        return _trial(asked, history, high, "agree")
    wait = _wait_for_a_warm_endpoint(asked, history, high)
    if wait is not None:
        return wait
    if low and not _was_confirmed(history, low):
        return _trial(asked, history, low, "confirm")
    above = min(ceil(ABOVE * low), asked.max_level)
    known = states(history, asked.goals)
    if any(level >= above and state is State.FAIL for level, state in known.items()):
        return conclude(asked, history, Kind.FOUND)
    if above in known:
        return conclude(asked, history, Kind.AT_LEAST)
    return _trial(asked, history, above, "above")


def _wait_for_a_warm_endpoint(asked: Asked, history: Sequence[Seen], high: int) -> Step | None:
    """None once the failure above the limit is a matter of rejections, or was seen after the endpoint had settled."""
    failed = at_level(evidence_trials(history), high)
    settled_s = min(SETTLED_AFTER_S, 0.8 * asked.budget_s)
    if failed[-1].started_s >= settled_s or is_rejection(failed, asked.goals):
        return None
    if history[-1].purpose != PAUSE:
        return Pause(max(settled_s - spent_s(history), 0.1))
    return _trial(asked, history, high, "agree")


def _at_zero_load(asked: Asked, history: Sequence[Seen]) -> Step:
    """One user fails: believed once it failed twice and a cold start would be over."""
    tries = at_level(evidence_trials(history), 1)
    if agreed_count(history, asked.goals, 1) < 2:
        return _trial(asked, history, 1, "base")
    settled_s = min(SETTLED_AFTER_S, 0.8 * asked.budget_s)
    if tries[-1].started_s >= settled_s or sum(trial.rejected_count for trial in tries) >= ZERO_LOAD_REJECTIONS:
        return conclude(asked, history, Kind.MISSED_AT_ZERO_LOAD)
    if history[-1].purpose != PAUSE:
        return Pause(max(min(12.0, settled_s - spent_s(history)), 0.1))
    return _trial(asked, history, 1, "base")


def bracket(history: Sequence[Seen], goals: Sequence[Goal]) -> tuple[int, int | None]:
    """The largest level that passes below the smallest that fails (0: none), and that one (None: none failed)."""
    known = states(history, goals)
    high = min((level for level, state in known.items() if state is State.FAIL), default=None)
    passing = (level for level, state in known.items() if state is State.PASS and (high is None or level < high))
    return max(passing, default=0), high


def is_warm(history: Sequence[Seen]) -> bool:
    """Latency at one user no longer falls and nothing is rejected; or there is no more time or harm to spend on it."""
    parts = [trial for trial in history if trial.purpose == WARM_UP]
    if any(trial.purpose not in (WARM_UP, PAUSE) for trial in history):
        return True
    if spent_s(history) >= WARM_UP_MAX_S or sum(trial.rejected_count for trial in parts) >= WARM_UP_REJECTIONS:
        return True
    if len(parts) < 2 or parts[-1].rejected_count:
        return False
    before, last = parts[-2].median_s, parts[-1].median_s
    return before is not None and last is not None and not _has_fallen(parts[-2], parts[-1])


def _has_fallen(before: Seen, last: Seen) -> bool:
    """The last part is clearly faster: its 75th percentile lies below 0.9 × the earlier part's 25th, or the median
    fell by a third."""
    quarter, three_quarters = len(before.latency_ns) // 4, (3 * len(last.latency_ns)) // 4
    apart = last.latency_ns[min(three_quarters, len(last.latency_ns) - 1)] < 0.9 * before.latency_ns[quarter]
    return bool(apart) or (last.median_s or 0.0) < 0.67 * (before.median_s or 0.0)


def _warm_up(asked: Asked, history: Sequence[Seen]) -> Step:
    if history and history[-1].purpose == WARM_UP and history[-1].rejected_count:
        return Pause(2.0)
    return _trial(asked, history, 1, WARM_UP)


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds and median service times that a trial of a purpose takes: min, max, ramp."""

    min_s: float
    min_services: float
    max_s: float
    max_services: float
    ramp_services: float


_TIMES = {
    WARM_UP: _Times(WARM_UP_PART_S, 4, WARM_UP_PART_S, 4, 0),
    "base": _Times(1.5, 8, 6, 30, 0),
    "grow": _Times(0.6, 3, 4, 20, 3),
    "bisect": _Times(1.0, 6, 8, 30, 1.5),
    "agree": _Times(1.5, 8, 10, 40, 1.5),
    "above": _Times(1.0, 6, 8, 30, 1.5),
    "confirm": _Times(3.0, 12, 20, 30, 1.5),
}
_RAMP_MAX_S = 4.0
PATIENT_S, PATIENT_MAX_S = 12.0, 45.0
"""How long a latency goal is held before it counts as confirmed, and how long every trial once stalls are known."""
_LONGEST_S = 40.0


def _trial(asked: Asked, history: Sequence[Seen], level: int, purpose: str) -> Trial:
    times = _TIMES[purpose]
    service_s = expected_service_s(history, level)
    left_s = max(asked.budget_s - spent_s(history), 0.1)
    ramp_s = min(times.ramp_services * service_s, _RAMP_MAX_S) if level > 1 else 0.0
    transient_s = min(ramp_s + service_s + 0.05, left_s / 2) if level > 1 else 0.0
    min_s = max(times.min_s, times.min_services * service_s)
    if purpose == "confirm" and latency_goals(asked.goals):
        min_s = max(min_s, PATIENT_S)
    max_s = min(max(times.max_s, times.max_services * service_s), _LONGEST_S, left_s)
    if _may_stall(history, level):
        min_s, max_s = PATIENT_S, min(PATIENT_MAX_S, left_s)
    rule = Rule(
        goals=asked.goals,
        min_s=min(min_s, max_s),
        max_s=max_s,
        enough=_enough(history, level, purpose),
        batch_s=max(0.1, 2 * service_s),
        rejections=4 if purpose == WARM_UP else 12,
        rejections_per_answer=4 * rejection_ratio(asked.goals),
        confirm=purpose == "confirm",
        run_out=purpose == WARM_UP,
    )
    return Trial(
        number=len(history) + 1,
        level=level,
        purpose=purpose,
        ramp_s=ramp_s,
        transient_s=transient_s,
        rule=rule,
        allowance=_allowance(asked, history, purpose),
        backoff_s=backoff_s(history),
    )


def _enough(history: Sequence[Seen], level: int, purpose: str) -> int:
    """Answers after which a clean record passes: six a user, three on the way up, since a user too many is rejected
    within one service time. Where the endpoint stalls, no number is enough.
    """
    return sys.maxsize if _may_stall(history, level) else max((3 if purpose == "grow" else 6) * level, 20)


def _may_stall(history: Sequence[Seen], level: int) -> bool:
    from_level = stalls_from(history)
    return from_level is not None and level >= from_level


def _allowance(asked: Asked, history: Sequence[Seen], purpose: str) -> int:
    """Rejections a trial may cause: enough to decide the strictest goal, never more than the harm budget has left."""
    left = asked.harm_budget - harm(history)
    if purpose == WARM_UP:
        return max(1, min(4, left))
    answers = 4_000 if purpose == "confirm" else 7_500
    return max(1, min(12 + ceil(answers * rejection_ratio(asked.goals)), left))


def expected_service_s(history: Sequence[Seen], level: int) -> float:
    """The median latency at the nearest level tried, the lower one of two. Before anything was answered a guess: as
    long as the longest trial that waited in vain.
    """
    timed = [trial for trial in history if trial.median_s is not None and trial.level <= level]
    if not timed:
        in_vain = (trial.seconds for trial in history if trial.purpose != PAUSE and not trial.labels_all)
        return max(in_vain, default=DEFAULT_SERVICE_S)
    nearest = max(trial.level for trial in timed)
    return next(trial.median_s or 0.0 for trial in reversed(timed) if trial.level == nearest)


def backoff_s(history: Sequence[Seen]) -> float:
    """The median service time at the lowest level seen (contracts.md §1); the same for every later trial."""
    timed = [trial for trial in history if trial.median_s is not None and trial.purpose == WARM_UP]
    return timed[-1].median_s or DEFAULT_SERVICE_S if timed else 1.0


def spent_s(history: Sequence[Seen]) -> float:
    """Seconds since the search began, drains included."""
    return history[-1].started_s + history[-1].seconds if history else 0.0


def harm(history: Sequence[Seen]) -> int:
    """Rejections caused so far."""
    return sum(trial.rejected_count for trial in history)


def _is_spent(asked: Asked, history: Sequence[Seen]) -> bool:
    return spent_s(history) >= asked.budget_s or harm(history) >= asked.harm_budget


def _kind_at_the_end(asked: Asked, history: Sequence[Seen]) -> Kind:
    """The budget is gone: an answer with evidence on both sides is one all the same."""
    low, high = bracket(history, asked.goals)
    if high == 1 and agreed_count(history, asked.goals, 1) >= 2:
        return Kind.MISSED_AT_ZERO_LOAD
    if high is None or low == 0 or high - low > max(1, CLOSE_RATIO * low):
        return Kind.BUDGET_SPENT
    both = all(agreed_count(history, asked.goals, level) >= 2 for level in (low, high))
    return Kind.FOUND if both else Kind.BUDGET_SPENT


def _is_close_enough(asked: Asked, history: Sequence[Seen], low: int, high: int) -> bool:
    """Within 10 % and more than half of the time is gone: the rest is better spent on confirming."""
    return high - low <= CLOSE_RATIO * low and spent_s(history) > asked.budget_s / 2


def _was_confirmed(history: Sequence[Seen], level: int) -> bool:
    """The latest trial was a confirming hold, or there have been as many as there may be."""
    trials = at_level(evidence_trials(history), level)
    holds = sum(trial.purpose == "confirm" for trial in trials)
    return holds >= MAX_HOLDS or (holds > 0 and trials[-1].purpose == "confirm")


def _unfair_in_a_row(history: Sequence[Seen]) -> int:
    """How many of the latest trials were no fair measurement; the warm-up is not judged."""
    count = 0
    for trial in reversed(history):
        if trial.purpose == PAUSE:
            continue
        if not trial.invalid or trial.purpose == WARM_UP:
            break
        count += 1
    return count
