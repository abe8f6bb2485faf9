"""What is still to be told, and to whom: written with the decision, tried until it is delivered.

At least once: an attempt is counted before it is made and a delivery noted after it, so a crash in between repeats the
notice under the same key and number, and loses none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.health.deciding import Notice
from monitor.health.store import transaction
from scoring.health import Health, NoticeKind

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0
LONGEST_WISH_S = 3600.0
"""A receiver may ask for so much silence with Retry-After, and no more."""
DIGEST_OVER = 3
MOST_IN_DIGEST = 100


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that one channel has not delivered yet."""

    notice: Notice
    attempt_count: int
    next_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `is_refused`: the receiver is there and does not want this notice."""

    error: str | None = None  # None: delivered
    is_refused: bool = False
    retry_after_s: float | None = None


def post(connection: sqlite3.Connection, notice: Notice, channels: Iterable[str]) -> None:
    """The notice waits for every channel; one that is there already is left as it is. Inside a transaction."""
    values = (notice.key, notice.number, notice.kind.value, notice.subject, notice.state.value)
    connection.execute(
        "INSERT OR IGNORE INTO notices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*values, notice.reason, notice.evidence, notice.opened_s, notice.at_s),
    )
    rows = [(notice.key, notice.number, channel, notice.at_s) for channel in channels]
    connection.executemany("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, 0, ?, NULL, NULL)", rows)


def waiting(connection: sqlite3.Connection, channel: str) -> list[Waiting]:
    """Everything the channel has not delivered, in the order of its making."""
    rows = connection.execute(
        "SELECT n.kind, n.key, n.number, n.subject, n.state, n.reason, n.evidence, n.opened_s, n.created_s,"
        " d.attempt_count, d.next_s FROM deliveries d JOIN notices n USING (key, number)"
        " WHERE d.channel = ? AND d.sent_s IS NULL ORDER BY n.created_s, n.key, n.number",
        (channel,),
    )
    return [_waiting(*row) for row in rows]


def next_batch(all_waiting: Sequence[Waiting], now_s: float) -> list[Waiting]:
    """What to send now: nothing, one notice, or after failed attempts a digest of everything that waits.

    Of one incident the earlier notice goes first; a later one never overtakes it. A pause longer than any that is given
    comes from a clock that was set back, and holds nothing.
    """
    due, held = [], set()
    for one in all_waiting:
        if 0 < one.next_s - now_s <= LONGEST_WISH_S or one.notice.key in held:
            held.add(one.notice.key)
        else:
            due.append(one)
    if len(due) > DIGEST_OVER and any(one.attempt_count for one in due):
        return due[:MOST_IN_DIGEST]
    return due[:1]


def attempted(connection: sqlite3.Connection, batch: Sequence[Waiting], channel: str) -> None:
    """The attempt is counted before it is made."""
    with transaction(connection):
        connection.executemany(
            "UPDATE deliveries SET attempt_count = attempt_count + 1 WHERE key = ? AND number = ? AND channel = ?",
            [(one.notice.key, one.notice.number, channel) for one in batch],
        )


def settled(
    connection: sqlite3.Connection, batch: Sequence[Waiting], channel: str, outcome: Outcome, now_s: float
) -> None:
    """The attempt's outcome: delivered, or to be tried again after a pause that doubles.

    Where the receiver was not there, everything for it waits as long; where it refused a notice, only that one does.
    """
    keys = [(one.notice.key, one.notice.number, channel) for one in batch]
    with transaction(connection):
        if outcome.error is None:
            connection.executemany(
                "UPDATE deliveries SET sent_s = ?, error = NULL WHERE key = ? AND number = ? AND channel = ?",
                [(now_s, *key) for key in keys],
            )
            connection.execute(
                "UPDATE deliveries SET next_s = ?"
                " WHERE channel = ? AND sent_s IS NULL AND next_s > ? AND error IS NULL",
                (now_s, channel, now_s),
            )
            return
        next_s = now_s + pause_s(max(one.attempt_count for one in batch) + 1, outcome.retry_after_s)
        connection.executemany(
            "UPDATE deliveries SET next_s = ?, error = ? WHERE key = ? AND number = ? AND channel = ?",
            [(next_s, outcome.error, *key) for key in keys],
        )
        if not outcome.is_refused:
            connection.execute(
                "UPDATE deliveries SET next_s = ? WHERE channel = ? AND sent_s IS NULL AND next_s < ?",
                (next_s, channel, next_s),
            )


def pause_s(attempt_count: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next attempt: 5, 10, 20 … 900; longer where the receiver asks for it, up to an hour.

    >>> [pause_s(count) for count in (1, 2, 3, 9, 60)], pause_s(1, 30), pause_s(1, 10**9)
    ([5.0, 10.0, 20.0, 900.0, 900.0], 30, 3600.0)
    """
    own_s = min(FIRST_PAUSE_S * 2.0 ** min(attempt_count - 1, 20), LONGEST_PAUSE_S)
    return max(own_s, min(retry_after_s or 0.0, LONGEST_WISH_S))


def quiet_until_s(outcome: Outcome, now_s: float) -> float:
    """Until when the receiver wants to hear nothing, whatever is new: as long as it asked for, an hour at most.

    >>> quiet_until_s(Outcome("answered 429", retry_after_s=120.0), 1_000.0), quiet_until_s(Outcome("refused"), 1_000.0)
    (1120.0, 1000.0)
    """
    return now_s + min(outcome.retry_after_s or 0.0, LONGEST_WISH_S)


def without_channels(connection: sqlite3.Connection, channels: Sequence[str]) -> int:
    """How many notices waited for a channel that is configured no longer; they go to the ones that are."""
    marks = ", ".join("?" * len(channels))
    with transaction(connection):
        orphans = connection.execute(
            f"SELECT DISTINCT key, number, next_s FROM deliveries WHERE sent_s IS NULL AND channel NOT IN ({marks})"  # noqa: S608
            " AND NOT EXISTS (SELECT 1 FROM deliveries AS o WHERE o.key = deliveries.key"
            " AND o.number = deliveries.number AND o.sent_s IS NOT NULL)",
            tuple(channels),
        ).fetchall()
        rows = [(key, number, channel, next_s) for key, number, next_s in orphans for channel in channels]
        connection.executemany("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, 0, ?, NULL, NULL)", rows)
        connection.execute(
            f"DELETE FROM deliveries WHERE sent_s IS NULL AND channel NOT IN ({marks})",  # noqa: S608
            tuple(channels),
        )
    return len(orphans)


def _waiting(
    kind: str,
    key: str,
    number: int,
    subject: str,
    state: str,
    reason: str,
    evidence: str,
    opened_s: float,
    created_s: float,
    attempt_count: int,
    next_s: float,
) -> Waiting:
    notice = Notice(NoticeKind(kind), key, number, subject, Health(state), reason, evidence, opened_s, created_s)
    return Waiting(notice, attempt_count, next_s)
