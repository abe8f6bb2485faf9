"""Durations, ratios and rates: from the text a person types, and back to text with a unit.

Inside, durations are integer nanoseconds, ratios 0..1 and rates requests per second.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from scoring.errors import RedlineError

US = 10**3
MS = 10**6
S = 10**9
MIN = 60 * S
HOUR = 60 * MIN
DAY = 24 * HOUR

_UNIT_NS = {"ns": 1, "us": US, "µs": US, "ms": MS, "s": S, "m": MIN, "h": HOUR, "d": DAY}
_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_DURATION = re.compile(_NUMBER + r"\s?(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_RATIO = re.compile(_NUMBER + r"\s?(%?)", re.ASCII)
_RATE = re.compile(_NUMBER + r"\s?(?:rps|/s|/(m|min)|/(h))", re.ASCII)


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of one number with its unit; a fraction below a nanosecond is dropped.

    >>> parse_duration_ns("1.5s"), parse_duration_ns("20ms"), parse_duration_ns("10m") // S
    (1500000000, 20000000, 600)
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise RedlineError(f"`{_shown(text)}` is not a duration", "a number and a unit: 20ms, 5s, 1.5s, 10m, 1h")
    return int(Decimal(match[1]) * _UNIT_NS[match[2]])


def parse_ratio(text: str) -> float:
    """A ratio in 0..1, from a percentage or a plain number.

    >>> parse_ratio("0.1%"), parse_ratio("0.05")
    (0.001, 0.05)
    """
    match = _RATIO.fullmatch(text.strip())
    ratio = None if match is None else float(Decimal(match[1]) / (100 if match[2] else 1))
    if ratio is None or ratio > 1:
        raise RedlineError(f"`{_shown(text)}` is not a ratio between 0 and 1", "a percentage or a ratio: 0.1%, 0.001")
    return ratio


def parse_rate_rps(text: str) -> float:
    """Requests per second, more than 0.

    >>> parse_rate_rps("25rps"), parse_rate_rps("25/s"), parse_rate_rps("90/min")
    (25.0, 25.0, 1.5)
    """
    match = _RATE.fullmatch(text.strip())
    seconds = 1 if match is None else 60 if match[2] else 3600 if match[3] else 1
    if match is None or Decimal(match[1]) == 0:
        raise RedlineError(f"`{_shown(text)}` is not a rate", "requests per second: 25rps, 25/s, 0.5/s, 90/min")
    return float(Decimal(match[1]) / seconds)


def show_ms(ms: float | None) -> str:
    """Three significant digits with the unit, in seconds from 10 s on; an en dash where nothing was measured.

    >>> show_ms(0.0421), show_ms(3.456), show_ms(123.4), show_ms(4321), show_ms(12345), show_ms(None)
    ('0.042 ms', '3.46 ms', '123 ms', '4,321 ms', '12.3 s', '–')
    """
    if ms is None or not math.isfinite(ms):
        return "–"
    if abs(ms) >= 10_000:
        return show_seconds(ms / 1000)
    return f"{ms:,.{_decimals(ms)}f} ms"


def show_seconds(s: float | None) -> str:
    """Seconds below two minutes, then minutes and seconds, then hours and minutes.

    >>> show_seconds(0.25), show_seconds(12.345), show_seconds(185), show_seconds(7384), show_seconds(None)
    ('0.250 s', '12.3 s', '3 min 5 s', '2 h 3 min', '–')
    """
    if s is None or not math.isfinite(s):
        return "–"
    if abs(s) < 120:
        return f"{s:.{_decimals(s)}f} s"
    minutes, seconds = divmod(round(s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def rate_number(rps: float | None) -> str:
    """A rate to three significant digits, or all digits from 100 on; an en dash where nothing was measured.

    >>> rate_number(0.5), rate_number(48.93), rate_number(1234.4), rate_number(None)
    ('0.50', '48.9', '1,234', '–')
    """
    if rps is None or not math.isfinite(rps):
        return "–"
    return f"{rps:,.{0 if rps >= 100 else 1 if rps >= 10 else 2}f}"


def show_ratio(count: int, total: int) -> str:
    """A percentage with the counts it comes from; rounding never turns some into none, nor most into all.

    >>> show_ratio(12, 3871), show_ratio(0, 10), show_ratio(1, 10**6), show_ratio(0, 0)
    ('0.31 % (12 of 3,871)', '0 % (0 of 10)', '<0.01 % (1 of 1,000,000)', '– (0 of 0)')
    """
    return f"{_percent(count, total)} ({count:,} of {total:,})"


def show_count(n: int) -> str:
    """Digits grouped by threes.

    >>> show_count(3871)
    '3,871'
    """
    return f"{n:,}"


def _percent(count: int, total: int) -> str:
    if total == 0:
        return "–"
    if count in (0, total):
        return "0 %" if count == 0 else "100 %"
    percent = 100 * count / total
    if percent < 0.01:
        return "<0.01 %"
    if percent > 99.99:
        return ">99.99 %"
    return f"{percent:.2f} %"


def _decimals(value: float) -> int:
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
