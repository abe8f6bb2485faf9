"""A period asked for in slices that get smaller where the service gives too much or takes too long. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

SHORTEST = timedelta(milliseconds=10)
MOST_PARTS = 400
"""Questions asked about one period; from then on no slice is halved."""
PATIENCE = 6
"""Questions in a row that ran out of time before the rest is given up; slices of the shortest length, all of them cut,
while no slice was whole."""


class Came(Enum):
    """What became of the question about one slice."""

    WHOLE = "whole"
    CUT = "cut"  # at a row or size limit: ask for less
    LATE = "late"  # out of time: ask for less, as long as there is hope
    REFUSED = "refused"  # or lost: what is refused once is refused for every other part too


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """The half-open period [from_at, until_at)."""

    from_at: datetime
    until_at: datetime

    @property
    def length(self) -> timedelta:
        return self.until_at - self.from_at

    def halves(self) -> tuple[Slice, Slice] | None:
        """The two halves; None where they would be shorter than SHORTEST."""
        half = self.length / 2
        if half < SHORTEST:
            return None
        middle = self.from_at + half
        return Slice(self.from_at, middle), Slice(middle, self.until_at)


@dataclass
class Slices:
    """Every instant of the period is in exactly one of: to ask, under way, whole, missing.

    Halves are asked next, so that a length that fits is found before much time is lost on ones that do not.
    """

    period: Slice
    to_ask: list[Slice] = field(default_factory=list)
    under_way: set[Slice] = field(default_factory=set)
    whole: list[Slice] = field(default_factory=list)
    missing: list[Slice] = field(default_factory=list)
    late_in_a_row: int = 0
    has_given_up: bool = False

    def __post_init__(self) -> None:
        self.to_ask.append(self.period)

    @property
    def is_done(self) -> bool:
        return not self.to_ask and not self.under_way

    def next(self) -> Slice | None:
        """A slice to ask about, which is under way from then on; None when there is none at the moment."""
        if not self.to_ask:
            return None
        chosen = self.to_ask.pop(0)
        self.under_way.add(chosen)
        return chosen

    def came(self, part: Slice, what: Came) -> bool:
        """Whether the rows of that slice are to be kept: whole ones, and cut ones that cannot be made shorter."""
        self.under_way.remove(part)
        self.late_in_a_row = self.late_in_a_row + 1 if what is Came.LATE else 0
        if what is Came.WHOLE:
            self.whole.append(part)
            return True
        halves = part.halves() if self._may_halve(what) else None
        if halves is not None:
            self.to_ask[:0] = halves
            return False
        self.missing.append(part)
        is_hopeless = not self.whole and len(self.missing) >= PATIENCE
        if what is Came.REFUSED or self.late_in_a_row >= PATIENCE or is_hopeless:
            self._give_up()
        return what is Came.CUT

    def _may_halve(self, what: Came) -> bool:
        if what is Came.REFUSED or self.has_given_up or self.late_in_a_row >= PATIENCE:
            return False
        held = len(self.whole) + len(self.missing) + len(self.to_ask) + len(self.under_way)
        return held + 2 <= MOST_PARTS

    def _give_up(self) -> None:
        self.has_given_up = True
        self.missing.extend(self.to_ask)
        self.to_ask.clear()
