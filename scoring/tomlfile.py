"""A TOML text with the line of every key, and every mistake in it told at once as `file:line: what; allowed: …`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

from scoring.errors import RedlineError
from scoring.redact import redact
from scoring.text import harmless

KeyPath = tuple[str, ...]
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")
_SECRET_NAMES = re.compile(
    r"(?i)(?:.*[_-])?(?:key|api_?key|token|secret|password|passwd|pwd|bearer|authorization|sas|connection_?string|credentials?)"
)


class Document:
    """A parsed TOML file that collects the mistakes found in it; `raise_mistakes` tells all of them."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.mistakes: list[tuple[int, str]] = []
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except ValueError as error:
            raise RedlineError(_syntax_mistake(name, text, error), "check it against docs/scenario.md") from error
        except RecursionError:
            raise RedlineError(f"{name}: nested too deeply to be read") from None
        self._lines: dict[KeyPath, int] | None = None

    def line_of(self, path: KeyPath) -> int:
        """The line of the key, or of the nearest table around it."""
        if self._lines is None:
            self._lines = lines_of_keys(self.text)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def mistake(self, path: KeyPath, what: str) -> None:
        """Note one mistake at a key. `what` holds no secret; what it quotes is made harmless here."""
        self.mistakes.append((self.line_of(path), f"{harmless('.'.join(path))}: {redact(harmless(what))}"))

    def table(self, path: KeyPath, value: object) -> dict[str, Any]:
        """The value as a table; empty, with a mistake noted, when it is none."""
        if isinstance(value, dict):
            return value
        self.mistake(path, f"{shown(value)} is no table; allowed: [{'.'.join(path)}] with keys below it")
        return {}

    def known(self, path: KeyPath, table: dict[str, Any], allowed: Iterable[str]) -> dict[str, Any]:
        """The entries with an allowed key; the others are noted as mistakes, their values never repeated."""
        names = list(allowed)
        for key in table:
            if key not in names:
                self.mistake((*path, key), _unknown(key, names))
        return {key: value for key, value in table.items() if key in names}

    def checked(self, path: KeyPath, value: object, check: Callable[[object], Any]) -> Any:
        """What `check` makes of the value; None, with a mistake noted, when it raises RedlineError."""
        try:
            return check(value)
        except RedlineError as error:
            allowed = f"; allowed: {error.hint}" if error.hint else ""
            self.mistake(path, error.message + allowed)
            return None

    def raise_mistakes(self) -> None:
        """RedlineError with every mistake, in the order of the file; nothing when there is none."""
        if not self.mistakes:
            return
        lines = [f"{self.name}:{line}: {what}" for line, what in sorted(self.mistakes)]
        head = [] if len(lines) == 1 else [f"{self.name} has {len(lines)} mistakes"]
        raise RedlineError("\n".join(head + lines), "mend the lines named above; docs/scenario.md has an example")


def lines_of_keys(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key and table of a valid TOML text. Where a key stands twice, its first line.

    A statement ends at the first line where it parses alone, so the parser itself says where values over lines end.
    """
    found: dict[KeyPath, int] = {}
    prefix: KeyPath = ()
    statement, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not statement and (not line.strip() or line.lstrip().startswith("#")):
            continue
        first = first if statement else number
        statement += line + "\n"
        parsed = _parsed(statement) if first == number or re.search(r"[\]}\"']", line) else None
        if parsed is None:
            continue
        is_header = statement.lstrip().startswith("[")
        prefix = _deepest(parsed) if is_header else prefix
        for path in _paths(parsed, () if is_header else prefix):
            found.setdefault(path, first)
        statement = ""
    return found


def shown(value: object) -> str:
    """The value as a message quotes it: cut, made harmless, with its type where that is the point."""
    if isinstance(value, str):
        return f"`{harmless(value, max_chars=60)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number of more than 18 digits"
    return f"`{value}`" if isinstance(value, int | float) else f"a {_kind(value)}"


def _kind(value: object) -> str:
    return "table" if isinstance(value, dict) else "list" if isinstance(value, list) else "date or time"


def _unknown(key: str, names: list[str]) -> str:
    if _SECRET_NAMES.fullmatch(key):
        return "a secret never stands in this file (value not shown); allowed: key_env, key_file or key_vault"
    near = difflib.get_close_matches(key, names, n=1)
    return f"unknown key; {f'did you mean {near[0]}' if near else 'allowed: ' + ', '.join(names)}"


def _syntax_mistake(name: str, text: str, error: ValueError) -> str:
    place = _PLACE.search(str(error))
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    return f"{name}:{line}: no TOML: {harmless(_PLACE.sub('', str(error)))}"


def _parsed(statement: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(statement)
    except ValueError:
        return None


def _deepest(parsed: dict[str, Any]) -> KeyPath:
    """The path that a table header alone names."""
    path: list[str] = []
    inner: Any = parsed
    while inner:
        inner = inner[0] if isinstance(inner, list) else inner
        if not inner:
            break
        key = next(iter(inner))
        path.append(key)
        inner = inner[key]
    return tuple(path)


def _paths(value: Any, path: KeyPath) -> Iterable[KeyPath]:
    yield path
    for inner in value if isinstance(value, list) else (value,):
        if isinstance(inner, dict):
            for key, below in inner.items():
                yield from _paths(below, (*path, key))
