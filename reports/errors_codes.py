"""Outcomes of scoring requests, what each means on this hosting, and which source told of how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reports.errors_sources import SourceRow
from reports.timeline import Timeline
from scoring.account import is_good
from scoring.attempt import Failure
from scoring.endpoint import Hosting
from scoring.served import Source
from scoring.status import Meaning, failure_meaning, meaning

_NO_STATUS = {
    "no_status": Meaning("no status", "the source tells of the request without its outcome", "ask a second source"),
}


@dataclass(frozen=True, slots=True)
class CodeCount:
    """One outcome: a status or a failure class. Instants are starts of the buckets it was first and last seen in."""

    label: str
    name: str
    cause: str
    next_step: str
    is_good: bool
    count: int
    by_source: Mapping[Source, int]  # of each source that tells of requests
    first_at: datetime | None
    last_at: datetime | None
    trend: tuple[int, ...]  # requests per bucket of the timeline, in at most 24 steps


def code_counts(
    by_label: Mapping[str, int], hosting: Hosting | None, course: Timeline | None, sources: tuple[SourceRow, ...]
) -> tuple[CodeCount, ...]:
    """Good answers first, then the rest by count; outcomes that only a source not counted tells of come last."""
    labels = {*by_label, *(label for row in sources for label in row.by_label)}
    telling = [row for row in sources if row.by_label]
    seen = _seen(course)
    rows = [_code(label, by_label.get(label, 0), hosting, telling, seen.get(label, {}), course) for label in labels]
    return tuple(sorted(rows, key=lambda row: (not row.is_good, -row.count, row.label)))


def label_meaning(label: str, hosting: Hosting | None) -> Meaning:
    """What an outcome means; an honest answer for one that this version does not know."""
    if label.isascii() and label.isdigit() and len(label) <= 4:
        return meaning(int(label), hosting)
    if label in set(Failure):
        return failure_meaning(Failure(label))
    unknown = Meaning(label, "this label is not known to this version of redline", "look at the sample requests")
    return _NO_STATUS.get(label, unknown)


def _seen(course: Timeline | None) -> dict[str, dict[int, int]]:
    """Per outcome, the requests in each bucket by its number."""
    found: dict[str, dict[int, int]] = {}
    for bucket in course.buckets if course else ():
        place = course.place(bucket.at) if course else 0
        for label, count in bucket.by_label.items():
            found.setdefault(label, {})[place] = count
    return found


def _code(
    label: str,
    count: int,
    hosting: Hosting | None,
    telling: list[SourceRow],
    seen: Mapping[int, int],
    course: Timeline | None,
) -> CodeCount:
    known = label_meaning(label, hosting)
    at = {course.place(bucket.at): bucket.at for bucket in course.buckets} if course and seen else {}
    return CodeCount(
        label=label,
        name=known.name,
        cause=known.cause,
        next_step=known.next_step,
        is_good=is_good(label),
        count=count,
        by_source={row.source: row.by_label.get(label, 0) for row in telling},
        first_at=at[min(seen)] if seen else None,
        last_at=at[max(seen)] if seen else None,
        trend=_trend(seen, course.length) if course and seen else (),
    )


def _trend(seen: Mapping[int, int], length: int, steps: int = 24) -> tuple[int, ...]:
    """Counts over the whole period in equal steps.

    >>> _trend({0: 2, 3: 5}, 4, steps=2)
    (2, 5)
    """
    size = -(-length // steps)
    found = [0] * -(-length // size)
    for place, count in seen.items():
        found[place // size] += count
    return tuple(found)
