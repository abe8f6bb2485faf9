"""Instants as log lines write them, in milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

NO_TIME = -(2**62)
"""Stands in arrays where a line tells no time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|[+-]\d\d:?\d\d))?", re.IGNORECASE
)
_COMMON = re.compile(rb"(\d\d)/(\w{3})/(\d{4})[: ](\d\d):(\d\d):(\d\d)(?: ([+-]\d{4}))?")


def iso_ms(stamp: bytes) -> int | None:
    """`2026-01-01 10:00:00,617`, `2026-01-01T10:00:00.617Z`; None for what is no instant. Without a zone: UTC.

    >>> iso_ms(b"1970-01-01 00:00:01,500"), iso_ms(b"1970-01-01T01:00:00+01:00"), iso_ms(b"2026-13-01 00:00:00")
    (1500, 0, None)
    """
    match = _ISO.fullmatch(stamp)
    if match is None:
        return None
    second_ms = _second_ms(*match.groups()[:6])
    if second_ms is None:
        return None
    fraction_ms = int((match[7] or b"0")[:3].ljust(3, b"0"))
    return second_ms + fraction_ms - zone_ms(match[8])


@lru_cache(maxsize=4096)
def common_ms(stamp: bytes) -> int | None:
    """`07/Feb/2021:08:21:31 +0000`, as access logs write it; None for what is no instant.

    >>> common_ms(b"01/Jan/1970:01:00:02 +0100")
    2000
    """
    match = _COMMON.match(stamp)
    if match is None or match[2].title() not in _MONTHS:
        return None
    month = b"%d" % _MONTHS[match[2].title()]
    second_ms = _second_ms(match[3], month, match[1], match[4], match[5], match[6])
    return None if second_ms is None else second_ms - zone_ms(match[7])


def zone_ms(zone: bytes | None) -> int:
    """How far a zone is ahead of UTC: `+0100` is one hour, nothing and `Z` are none."""
    if zone is None or zone in (b"Z", b"z"):
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return (-1 if zone[:1] == b"-" else 1) * minutes * 60_000


def at_of(ms: int | None) -> datetime | None:
    """The instant; None where there is none.

    >>> at_of(1500)
    datetime.datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=datetime.timezone.utc)
    """
    return None if ms is None or ms == NO_TIME else _EPOCH + timedelta(milliseconds=ms)


def ms_of(at: datetime) -> int:
    """Milliseconds since the epoch, rounded up."""
    return -((_EPOCH - at) // timedelta(milliseconds=1))


@lru_cache(maxsize=4096)
def _second_ms(*parts: bytes) -> int | None:
    try:
        at = datetime(*map(int, parts), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return round((at - _EPOCH).total_seconds()) * 1000
