"""The formats of service logs as data: each with its grammar and the samples it must parse.

A grammar names what it tells: `iso` or `common` (the instant), `level`, `pid`, `logger`, `text`, and of a request
`method`, `target`, `status` and a duration in `ms`, `s` or `us`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from monitor.servicelog.line import Kind, Line
from monitor.servicelog.stamps import common_ms, iso_ms, zone_ms


@dataclass(frozen=True, slots=True)
class Sample:
    """A line, and the fields that must come out of it."""

    line: bytes
    fields: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of line. `starts` are the bytes a line may begin with; empty for any."""

    name: str
    kind: Kind
    grammar: re.Pattern[bytes]
    samples: tuple[Sample, ...]


_ISO = rb"(?P<iso>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
_COMMON = rb"\[(?P<common>\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d(?: (?P<zone>[+-]\d{4}))?)\]"
_REQUEST = rb'"(?:(?P<method>[A-Z]{1,20}) (?P<target>\S.*?)(?: HTTP/[\d.]+)?|(?:[^"\\]|\\.)*)"'
_ANSWER = _REQUEST + rb" (?P<status>\d{3}) (?:\d+|-)(?P<rest>.*)"
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_DURATION = re.compile(
    rb'(?: ?%s ?%s)?.*?(?:^|(?<=[ =:"]))' % (_QUOTED, _QUOTED)
    + rb'(?:(?P<s>\d{1,6}\.\d{3,6})s?|(?P<ms>\d{1,9}(?:\.\d{1,6})?)ms|(?P<us>\d{1,12})us)(?=[ ",]|$)',
    re.DOTALL,
)


def _format(name: str, kind: Kind, grammar: bytes, *samples: tuple[bytes, dict[str, object]]) -> Format:
    told = tuple(Sample(line, tuple(fields.items())) for line, fields in samples)
    return Format(name, kind, re.compile(grammar, re.DOTALL), told)


_ANY_STAMP = rb"(?P<iso>\d...-..-.. ..:..:..,...)"  # without an instant, too, the line is the server's
AZMLINFSRV = _ANY_STAMP + rb" (?P<level>[DIWEC]) \[(?P<pid>[^\]]{1,10})\] (?P<logger>[\w.]+) - "
_REQUEST_OF = rb"%s (?P<level>[DIWEC]) \[(?P<pid>\d{1,10})\] azmlinfsrv - " % _ISO
_ACCESS_OF = _ANY_STAMP + rb" (?P<level>[DIWEC]) \[(?P<pid>\d{1,10})\] gunicorn\.access - .{0,300}?"
LEGACY = rb"%s \| (?P<logger>[\w.]+) \| (?P<level>[A-Z]{4,8}) \| " % _ISO

FORMATS: tuple[Format, ...] = (
    _format(
        "azmlinfsrv request",
        Kind.APP,
        _REQUEST_OF
        + rb"(?P<method>[A-Z]{3,10}) (?P<target>/.*?) (?P<status>\d{3}) (?P<ms>\d{1,12}\.\d{1,6})ms (?:\d+|N/A|None)",
        (
            b"2026-01-01 10:00:00,617 I [784] azmlinfsrv - POST /score 200 0.984ms 18",
            {
                "pid": 784,
                "level": "I",
                "method": b"POST",
                "target": b"/score",
                "status": 200,
                "duration_us": 984,
                "at_ms": 1767261600617,
            },
        ),
        (
            b"2026-01-01 10:00:00,617 I [784] azmlinfsrv - GET /score?a=%22b c%22 500 12000.5ms N/A",
            {"method": b"GET", "target": b"/score?a=%22b c%22", "status": 500, "duration_us": 12000500},
        ),
    ),
    _format(
        "azmlinfsrv access",
        Kind.ACCESS,
        _ACCESS_OF + rb"\[.{26}\] " + _ANSWER,
        (
            b"2026-01-01 10:00:00,618 I [784] gunicorn.access - 127.0.0.1 - - [01/Jan/2026:10:00:00 +0000]"
            b' "POST /score HTTP/1.1" 200 18 "-" "curl/7.88.1"',
            {
                "pid": 784,
                "method": b"POST",
                "target": b"/score",
                "status": 200,
                "duration_us": None,
                "at_ms": 1767261600618,
            },
        ),
    ),
    _format(
        "azmlinfsrv message",
        Kind.MESSAGE,
        AZMLINFSRV + rb"(?P<text>.*)",
        (
            b"2026-01-01 10:00:00,632 I [784] azmlinfsrv.print - scoring ok",
            {"logger": "azmlinfsrv.print", "text": b"scoring ok", "level": "I", "pid": 784},
        ),
        (
            b"2026-01-01 10:00:00,635 E [784] azmlinfsrv - Encountered Exception: Traceback (most recent call last):",
            {"level": "E", "text": b"Encountered Exception: Traceback (most recent call last):"},
        ),
        (
            b"2026-01-01 10:00:01,000 E [12] gunicorn.error - Worker (pid:15) exited with code 1.",
            {"logger": "gunicorn.error", "pid": 12, "text": b"Worker (pid:15) exited with code 1."},
        ),
    ),
    _format(
        "0.7 status",
        Kind.STATUS,
        LEGACY + rb"(?P<status>[1-5]\d\d)",
        (
            b"2021-02-07 08:21:31,073 | root | INFO | 200",
            {"status": 200, "at_ms": 1612686091073, "level": "I", "pid": None},
        ),
    ),
    _format(
        "0.7 message",
        Kind.MESSAGE,
        LEGACY + rb"(?P<text>.*)",
        (
            b"2021-02-07 08:21:31,074 | root | INFO | Scoring Timer is set to 60.0 seconds",
            {"text": b"Scoring Timer is set to 60.0 seconds", "logger": "root"},
        ),
        (b"2021-02-07 08:21:31,074 | root | ERROR | Encountered Exception: Traceback", {"level": "E"}),
    ),
    _format(
        "access",
        Kind.ACCESS,
        rb".{0,300}?" + _COMMON + rb" " + _ANSWER,
        (
            b'127.0.0.1 - - [07/Feb/2021:08:21:31 +0000] "POST /score HTTP/1.0" 200 22 "-" "python-requests/2.25.1"',
            {"method": b"POST", "target": b"/score", "status": 200, "duration_us": None, "at_ms": 1612686091000},
        ),
        (
            b'10.0.0.7 - ann [07/Feb/2021:09:21:31 +0100] "POST /api/v1/service/bike/score?v=2 HTTP/1.1" 503 0'
            b' "-" "ua" 0.123',
            {"target": b"/api/v1/service/bike/score?v=2", "duration_us": 123000, "at_ms": 1612686091000},
        ),
        (
            b'10.0.0.7 - - [07/Feb/2021:08:21:31 +0000] "POST /score HTTP/1.1" 504 9 "-" "ua" "-"'
            b' rt=60.001 urt="60.000"',
            {"status": 504, "duration_us": 60001000},
        ),
        (
            b'10.0.0.7 - - [07/Feb/2021:08:21:31 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"',
            {"method": None, "status": 400},
        ),
        (b'127.0.0.1 - - [07/Feb/2021 08:21:31] "POST /score HTTP/1.1" 200 -', {"status": 200, "target": b"/score"}),
    ),
    _format(
        "uvicorn access",
        Kind.ACCESS,
        rb'(?:%s,? )?INFO: {1,10}\S+ - "(?P<method>[A-Z]{1,20}) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d{3})' % _ISO
        + rb"(?: [\w' -]*)?",
        (
            b'INFO:     127.0.0.1:54321 - "POST /score HTTP/1.1" 200 OK',
            {"method": b"POST", "target": b"/score", "status": 200, "at_ms": None},
        ),
    ),
    _format(
        "gunicorn error",
        Kind.MESSAGE,
        rb"\[%s (?P<zone>[+-]\d{4})\] \[(?P<pid>\d{1,10})\] \[(?P<level>[A-Z]{4,8})\] (?P<text>.*)" % _ISO,
        (
            b"[2021-02-07 09:21:31 +0100] [12] [CRITICAL] WORKER TIMEOUT (pid:15)",
            {"at_ms": 1612686091000, "pid": 12, "level": "C", "text": b"WORKER TIMEOUT (pid:15)"},
        ),
    ),
    _format(
        "bare status",
        Kind.STATUS,
        rb"(?P<status>[1-5]\d\d)",
        (b"200", {"status": 200, "at_ms": None}),
    ),
    _format(
        "python logging",
        Kind.MESSAGE,
        rb"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>[\w.]+):(?P<text>.*)",
        (
            b"WARNING:score:feature temp is missing",
            {"level": "W", "text": b"feature temp is missing", "logger": "score"},
        ),
    ),
)
"""Where several grammars match the whole line, the first of them is the line's format."""

_ECHO = re.compile(rb"(?:no request id|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}),(?P<text>.*)", re.DOTALL)
_STAMP = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")
_NAMED = {one.name: one for one in FORMATS}
_LEGACY = (_NAMED["0.7 status"], _NAMED["0.7 message"])
_AZMLINFSRV = tuple(one for one in FORMATS if one.name.startswith("azmlinfsrv"))
_LEVELLED = (_NAMED["uvicorn access"], _NAMED["python logging"])
_SHORT_BYTES = 300  # a longer line hardly comes again
_ANY_STAMP_TEXT = b"2000-01-01 00:00:00,000"


def parsed(body: bytes) -> Line:
    """The line in the first format that it has; `BARE` when it has none.

    >>> parsed(b"2021-02-07 08:21:31,073 | root | INFO | 200").status
    200
    """
    if len(body) >= _SHORT_BYTES:
        return _parsed(body)
    if body[23:26] == b" | " and _STAMP.match(body) is not None:
        one = _of_any_time(body[23:])
        if one.kind is Kind.BARE:
            return Line("bare", Kind.BARE, body)
        return Line(one.format, one.kind, one.text, iso_ms(body[:23]), one.level, None, one.logger, status=one.status)
    return _of_any_time(body)


@lru_cache(maxsize=8192)
def _of_any_time(body: bytes) -> Line:
    """The line, or what follows the instant of servers 0.7 and older: the same texts come again and again."""
    return _parsed(_ANY_STAMP_TEXT + body if body.startswith(b" | ") else body)


def _parsed(body: bytes) -> Line:
    for format_ in _candidates(body):
        match = format_.grammar.fullmatch(body)
        if match is not None:
            return _line(format_, match.groupdict())
    echo = _ECHO.fullmatch(body)
    if echo is not None:
        return Line("echo", Kind.BARE, echo["text"], is_echo=True)
    return Line("bare", Kind.BARE, body)


def _candidates(body: bytes) -> tuple[Format, ...]:
    """The formats that a line may have, by the signs at fixed places."""
    if body[23:26] == b" | ":
        return _LEGACY
    if body[26:27] == b"[" and body[23:24] == b" ":
        return (*_AZMLINFSRV, _NAMED["access"])
    if len(body) == 3:
        return (_NAMED["bare status"],)
    found: tuple[Format, ...] = (_NAMED["access"],) if b'] "' in body else ()
    if body[:1] == b"[":
        return (_NAMED["gunicorn error"], *found)
    if body[:1] in (b"D", b"I", b"W", b"E", b"C") or b" INFO: " in body[:40]:
        return (*_LEVELLED, *found)
    return found


def _line(format_: Format, fields: dict[str, bytes | None]) -> Line:
    level, pid, logger, status = (fields.get(name) for name in ("level", "pid", "logger", "status"))
    ahead_ms = zone_ms(fields.get("zone"))
    return Line(
        format_.name,
        format_.kind,
        fields.get("text") or b"",
        at_ms=_at_ms(fields, ahead_ms),
        level=None if level is None else chr(level[0]),
        pid=int(pid) if pid is not None and pid.isdigit() else None,
        logger=None if logger is None else logger.decode("ascii", "replace"),
        method=fields.get("method"),
        target=fields.get("target"),
        status=None if status is None else int(status),
        duration_us=_duration_us(fields),
        zone_ms=ahead_ms,
    )


def _at_ms(fields: dict[str, bytes | None], ahead_ms: int) -> int | None:
    iso, common = fields.get("iso"), fields.get("common")
    if iso is not None:
        at_ms = iso_ms(iso)
        return None if at_ms is None else at_ms - (0 if common else ahead_ms)
    return None if common is None else common_ms(common)


def _duration_us(fields: dict[str, bytes | None]) -> int | None:
    """Microseconds, where the line says them: of the server itself, or after the quoted fields of an access line."""
    if fields.get("ms"):
        return round(float(fields["ms"] or b"") * 1_000)
    rest = fields.get("rest") or b""
    found = duration_in(rest)
    if found is None:
        return None
    (start, _), (_, end), scale_us = found
    return round(float(rest[start:end]) * scale_us)


def duration_in(rest: bytes) -> tuple[tuple[int, int], tuple[int, int], int] | None:
    """Where a duration stands after the size in an access line, behind the referrer and the user agent.

    Start and end of its whole part and of its decimals, and the microseconds of its unit.

    >>> duration_in(b' "-" "curl" 0.123')
    ((12, 13), (14, 17), 1000000)
    """
    match = _DURATION.match(rest)
    if match is None:
        return None
    for unit, scale_us in (("ms", 1_000), ("s", 1_000_000), ("us", 1)):
        start, end = match.span(unit)
        if start >= 0:
            point = rest.find(b".", start, end)
            whole_end = end if point < 0 else point
            return (start, whole_end), (end if point < 0 else point + 1, end), scale_us
    return None
