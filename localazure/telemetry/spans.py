"""The `timespan` of a query as two bounds. No I/O."""

from __future__ import annotations

import re

from localazure.telemetry.envelopes import BadItemError, instant_us

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_UNIT_US = {"weeks": 604_800_000_000, "days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000}
_UNIT_US["seconds"] = 1_000_000
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class BadSpanError(Exception):
    """A text that is no time span."""


def bounds_us(text: str | None, now_us: int) -> tuple[int | None, int | None]:
    """Start and end in microseconds since the epoch; None where the text sets no bound. Raises BadSpanError.

    >>> bounds_us("PT3600.0S", 5_000_000_000), bounds_us(None, 0)
    ((1400000000, 5000000000), (None, None))
    >>> bounds_us("1970-01-01T00:00:01Z/PT2S", 0), bounds_us("PT1S/1970-01-01T00:00:02Z", 0)
    ((1000000, 3000000), (1000000, 2000000))
    """
    if not text:
        return None, None
    first, slash, second = text.strip().partition("/")
    if not slash:
        return now_us - duration_us(first), now_us
    if first[:1] in "Pp":
        end_us = _instant_us(second)
        return end_us - duration_us(first), end_us
    start_us = _instant_us(first)
    end_us = start_us + duration_us(second) if second[:1] in "Pp" else _instant_us(second)
    if end_us < start_us:
        raise BadSpanError(f"{text!r} ends before it starts")
    return start_us, end_us


def duration_us(text: str) -> int:
    """Microseconds of an ISO 8601 duration without months and years. Raises BadSpanError.

    >>> duration_us("PT0.5S"), duration_us("P1DT2H"), duration_us("PT1M")
    (500000, 93600000000, 60000000)
    """
    match = _DURATION.fullmatch(text.strip())
    found = {name: value for name, value in match.groupdict().items() if value} if match else {}
    if not found:
        raise BadSpanError(f"{text!r} is no ISO 8601 duration")
    return round(sum(float(value) * _UNIT_US[name] for name, value in found.items()))


def _instant_us(text: str) -> int:
    text = text.strip().replace(" ", "+") if "T" in text else text.strip()
    try:
        return instant_us(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except BadItemError:
        raise BadSpanError(f"{text!r} is no ISO 8601 time") from None
