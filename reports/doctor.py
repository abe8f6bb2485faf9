"""What the doctor found, for a terminal and as JSON (docs/schemas/doctor.schema.json)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from reports.clean import clean_text
from reports.texttable import MIN_WIDTH, TONES, columns_of, hung, padded, painted, whole
from scoring.check import Check, CheckOutcome

_TONE = {
    CheckOutcome.OK: "good",
    CheckOutcome.WARN: "warn",
    CheckOutcome.FAIL: "bad",
    CheckOutcome.UNKNOWN: "plain",
}
_SIGN = {CheckOutcome.OK: "✓", CheckOutcome.WARN: "!", CheckOutcome.FAIL: "✗", CheckOutcome.UNKNOWN: "?"}
_WORST_FIRST = (CheckOutcome.FAIL, CheckOutcome.WARN, CheckOutcome.UNKNOWN, CheckOutcome.OK)


def doctor_text(name: str, checks: Sequence[Check], *, color: bool, width: int) -> str:
    """The verdict, then every check with its evidence and what mends it; signs and colours only when `color`."""
    width = max(width, MIN_WIDTH)
    clean = [_clean(one) for one in checks]
    wide = max(columns_of(one.id) for one in clean)
    told = zip(clean, _told_above(clean), strict=True)
    lines = [line for one, is_told in told for line in _lines(one, wide, color, width, is_told=is_told)]
    return whole(["\n".join(_headline(clean_text(name), clean, color, width)), "\n".join(lines)])


def doctor_json(name: str, checks: Sequence[Check]) -> str:
    """One document; fields may be added, none is renamed."""
    found = [
        {"id": one.id, "outcome": one.outcome.value, "evidence": one.evidence, "fix": one.fix}
        for one in map(_clean, checks)
    ]
    document = {"schema": 1, "endpoint": clean_text(name), "checks": found}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _headline(name: str, checks: Sequence[Check], color: bool, width: int) -> list[str]:
    """One word for all of it, and how many checks came to what."""
    count = Counter(one.outcome for one in checks)
    worst = next(outcome for outcome in _WORST_FIRST if count[outcome] or outcome is CheckOutcome.OK)
    word = {"fail": "NOT FIT", "warn": "FIT, WITH WARNINGS", "unknown": "FIT, AS FAR AS KNOWN", "ok": "FIT"}[worst]
    named = {"fail": "failed", "warn": "to mend", "unknown": "not known", "ok": "fine"}
    told = ", ".join(f"{count[outcome]} {named[outcome]}" for outcome in _WORST_FIRST if count[outcome])
    first, *rest = hung(f"{word}  ", f"{name}: {told}, of {len(checks)} checks", width)
    return [painted(word, TONES[_TONE[worst]], color, bold=True) + first[len(word) :], *rest]


def _lines(check: Check, wide: int, color: bool, width: int, *, is_told: bool) -> list[str]:
    """Outcome, id and evidence; then what mends it on one line, however long, so that it can be copied."""
    word = f"{_SIGN[check.outcome]} {check.outcome.value}" if color else check.outcome.value
    shown = padded(word, 9 if color else 7)
    first, *rest = hung(f"  {shown}  {padded(check.id, wide)}  ", check.evidence, width)
    head = f"  {painted(shown, TONES[_TONE[check.outcome]], color)}{first[2 + len(shown) :]}"
    blank = " " * (2 + columns_of(shown) + 2)
    if check.fix is None or (is_told and check.outcome is CheckOutcome.UNKNOWN):
        return [head, *rest]
    return [head, *rest, f"{blank}fix: {'as above' if is_told else check.fix}"]


def _told_above(checks: Sequence[Check]) -> list[bool]:
    """For each check, whether the same fix stands at one before it: it mends both."""
    seen: set[str | None] = set()
    told = []
    for check in checks:
        told.append(check.fix in seen)
        seen.add(check.fix)
    return told


def _clean(check: Check) -> Check:
    fix = None if check.fix is None else clean_text(check.fix)
    return Check(clean_text(check.id), check.outcome, clean_text(check.evidence), fix)
