"""What containers and log collectors put in front of a line: taken off, in whatever order it was put on.

Each wrapper is data with a sample. One that tells an instant lends it to lines that have none of their own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from monitor.servicelog.stamps import iso_ms

_MOST_LAYERS = 4
_RFC3339 = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_SENDER = rb"\S{1,255} [^\s:\[\]]{1,80}(?:\[\d{1,10}\])?: "


@dataclass(frozen=True, slots=True)
class Wrapper:
    """`grammar` matches what stands in front; `sample` is a line that has it around `inner`, written at `at_ms`."""

    name: str
    grammar: bytes
    sample: bytes
    inner: bytes
    at_ms: int | None = None


WRAPPERS: tuple[Wrapper, ...] = (
    Wrapper(
        "runit",
        _RFC3339 + rb" \| [\w.-]{1,80}/run \| ?",
        b"2021-02-07T08:21:30,123456789+00:00 | gunicorn/run | Starting gunicorn 20.1.0",
        b"Starting gunicorn 20.1.0",
        1612686090123,
    ),
    Wrapper(
        "CRI",
        _RFC3339 + rb" std(?:out|err) [FP] ",
        b"2026-01-01T10:00:00.123456789Z stdout F 200",
        b"200",
        1767261600123,
    ),
    Wrapper(
        "syslog with a year",
        rb"(?:<\d{1,3}>1? ?)?" + _RFC3339 + rb" " + _SENDER,
        b"<14>2026-01-01T10:00:00.123456+00:00 node-1 gunicorn[12]: 200",
        b"200",
        1767261600123,
    ),
    Wrapper("kubectl --timestamps", _RFC3339 + rb" ", b"2026-01-01T10:00:00.123Z 200", b"200", 1767261600123),
    Wrapper("kubectl --prefix", rb"\[pod/[\w./-]{1,500}\] ", b"[pod/churn-7d9f/inference-server] 200", b"200"),
    Wrapper("docker compose", rb"[a-zA-Z][\w.-]{0,80} {1,40}\| ", b"web_1  | 200", b"200"),
    Wrapper(
        "syslog",
        rb"(?:<\d{1,3}>)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d " + _SENDER,
        b"Feb  7 08:21:31 node-1 gunicorn[12]: 200",
        b"200",
    ),
)
_ANY = re.compile(rb"|".join(rb"(?:%s)" % one.grammar for one in WRAPPERS))
_STAMP = re.compile(_RFC3339)
LOG_KEYS = ("log", "message", "msg", "Message", "LogMessage", "textPayload", "MESSAGE")
_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp", "TimeGenerated")


def unwrapped(body: bytes, most: int = _MOST_LAYERS) -> tuple[bytes, int | None]:
    """The line without what was put around it, and the instant that this told.

    >>> unwrapped(b'{"log":"200\\\\n","stream":"stdout","time":"1970-01-01T00:00:01Z"}')
    (b'200', 1000)
    """
    at_ms: int | None = None
    if body[19:20] == b"," and body[23:24] == b" ":
        return body, None  # an instant in milliseconds without a zone: the server's own line
    for _ in range(most):
        if body[:1] == b"{":
            inner, told_ms = _of_json(body)
        else:
            inner, told_ms = _without_one(body)
        if inner is body:
            break
        body, at_ms = inner, at_ms if told_ms is None else told_ms
    return body, at_ms


def _without_one(body: bytes) -> tuple[bytes, int | None]:
    match = _ANY.match(body)
    if match is None:
        return body, None
    stamp = _STAMP.search(match[0])
    return body[match.end() :], None if stamp is None else iso_ms(stamp[0])


def _of_json(body: bytes) -> tuple[bytes, int | None]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return body, None
    text = next((told[key] for key in LOG_KEYS if isinstance(told.get(key), str)), None)
    if text is None:
        return body, None
    stamp = next((told[key] for key in _TIME_KEYS if isinstance(told.get(key), str)), "")
    return text.encode("utf-8", "surrogatepass").rstrip(b"\r\n"), iso_ms(stamp.encode("ascii", "replace"))
