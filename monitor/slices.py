"""A period asked for in slices that get smaller where the service gives too much or takes too long. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

SHORTEST = timedelta(seconds=1)


class Came(Enum):
    """What became of the question about one slice."""

    WHOLE = "whole"
    TOO_MUCH = "too much"  # cut at a row or size limit, or out of time: ask for less
    NOTHING = "nothing"  # refused or lost: asking for less does not help


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """The half-open period [from_at, until_at)."""

    from_at: datetime
    until_at: datetime

    def halves(self) -> tuple[Slice, Slice] | None:
        """The two halves; None where they would be shorter than SHORTEST."""
        half = (self.until_at - self.from_at) / 2
        if half < SHORTEST:
            return None
        middle = self.from_at + half
        return Slice(self.from_at, middle), Slice(middle, self.until_at)


@dataclass
class Slices:
    """Every instant of the period is in exactly one of: to ask, under way, whole, missing."""

    period: Slice
    to_ask: list[Slice] = field(default_factory=list)
    under_way: set[Slice] = field(default_factory=set)
    whole: list[Slice] = field(default_factory=list)
    missing: list[Slice] = field(default_factory=list)

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
        if what is Came.WHOLE:
            self.whole.append(part)
            return True
        halves = part.halves() if what is Came.TOO_MUCH else None
        if halves is None:
            self.missing.append(part)
            return what is Came.TOO_MUCH
        self.to_ask.extend(halves)
        return False
