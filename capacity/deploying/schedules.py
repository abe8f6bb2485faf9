"""One schedule in the words of cron, systemd and Jenkins."""

from __future__ import annotations

import re

from scoring.cron import Cron
from scoring.errors import RedlineError

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ITEM = re.compile(r"(\*|\d+|[a-z]{3})(?:-(\d+|[a-z]{3}))?(?:/(\d+))?", re.IGNORECASE)


def cron_of(every_s: int) -> str:
    """The cron expression that comes closest without being rarer: minutes that divide an hour, hours that divide a day.

    >>> cron_of(300), cron_of(20), cron_of(420), cron_of(7200), cron_of(86400 * 9)
    ('*/5 * * * *', '* * * * *', '*/6 * * * *', '0 */2 * * *', '0 0 * * *')
    """
    minutes = max(every_s // 60, 1)
    if minutes < 60:
        step = max(n for n in range(1, 31) if 60 % n == 0 and n <= minutes)
        return "* * * * *" if step == 1 else f"*/{step} * * * *"
    hours = minutes // 60
    if hours >= 24:
        return "0 0 * * *"
    step = max(n for n in range(1, 13) if 24 % n == 0 and n <= hours)
    return "0 * * * *" if step == 1 else f"0 */{step} * * *"


def calendars(cron: Cron) -> tuple[str, ...]:
    """The OnCalendar values of systemd that together mean the same. RedlineError where systemd has no words for it.

    Two of them where day of month and day of week are both given: cron then means either.

    >>> calendars(Cron("*/10 8-18 * * MON-FRI", "Europe/Vienna"))
    ('Mon..Fri *-*-* 8..18:0/10:00 Europe/Vienna',)
    >>> calendars(Cron("0 3 1 * 0"))
    ('*-*-01 3:0:00 UTC', 'Sun *-*-* 3:0:00 UTC')
    """
    minute, hour, day, month, weekday = cron.expression.split()
    clock = f"{_field(cron, hour, 0)}:{_field(cron, minute, 0)}:00 {cron.zone}"
    months = _field(cron, month, 1)
    by_day, by_weekday = not day.startswith("*"), not weekday.startswith("*")
    found = []
    if by_day or not by_weekday:
        found.append(f"*-{months}-{_padded(_field(cron, day, 1))} {clock}")
    if by_weekday:
        found.append(f"{_weekdays(cron, weekday)} *-{months}-* {clock}")
    return tuple(found)


def _field(cron: Cron, text: str, first: int) -> str:
    items = []
    for item in text.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise _no_words(cron)
        low, high, step = found.groups()
        if low == "*":
            items.append(f"{first}/{step}" if step else "*")
            continue
        span = _number(cron, low) + (f"..{_number(cron, high)}" if high else "")
        items.append(span + (f"/{step}" if step else ""))
    return "*" if "*" in items else ",".join(items)


def _padded(text: str) -> str:
    return text.zfill(2) if text.isdigit() else text


def _number(cron: Cron, text: str) -> str:
    if text.isdigit():
        return text
    if text.lower() not in _MONTHS:
        raise _no_words(cron)
    return str(_MONTHS.index(text.lower()) + 1)


def _weekdays(cron: Cron, text: str) -> str:
    items = []
    for item in text.split(","):
        found = _ITEM.fullmatch(item)
        if found is None or found.group(3) or found.group(1) == "*":
            raise _no_words(cron)
        low, high, _ = found.groups()
        items.append(_weekday(cron, low) + (f"..{_weekday(cron, high)}" if high else ""))
    return ",".join(items)


def _weekday(cron: Cron, text: str) -> str:
    if text.isdigit() and int(text) < len(_DAYS):
        return _DAYS[int(text)]
    if text.title() not in _DAYS:
        raise _no_words(cron)
    return text.title()


def _no_words(cron: Cron) -> RedlineError:
    hint = 'redline export kubernetes, or cron without L, # and steps of weekdays: "0 3 * * MON-FRI"'
    return RedlineError(f"systemd cannot say `{cron.expression}`", hint)
