"""What an endpoint must carry, as a person writes it: `25rps` or `40users`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scoring.errors import RedlineError
from scoring.units import parse_rate_rps

_USERS = re.compile(r"\s*([1-9]\d{0,6})\s?users?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Need:
    """At most one of the two is known."""

    rps: float | None = None
    users: int | None = None


def parse_need(text: str | None) -> Need:
    """The rate or the number of users in `text`; neither for None. RedlineError for anything else.

    >>> parse_need("25rps"), parse_need("40users"), parse_need(None)
    (Need(rps=25.0, users=None), Need(rps=None, users=40), Need(rps=None, users=None))
    """
    if text is None:
        return Need()
    match = _USERS.fullmatch(text)
    if match is not None:
        return Need(users=int(match[1]))
    try:
        return Need(rps=parse_rate_rps(text))
    except RedlineError as error:
        raise RedlineError(
            f"`{text[:40]}` is not a need", "write a rate or a number of users: 25rps, 40users"
        ) from error
