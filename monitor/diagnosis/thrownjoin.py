"""The exception of a failed request: by id, by what the answer says, by the log line beside it, or by time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.diagnosis.clues import clue
from monitor.diagnosis.ids import INSTANCE, TEXT, TIME, plain_id
from monitor.diagnosis.slots import Slots
from monitor.fingerprint import thrown_key
from scoring.served import Served, Thrown

_CLOSE = timedelta(seconds=2)
_SCRIPT_CLUES = (None, "script_error", "memory", "bad_payload", "scoring_timeout")


class ThrownJoin:
    """Exceptions of a period. One with an id belongs to its request; one without, to at most one request."""

    def __init__(self, thrown: Iterable[Thrown], ahead: timedelta) -> None:
        self._by_id: dict[str, Thrown] = {}
        loose = []
        for one in thrown:
            ids = [text for text in (plain_id(one.request_id), plain_id(one.server_id)) if text]
            for text in ids:
                self._by_id.setdefault(text, one)
            if not ids:
                loose.append(one)
        self._slots = Slots(loose)
        self._ahead = ahead
        self.has_loose = bool(loose)

    def by_id(self, rows: Sequence[Served]) -> Thrown | None:
        """The exception that names the request by one of the ids its rows have."""
        ids = (plain_id(text) for row in rows for text in (row.request_id, row.server_id))
        return next((self._by_id[text] for text in ids if text and text in self._by_id), None)

    def by_likeness(self, row: Served, log_row: Served | None) -> tuple[Thrown, str] | None:
        """An exception without id whose text is in the answer, or that the worker of the log row threw then."""
        if not may_have_thrown(row):
            return None
        start, end = self._span(row)
        body = row.body or ""
        if body and clue(row.reason, body) != "script_error":
            said = self._slots.take(start, end, end, lambda one: len(one.message) > 3 and one.message[:200] in body)
            if said is not None:
                return said, TEXT
        if log_row is None or log_row.at is None or log_row.instance is None:
            return None
        near = log_row.at
        mine = self._slots.take(near - _CLOSE, near + _CLOSE, near, lambda one: one.instance == log_row.instance)
        return None if mine is None else (mine, INSTANCE)

    def give(self, row: Served, thrown: Thrown) -> None:
        """The same exception told once more without an id, by a log, belongs to this request and to no other."""
        start, end = self._span(row)
        key = thrown_key(thrown)
        self._slots.take(start, end, end, lambda one: thrown_key(one) == key)

    def by_time(self, row: Served) -> tuple[Thrown, str] | None:
        """The nearest exception without id that no other request has, where the answer may come from one."""
        if row.at is None or not may_have_thrown(row):
            return None
        start, end = self._span(row)
        said = clue(row.reason, row.body)

        def fits(one: Thrown) -> bool:
            return (one.kind == "timeout") == (said == "scoring_timeout") if said else True

        nearest = self._slots.take(start, end, end, fits)
        return None if nearest is None else (nearest, TIME)

    def _span(self, row: Served) -> tuple[datetime, datetime]:
        return span(row, self._ahead)


def span(row: Served, ahead: timedelta) -> tuple[datetime, datetime]:
    """From 2 s before the request to 2 s after its end, by the service's clock."""
    if row.at is None:
        return NEVER, NEVER
    start = row.at + ahead
    return start - _CLOSE, start + timedelta(milliseconds=row.duration_ms or 0.0) + _CLOSE


NEVER = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


def may_have_thrown(row: Served) -> bool:
    """True for an answer that an exception of the script, or its time-out, can be behind."""
    if clue(row.reason, row.body) not in _SCRIPT_CLUES:
        return False
    if row.function_failed is not None:
        return row.function_failed
    return row.status in (500, 502) or (row.status == 424 and row.model_status in (None, 500))
