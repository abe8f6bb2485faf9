"""One line of a service log, as its format tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a line is about, as far as one line can tell."""

    APP = "app"  # the server's own line of a request: has its duration
    ACCESS = "access"  # a web server's line of a request
    STATUS = "status"  # a status alone: the request line of 0.7 and older
    MESSAGE = "message"  # a line with a level, or of a known logger
    BARE = "bare"  # nothing in front: the rest of another line, or something printed


class Line(NamedTuple):
    """`text` is the message without what stands in front. Absent is what the format does not tell."""

    format: str
    kind: Kind
    text: bytes
    at_ms: int | None = None
    level: str | None = None  # "D", "I", "W", "E", "C"
    pid: int | None = None
    logger: str | None = None
    method: bytes | None = None
    target: bytes | None = None
    status: int | None = None
    duration_us: int | None = None
    zone_ms: int = 0  # how far the clock that wrote it is ahead of UTC
    is_echo: bool = False  # a print that repeats another with a request id in front


def is_scoring(method: bytes | None, target: bytes | None) -> bool:
    """A scoring request is a POST to a path that ends in `/score`.

    >>> is_scoring(b"POST", b"/api/v1/service/churn/score?verbose=1"), is_scoring(b"GET", b"/score")
    (True, False)
    """
    return method == b"POST" and target is not None and path_of(target).endswith(b"/score")


def path_of(target: bytes) -> bytes:
    """The path without query, without a closing slash."""
    return target.partition(b"?")[0].rstrip(b"/")
