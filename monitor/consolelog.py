"""Edge: the console of an endpoint's containers as Log Analytics keeps it, as entries of a service log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

from monitor.asking import Ask, ask_all
from monitor.kql import WORKSPACE
from monitor.problems import refused
from monitor.rows import Row
from monitor.servicelog.entries import Entries, LogEntry, OncePerRequest, is_wanted
from monitor.slices import Slice
from monitor.workspace import Workspace
from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.served import Source

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ASK_AGAIN_S = 3.0
LATE = timedelta(minutes=10)
"""Rows of an instance that come so much later than younger ones of another are still shown when followed."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of the console are read. `tail_count`: the newest so many of them."""

    since_at: datetime
    deployment: str | None = None
    container: str | None = None
    tail_count: int | None = None


@dataclass
class Console:
    """Owns which rows were shown. RedlineError where none can be read."""

    endpoint: Endpoint
    rows: Rows
    credential: TokenCredential
    _shown: Counter[tuple[datetime, object, object]] = field(default_factory=Counter)

    def entries(
        self,
        *,
        status: str | None = None,
        pattern: str | None = None,
        follow: bool = False,
        with_payloads: bool = False,
    ) -> Iterator[LogEntry]:
        """The entries that are wanted, instance by instance in order of time; with `follow`, without end."""
        wanted = is_wanted(status, None, pattern)
        from_at = self.rows.since_at
        while True:
            fresh = self._fresh(Slice(from_at, datetime.now(UTC)))
            for lines in _by_instance(fresh):
                once = OncePerRequest() if status is not None else None
                for entry in _parsed(lines, with_payloads):
                    if wanted(entry) and not (once is not None and once.is_second(entry)):
                        yield entry
            if not follow:
                return
            newest_at = max((row["at"] for row in fresh), default=from_at)
            from_at = max(from_at, newest_at - LATE)
            self._shown = Counter({key: count for key, count in self._shown.items() if key[0] >= from_at})
            time.sleep(ASK_AGAIN_S)

    def _fresh(self, period: Slice) -> list[Row]:
        """Rows that were not shown yet, in order of time; the newest ones alone where only so many are wanted."""
        rows = [row for row in _rows(self.endpoint, period, self.credential) if self._is_asked_for(row)]
        if not self._shown and self.rows.tail_count is not None:
            self._shown.update(map(_key, rows[: -self.rows.tail_count]))
            rows = rows[-self.rows.tail_count :]
        seen = Counter(self._shown)
        fresh = []
        for row in rows:
            key = _key(row)
            if seen[key]:
                seen[key] -= 1
            else:
                fresh.append(row)
        self._shown.update(map(_key, fresh))
        return fresh

    def _is_asked_for(self, row: Row) -> bool:
        pairs = ((self.rows.deployment, row.get("deployment")), (self.rows.container, row.get("container")))
        return all(want is None or str(got).lower() == want.lower() for want, got in pairs)


def _key(row: Row) -> tuple[datetime, object, object]:
    return row["at"], row.get("instance"), row.get("message")


def _rows(endpoint: Endpoint, period: Slice, credential: TokenCredential) -> list[Row]:
    workspace = Workspace(endpoint, credential)
    values = {"endpoint_id": endpoint.arm_id or ""}
    try:
        reply = ask_all(workspace, [Ask("lines", "console_lines", WORKSPACE, values, period)])["lines"]
    finally:
        workspace.close()
    if reply.outcome is not None and not reply.rows:
        table = "AmlOnlineEndpointConsoleLog"
        problem = refused(Source.CONSOLE_LOG, table, reply.outcome, endpoint, reply.missing)
        raise RedlineError(problem.sentence, problem.next_step, Exit.NO_ENTRY)
    return sorted(reply.rows, key=itemgetter("at"))


def _by_instance(rows: list[Row]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row.get("instance")), []).append(row)
    return list(found.values())


def _parsed(rows: list[Row], with_payloads: bool) -> Iterator[LogEntry]:
    entries = Entries(with_payloads=with_payloads)
    number = 0
    for row in rows:
        for line in str(row.get("message") or "").split("\n"):
            number += 1
            entry = entries.take(number, line.encode(errors="backslashreplace"))
            if entry is not None:
                yield entry
    last = entries.flush()
    if last is not None:
        yield last
