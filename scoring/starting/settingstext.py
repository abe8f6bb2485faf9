"""The text of redline.toml: a table per endpoint with a comment where one helps; what stands there stays."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scoring.access import AzureAccess
from scoring.errors import RedlineError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_COMMENT_COLUMN = 46
_WISHES = ("goals", "need")
_HEAD = """\
# What redline knows of your endpoints. No secret stands here: keys and tokens are fetched when they are needed.
# Every key is explained in docs/scenario.md and docs/init.md.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One key of a table. A value of None makes a comment line of its own."""

    key: str
    value: str | int | list[str] | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An endpoint as it is written, and the [azure] that its look-ups need."""

    name: str
    lines: tuple[Line, ...]
    azure: tuple[Line, ...] = ()
    above: tuple[str, ...] = field(default=())  # comment lines before the table


def settings_text(draft: Draft) -> str:
    """A whole redline.toml with one endpoint."""
    parts = [_HEAD]
    if draft.azure:
        parts.append(_table("azure", draft.azure, ("Where Azure's own APIs are, and who signs in to them.",)))
    parts.append(_endpoint_table(draft))
    return "\n".join(parts)


def merged(text: str, draft: Draft, *, force: bool) -> str:
    """The text with the endpoint added at its end; an endpoint of that name is replaced when `force` says so.

    Everything else stays as it is written. RedlineError where the name is taken, or where the text cannot be merged.
    """
    before = _parsed(text)
    taken = draft.name in _tables(before, "endpoints")
    if taken and not force:
        raise RedlineError(f"`{draft.name}` is already there", "--force to write it anew, or --name ANOTHER")
    if taken:
        draft = _with_wishes(draft, _tables(before, "endpoints")[draft.name])
    kept = _without(text, draft.name) if taken else text
    kept = kept if not kept or kept.endswith("\n") else kept + "\n"
    parts = [kept.rstrip("\n") + "\n"] if kept.strip() else []
    if draft.azure and "azure" not in before:
        parts.append(_table("azure", draft.azure, ("Where Azure's own APIs are, and who signs in to them.",)))
    parts.append(_endpoint_table(draft))
    after = "\n".join(parts)
    _check_others(before, _parsed(after), draft.name)
    return after


def azure_lines(access: AzureAccess) -> tuple[Line, ...]:
    """The keys of [azure] that are set; `auth` only where it is not auto."""
    found = []
    for key in AzureAccess.__slots__:
        value = getattr(access, key)
        if value is not None and (key, value) != ("auth", "auto"):
            found.append(Line(key, value))
    return tuple(found)


def key_text(name: str) -> str:
    """The name as a key of TOML, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else value_text(name)


def value_text(value: str | int | list[str]) -> str:
    """The value as TOML writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(value_text, value))}]"
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _with_wishes(draft: Draft, there: Any) -> Draft:
    """The draft with what only a person knows of the endpoint, and had written down."""
    found = [Line(key, there[key]) for key in _WISHES if isinstance(there, dict) and key in there]
    return replace(draft, lines=(*draft.lines, *found))


def _endpoint_table(draft: Draft) -> str:
    return _table(f"endpoints.{key_text(draft.name)}", draft.lines, draft.above)


def _table(header: str, lines: Sequence[Line], above: Sequence[str] = ()) -> str:
    written = [f"# {line}" for line in above] + [f"[{header}]"]
    for line in lines:
        if line.value is None:
            written.append(f"# {line.comment}")
            continue
        setting = f"{line.key} = {value_text(line.value)}"
        written.append(f"{setting.ljust(_COMMENT_COLUMN)}  # {line.comment}" if line.comment else setting)
    return "\n".join(written) + "\n"


def _without(text: str, name: str) -> str:
    """The text without the endpoint's own table; its sub-tables, such as checks, stay."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        path = _header_path(line)
        if path is not None:
            inside = path == ("endpoints", name)
            if inside:
                while kept and kept[-1].lstrip().startswith("#"):
                    kept.pop()
        if not inside:
            kept.append(line)
    return "".join(kept)


def _header_path(line: str) -> tuple[str, ...] | None:
    """The keys of a table's header; None for another line."""
    match = _HEADER.fullmatch(line.rstrip("\r\n"))
    if match is None:
        return None
    try:
        inner: Any = tomllib.loads(f"[{match[1]}]\n")
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while inner:
        key = next(iter(inner))
        path.append(key)
        inner = inner[key]
    return tuple(path)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RedlineError(
            f"the file that is there cannot be added to: {error}", "mend it, or --out ANOTHER"
        ) from error


def _check_others(before: dict[str, Any], after: dict[str, Any], name: str) -> None:
    """Returns when everything but the endpoint and [azure] means the same as before."""
    for document in (before, after):
        own = _tables(document, "endpoints").pop(name, {})
        document["checks of it"] = own.get("checks") if isinstance(own, dict) else None
    if before.get("azure") is None:
        after.pop("azure", None)
    if not before.get("endpoints"):
        before["endpoints"] = {}
    if before != after:
        raise RedlineError("the file that is there is written in a way that cannot be added to", "--out ANOTHER")


def _tables(document: dict[str, Any], key: str) -> dict[str, Any]:
    found = document.setdefault(key, {}) if key in document else {}
    return found if isinstance(found, dict) else {}
