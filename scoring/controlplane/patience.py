"""How long a call to Azure's APIs waits before it is made again, and when it is given up."""

from __future__ import annotations

MOST_TRIES = 4
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


def wait_before_next_s(tries: int, status: int | None, retry_after: str | None, left_s: float) -> float | None:
    """Seconds until the call is made again after `tries` of them; None: it is given up.

    A status of None is a connection that failed. What `Retry-After` says is kept to, or the call is given up at once:
    0.5, 1, 2 s otherwise. 409 (another operation is under way) counts as transient too.

    >>> [wait_before_next_s(tries, 503, None, 60) for tries in (1, 2, 3, 4)]
    [0.5, 1.0, 2.0, None]
    >>> wait_before_next_s(1, 429, "7", 60), wait_before_next_s(1, 429, "40", 60), wait_before_next_s(1, 403, None, 60)
    (7.0, None, None)
    """
    if tries >= MOST_TRIES or (status is not None and status not in TRANSIENT and status != 409):
        return None
    asked_s = seconds_of(retry_after)
    wait_s = FIRST_WAIT_S * 2 ** (tries - 1) if asked_s is None else asked_s
    return wait_s if wait_s <= min(LONGEST_WAIT_S, left_s) else None


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for; a date in it, and what cannot be read, is None.

    >>> seconds_of("3"), seconds_of("0.5"), seconds_of("soon"), seconds_of("-1"), seconds_of(None)
    (3.0, 0.5, None, None, None)
    """
    try:
        found_s = float(retry_after or "")
    except ValueError:
        return None
    return found_s if 0 <= found_s < 1e6 else None
