"""Goals: which answers are bad, and what fraction of bad answers is allowed.

Every goal is a Bernoulli proportion, so one trial serves all goals: `p95<=300ms` means that at most 5 % of the answers
are slower than 300 ms or not good.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scoring.attempt import Failure
from scoring.errors import RedlineError
from scoring.status import NOT_LOAD, REJECTED, TIMED_OUT
from scoring.units import parse_duration_ns, parse_ratio

DEFAULT_GOALS = ("rejected<=0.1%", "errors<=1%")

REJECTED_LABELS = frozenset(str(status) for status in REJECTED)
TIMEOUT_LABELS = frozenset(
    {*(str(status) for status in TIMED_OUT), str(Failure.DEADLINE_EXCEEDED), str(Failure.CONNECT_TIMEOUT)}
)
NOT_LOAD_LABELS = frozenset({*(str(status) for status in NOT_LOAD), str(Failure.AUTH_FAILED)})
"""Answers that say nothing about load: they are no evidence for or against any level."""

_GOAL = re.compile(
    r"^\s*(?P<name>rejected|errors|timeouts|p(?P<percent>\d{1,2}(?:\.\d+)?))\s*<=?\s*(?P<value>\S.*?)\s*$"
)


class GoalKind(StrEnum):
    REJECTED = "rejected"  # bad: 429 or 503
    ERRORS = "errors"  # bad: every answer that is not good, rejections included
    TIMEOUTS = "timeouts"  # bad: deadline exceeded, 408 or 504
    LATENCY = "latency"  # bad: slower than `slow_ns`, or not good


@dataclass(frozen=True, slots=True)
class Goal:
    """The allowed long-run fraction of bad answers, 0 < allowed_ratio < 1."""

    text: str  # as given
    kind: GoalKind
    allowed_ratio: float
    slow_ns: int | None = None  # latency goals only


@dataclass(frozen=True, slots=True)
class Counts:
    """What has come back since the transient of a trial ended, and all rejections since its start."""

    elapsed_s: float  # since the end of the transient; negative before
    attempt_count: int
    good_count: int
    slow_count: tuple[int, ...]  # good answers slower than each latency goal, in the order of the goals
    labels: dict[str, int]  # label → attempts, good ones included
    rejected_count: int  # transient included
    answered_count: int = 0  # transient included


def parse_goal(text: str) -> Goal:
    """The goal a person wrote: `rejected<=0.1%`, `errors<=1%`, `timeouts<=0.1%`, `p95<=300ms`, `p99.9<=1s`.

    Raises RedlineError with the allowed forms.

    >>> parse_goal("p95<=300ms")
    Goal(text='p95<=300ms', kind=<GoalKind.LATENCY: 'latency'>, allowed_ratio=0.05, slow_ns=300000000)
    """
    match = _GOAL.match(text)
    if match is None:
        raise _bad_goal(text)
    if match["percent"] is None:
        ratio = _value(parse_ratio, match["value"], text)
        if not 0 < ratio < 1:
            raise _bad_goal(text, "the ratio must lie between 0 and 100 %")
        return Goal(text.strip(), GoalKind(match["name"]), ratio)
    percent = float(match["percent"])
    if not 0 < percent < 100:
        raise _bad_goal(text, "the percentile must lie between 0 and 100")
    slow_ns = _value(parse_duration_ns, match["value"], text)
    if slow_ns <= 0:
        raise _bad_goal(text, "the latency must be above zero")
    return Goal(text.strip(), GoalKind.LATENCY, round(1 - percent / 100, 12), int(slow_ns))


def with_defaults(texts: Sequence[str]) -> tuple[str, ...]:
    """The goals of a run: `rejected` and `errors` stand with their defaults unless given. No text is taken twice.

    >>> with_defaults(["p95<=300ms"])
    ('rejected<=0.1%', 'errors<=1%', 'p95<=300ms')
    """
    given = tuple(dict.fromkeys(texts))
    kinds = {parse_goal(text).kind for text in given}
    return (*(text for text in DEFAULT_GOALS if parse_goal(text).kind not in kinds), *given)


def bad_count(goal: Goal, counts: Counts, goals: tuple[Goal, ...]) -> int:
    """How many of the counted answers are bad under `goal`."""
    if goal.kind is GoalKind.REJECTED:
        return _sum(counts.labels, REJECTED_LABELS)
    if goal.kind is GoalKind.TIMEOUTS:
        return _sum(counts.labels, TIMEOUT_LABELS)
    failed = evidence_count(counts) - counts.good_count
    if goal.kind is GoalKind.ERRORS:
        return failed
    return failed + counts.slow_count[latency_goals(goals).index(goal)]


def evidence_count(counts: Counts) -> int:
    """The answers that say something about load."""
    return counts.attempt_count - not_load_count(counts) - counts.labels.get(Failure.ABORTED, 0)


def not_load_count(counts: Counts) -> int:
    """The answers that say nothing about load: a wrong key, payload or script fails at one user too."""
    return _sum(counts.labels, NOT_LOAD_LABELS)


def latency_goals(goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
    """The goals with a latency, in their order: the order of `Counts.slow_count`."""
    return tuple(goal for goal in goals if goal.slow_ns is not None)


def _sum(labels: dict[str, int], wanted: frozenset[str]) -> int:
    return sum(count for label, count in labels.items() if label in wanted)


def _value(parse: Callable[[str], float], value: str, text: str) -> float:
    try:
        return parse(value)
    except RedlineError as error:
        raise _bad_goal(text, str(error)) from error


def _bad_goal(text: str, why: str | None = None) -> RedlineError:
    return RedlineError(
        f"`{text}` is not a goal" + (f": {why}" if why else ""),
        hint="write `rejected<=0.1%`, `errors<=1%`, `timeouts<=0.1%` or a percentile such as `p95<=300ms`",
    )
