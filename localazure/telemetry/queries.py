"""What is asked of the engine and what comes back, without the engine: its libraries load with the first query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class QueryError(Exception):
    """A query that has no answer. `code` is Kusto's; line and position count from 1, None where they are not known."""

    def __init__(self, code: str, message: str, line: int | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line
        self.position = position


class QueryTimeoutError(Exception):
    """The query ran longer than it may."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rows from `start_us` up to and without `end_us`, as far as they were ingested by `now_us`. None: no bound."""

    start_us: int | None
    end_us: int | None
    now_us: int


@dataclass(frozen=True, slots=True)
class Result:
    """Names and Kusto types of the columns, and the rows. `is_cut`: there were more rows than `max_rows`."""

    columns: list[tuple[str, str]]
    rows: list[Sequence[Any]]
    is_cut: bool
