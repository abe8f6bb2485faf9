"""Which answers came, from which load on, what each means on this hosting, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capacity.verdict import Level
from reports.limit import FailureSample, LimitReport
from scoring.attempt import Failure
from scoring.endpoint import Hosting
from scoring.status import failure_meaning, meaning

SAMPLES_PER_CODE = 3


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code or failure class over all levels."""

    label: str
    name: str
    cause: str
    next_step: str
    good: bool
    first_users: int | None  # the level, in the unit of the verdict
    count: int  # kept trials, transients dropped
    by_level: tuple[int, ...]  # beside the report's levels
    samples: tuple[FailureSample, ...]


def codes_table(report: LimitReport) -> tuple[CodeRow, ...]:
    """Good answers first, then the rest by count; codes seen only in transients are listed too, with a count of 0."""
    verdict = report.verdict
    labels = {label for level in verdict.levels for label in level.status_count}
    labels |= set(verdict.first_seen) | {sample.label for sample in report.failures}
    rows = [_code_row(label, report) for label in labels]
    return tuple(sorted(rows, key=lambda row: (not row.good, -row.count, row.label)))


def failures_words(counts: Mapping[str, int]) -> str:
    """Codes of one level that are no good answers, the most frequent first.

    >>> failures_words({"200": 90, "503": 9, "deadline_exceeded": 1200})
    'deadline_exceeded: 1,200, 503: 9'
    """
    bad = sorted(
        ((n, label) for label, n in counts.items() if n and not is_good(label)), key=lambda one: (-one[0], one[1])
    )
    return ", ".join(f"{label}: {n:,}" for n, label in bad)


def failed_words(level: Level) -> str:
    """Codes of a level that are no good answers; "none" where it was held long enough for that to mean something."""
    return failures_words(level.status_count) or ("–" if level.timed_rps is None else "none")


def is_good(label: str) -> bool:
    """A status of the 2xx class: a 200 with rubbish inside is counted under its failure class, not under its status."""
    return len(label) == 3 and label.isdigit() and label[0] == "2"


def bad_count(level: Level) -> int:
    """Attempts at this level that were no good answer."""
    return level.attempt_count - level.good_count


def _code_row(label: str, report: LimitReport) -> CodeRow:
    verdict = report.verdict
    name, cause, next_step = _meaning(label, report.endpoint.hosting)
    by_level = tuple(level.status_count.get(label, 0) for level in verdict.levels)
    at = [level.users for level, count in zip(verdict.levels, by_level, strict=True) if count]
    if label in verdict.first_seen:
        at.append(verdict.first_seen[label])
    return CodeRow(
        label=label,
        name=name,
        cause=cause,
        next_step=next_step,
        good=is_good(label),
        first_users=min(at, default=None),
        count=sum(by_level),
        by_level=by_level,
        samples=tuple(one for one in report.failures if one.label == label)[:SAMPLES_PER_CODE],
    )


def _meaning(label: str, hosting: Hosting | None) -> tuple[str, str, str]:
    if label.isdigit():
        known = meaning(int(label), hosting or Hosting.LOCAL)
        return known.name, known.cause, known.next_step
    if label in set(Failure):
        known = failure_meaning(Failure(label))
        return known.name, known.cause, known.next_step
    return label, "this label is not known to this version of redline", "look at the sample requests"
