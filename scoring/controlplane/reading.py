"""Values out of foreign JSON: what has another type than it should is None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.controlplane.deployed import TOLD_VARIABLES
from scoring.redact import redact
from scoring.text import harmless


def at(value: Any, *keys: str) -> Any:
    """The value below these keys, whose letters may be of any case; None where one is missing."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value[key] if key in value else _in_any_case(value, key)
    return value


def text_at(value: Any, *keys: str) -> str | None:
    """A text as one harmless line without secrets; None for an empty one."""
    found = at(value, *keys)
    return harmless(redact(found), max_chars=1000) if isinstance(found, str) and found.strip() else None


def count_at(value: Any, *keys: str) -> int | None:
    """A whole number from 0 on, also where it stands as text."""
    found = at(value, *keys)
    if isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < 10:
        return int(found)
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found // 1 or not 0 <= found < 1e9:
        return None
    return int(found)


def flag_at(value: Any, *keys: str) -> bool | None:
    """A truth value, also as the text `true` or `False`."""
    found = at(value, *keys)
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.lower())
    return found if isinstance(found, bool) else None


def table_at(value: Any, *keys: str) -> dict[str, Any]:
    """A table; empty where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, dict) else {}


def items_at(value: Any, *keys: str) -> list[Any]:
    """A list; empty where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, list) else []


def told_variables(variables: Mapping[str, Any]) -> dict[str, str]:
    """Those variables of a deployment that say how it serves; no other is kept, since it may be secret."""
    found = {name: text_at(variables, name) for name in TOLD_VARIABLES if name in variables}
    return {name: value for name, value in found.items() if value is not None}


def _in_any_case(table: dict[Any, Any], key: str) -> Any:
    return next((value for name, value in table.items() if isinstance(name, str) and name.lower() == key.lower()), None)
