"""Security findings as SARIF 2.1.0, for code scanning: what leaked, where, how often, and what to rotate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from scoring.served import Leak, Source

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_.-]+")
_LINE = re.compile(r"^(?P<file>.+?):(?P<line>[1-9]\d{0,8})$", re.DOTALL)
_MEANINGS = {
    "payload_data": "Scoring payloads stand in a log",
    "open_endpoint": "The endpoint answers requests without a key",
}


def security_sarif(leaks: Iterable[Leak], tool_version: str) -> str:
    """One result per leak with its rule and place; the value itself stands nowhere, only a prefix of its hash."""
    found = tuple(leaks)
    ids = sorted({_rule_id(leak) for leak in found})
    first = {_rule_id(leak): leak for leak in reversed(found)}
    driver = {"name": "redline", "version": tool_version, "rules": [_rule(one, first[one]) for one in ids]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(leak, ids.index(_rule_id(leak))) for leak in found],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def meaning_of(leak_type: str) -> str:
    """What was found, in words.

    >>> meaning_of("storage_account_key"), meaning_of("payload_data")
    ('A storage account key stands in clear', 'Scoring payloads stand in a log')
    """
    words = leak_type.replace("_", " ")
    article = "An" if words[:1].lower() in set("aeiou") else "A"
    return _MEANINGS.get(leak_type, f"{article} {words} stands in clear")


def place_of(where: str) -> tuple[str, int | None]:
    """The artifact and the line that a leak's `where` names.

    >>> place_of("service_log app.log:9"), place_of("app_insights AppTraces")
    (('app.log', 9), ('AppTraces', None))
    """
    first, _, rest = where.partition(" ")
    name = rest if rest and first in set(Source) else where
    match = _LINE.match(name)
    return (match["file"], int(match["line"])) if match else (name, None)


def _rule_id(leak: Leak) -> str:
    return _NOT_IN_ID.sub("-", leak.type).strip("-") or "leak"


def _rule(rule_id: str, leak: Leak) -> dict[str, Any]:
    return {
        "id": rule_id,
        "shortDescription": {"text": f"{meaning_of(leak.type)}."},
        "help": {"text": leak.rotate or "Rotate the secret."},
        "defaultConfiguration": {"level": _level(leak)},
    }


def _result(leak: Leak, rule_index: int) -> dict[str, Any]:
    name, line = place_of(leak.where)
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(name.replace("\\", "/"), safe="/.-_~") or "unknown"}}
    if line is not None:
        physical["region"] = {"startLine": line}
    times = "once" if leak.count == 1 else f"{leak.count:,} times"
    said = f"{meaning_of(leak.type)}, {times}, first at {leak.where}. {leak.rotate}"
    result: dict[str, Any] = {
        "ruleId": _rule_id(leak),
        "ruleIndex": rule_index,
        "level": _level(leak),
        "message": {"text": said},
        "locations": [{"physicalLocation": physical}],
        "occurrenceCount": max(1, leak.count),
    }
    if leak.sha256_prefix:
        result["partialFingerprints"] = {"sha256_prefix": leak.sha256_prefix}
    return result


def _level(leak: Leak) -> str:
    return "warning" if leak.type == "payload_data" else "error"
