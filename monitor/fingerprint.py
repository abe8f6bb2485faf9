"""The name of a cause: the same in another run, from another source, on another generation of the server."""

from __future__ import annotations

import hashlib
import re

from monitor.masking import masked
from scoring.served import Thrown

VERSION = "v1"
_FRAME = re.compile(r"(?:.*[/\\])?(?P<file>[^/\\:]+)(?::\d+)?(?: in (?P<function>.+))?")
_MESSAGE_CHARS = 200


def fingerprint(*parts: str) -> str:
    """`v1:` and 12 hex digits of what the parts say together."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{VERSION}:{digest[:12]}"


def thrown_key(thrown: Thrown) -> tuple[str, ...]:
    """What makes two exceptions the same: type, file and function of the user's frame, message without values."""
    return ("exception", thrown.type.rpartition(".")[2], frame_key(thrown.frame), masked_message(thrown.message))


def frame_key(frame: str | None) -> str:
    """File and function of a frame, without folder and line, so that an edit above it changes nothing.

    >>> frame_key("/var/app/score.py:11 in run"), frame_key(None)
    ('score.py:run', '')
    """
    found = _FRAME.fullmatch(frame or "")
    return f"{found['file']}:{found['function'] or ''}" if found else ""


def masked_message(message: str) -> str:
    """The first line of a message without what differs from one time to the next."""
    first = message.strip().partition("\n")[0]
    return " ".join(masked(first[: 2 * _MESSAGE_CHARS]).split())[:_MESSAGE_CHARS]
