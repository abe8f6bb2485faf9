"""Durations of ARM's JSON, ISO 8601 as .NET writes them, as nanoseconds."""

from __future__ import annotations

import re
from decimal import Decimal

from scoring.units import DAY, HOUR, MIN, S

_FORM = re.compile(
    r"P(?:(?P<d>\d{1,9})D)?(?:T(?:(?P<h>\d{1,9})H)?(?:(?P<m>\d{1,9})M)?(?:(?P<s>\d{1,12}(?:[.,]\d{1,12})?)S)?)?",
    re.ASCII,
)


def duration_ns(text: object) -> int | None:
    """Nanoseconds of days, hours, minutes and seconds; None for what is no such duration.

    Years and months, which have no fixed length, weeks and signs are none.

    >>> duration_ns("PT5S"), duration_ns("PT0.5S"), duration_ns("PT1M30S") // S, duration_ns("P1DT1H") // HOUR
    (5000000000, 500000000, 90, 25)
    >>> duration_ns("P"), duration_ns("PT"), duration_ns("P1M"), duration_ns(5), duration_ns(None)
    (None, None, None, None, None)
    """
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()) or str(text).endswith("T"):
        return None
    parts = {name: Decimal((value or "0").replace(",", ".")) for name, value in match.groupdict().items()}
    return int(parts["d"] * DAY + parts["h"] * HOUR + parts["m"] * MIN + parts["s"] * S)


def duration_text(duration: int) -> str:
    """The duration as redline.toml takes it, in the largest unit that divides it.

    >>> duration_text(5 * S), duration_text(90 * S), duration_text(500_000_000), duration_text(2 * MIN)
    ('5s', '90s', '500ms', '2m')
    """
    units = (("h", HOUR), ("m", MIN), ("s", S), ("ms", 10**6), ("us", 10**3), ("ns", 1))
    unit, size = next((unit, size) for unit, size in units if duration % size == 0)
    return f"{duration // size}{unit}"
