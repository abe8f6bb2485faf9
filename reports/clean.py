"""A copy of any report in which every text is safe to show: printable, bounded, and free of secrets.

Every renderer takes this copy first, so no field can be forgotten. Escaping for HTML, Markdown, CSV or XML is the
renderer's own work and comes after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from capacity.verdict import Recommended
from scoring.access import AzureAccess
from scoring.endpoint import Endpoint
from scoring.redact import redact
from scoring.text import harmless

MAX_CHARS = 4096
_BEFORE_REDACTION = 65_536
_HIDDEN: dict[str, Any] = dict.fromkeys(
    (
        "key_env",
        "key_file",
        "key_vault",
        "key_keyring",
        "secondary_key_env",
        "secondary_key_file",
        "ca_file",
        "scenario",
        "arm_id",
        "app_insights_id",
        "workspace_id",
        "logs_url",
        "metrics_url",
        "azure_token_file",
    )
) | {"azure": AzureAccess()}

Value = TypeVar("Value")


def harmless_copy(value: Value, secrets: Iterable[str] = ()) -> Value:
    """The same value with every text in it harmless and redacted, at any depth. Applied twice it gives the same."""
    return _copy(value, _Clean(tuple(secrets)))  # type: ignore[no-any-return]


def clean_text(text: str, secrets: Iterable[str] = (), *, keep_newlines: bool = False) -> str:
    """One foreign text made harmless, then redacted, then cut: a secret that a cut would halve is still found."""
    whole = harmless(text, max_chars=_BEFORE_REDACTION, keep_newlines=keep_newlines)
    limit = _BEFORE_REDACTION if keep_newlines else MAX_CHARS
    return harmless(redact(whole, secrets), max_chars=limit, keep_newlines=keep_newlines)


class _Clean(dict[str, str]):
    """Texts and what they become: a report says many of them more than once."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self.secrets = secrets

    def __missing__(self, text: str) -> str:
        self[text] = clean = clean_text(text, self.secrets)
        return clean


def _copy(value: Any, clean: _Clean) -> Any:
    if value is None or isinstance(value, Enum | int | float | datetime):
        return value
    if isinstance(value, str):
        return clean[value]
    if isinstance(value, tuple | list):
        return type(value)(_copy(one, clean) for one in value)
    if isinstance(value, Mapping):
        return {_copy(key, clean): _copy(one, clean) for key, one in value.items()}
    if isinstance(value, Recommended):
        return _recommended(value, clean)
    if isinstance(value, Endpoint):
        return _endpoint(value, clean)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**_fields(value, clean))
    return value


def _fields(value: Any, clean: _Clean) -> dict[str, Any]:
    return {one.name: _copy(getattr(value, one.name), clean) for one in fields(value)}


def _recommended(value: Recommended, clean: _Clean) -> Recommended:
    """Text to paste keeps its lines; all else is one line."""
    paste = {
        _copy(name, clean): clean_text(text, clean.secrets, keep_newlines=True) for name, text in value.paste.items()
    }
    return Recommended(**{**_fields(value, clean), "paste": paste})


def _endpoint(value: Endpoint, clean: _Clean) -> Endpoint:
    """The endpoint without the query of its URI, which may sign requests, and without the places of its secrets.

    URI and deployment must stay valid: where cleaning would change them, the origin and nothing stand in.
    """
    whole = value.scoring_uri.partition("?")[0]
    uri = whole if clean[whole] == whole else f"{whole.partition('://')[0]}://{value.host_header}/"
    return replace(
        value,
        name=clean[value.name],
        scoring_uri=uri,
        deployment=value.deployment if _copy(value.deployment, clean) == value.deployment else None,
        goals=_copy(value.goals, clean),
        need=_copy(value.need, clean),
        auth=clean[value.auth],
        **_HIDDEN,
    )
