"""From the rows of the shipped queries to an account of one source. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from monitor.rows import Row
from scoring.account import Account, Cell
from scoring.redact import redact
from scoring.served import Served, Source
from scoring.text import harmless

MOST_ROWS = 20_000


def account_of(
    source: Source, counts: Sequence[Row], other: Iterable[Row], watermark: Sequence[Row], bucket: timedelta
) -> Account:
    """The account without its single rows. Rows of several slices add up."""
    cells = tuple(cell for row in counts if (cell := _cell(row)) is not None)
    firsts = [row["first_at"] for row in counts if row.get("first_at") is not None]
    lasts = [row["last_at"] for row in counts if row.get("last_at") is not None]
    others: Counter[str] = Counter()
    for row in other:
        if not row.get("n"):
            continue
        words = [word for name in ("method", "path", "code") if (word := safe(row.get(name), 200))]
        others[" ".join(words)] += row["n"]
    return Account(
        source,
        cells,
        bucket_s=round(bucket.total_seconds()),
        first_at=min(firsts, default=None),
        last_at=max(lasts, default=None),
        complete_until=complete_until(watermark),
        corrected_rows=sum(row.get("corrected") or 0 for row in counts),
        columns_failed=sum(row["columns_failed"] or 0 for row in counts)
        if "columns_failed" in _first(counts)
        else None,
        is_sampled=any((row.get("most_items") or 1) > 1 for row in counts),
        other_count=dict(others),
    )


def complete_until(watermark: Sequence[Row]) -> datetime | None:
    """The instant up to which rows have arrived, by how long 99 % of them took; None where there are no rows."""
    rows = [row for row in watermark if row.get("n") and row.get("asked_at") is not None]
    if not rows:
        return None
    lag_ms = max(row.get("lag_ms") or 0.0 for row in rows)
    asked_at: datetime = max(row["asked_at"] for row in rows)
    return asked_at - timedelta(milliseconds=max(0.0, lag_ms))


def distinct(rows: Iterable[Served]) -> tuple[Served, ...]:
    """Each row once, in order of time. Of more than MOST_ROWS the first ones given are kept."""
    kept = list(dict.fromkeys(rows))[:MOST_ROWS]
    kept.sort(key=lambda row: (row.at is None, row.at, row.server_id or ""))
    return tuple(kept)


def served_of(source: Source, table: str) -> Callable[[Row], Served]:
    """How a single row of the source becomes a served request."""

    def served(row: Row) -> Served:
        ms = _ms(row.get("ms"))
        return Served(
            source,
            at=row.get("started_at") or row.get("at"),
            status=_status(row.get("code")),
            duration_ms=ms,
            request_id=safe(row.get("request_id"), 100),
            server_id=safe(row.get("server_id"), 100),
            deployment=safe(row.get("deployment") or row.get("role"), 100),
            instance=safe(row.get("instance"), 100),
            model_status=row.get("model_code") or None,
            reason=safe(row.get("reason") or row.get("model_reason"), 200),
            server_ms=ms if source is Source.APP_INSIGHTS else row.get("model_ms"),
            throttled_ms=row.get("throttled_ms"),
            count=row.get("items") or 1,
            where=table,
        )

    return served


def safe(text: Any, max_chars: int) -> str | None:
    """Foreign text without secrets, controls and excess; None for nothing."""
    if text is None or text == "":
        return None
    return harmless(redact(str(text)), max_chars=max_chars)


def _first(rows: Sequence[Row]) -> Row:
    return rows[0] if rows else {}


def _cell(row: Row) -> Cell | None:
    count = row.get("n") or 0
    code = _label(row.get("code"))
    if count <= 0:
        return None
    return Cell(
        row.get("bucket_at"),
        code,
        count,
        row.get("duration_bin"),
        _ms(row.get("longest_ms")),
        safe(row.get("role"), 100),
    )


def _ms(value: float | None) -> float | None:
    """In steps of 100 ns, those of a timespan: its division leaves 1000.9999999999999 of 1,001 ms."""
    return None if value is None else round(value, 4)


def _label(code: Any) -> str:
    """A status, or what stands in its place. 0 is what servers write that do not tell the status here."""
    return "no_status" if code in (None, "", "0") else safe(code, 40) or "no_status"


def _status(code: Any) -> int | None:
    text = str(code)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None
