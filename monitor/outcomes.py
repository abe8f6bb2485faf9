"""What a refusal of Azure Monitor means: one outcome word, a sentence, and whether to try again or to ask for less."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from scoring.redact import redact
from scoring.text import harmless

_UNKNOWN_COLUMN = re.compile(r"(?:scalar|column) expression named '|resolve column|column named '", re.IGNORECASE)
_UNKNOWN_TABLE = re.compile(r"table or column expression named '|tabular expression|table named '", re.IGNORECASE)
_TOO_MUCH = re.compile(
    r"exceeded (?:the )?(?:allowed )?(?:limits?|max)"
    r"|E_QUERY_RESULT_SET_TOO_LARGE|E_RUNAWAY_QUERY|low.?memory|too large",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`word` is one of scoring.account.OUTCOMES."""

    word: str
    said: str  # what the service said, redacted
    is_passing: bool = False  # may be over in a moment
    is_cut: bool = False  # there is more than the service gives at once: a shorter period may fit
    is_late: bool = False  # out of time: a shorter period may take less
    retry_after_s: float | None = None


def outcome_of_answer(error: Exception) -> Outcome:
    """An answer that is no JSON: 204, an empty 200, a gateway's page. None of them is "no rows"."""
    return Outcome("bad_answer", _safe(f"no JSON came back ({type(error).__name__})"), is_passing=True)


def outcome_of_machine(error: OSError) -> Outcome:
    """A fault on this machine that no client names: the file with the authorities to trust is gone, say."""
    return Outcome("unreachable", _safe(str(error)))


def outcome_of_columns(columns: Sequence[str], promised: Sequence[str]) -> Outcome | None:
    """None where the table of an answer has the promised columns. An answer without a table is not "no rows"."""
    lost = [name for name in promised if name not in columns]
    if not lost:
        return None
    if not columns:
        return Outcome("bad_answer", "the answer holds no table", is_passing=True)
    return Outcome("bad_answer", _safe(f"the answer lacks the columns {', '.join(lost)}"))


def outcome_of_partial(error: Any) -> Outcome:
    """Some rows came, with the reason why not all."""
    details = [str(getattr(one, "message", "")) for one in getattr(error, "details", None) or []]
    said = "; ".join(text for text in (str(getattr(error, "message", "") or ""), *details) if text)
    return Outcome("partial", _safe(said or "no reason was given"), is_cut=True)


def outcome_of_fault(error: Any) -> Outcome:
    """The outcome of an exception of azure-core: by status, by the code in the body, or by what broke on the way."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if status is None:
        return _without_status(error)
    if status < 300:
        return outcome_of_answer(error)
    document = _document(response)
    codes = _codes(document.get("error"))
    said = _safe(_innermost_message(document.get("error")) or str(getattr(error, "message", error)))
    if status == 400:
        return _bad_request(codes, said)
    if status == 401 or any(code.startswith("InvalidAuthenticationToken") for code in codes):
        return Outcome("no_credential", said)
    if status == 403:
        return Outcome("forbidden", said)
    if status == 404:
        return Outcome("wrong_workspace", said)
    if status == 429:
        return Outcome("throttled", said, is_passing=True, retry_after_s=_retry_after_s(response))
    if status in (408, 504):
        return Outcome("timed_out", said, is_passing=status == 408, is_late=True)
    if status == 413 or (status == 500 and _TOO_MUCH.search(said)):
        return Outcome("partial", said, is_cut=True)
    if status in (500, 502, 503):
        pause_s = _retry_after_s(response)
        return Outcome("failed" if document else "bad_answer", said, is_passing=True, retry_after_s=pause_s)
    return Outcome("failed", said)


def _without_status(error: Any) -> Outcome:
    kinds = _kinds(error)
    said = _safe(str(getattr(error, "message", error)))
    if kinds & {"ClientAuthenticationError", "CredentialUnavailableError", "NotSignedIn"}:
        return Outcome("no_credential", said)
    if "DecodeError" in kinds:
        return Outcome("bad_answer", said, is_passing=True)
    if kinds & {"ServiceResponseTimeoutError", "ReadTimeoutError", "ReadTimeout"}:
        return Outcome("timed_out", said, is_late=True)
    # A refused connection is final for this report; one that broke in the middle may be better the next time.
    return Outcome("unreachable", said, is_passing=bool(kinds & {"ServiceResponseError", "IncompleteReadError"}))


def _kinds(error: BaseException | None) -> set[str]:
    """The classes of an exception and of those behind it: the query client wraps what it is told."""
    found: set[str] = set()
    while error is not None and len(found) < 20:
        found.add(type(error).__name__)
        error = error.__cause__ or error.__context__
    return found


def _bad_request(codes: list[str], said: str) -> Outcome:
    if "FailedToResolveResource" in codes or "WorkspaceNotFoundError" in codes:
        return Outcome("wrong_workspace", said)
    if _TOO_MUCH.search(said):
        return Outcome("partial", said, is_cut=True)
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
    """Seconds of `Retry-After`: a number, or a date, which is counted from the answer's own `Date`."""
    headers = getattr(response, "headers", None) or {}
    asked = str(headers.get("Retry-After"))
    try:
        wanted_s = float(asked)
    except ValueError:
        try:
            until_at, now = parsedate_to_datetime(asked), parsedate_to_datetime(str(headers.get("Date")))
            wanted_s = (until_at - now).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, wanted_s) if math.isfinite(wanted_s) else None


def _safe(text: str) -> str:
    return harmless(redact(text), max_chars=300)
