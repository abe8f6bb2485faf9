"""What a refusal of Azure Monitor means: one outcome word, a sentence, and whether to try again or to ask for less."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from scoring.redact import redact
from scoring.text import harmless

_UNKNOWN_COLUMN = re.compile(r"(?:scalar|column) expression named '|resolve column|column named '", re.IGNORECASE)
_UNKNOWN_TABLE = re.compile(r"table or column expression named '|tabular expression|table named '", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`word` is one of scoring.account.OUTCOMES."""

    word: str
    said: str  # what the service said, redacted
    is_passing: bool = False  # may be over in a moment
    asks_for_less: bool = False  # a shorter period may fit
    retry_after_s: float | None = None


def outcome_of_answer(error: Exception) -> Outcome:
    """An answer that is no JSON: 204, an empty 200, a gateway's page. None of them is "no rows"."""
    return Outcome("bad_answer", _safe(f"no JSON came back ({type(error).__name__})"), is_passing=True)


def outcome_of_fault(error: Any) -> Outcome:
    """The outcome of an exception of azure-core: by status, by the code in the body, or by what broke on the way."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if status is None:
        return _without_status(error)
    document = _document(response)
    codes = _codes(document.get("error"))
    said = _safe(_innermost_message(document.get("error")) or str(getattr(error, "message", error)))
    if status == 400:
        return _bad_request(codes, said)
    if status in (401, 403):
        return Outcome("no_credential" if status == 401 else "forbidden", said)
    if status == 404:
        return Outcome("wrong_workspace", said)
    if status == 429:
        return Outcome("throttled", said, is_passing=True, retry_after_s=_retry_after_s(response))
    if status in (408, 504):
        return Outcome("timed_out", said, asks_for_less=True)
    if status in (500, 502, 503):
        return Outcome("bad_answer" if not document else "failed", said, is_passing=True)
    return Outcome("failed", said)


def _without_status(error: Any) -> Outcome:
    name = type(error).__name__
    said = _safe(str(getattr(error, "message", error)))
    if name in ("ClientAuthenticationError", "CredentialUnavailableError"):
        return Outcome("no_credential", said)
    if name == "DecodeError":
        return Outcome("bad_answer", said, is_passing=True)
    if "Timeout" in name or "timed out" in said:
        return Outcome("timed_out", said, asks_for_less=True)
    # A refused connection is final for this report; one that broke in the middle may be better the next time.
    return Outcome("unreachable", said, is_passing=name in ("ServiceResponseError", "IncompleteReadError"))


def _bad_request(codes: list[str], said: str) -> Outcome:
    if "FailedToResolveResource" in codes or "WorkspaceNotFoundError" in codes:
        return Outcome("wrong_workspace", said)
    if _UNKNOWN_TABLE.search(said):
        return Outcome("missing_table", said)
    if _UNKNOWN_COLUMN.search(said):
        return Outcome("missing_column", said)
    return Outcome("refused_query", said)


def _document(response: Any) -> dict[str, Any]:
    try:
        document = json.loads(response.text())
    except (AttributeError, ValueError, TypeError):
        return {}
    return document if isinstance(document, dict) else {}


def _codes(error: Any) -> list[str]:
    found = []
    while isinstance(error, dict):
        found.append(str(error.get("code")))
        error = error.get("innererror")
    return found


def _innermost_message(error: Any) -> str | None:
    message = None
    while isinstance(error, dict):
        message = error.get("message") or message
        error = error.get("innererror")
    return None if message is None else str(message)


def _retry_after_s(response: Any) -> float | None:
    try:
        return max(0.0, float(response.headers.get("Retry-After")))
    except (AttributeError, TypeError, ValueError):
        return None


def _safe(text: str) -> str:
    return harmless(redact(text), max_chars=300)
