"""What a value of a TOML file may be: each function gives the value as redline keeps it, or says what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scoring.errors import RedlineError
from scoring.tomlfile import shown
from scoring.units import parse_duration_ns


def as_text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise RedlineError(f"{shown(value)} is no text", "a printable text in quotes")
    return value


def one_of(names: Iterable[str]) -> Callable[[object], str]:
    allowed = list(names)

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise RedlineError(f"{shown(value)} is unknown", ", ".join(allowed))
        return value

    return check


def as_count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
        raise RedlineError(f"{shown(value)} is no count", "a whole number from 1 on")
    return value


def as_duration_ns(value: object) -> int:
    hint = 'a text with a unit, longer than 0: "20ms", "5s", "10m"'
    if not isinstance(value, str):
        raise RedlineError(f"{shown(value)} is no duration", hint)
    duration_ns = parse_duration_ns(value)
    if duration_ns == 0:
        raise RedlineError(f"{shown(value)} is no duration", hint)
    return duration_ns


def as_texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise RedlineError(f"{shown(value)} is no list of texts", '["p95<=300ms", "errors<=1%"]')
    return tuple(value)


def as_status(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise RedlineError(f"{shown(value)} is no status", "200 to 599")
    return value


def as_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise RedlineError(f"{shown(value)} is no truth value", "true, false")
    return value


def as_tolerance(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise RedlineError(f"{shown(value)} is no tolerance", "a number from 0 to 1, such as 1e-6")
    return float(value)


def as_max_bytes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000_000:
        raise RedlineError(f"{shown(value)} is no size", "a number of bytes from 1 to 1,000,000,000")
    return value
