"""The errors that redline tells a person, and the exit-code table.

error: what happened, to which thing, with the value seen
hint: something that can be typed
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum


class Exit(IntEnum):
    """What the process's exit code says. Scripts rely on the numbers (contracts.md §2)."""

    FINE = 0
    MISSED = 1  # the endpoint failed its goal or check
    USAGE = 2  # the command line or a file is wrong
    UNFAIR = 3  # no fair measurement was possible
    NO_ENTRY = 4  # could not get in: auth or network
    INTERRUPTED = 130  # SIGINT; the report is written
    TERMINATED = 143  # SIGTERM; the report is written


class RedlineError(Exception):
    """One line for the person, a hint that can be typed, and the exit code. Never holds a secret."""

    def __init__(self, message: str, hint: str | None = None, exit_code: Exit = Exit.USAGE) -> None:
        super().__init__(message, hint, exit_code)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return self.message


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first: libraries keep a cause in `args`, in `reason` or in the chain."""
    seen: list[BaseException] = []
    rest: list[object] = [error]
    while rest:
        item = rest.pop(0)
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            rest += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    yield from seen
