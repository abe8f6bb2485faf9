"""When a trial may end: the sequential test of every goal, from counts that grow while the trial runs.

Per goal, Wald's log likelihood ratio of twice the allowed fraction against half of it (stats.sprt), divided by the
overdispersion seen in batches: answers come in clusters, and a cluster is one piece of news. Beyond ±EVIDENCE the goal
is decided (error rate 1 % each way). Where that would take too long, a goal passes provisionally after `enough`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

from capacity.goals import (
    REJECTED_LABELS,
    Counts,
    Goal,
    GoalKind,
    bad_count,
    evidence_count,
    not_load_count,
)
from capacity.stats import clopper_pearson_upper, overdispersion, spent_confidence, sprt

EVIDENCE = log(100)
SPREAD_BATCHES = 3
"""A goal other than `rejected` fails only when its bad answers lie in this many batches: one stall is one batch."""
AUTH_STOPS_AT = 3
NOT_LOAD_STOPS_AT = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """What a trial must show before it may end. Seconds count from the end of the transient."""

    goals: tuple[Goal, ...]
    min_s: float
    max_s: float
    enough: int  # answers after which a clean record passes provisionally
    batch_s: float
    rejections: int  # more rejections than these, and than the share below of the answers, end the trial
    rejections_per_answer: float
    confirm: bool = False  # pass only when the 95 % bound of every goal lies within it
    run_out: bool = False  # end at max_s only: warm-up
    patient_s: float = 0.0  # before, only rejections fail a trial, or most answers being bad: a queue takes its time


@dataclass(slots=True)
class Watch:
    """The state of one trial's tests. `see` takes counts in the order of time and answers why the trial may end."""

    rule: Rule
    _bad: list[list[int]] = field(default_factory=list)  # per goal, per batch
    _total: list[int] = field(default_factory=list)  # per batch
    _seen_bad: list[int] = field(default_factory=list)
    _seen_total: int = 0
    _dispersion: list[float] = field(default_factory=list)  # per goal, over the closed batches

    def __post_init__(self) -> None:
        self._dispersion = [1.0 for _ in self.rule.goals]
        self._bad = [[] for _ in self.rule.goals]
        self._seen_bad = [0 for _ in self.rule.goals]

    def see(self, counts: Counts) -> str | None:
        """`"fail"`, `"pass"`, `"not_load"`, `"allowance"`, or None while the trial must go on."""
        if _is_not_load(counts):
            return "not_load"
        answered = max(counts.answered_count if self.rule.patient_s else 0, counts.attempt_count)
        if counts.rejected_count > self.rule.rejections + self.rule.rejections_per_answer * answered:
            return "allowance"
        if counts.elapsed_s < 0 or self.rule.run_out:
            return None
        bad = [bad_count(goal, counts, self.rule.goals) for goal in self.rule.goals]
        self._batch(bad, evidence_count(counts), counts.elapsed_s)
        states = [self._state(i, goal, bad[i], counts) for i, goal in enumerate(self.rule.goals)]
        if "fail" in states:
            return "fail"
        return "pass" if states and all(state == "pass" for state in states) else None

    def _batch(self, bad: list[int], total: int, elapsed_s: float) -> None:
        """Closes the running batch once its time is over; an empty batch is not closed."""
        if elapsed_s < (len(self._total) + 1) * self.rule.batch_s or total == self._seen_total:
            return
        self._total.append(total - self._seen_total)
        for i, value in enumerate(bad):
            self._bad[i].append(value - self._seen_bad[i])
        self._seen_bad, self._seen_total = bad, total
        self._dispersion = [overdispersion(counts, self._total) if sum(counts) else 1.0 for counts in self._bad]

    def _state(self, i: int, goal: Goal, bad: int, counts: Counts) -> str | None:
        total = evidence_count(counts)
        dispersion = self._dispersion[i]
        evidence = sprt(bad, total, goal.allowed_ratio, dispersion)
        is_plain = counts.elapsed_s >= self.rule.patient_s or goal.kind is GoalKind.REJECTED or 2 * bad > total
        if evidence >= EVIDENCE and self._is_spread(i, goal, bad) and is_plain:
            return "fail"
        if bad + _rejected_early(counts, goal) > goal.allowed_ratio * total:
            return None
        if self.rule.confirm:
            bound = _bound(bad, total, dispersion) if total else 1.0
            return "pass" if bound <= goal.allowed_ratio and counts.elapsed_s >= self.rule.min_s else None
        if counts.elapsed_s < self.rule.min_s:
            return None
        return "pass" if evidence <= -EVIDENCE or total >= self.rule.enough else None

    def _is_spread(self, i: int, goal: Goal, bad: int) -> bool:
        if goal.kind is GoalKind.REJECTED:
            return True
        running = bad > self._seen_bad[i]
        return sum(1 for count in self._bad[i] if count) + running >= SPREAD_BATCHES


def _bound(bad: int, total: int, dispersion: float) -> float:
    return clopper_pearson_upper(bad / dispersion, total / dispersion, spent_confidence(bad))


def _rejected_early(counts: Counts, goal: Goal) -> int:
    """Rejections of the transient that the goal calls bad: who got them may be waiting as long as Retry-After says, so
    that a short clean stretch after them is no reason to pass."""
    if goal.kind is GoalKind.TIMEOUTS:
        return 0
    return counts.rejected_count - sum(counts.labels.get(label, 0) for label in REJECTED_LABELS)


def _is_not_load(counts: Counts) -> bool:
    """A wrong key ends a trial at once; wrong payloads and failing scripts when they are more than one in a hundred."""
    if counts.labels.get("401", 0) + counts.labels.get("403", 0) >= AUTH_STOPS_AT:
        return True
    count = not_load_count(counts)
    return count >= NOT_LOAD_STOPS_AT and count > 0.01 * counts.attempt_count
