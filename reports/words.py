"""How quantities are said in every rendering, beyond what `scoring.units` says."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from scoring.units import rate_number as rate_number

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?[,;:]? ")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


def concurrent(users: int) -> str:
    """Users as the endpoint sees them.

    >>> concurrent(1), concurrent(1200)
    ('1 concurrent request', '1,200 concurrent requests')
    """
    return "1 concurrent request" if users == 1 else f"{users:,} concurrent requests"


def users_words(users: int) -> str:
    """A level, by its number of users.

    >>> users_words(1), users_words(9)
    ('1 user', '9 users')
    """
    return "1 user" if users == 1 else f"{users:,} users"


def attempts_words(count: int) -> str:
    """A number of attempts.

    >>> attempts_words(1), attempts_words(3871)
    ('1 attempt', '3,871 attempts')
    """
    return "1 attempt" if count == 1 else f"{count:,} attempts"


def renewed_words(count: int) -> str:
    """The attempts that a renewal explains, in a sentence.

    >>> renewed_words(1)
    '1 attempt was answered 401 while the credential was renewed; it was sent again and counts nowhere else.'
    """
    if count == 1:
        return "1 attempt was answered 401 while the credential was renewed; it was sent again and counts nowhere else."
    return (
        f"{count:,} attempts were answered 401 while the credential was renewed; they were sent again and count"
        " nowhere else."
    )


def show_rps(rps: float | None) -> str:
    """A rate with its unit.

    >>> show_rps(391.2)
    '391 requests/s'
    """
    return f"{rate_number(rps)} requests/s"


def percent(ratio: float | None, decimals: int = 0) -> str:
    """A ratio as a percentage; an en dash where nothing was measured.

    >>> percent(0.412), percent(0.9998, 2), percent(None)
    ('41 %', '99.98 %', '–')
    """
    return "–" if ratio is None or not math.isfinite(ratio) else f"{100 * ratio:.{decimals}f} %"


def instant_words(at: str) -> str:
    """An RFC 3339 instant in UTC as people write it; any other text as it is.

    >>> instant_words("2026-11-22T20:55:01Z"), instant_words("yesterday")
    ('2026-11-22 20:55:01 UTC', 'yesterday')
    """
    return f"{at[:10]} {at[11:19]} UTC" if _UTC.fullmatch(at) else at


def sentence_case(text: str) -> str:
    """The text with a capital first letter, unless it starts with a name: of a setting, of a goal.

    >>> sentence_case("carries 40 requests/s"), sentence_case("scoring_timeout_ms: 40"), sentence_case("")
    ('Carries 40 requests/s', 'scoring_timeout_ms: 40', '')
    """
    return text[:1].upper() + text[1:] if _WORD.match(text) else text


def instant_text(at: datetime) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one.

    >>> from datetime import UTC
    >>> instant_text(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(at: datetime | None) -> str | None:
    """RFC 3339, UTC."""
    return None if at is None else instant_text(at)
