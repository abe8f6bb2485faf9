"""What a token says of its own life. The signature is not looked at: that is for whom it is sent to."""

from __future__ import annotations

import base64
import json
from typing import Any

_MAX_PART_CHARS = 65_536


def expiry_s(token: str) -> float | None:
    """From when on the token is refused, in seconds since 1970; None where it does not say so in the open.

    >>> expiry_s("e30.eyJleHAiOjE4MDAwMDAwMDB9.c2ln")
    1800000000.0
    """
    told = claims_of(token).get("exp")
    if not isinstance(told, int | float) or isinstance(told, bool) or not 0 < told < 1e11:
        return None
    return float(told)


def claims_of(token: str) -> dict[str, Any]:
    """Everything that a token says in the open; empty where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3 or len(parts[1]) > _MAX_PART_CHARS:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
