"""One row per source that was looked at: what it told, or why it could not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from reports.errors_counts import Part, by_source
from scoring.account import OUTCOMES, Account, durations_ms
from scoring.served import Source
from scoring.told import Told

READ = "ok"
EMPTY = "no_data"
NAMES = {
    Source.CLIENT: "client",
    Source.TRAFFIC_LOG: "traffic log",
    Source.APP_INSIGHTS: "App Insights",
    Source.SERVICE_LOG: "service log",
    Source.METRICS: "Azure Monitor metrics",
    Source.EVENT_LOG: "event log",
    Source.CONSOLE_LOG: "console log",
}
_TELLS_REQUESTS = (Source.CLIENT, Source.TRAFFIC_LOG, Source.APP_INSIGHTS, Source.SERVICE_LOG)
_OUTCOME_WORDS = {
    READ: "read",
    "partial": "read in part",
    EMPTY: "nothing in the period",
    "not_yet": "not there yet",
    "missing_table": "table missing",
    "missing_column": "column missing",
    "wrong_workspace": "wrong workspace",
    "forbidden": "no permission",
    "no_credential": "no credential",
    "throttled": "throttled",
    "timed_out": "timed out",
    "unreachable": "not reachable",
    "bad_answer": "unreadable answer",
    "refused_query": "query refused",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source. `requests` is None where it told of none and could not be read; `counted` of them hold."""

    source: Source
    outcome: str  # READ, or one of scoring.account.OUTCOMES
    requests: int | None
    counted: int
    by_label: Mapping[str, int]
    ms: Mapping[str, float | None]
    corrected_rows: int
    columns_failed: int | None
    first_at: datetime | None
    last_at: datetime | None
    complete_until: datetime | None
    is_sampled: bool
    is_partial: bool
    undecodable_lines: int | None
    problems: tuple[tuple[str, str, str], ...]  # outcome, sentence, next step

    @property
    def name(self) -> str:
        return NAMES[self.source]

    @property
    def outcome_words(self) -> str:
        """In plain words."""
        return _OUTCOME_WORDS.get(self.outcome, self.outcome)

    @property
    def was_read(self) -> bool:
        """Its whole content is known, even where that is nothing."""
        return self.outcome in (READ, EMPTY)


def source_rows(told: Told, parts: tuple[Part, ...]) -> tuple[SourceRow, ...]:
    """Every source that was asked, told something or met a problem, in the order of trust."""
    accounts = by_source(told)
    counted = {part.account.source: sum(cell.count for cell in part.cells) for part in parts}
    named = {*told.asked, *accounts, *(problem.source for problem in told.problems)}
    named |= {Source.METRICS} if told.metrics else set()
    return tuple(
        _row(source, told, accounts.get(source), counted.get(source, 0)) for source in Source if source in named
    )


def _row(source: Source, told: Told, account: Account | None, counted: int) -> SourceRow:
    problems = tuple((one.outcome, one.sentence, one.next_step) for one in told.problems if one.source is source)
    if account is None:
        outcome = _outcome(problems) or (READ if _spoke(source, told) else EMPTY)
        return SourceRow(source, outcome, None, 0, {}, {}, 0, None, None, None, None, False, False, None, problems)
    outcome = _outcome(problems) or ("partial" if account.is_partial else READ if account.cells else EMPTY)
    return SourceRow(
        source,
        outcome,
        account.requests if account.cells or outcome in (READ, EMPTY) else None,
        counted,
        account.by_label,
        durations_ms(account),
        account.corrected_rows,
        account.columns_failed,
        account.first_at,
        account.last_at,
        account.complete_until,
        account.is_sampled,
        account.is_partial,
        account.undecodable_lines if source is Source.SERVICE_LOG else None,
        problems,
    )


def _outcome(problems: tuple[tuple[str, str, str], ...]) -> str | None:
    """The gravest of the problems: the later in OUTCOMES the graver."""
    rank = {name: place for place, name in enumerate(OUTCOMES)}
    return max((one[0] for one in problems), key=lambda name: rank.get(name, len(rank)), default=None)


def _spoke(source: Source, told: Told) -> bool:
    """A source that tells no requests by its nature told something else."""
    if source is Source.METRICS:
        return bool(told.metrics)
    speakers = {event.source for event in told.events} | {thrown.source for thrown in told.thrown}
    return source not in _TELLS_REQUESTS and source in speakers
