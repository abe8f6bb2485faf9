"""Can the page be trusted: one row per condition with its evidence. A row that fails caps the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reports.errors_counts import Part
from reports.errors_sources import NAMES, SourceRow
from reports.words import instant_text, instant_words, percent
from scoring.account import Account
from scoring.served import Source
from scoring.told import Diagnosis, Told
from scoring.units import show_count, show_ratio, show_seconds

MAX_UNDECODABLE = 0.01  # undecodable lines per counted request from which on counts are doubted
LEAST_JOINED = 0.8  # below this share the causes of many failures rest on one source alone
LEAST_ARRIVED = 0.98  # below this share a second source misses requests
MOST_ARRIVED = 1.05  # above this share somebody else calls the endpoint too
MOST_CLOCK_S = 60.0
MOST_LACKING = 0.5  # share of the period after the watermark from which on this is no report on the period
MANY_LACKING = 0.05  # the same from which on a person should know


@dataclass(frozen=True, slots=True)
class TrustRow:
    """One condition: `ok`, `warn`, `fail` or `unknown`, and what it rests on."""

    name: str
    word: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The conditions, and the facts of contracts.md §7."""

    rows: tuple[TrustRow, ...]
    complete_until: datetime | None
    partial: bool
    sampled: bool
    joined_ratio: float | None
    undecodable_lines: int | None

    @property
    def fails(self) -> bool:
        return any(row.word == "fail" for row in self.rows)

    @property
    def warns(self) -> bool:
        return any(row.word == "warn" for row in self.rows)


def trust(told: Told, diagnosis: Diagnosis, parts: tuple[Part, ...], sources: tuple[SourceRow, ...]) -> Trust:
    """Every condition that applies to what was asked."""
    until = [part.account.complete_until for part in parts]
    known = [at for at in until if at is not None]
    complete = min(known) if known else None
    lines = [row.undecodable_lines for row in sources if row.undecodable_lines is not None]
    rows = (
        _read(sources),
        _complete(told, parts, complete),
        _whole(parts, sources),
        _sampled(parts),
        *_arrived(told, parts),
        *_joined(diagnosis),
        *_undecodable(lines, parts),
        *_corrected(sources),
        *_client(told),
    )
    return Trust(
        rows=rows,
        complete_until=complete,
        partial=any(row.is_partial or row.outcome == "partial" for row in sources),
        sampled=any(row.is_sampled for row in sources),
        joined_ratio=diagnosis.joined_ratio,
        undecodable_lines=sum(lines) if lines else None,
    )


def _read(sources: tuple[SourceRow, ...]) -> TrustRow:
    unread = [row for row in sources if not row.was_read and row.outcome != "partial"]
    said = f"{len(sources) - len(unread)} of {len(sources)} were read"
    if unread:
        said += "; not read: " + ", ".join(f"{row.name} ({row.outcome_words})" for row in unread)
    told = any(row.counted for row in sources)
    said += "" if told else "; none told of a request"
    return TrustRow("Sources", "fail" if not told else "warn" if unread else "ok", said if sources else "none asked")


def _complete(told: Told, parts: Sequence[Part], complete: datetime | None) -> TrustRow:
    name = "Complete until"
    if complete is None:
        return TrustRow(name, "unknown", "no source says up to when its rows have arrived")
    said = instant_words(instant_text(complete))
    start = told.since_at or min((part.account.first_at for part in parts if part.account.first_at), default=None)
    if told.until_at is None or start is None or complete >= told.until_at:
        return TrustRow(name, "ok", said)
    missing_s, whole_s = (told.until_at - complete).total_seconds(), (told.until_at - start).total_seconds()
    share = missing_s / whole_s if whole_s > 0 else 0.0
    said += f"; the last {show_seconds(missing_s)} of the period may still lack rows"
    return TrustRow(name, "fail" if share > MOST_LACKING else "warn" if share > MANY_LACKING else "ok", said)


def _whole(parts: Sequence[Part], sources: tuple[SourceRow, ...]) -> TrustRow:
    name = "Whole answers"
    cut = [row for row in sources if row.is_partial or row.outcome == "partial"]
    if not cut:
        return TrustRow(name, "ok", "no source was cut short")
    counting = {part.account.source for part in parts}
    said = "; ".join(f"{row.name}: {row.problems[0][1] if row.problems else 'rows are missing'}" for row in cut)
    return TrustRow(name, "fail" if any(row.source in counting for row in cut) else "warn", said)


def _sampled(parts: Sequence[Part]) -> TrustRow:
    names = [NAMES[part.account.source] for part in parts if part.account.is_sampled]
    if not names:
        return TrustRow("Sampling", "ok", "every request is counted by itself")
    return TrustRow("Sampling", "warn", f"{', '.join(names)}: rows stand for several requests; counts are estimates")


def _arrived(told: Told, parts: Sequence[Part]) -> list[TrustRow]:
    """What each further source tells of the time that the first one covers, against the first one's count."""
    first = parts[0].account if parts else None
    if first is None or first.first_at is None or first.last_at is None:
        return []
    others = [one for one in told.accounts if one.source is not first.source and one.cells]
    return [_against(first, first.first_at, first.last_at, other) for other in others]


def _against(first: Account, first_at: datetime, last_at: datetime, other: Account) -> TrustRow:
    margin = timedelta(seconds=2 * max(first.bucket_s, other.bucket_s))
    start, end = first_at - margin, last_at + margin
    seen = sum(cell.count for cell in other.cells if cell.at is not None and start <= cell.at <= end)
    name, share = f"Arrived in {NAMES[other.source]}", seen / first.requests if first.requests else 0.0
    said = f"{show_count(seen)} of {show_count(first.requests)} that the {NAMES[first.source]} counted"
    if share > MOST_ARRIVED:
        return TrustRow(name, "warn", f"{said}: others call the endpoint too")
    if share < LEAST_ARRIVED:
        return TrustRow(name, "warn", f"{said} ({percent(share)}): the rest never arrived there")
    return TrustRow(name, "ok", said)


def _joined(diagnosis: Diagnosis) -> list[TrustRow]:
    if diagnosis.joined_ratio is None:
        return []
    ways = ", ".join(f"by {way}: {show_count(count)}" for way, count in diagnosis.joined_by.items())
    found = round(diagnosis.joined_ratio * diagnosis.looked_for)
    said = f"{show_ratio(found, diagnosis.looked_for)} found in a second source" + (f"; {ways}" if ways else "")
    return [TrustRow("Joined", "ok" if diagnosis.joined_ratio >= LEAST_JOINED else "warn", said)]


def _undecodable(lines: Sequence[int], parts: Sequence[Part]) -> list[TrustRow]:
    if not lines:
        return []
    count = sum(lines)
    if not count:
        return [TrustRow("Undecodable lines", "ok", "none")]
    requests = sum(part.account.requests for part in parts if part.account.source is Source.SERVICE_LOG)
    word = "fail" if requests and count > MAX_UNDECODABLE * requests and count > 10 else "warn"
    lines_words = "1 line" if count == 1 else f"{show_count(count)} lines"
    return [TrustRow("Undecodable lines", word, f"{lines_words} could not be read as text")]


def _corrected(sources: Sequence[SourceRow]) -> list[TrustRow]:
    return [TrustRow(f"Corrected in {row.name}", "ok", correction_words(row)) for row in sources if row.corrected_rows]


def correction_words(row: SourceRow) -> str:
    """How many rows said otherwise in their columns, and what a report built on these would show."""
    said = (
        f"{show_count(row.corrected_rows)} rows: the columns said result code 0 / success; read from customDimensions"
    )
    if row.columns_failed is None:
        return said
    failures = "1 failure" if row.columns_failed == 1 else f"{show_count(row.columns_failed)} failures"
    return f"{said}; the portal alone would show {failures}"


def _client(told: Told) -> list[TrustRow]:
    if told.client is None:
        return []
    fair, ahead_s = told.client, told.client.clock_ahead_s
    said = "; ".join(fair.reasons) or "the load generator kept up"
    rows = [TrustRow("Load generator", "ok" if fair.is_fair else "warn", said)]
    if ahead_s is not None:
        word = "ok" if abs(ahead_s) <= MOST_CLOCK_S else "warn"
        direction = "ahead of" if ahead_s >= 0 else "behind"
        rows.append(
            TrustRow("Clocks", word, f"the server's is {show_seconds(abs(ahead_s))} {direction} this machine's")
        )
    return rows
