"""How two sources' rows of one request are recognised as such."""

from __future__ import annotations

ID, SERVER_ID, TIME = "id", "server id", "time"
TEXT, INSTANCE = "text", "instance"  # an exception: its message in the answer, its worker's log line
PRESENT, ABSENT, UNKNOWN = "present", "absent", "unknown"


def plain_id(text: str | None) -> str | None:
    """An id without dashes, in lower case: the form all sources agree on.

    >>> plain_id("0F8FAD5B-D9CB-469F-A165-70867728950E")
    '0f8fad5bd9cb469fa16570867728950e'
    """
    return text.replace("-", "").strip().lower() or None if text else None
