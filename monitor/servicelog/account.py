"""What was read of service logs, as an account with everything around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.servicelog.kept import MOST_ROWS
from monitor.servicelog.logfile import Reading
from monitor.servicelog.stamps import NO_TIME, at_of
from monitor.servicelog.tally import Batch
from scoring.account import Account, Problem
from scoring.served import Event, Served, Source, Thrown
from scoring.told import Told

_KNOWN = (
    "azureml-inference-server-http, gunicorn, uvicorn and nginx access logs, with what containers put in front of them"
)


def told_of(reading: Reading, since_at: datetime | None, problems: Sequence[Problem]) -> Told:
    """The account of all requests read, and the exceptions, events, leaks and templates beside it."""
    findings = reading.findings
    thrown = findings.exceptions.found()  # first: it completes what the events of it say
    cells, bucket_s, bin_ratio = reading.tally.cells()
    last_at = at_of(reading.tally.last_ms)
    account = Account(
        Source.SERVICE_LOG,
        cells,
        bucket_s=bucket_s,
        bin_ratio=bin_ratio,
        first_at=at_of(reading.tally.first_ms),
        last_at=last_at,
        complete_until=last_at,
        undecodable_lines=reading.undecodable_lines,
        other_count=dict(sorted(findings.others.items())),
        rows=_rows(reading),
        rows_are_all=all(rows.are_all for _, rows in reading.rows) and reading.tally.count <= MOST_ROWS,
        exact_ms=reading.tally.exact_ms(),
    )
    return Told(
        endpoint=None,
        since_at=since_at,
        until_at=None,
        accounts=(account,),
        problems=tuple(problems),
        thrown=tuple(one for one in thrown if _is_since(one, since_at)),
        events=tuple(
            one
            for one in sorted([*findings.events, *findings.exceptions.events], key=_place)
            if _is_since(one, since_at)
        ),
        leaks=reading.leaks.found(),
        templates=findings.templates.found(),
        asked=(Source.SERVICE_LOG,),
    )


def problem_of(name: str, line_count: int, known_lines: int) -> Problem | None:
    """Why a file tells nothing; None where it tells something."""
    if line_count == 0:
        return Problem(
            Source.SERVICE_LOG,
            "no_data",
            f"{name} is empty",
            "fetch the log again: `az ml online-deployment get-logs --lines 10000`",
        )
    if known_lines:
        return None
    lines = "1 line" if line_count == 1 else f"{line_count} lines"
    return Problem(
        Source.SERVICE_LOG,
        "no_data",
        f"{name} has {lines}, and none is of a known format",
        f"give a log of one of these: {_KNOWN}",
    )


def _rows(reading: Reading) -> tuple[Served, ...]:
    rows: list[Served] = []
    for name, kept in reading.rows:
        rows += _served(name, kept.rows(MOST_ROWS - len(rows)))
    return tuple(rows)


def _served(name: str, batch: Batch) -> list[Served]:
    starts = batch.start_ms.tolist()
    columns = zip(starts, *(column.tolist() for column in batch.columns), strict=True)
    return [
        Served(
            Source.SERVICE_LOG,
            None if start_ms == NO_TIME else at_of(start_ms),
            status,
            duration_ms=None if duration_us < 0 else duration_us / 1000,
            instance=None if pid < 0 else str(pid),
            where=f"{name}:{line}",
        )
        for start_ms, line, _, status, duration_us, pid in columns
    ]


def _place(event: Event) -> tuple[str, int]:
    name, _, line = (event.where or "").rpartition(":")
    return name, int(line or 0)


def _is_since(one: Thrown | Event, since_at: datetime | None) -> bool:
    return since_at is None or one.at is None or one.at >= since_at
