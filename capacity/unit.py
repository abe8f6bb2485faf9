"""What a level counts: users in a closed loop, requests per second in an open one; the one source of its words."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.units import rate_number

PER_SECOND = 100
"""Rates are searched in hundredths of a request per second."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Levels are whole numbers: of users, or of requests per second in fractions of `per_second` (0: users)."""

    per_second: int = 0

    @property
    def is_open(self) -> bool:
        """Requests are due at a rate, whatever the answers do."""
        return self.per_second > 0

    @property
    def name(self) -> str:
        """The unit for the head of a column."""
        return "due/s" if self.is_open else "users"

    @property
    def noun(self) -> str:
        """The unit behind several numbers."""
        return "requests/s" if self.is_open else "users"

    def amount(self, level: float) -> float:
        """The level in its unit; a number of users stays a whole number.

        >>> Unit().amount(9), Unit(PER_SECOND).amount(5213)
        (9, 52.13)
        """
        return level / self.per_second if self.is_open else level

    def number(self, level: float) -> str:
        """The level without its unit.

        >>> Unit().number(1200), Unit(PER_SECOND).number(5213), Unit(PER_SECOND).number(0)
        ('1,200', '52.1', '0')
        """
        return rate_number(level / self.per_second) if self.is_open and level else f"{level:,.0f}"

    def words(self, level: float) -> str:
        """The level with its unit.

        >>> Unit().words(1), Unit().words(9), Unit(PER_SECOND).words(5213)
        ('1 user', '9 users', '52.1 requests/s')
        """
        return f"{self.number(level)} {self._noun('user', level)}"

    def in_full(self, level: float) -> str:
        """The level as the endpoint sees it.

        >>> Unit().in_full(1), Unit().in_full(1200), Unit(PER_SECOND).in_full(20000)
        ('1 concurrent request', '1,200 concurrent requests', '200 requests/s')
        """
        return f"{self.number(level)} {self._noun('concurrent request', level)}"

    def noun_in_full(self, level: float) -> str:
        """The unit alone, as `in_full` says it."""
        return self._noun("concurrent request", level)

    def _noun(self, one: str, level: float) -> str:
        return "requests/s" if self.is_open else one if level == 1 else f"{one}s"


USERS = Unit()
