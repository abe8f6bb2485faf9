"""Ways to read a log in tests: as a whole, cut into chunks, and line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.servicelog.account import told_of
from monitor.servicelog.blocks import blocks
from monitor.servicelog.logfile import LogFile, Reading, prepared
from monitor.servicelog.minutes import Minute, Minutes
from scoring.account import Account
from scoring.told import Told

DATA = Path(__file__).resolve().parents[2] / "data" / "logs"
GENERATIONS = ("0.4.13", "0.7.7", "0.8.4.2", "1.5.1")


def told_by(chunks: Iterable[bytes], *, lanes: bool = True, name: str = "app.log") -> Told:
    """What a log tells that arrives in these chunks; without `lanes` every line is read by itself."""
    reading = Reading()
    log = LogFile(name, reading)
    for block in blocks(chunks):
        log.feed(prepared(block, lanes=lanes))
    log.close()
    return told_of(reading, None, ())


def minutes_of(chunks: Iterable[bytes], *, lanes: bool = True) -> tuple[Minute, ...]:
    """The table of minutes of a log that arrives in these chunks."""
    minutes = Minutes()
    log = LogFile("app.log", Reading(minutes=minutes))
    for block in blocks(chunks):
        log.feed(prepared(block, lanes=lanes, only_requests=True))
    log.close()
    return tuple(minutes.found())


def in_pieces(log: bytes, size: int) -> list[bytes]:
    return [log[at : at + size] for at in range(0, len(log), size)]


def comparable(told: Told) -> Told:
    """Without what depends on nothing but how exactly a number of two equal bins is written."""
    return replace(told, accounts=tuple(replace(one, exact_ms=dict(one.exact_ms or {})) for one in told.accounts))


def account_of(log: bytes) -> Account:
    return told_by([log]).accounts[0]


def lines_of(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def truth_of(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / folder / "truth.json").read_text("utf-8"))
    return found


def scored(counts: dict[str, int]) -> dict[str, int]:
    """The counts of POST /score by status, of answers that came."""
    return {
        key.rpartition(" ")[2]: count
        for key, count in counts.items()
        if key.startswith("POST /score ") and key.rpartition(" ")[2].isdigit()
    }
