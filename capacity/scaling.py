"""How throughput grows with users, from the levels of a closed search: the scalability law, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capacity.usl import Usl, fit
from capacity.verdict import Level, Verdict

CLEAN = 0.01
"""Failed answers beyond this share take a level out: who was turned away waits outside, and is no load."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The law through the points (users, good answers per second); without one `why_not` says so."""

    law: Usl | None
    points: tuple[tuple[int, float], ...]
    why_not: str | None = None


def scaling_of(verdict: Verdict) -> Scaling:
    """The law of the levels that were held long enough and hardly failed."""
    if verdict.unit.is_open:
        return Scaling(None, (), "an open loop has no number of users to fit it to")
    points = _points(verdict.levels)
    if len(points) < 3:
        have = f"{len(points)} of the levels tried were" if len(points) != 1 else "1 of the levels tried was"
        return Scaling(None, points, f"it takes three levels, and {have} held long enough without failures")
    return Scaling(fit([users for users, _ in points], [rps for _, rps in points]), points)


def _points(levels: Sequence[Level]) -> tuple[tuple[int, float], ...]:
    clean = (level for level in levels if level.attempt_count - level.good_count <= CLEAN * level.attempt_count)
    return tuple((level.users, rps) for level in clean if (rps := level.timed_rps) is not None and rps > 0)
