"""The console of an endpoint's containers as Log Analytics keeps it, as entries of a service log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
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


def entries(
    endpoint: Endpoint,
    since_at: datetime,
    until_at: datetime,
    *,
    credential: TokenCredential,
    status: str | None = None,
    pattern: str | None = None,
) -> Iterator[LogEntry]:
    """The entries that are wanted, instance by instance in order of time. RedlineError where none can be read."""
    wanted = is_wanted(status, None, pattern)
    for lines in _by_instance(_rows(endpoint, Slice(since_at, until_at), credential)):
        once = OncePerRequest() if status is not None else None
        for entry in _parsed(lines):
            if wanted(entry) and not (once is not None and once.is_second(entry)):
                yield entry


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


def _parsed(rows: list[Row]) -> Iterator[LogEntry]:
    entries = Entries()
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
