"""The same request as each source tells it: by the caller's id, by the server's, or by time and status.

That a source which would have a row of the request has none is told apart from not knowing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from monitor.diagnosis.ids import ABSENT, ID, PRESENT, SERVER_ID, TIME, UNKNOWN, plain_id
from monitor.diagnosis.setting import COUNTED, clock_ahead_s, worth_a_shift
from monitor.diagnosis.slots import Slots
from monitor.diagnosis.thrownjoin import ThrownJoin, span
from scoring.account import Account, is_good
from scoring.served import Served, Source, Thrown
from scoring.told import Gap, Told


@dataclass(frozen=True, slots=True)
class Joined:
    """A request's row in the first source, its rows in others, and its exception.

    `known` says of each other source whether it has the request; `how` and `thrown_how` by what they were matched.
    """

    row: Served
    others: tuple[Served, ...] = ()
    how: str | None = None
    known: Mapping[Source, str] = field(default_factory=dict)
    thrown: Thrown | None = None
    thrown_how: str | None = None
    no_exception: bool = False  # the source of exceptions has it not, and would have

    def other(self, *sources: Source) -> Served | None:
        """Its row in the first of the sources that has one."""
        return next((row for source in sources for row in self.others if row.source is source), None)


def joined(told: Told, rows: Sequence[Served]) -> list[Joined]:
    """Every row with what the other sources tell of the same request, in the order given."""
    tables = [_Table(one) for one in told.accounts if one.source in COUNTED and (one.rows or one.looked_up)]
    ahead = worth_a_shift(clock_ahead_s(told))
    found = [_found(row, [table for table in tables if table.source is not row.source]) for row in rows]
    for table in tables:
        if not table.has_ids:
            found = _found_by_time(found, table, ahead)
    thrown = ThrownJoin(told.thrown, ahead)
    with_ids = any(one.request_id or one.server_id for one in told.thrown)
    found = [_with_exception_by_id(one, thrown, with_ids) for one in found]
    return _with_loose_exceptions(found, thrown) if thrown.has_loose else found


class _Table:
    """One source's rows by id, and whether it would have a row if there were a request."""

    def __init__(self, account: Account) -> None:
        self.source = account.source
        self.rows = account.rows
        self._account = account
        self._by_id: dict[str, Served] = {}
        self._by_server_id: dict[str, Served] = {}
        for row in account.rows:
            self._by_id.setdefault(plain_id(row.request_id) or "", row)
            self._by_server_id.setdefault(plain_id(row.server_id) or "", row)
        self._looked_up = frozenset(plain_id(text) for text in account.looked_up)
        self._until = account.complete_until
        if self._until is None and account.source is Source.SERVICE_LOG:
            self._until = account.last_at
        self.has_ids = bool(account.looked_up) or any(row.request_id or row.server_id for row in account.rows)

    def find(self, row: Served) -> tuple[Served, str] | None:
        """The row of the same request, and by which id; None: none has its id."""
        mine, servers = plain_id(row.request_id), plain_id(row.server_id)
        if mine and mine in self._by_id:
            return self._by_id[mine], ID
        for text in (servers, mine):
            if text and text in self._by_server_id:
                return self._by_server_id[text], SERVER_ID
        return None

    def is_known_absent(self, row: Served) -> bool:
        """True when every row of that time has arrived, and an id or a whole list says that this one is not there."""
        account = self._account
        if account.is_sampled or account.is_partial or row.at is None or not self.has_ids or not row.request_id:
            return False
        ended_at = row.at + timedelta(milliseconds=row.duration_ms or 0.0)
        if self._until is None or self._until <= ended_at:
            return False
        return account.rows_are_all or plain_id(row.request_id) in self._looked_up


def _found(row: Served, tables: Sequence[_Table]) -> Joined:
    others, hows, known = [], [], {}
    for table in tables:
        found = table.find(row) if table.has_ids else None
        known[table.source] = PRESENT if found else ABSENT if table.is_known_absent(row) else UNKNOWN
        if found is not None:
            others.append(found[0])
            hows.append(found[1])
    return Joined(row, tuple(others), min(hows, key=(ID, SERVER_ID).index) if hows else None, known)


def _found_by_time(found: list[Joined], table: _Table, ahead: timedelta) -> list[Joined]:
    """The same with rows of a source without ids: the nearest failed one with a fitting status, each given once."""
    slots = Slots(row for row in table.rows if not is_good(row.label))
    result = list(found)
    for place in sorted(range(len(found)), key=lambda place: str(found[place].row.at)):
        one = found[place]
        fitting = _statuses_behind(one.row)
        if one.row.at is None or one.row.source is table.source or not fitting:
            continue
        start, end = span(one.row, ahead)
        match = slots.take(start, end, end, partial(_has_status, fitting), one.row.count)
        if match is not None:
            known = {**one.known, table.source: PRESENT}
            result[place] = replace(one, others=(*one.others, match), how=one.how or TIME, known=known)
    return result


def _has_status(fitting: frozenset[int], row: Served) -> bool:
    return row.status in fitting


def _statuses_behind(row: Served) -> frozenset[int]:
    """The statuses under which the model's server may have logged the request."""
    if row.model_status is not None:
        return frozenset({row.model_status})
    if row.status in (502, 424):
        return frozenset({500})
    if row.status in (429, 503, 504, 408) and row.function_failed is None:
        return frozenset()  # the front end's own answer
    return frozenset() if row.status is None else frozenset({row.status})


def _with_exception_by_id(one: Joined, thrown: ThrownJoin, with_ids: bool) -> Joined:
    found = thrown.by_id((one.row, *one.others))
    if found is not None:
        return replace(one, thrown=found, thrown_how=ID)
    is_known = one.known.get(Source.APP_INSIGHTS) in (PRESENT, ABSENT) or one.row.source is Source.APP_INSIGHTS
    return replace(one, no_exception=True) if with_ids and is_known else one


def _with_loose_exceptions(found: list[Joined], thrown: ThrownJoin) -> list[Joined]:
    """The same with exceptions that carry no id: surer matches first, so that a weak one takes nothing from them."""
    result = list(found)
    order = sorted(range(len(found)), key=lambda place: str(found[place].row.at))
    for place in order:
        one = result[place]
        if one.thrown is not None:
            thrown.give(one.row, one.thrown)
    for place in order:
        one = result[place]
        if one.thrown is None:
            log_row = one.row if one.row.source is Source.SERVICE_LOG else one.other(Source.SERVICE_LOG)
            match = thrown.by_likeness(one.row, log_row)
            if match is not None:
                result[place] = replace(one, thrown=match[0], thrown_how=match[1], no_exception=False)
    for place in order:
        one = result[place]
        if one.thrown is None:
            match = thrown.by_time(one.row)
            if match is not None:
                result[place] = replace(one, thrown=match[0], thrown_how=match[1], no_exception=False)
    return result


def joined_by(found: Sequence[Joined]) -> dict[str, int]:
    """Rows found in another source, by what they were matched; the surest first."""
    counts = Counter(one.how for one in found if one.how is not None)
    return {how: counts[how] for how in (ID, SERVER_ID, TIME) if counts[how]}


def gap_of(found: Sequence[Joined]) -> Gap | None:
    """Client minus server time of the requests that both told for sure; None where none was told by both."""
    gaps = sorted(gap for one in found if (gap := _gap_ms(one)) is not None)
    if not gaps:
        return None

    def rank(share_percent: int) -> float:
        return gaps[max(1, -(-share_percent * len(gaps) // 100)) - 1]

    return Gap(count=len(gaps), p50_ms=rank(50), p95_ms=rank(95), max_ms=gaps[-1])


def _gap_ms(one: Joined) -> float | None:
    if one.row.source is not Source.CLIENT or one.row.duration_ms is None:
        return None
    server = one.other(Source.APP_INSIGHTS, Source.SERVICE_LOG) if one.how in (ID, SERVER_ID) else None
    server_ms = server.duration_ms if server is not None else None
    server_ms = server_ms if server_ms is not None else one.row.server_ms
    return None if server_ms is None else one.row.duration_ms - server_ms
