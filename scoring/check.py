"""One question about an endpoint, and what is known of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """What a check came to. UNKNOWN: something that it rests on is missing, which is never OK."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """`evidence` is one harmless line with the figures; `fix` a command or an edit that mends it."""

    id: str  # a stable word; programs rely on it
    outcome: CheckOutcome
    evidence: str
    fix: str | None = None


def ok(id: str, evidence: str) -> Check:
    """It is as it should be."""
    return Check(id, CheckOutcome.OK, evidence)


def warn(id: str, evidence: str, fix: str | None) -> Check:
    """It works, and should be mended."""
    return Check(id, CheckOutcome.WARN, evidence, fix)


def fail(id: str, evidence: str, fix: str | None) -> Check:
    """It does not work, or is not safe."""
    return Check(id, CheckOutcome.FAIL, evidence, fix)


def unknown(id: str, missing: str, fix: str | None = None) -> Check:
    """Nothing is known of it, because of what is missing."""
    return Check(id, CheckOutcome.UNKNOWN, missing, fix)
