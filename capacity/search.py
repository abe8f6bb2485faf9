"""The next step of the search, from everything seen so far: no clock, no I/O.

Warm up under a light load; double (later: half as many more) until a level fails; bisect. A failure by rejections is
seen twice. Then look closely at the levels where the limit may lie, until it is known. Under latency goals a light load
is timed when a cold start would be over; if it is answered faster than at first, all begins again. Hold the limit, let
something well above it fail, and see that a light load is still as fast as at the start. Every trial carries the
rejections it may cause, and the sum stays within the harm budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from capacity.conclusion import conclude
from capacity.evidence import (
    ABOVE,
    CONFIRM,
    GUARD,
    PAUSE,
    RECOVER,
    REFINE,
    WARM_UP,
    State,
    agreed_count,
    at_level,
    changes,
    evidence_trials,
    fair_trials,
    has_ceased,
    has_moved,
    is_rejection,
    is_unsteady,
    outcome,
    states,
    tolerates_rejections,
)
from capacity.goals import TIMEOUT_LABELS, Goal, latency_goals
from capacity.looks import WIDE, binding_belief, is_known, next_look
from capacity.summary import Seen
from capacity.threshold import SIDE
from capacity.trial import Asked, Pause, Trial, backoff_s, expected_service_s, harm, spent_s, trial_of
from capacity.verdict import Kind, Verdict
from scoring.units import S

__all__ = ["Asked", "Pause", "Step", "Trial", "backoff_s", "expected_service_s", "harm", "next_step", "spent_s"]

WARM_UP_MAX_S = 90.0
WARM_UP_RPS = 4
WARM_UP_REJECTIONS = 30
ZERO_LOAD_REJECTIONS = 60
SETTLED_AFTER_S = 65.0
"""A latency limit, and a goal missed at one user, are believed only this long after the start: until then the endpoint
may be cold, and what was seen is void if a light load is answered faster afterwards. A cliff of rejections does not
depend on the service time and needs no wait."""
REPEATS_OF_UNFAIR = 4
OFTEN_UNFAIR, OFTEN_UNFAIR_RATIO = 5, 0.25
"""Of a client that is the wall now and then, the trials that happen to look fair are no fair choice."""
UNFAIR_PAUSE_S = 1.5
REST_S, REST_RATIO, REST_MAX_S, MAX_RESTS = 1.0, 3.0, 15.0, 6
TIMED_OUT_RATIO, SLOW_RATIO = 0.01, 1.5
WELL_ABOVE, TRIED_ABOVE = 1.15, 1.18
"""Something must fail from here on, in units of the limit, and there it is tried."""
CLOSE_RATIO = 0.10
CHANGES_ALLOWED = 1
LIGHT_RATIO = 0.05
"""Of the highest rate tried: the light load of an open loop."""
MAX_HOLDS, BESIDE = 3, 0.02
GENTLE_FROM = 32

Step = Trial | Pause | Verdict


def next_step(asked: Asked, history: Sequence[Seen]) -> Step:
    """What to do after `history`: a trial, a pause, or the verdict."""
    if history and history[-1].ended_by in ("not_load", "stopped"):
        kind = Kind.NOT_A_LOAD_PROBLEM if history[-1].ended_by == "not_load" else Kind.BUDGET_SPENT
        return conclude(asked, history, kind)
    if history and history[-1].ended_by == "allowance" and tolerates_rejections(asked.goals):
        return conclude(asked, history, Kind.BUDGET_SPENT)
    unfair = _unfair_in_a_row(history)
    if unfair > REPEATS_OF_UNFAIR or (unfair and _is_often_unfair(history)):
        return conclude(asked, history, Kind.CLIENT_LIMITED)
    if _is_spent(asked, history):
        return conclude(asked, history, _kind_at_the_end(asked, history))
    if unfair and history[-1].purpose != PAUSE:
        return Pause(UNFAIR_PAUSE_S)
    if unfair:
        return trial_of(asked, history, history[-2].level, history[-2].purpose)
    if not is_warm(history):
        return _warm_up(asked, history)
    rest = _recover(asked, history)
    if rest is not None:
        return rest
    return _climb(asked, history)


def _recover(asked: Asked, history: Sequence[Seen]) -> Step | None:
    """A rest after a trial that left work behind, and after time-outs a light load, until that is answered as fast as
    at the start: work that nobody waits for any more may still be queued, or be tried again behind our back."""
    rests = [trial for trial in history[-2 * MAX_RESTS :] if trial.purpose == RECOVER]
    last, before = history[-1], history[-2] if len(history) > 1 else history[-1]
    if last.purpose == PAUSE:
        is_due = _has_timed_out(before) or (before.purpose == RECOVER and _is_slow(before, history))
        return _light(asked, history, RECOVER) if is_due else None
    if last.purpose == RECOVER:
        return Pause(REST_MAX_S) if _is_slow(last, history) and len(rests) < MAX_RESTS else None
    if _has_timed_out(last):
        return Pause(REST_S + min(REST_RATIO * last.seconds, REST_MAX_S))
    failed = last.ended_by != "pass" and outcome(last, asked.goals) is State.FAIL
    if asked.per_second and failed and not is_rejection([last], asked.goals):
        slowest_s = float(last.latency_ns[-1]) / S if len(last.latency_ns) else 0.0
        return Pause(REST_S + min(REST_RATIO * slowest_s, REST_MAX_S))
    return None


def _has_timed_out(trial: Seen) -> bool:
    given_up = sum(count for label, count in trial.labels_all.items() if label in TIMEOUT_LABELS)
    return trial.ended_by != "pass" and given_up > TIMED_OUT_RATIO * sum(trial.labels_all.values())


def _is_slow(trial: Seen, history: Sequence[Seen]) -> bool:
    """Half as slow again as the warm-up, or without an answer."""
    warm = [part.median_s for part in history if part.purpose == WARM_UP and part.median_s is not None]
    return trial.median_s is None or (bool(warm) and trial.median_s > SLOW_RATIO * warm[-1])


def _climb(asked: Asked, history: Sequence[Seen]) -> Step:
    known = states(history, asked.goals)
    if is_unsteady(history, asked.goals) or len(changes(history)) > CHANGES_ALLOWED:
        return conclude(asked, history, Kind.NOT_STEADY)
    low, high = bracket(history, asked.goals)
    if high is None:
        return _grow(asked, history, low)
    if high <= asked.lowest:
        return _at_zero_load(asked, history)
    if _is_refining(history) or State.CONFLICT in known.values():
        return _settle(asked, history, high)
    if high - low > max(1, asked.close_ratio * low):
        return trial_of(asked, history, (low + high) // 2, "halve" if asked.per_second else "bisect")
    return _settle(asked, history, high)


def _grow(asked: Asked, history: Sequence[Seen], low: int) -> Step:
    if low < asked.lowest:
        return trial_of(asked, history, asked.lowest, "base")
    if low < asked.max_level:
        purpose = "rise" if asked.per_second else "grow"
        return trial_of(asked, history, min(_next_level(asked, low), asked.max_level), purpose)
    if not _was_held(history, low):
        return trial_of(asked, history, low, CONFIRM)
    return _guarded(asked, history, Kind.AT_LEAST)


def _next_level(asked: Asked, level: int) -> int:
    """Twice as many users; half as many more from GENTLE_FROM on, where every user too many is one rejection more."""
    return 2 * level if level < GENTLE_FROM * asked.lowest else level + level // 2


def _is_refining(history: Sequence[Seen]) -> bool:
    changed = changes(history)
    return any(trial.purpose in (REFINE, CONFIRM) for trial in history[changed[-1] if changed else 0 :])


def _settle(asked: Asked, history: Sequence[Seen], high: int) -> Step:
    """Evidence on both sides: the level above fails twice, the limit is known closely and holds, and something well
    above it fails."""
    failed = at_level(evidence_trials(history), high)
    by_rejections = is_rejection(failed, asked.goals)
    if by_rejections and not _is_refining(history):
        if agreed_count(history, asked.goals, high) < 2 and len(failed) < 2:
            return trial_of(asked, history, high, "agree")
    elif not by_rejections and spent_s(history) >= _settled_s(asked) and not _was_guarded(asked, history):
        return _light(asked, history, GUARD)
    told = binding_belief(asked, history)
    if told is None or not (by_rejections or _is_refining(history)):
        return trial_of(asked, history, high, REFINE)
    low, _ = bracket(history, asked.goals)
    if by_rejections and not _is_refining(history) and 0 < low <= told.quantile(1.0):
        return trial_of(asked, history, low, CONFIRM)  # at a cliff one clean hold says all
    closer = next_look(asked, history, told)
    if closer is not None:
        return trial_of(asked, history, closer, REFINE)
    if not by_rejections and spent_s(history) < _settled_s(asked):
        return Pause(_settled_s(asked) - spent_s(history))
    limit = min(max(told.told(), asked.lowest), asked.max_level)
    if not _was_held(history, limit):
        return trial_of(asked, history, limit, CONFIRM)
    return _look_above(asked, history, limit)


def _settled_s(asked: Asked) -> float:
    return min(SETTLED_AFTER_S, 0.8 * asked.budget_s)


def _was_guarded(asked: Asked, history: Sequence[Seen]) -> bool:
    """A light load was timed when a cold start would have been over."""
    return any(trial.purpose == GUARD and trial.started_s >= _settled_s(asked) for trial in history)


def _look_above(asked: Asked, history: Sequence[Seen], limit: int) -> Step:
    above = min(ceil(TRIED_ABOVE * limit), asked.max_level)
    known = states(history, asked.goals)
    if any(level >= min(WELL_ABOVE * limit, above) and state is State.FAIL for level, state in known.items()):
        return _guarded(asked, history, Kind.FOUND)
    if above in known:
        return conclude(asked, history, Kind.AT_LEAST)
    return trial_of(asked, history, above, ABOVE)


def _guarded(asked: Asked, history: Sequence[Seen], kind: Kind) -> Step:
    """The verdict, once a light load has been seen to be answered as fast as at the start."""
    if latency_goals(asked.goals) and history[-1].purpose != GUARD:
        return _light(asked, history, GUARD)
    return conclude(asked, history, kind)


def _light(asked: Asked, history: Sequence[Seen], purpose: str) -> Trial:
    """One user, or a small share of the highest rate tried."""
    light = round(LIGHT_RATIO * max(trial.level for trial in history)) if asked.per_second else 1
    return trial_of(asked, history, max(light, asked.lowest), purpose)


def _at_zero_load(asked: Asked, history: Sequence[Seen]) -> Step:
    """One user fails: believed once it failed twice and a cold start would be over."""
    tries = at_level(evidence_trials(history), asked.lowest)
    if agreed_count(history, asked.goals, asked.lowest) < 2:
        return trial_of(asked, history, asked.lowest, "base")
    if tries[-1].started_s >= _settled_s(asked) or sum(trial.rejected_count for trial in tries) >= ZERO_LOAD_REJECTIONS:
        return conclude(asked, history, _zero_load_kind(asked, history))
    if history[-1].purpose != PAUSE:
        return Pause(max(min(12.0, _settled_s(asked) - spent_s(history)), 0.1))
    return trial_of(asked, history, asked.lowest, "base")


def _zero_load_kind(asked: Asked, history: Sequence[Seen]) -> Kind:
    """What it means that one user fails: not steady where more of them were once answered well."""
    held = any(trial.level > asked.lowest and trial.ended_by == "pass" for trial in fair_trials(history))
    return Kind.NOT_STEADY if held and (has_ceased(history) or _has_slowed(history)) else Kind.MISSED_AT_ZERO_LOAD


def _has_slowed(history: Sequence[Seen]) -> bool:
    """A light load is answered more slowly than at the start."""
    light = [trial for trial in fair_trials(history) if trial.level == history[-1].level and len(trial.latency_ns)]
    return len(light) > 1 and has_moved(light[0], light[-1])


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
    return trial_of(asked, history, min(WARM_UP_RPS * asked.per_second, asked.max_level) or 1, WARM_UP)


def _is_spent(asked: Asked, history: Sequence[Seen]) -> bool:
    return spent_s(history) >= asked.budget_s or harm(history) >= asked.harm_budget


def _kind_at_the_end(asked: Asked, history: Sequence[Seen]) -> Kind:
    """The budget is gone: an answer with evidence on both sides is one all the same."""
    low, high = bracket(history, asked.goals)
    if high == asked.lowest and agreed_count(history, asked.goals, high) >= 2:
        return _zero_load_kind(asked, history)
    if high is None or low == 0:
        return Kind.BUDGET_SPENT
    told = binding_belief(asked, history)
    if told is None or not _is_refining(history):
        both = all(agreed_count(history, asked.goals, level) >= 2 for level in (low, high))
        return Kind.FOUND if both and high - low <= max(1, CLOSE_RATIO * low) else Kind.BUDGET_SPENT
    width = told.quantile(1 - SIDE) - told.quantile(SIDE)
    return Kind.FOUND if is_known(told) or width <= WIDE * told.quantile(0.5) else Kind.BUDGET_SPENT


def _was_held(history: Sequence[Seen], level: int) -> bool:
    """A confirming hold was tried at the level or just beside it, or often enough elsewhere."""
    holds = [trial for trial in evidence_trials(history) if trial.purpose == CONFIRM]
    return len(holds) >= MAX_HOLDS or any(abs(trial.level - level) <= BESIDE * level for trial in holds)


def _is_often_unfair(history: Sequence[Seen]) -> bool:
    """So many trials were no fair measurement, and so large a share of all."""
    trials = [trial for trial in history if trial.purpose not in (PAUSE, WARM_UP)]
    unfair = sum(bool(trial.invalid) for trial in trials)
    return unfair >= OFTEN_UNFAIR and unfair >= OFTEN_UNFAIR_RATIO * len(trials)


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
