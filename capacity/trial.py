"""One trial of the search: what it holds, for how long, and which harm it may do, from everything seen so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

from capacity.evidence import (
    ABOVE,
    CONFIRM,
    GUARD,
    PAUSE,
    RECOVER,
    REFINE,
    WARM_UP,
    evidence_trials,
    pooled_by_level,
    rejection_ratio,
    share_of_goal,
)
from capacity.goals import Goal, GoalKind
from capacity.summary import Seen
from capacity.threshold import CAREFUL, OPEN_CAREFUL, SLOW_CAREFUL
from capacity.watch import Rule

WARM_UP_PART_S = 2.5
OPEN_CLOSE = 0.05
"""In an open loop, bisection ends at levels this close: there are no neighbours."""
OPEN_TRANSIENT_S, OPEN_FILL, FILL = 1.0, 0.3, 0.15
"""A queue fills in this time, and for a close look in this share of its length."""
PATIENT_S = 8.0
WORTH, OPEN_WORTH = 0.6, 0.3
OPEN_LOW_MARGIN, OPEN_HIGH_MARGIN = 0.975, 1.01
EVENTS = 15
LOOK_S, OPEN_LOOK_S = (5.0, 30.0), (25.0, 60.0)
OPEN_LOOK_SERVICES = 250
"""Independent bad answers that a close look is to see at the goal, and its shortest and longest time;
in an open loop also so many service times, since a queue forgets in its own time."""
DEFAULT_SERVICE_S = 0.05


@dataclass(frozen=True, slots=True)
class Asked:
    """What the search is to find, and what it may cost."""

    goals: tuple[Goal, ...]
    max_level: int = 512
    budget_s: float = 600.0
    harm_budget: int = 300
    per_second: int = 0  # open loop: levels are requests per second in this fraction; 0: closed loop, levels are users

    @property
    def lowest(self) -> int:
        """One user, or one request per second."""
        return max(self.per_second, 1)

    @property
    def close_ratio(self) -> float:
        """Bisection ends where levels are neighbours, or as close as this."""
        return OPEN_CLOSE if self.per_second else 0.0

    @property
    def worth(self) -> float:
        """What an answer counts, beside its clusters: near saturation a queue forgets more slowly than a trial can see,
        an open one most of all."""
        return OPEN_WORTH if self.per_second else WORTH

    @property
    def low_margin(self) -> float:
        """By this factor the low end of an interval is lowered, for what no trial is long enough to show: tokens of a
        quota that were saved up, queues that have hardly begun to fill."""
        return OPEN_LOW_MARGIN if self.per_second else 1.0

    @property
    def high_margin(self) -> float:
        """By this factor the high end is raised, for the same reason."""
        return OPEN_HIGH_MARGIN if self.per_second else 1.0

    def careful(self, goal: Goal) -> float:
        """The quantile of what is believed that is told as the limit of the goal."""
        if self.per_second:
            return OPEN_CAREFUL
        return SLOW_CAREFUL if goal.kind is GoalKind.LATENCY else CAREFUL

    def in_flight(self, level: int, service_s: float) -> float:
        """How many requests are inside at once while nothing waits."""
        return level / self.per_second * service_s if self.per_second else float(level)


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
    ABOVE: _Times(1.0, 6, 8, 30, 1.5),
    "rise": _Times(0.6, 3, 4, 20, 0),
    "halve": _Times(2.0, 10, 10, 30, 0),
    REFINE: _Times(3.0, 20, 20, 20, 1.5),
    CONFIRM: _Times(3.0, 12, 20, 30, 1.5),
    GUARD: _Times(1.5, 60, 6, 60, 0),
    RECOVER: _Times(1.0, 5, 3, 10, 0),
}
_RAMP_MAX_S = 4.0
_LONGEST_S = 40.0


def trial_of(asked: Asked, history: Sequence[Seen], level: int, purpose: str) -> Trial:
    times = _TIMES[purpose]
    service_s = expected_service_s(history, level)
    left_s = max(asked.budget_s - spent_s(history), 0.1)
    ramp_s, transient_s = _transient(asked, times, level, service_s)
    min_s = max(times.min_s, times.min_services * service_s)
    max_s = min(max(times.max_s, times.max_services * service_s), _LONGEST_S, left_s)
    if purpose == REFINE or (purpose in (CONFIRM, ABOVE) and asked.per_second):
        min_s = max_s = min(look_s(asked, history, level), left_s)
        transient_s = max(transient_s, (OPEN_FILL if asked.per_second else FILL) * max_s)
    transient_s = min(transient_s, left_s / 2)
    rule = Rule(
        goals=asked.goals,
        min_s=min(min_s, max_s),
        max_s=max_s,
        enough=_enough(asked.in_flight(level, service_s), purpose),
        batch_s=max(0.1, 2 * service_s),
        rejections=4 if purpose == WARM_UP else 12,
        rejections_per_answer=4 * rejection_ratio(asked.goals),
        confirm=purpose == CONFIRM,
        run_out=purpose == WARM_UP,
        patient_s=_patient_s(asked, purpose, max_s),
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


def _patient_s(asked: Asked, purpose: str, max_s: float) -> float:
    """A close look that ended on its worst would overstate it, so it takes its time."""
    if purpose == REFINE or (purpose == CONFIRM and asked.per_second):
        return max_s
    return min(PATIENT_S, max_s) if purpose == CONFIRM else 0.0


def _transient(asked: Asked, times: _Times, level: int, service_s: float) -> tuple[float, float]:
    """(seconds over which users are released, seconds that are not counted). A rate has no users to release, but a
    queue to fill; one user makes none."""
    if asked.per_second:
        return 0.0, max(OPEN_TRANSIENT_S, 5 * service_s) if level > asked.lowest else 0.0
    if level == 1:
        return 0.0, 0.0
    ramp_s = min(times.ramp_services * service_s, _RAMP_MAX_S)
    return ramp_s, ramp_s + service_s + 0.05


def _enough(in_flight: float, purpose: str) -> int:
    """Answers after which a clean record passes: six a user, three on the way up, since a user too many is rejected
    within one service time. A close look is as long as it was meant to be."""
    return sys.maxsize if purpose == REFINE else max(ceil((3 if purpose in ("grow", "rise") else 6) * in_flight), 20)


def look_s(asked: Asked, history: Sequence[Seen], level: int) -> float:
    """How long to look at a level so that EVENTS independent bad answers would be seen at the goal."""
    timed = [trial for trial in evidence_trials(history) if trial.measured_s > 0.3]
    if not timed:
        return OPEN_LOOK_S[0] if asked.per_second else LOOK_S[0]
    nearest = min(timed, key=lambda trial: (abs(log(trial.level / level)), -trial.number))
    rps = nearest.attempt_count / nearest.measured_s * min(level / nearest.level, 1.0)
    pooled = pooled_by_level(history, asked.goals)
    items = pooled.get(min(pooled, key=lambda n: abs(log(n / level)), default=level), ())
    i = max(range(len(items)), key=lambda i: share_of_goal(items[i], asked.goals[i]), default=0)
    needed = EVENTS * (items[i].dispersion if items else 1.0) / asked.goals[i].allowed_ratio
    least_s, most_s = OPEN_LOOK_S if asked.per_second else LOOK_S
    if asked.per_second:
        least_s = min(max(least_s, OPEN_LOOK_SERVICES * expected_service_s(history, level)), most_s)
    return min(max(needed / max(rps, 0.1), least_s), most_s)


def _allowance(asked: Asked, history: Sequence[Seen], purpose: str) -> int:
    """Rejections a trial may cause: enough to decide the strictest goal, never more than the harm budget has left."""
    left = asked.harm_budget - harm(history)
    if purpose == WARM_UP:
        return max(1, min(4, left))
    answers = 4_000 if purpose == CONFIRM else 7_500
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
