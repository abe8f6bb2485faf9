"""One entry of a service log as lines for a terminal, or as one line of JSON (docs/schemas/logs.schema.json)."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Protocol

from reports.clean import clean_text
from reports.texttable import TONES, painted, whole
from reports.words import instant_text
from scoring.account import is_good
from scoring.units import show_ms

LEVEL_TONES = {"E": TONES["bad"], "C": TONES["bad"], "W": TONES["warn"]}


class Entry(Protocol):
    """What a log's reader gives for each entry; reports may not import it from there."""

    @property
    def at(self) -> datetime | None: ...
    @property
    def level(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> int | None: ...
    @property
    def duration_ms(self) -> float | None: ...
    @property
    def text(self) -> str: ...


def entry_text(entry: Entry, *, color: bool) -> str:
    """Line number, level, status and duration in columns, then the text; its further lines stand under its first."""
    level = entry.level or " "
    status = "   " if entry.status is None else str(entry.status)
    duration = "" if entry.duration_ms is None else show_ms(entry.duration_ms)
    number = "" if entry.line is None else str(entry.line)
    head = f"{number:>8}  {level:1.1}  {status:>3}  {duration:>9}  "
    first, *rest = _lines(entry.text)
    tone = LEVEL_TONES.get(level[:1].upper(), "")
    if entry.status is not None and not is_good(str(entry.status)):
        tone = tone or TONES["warn"]
    return whole(["\n".join([painted(head, tone, color) + first, *(" " * len(head) + line for line in rest)])])


def entry_json(entry: Entry) -> str:
    """One JSON object on one line; absent knowledge is null."""
    known_ms = entry.duration_ms is not None and math.isfinite(entry.duration_ms)
    document = {
        "at": None if entry.at is None else instant_text(entry.at),
        "level": None if entry.level is None else clean_text(entry.level),
        "line": entry.line,
        "kind": clean_text(entry.kind),
        "status": entry.status,
        "duration_ms": entry.duration_ms if known_ms else None,
        "text": "\n".join(_lines(entry.text)),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def _lines(text: str) -> list[str]:
    """The text's own lines, each printable and free of secrets."""
    return clean_text(text, keep_newlines=True).rstrip("\n").split("\n")
