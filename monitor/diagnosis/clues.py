"""What an answer's text says, in one word that is the same on every hosting."""

from __future__ import annotations

import re
from functools import lru_cache

_CLUES = (
    ("renewed", r"credential was being renewed"),
    ("scoring_timeout", r"scoring timeout after [\d.]+ ?ms|UserScriptTimeout"),
    ("script_error", r"unexpected error occurred in scoring script"),
    ("server_error", r"unexpected internal error occurred"),
    ("overloaded", r"\(overloaded\)|too many requests for service|upstream_?overflow|reset reason: overflow"),
    ("not_ready", r"no ready replicas|no healthy upstream|model_not_ready|too_few_model_instance|container not ready"),
    ("pending", r"too_?\s?many_?\s?pending|pending_request"),
    ("rate_limited", r"rate.{0,3}limit|local_rate_limited|quota exceeded|requests per (?:second|minute)"),
    ("slow_model", r"upstream_?\s?request_?\s?timeout|upstream response timeout|stream timeout"),
    ("slow_model", r"client\.timeout exceeded|request canceled|did not answer within|replica .{0,40}timed? ?out"),
    (
        "closed",
        r"closed (?:the )?connection|connection termination|disconnect/reset before headers|upstream prematurely",
    ),
    ("no_key", r"key_auth_bad_header|no key in|missing.{0,20}(?:key|authorization)|no authorization"),
    ("expired", r"(?:token|jwt|lifetime).{0,60}expired|expired.{0,30}(?:token|jwt)|expiredauthenticationtoken"),
    ("wrong_key", r"key_auth_access_denied|wrong key|invalid.{0,12}key|access denied due to invalid"),
    ("no_deployment", r"traffic group could not be found|no deployment"),
    ("long_id", r"longer than \d+ characters|header.{0,40}too (?:long|large)"),
    ("content_type", r"expects content-type|unsupported media type"),
    ("bad_payload", r"expecting value|jsondecode|utf-?8|invalid json|not valid json|failed to parse|malformed"),
    ("too_large", r"payload too large|entity too large|body.{0,20}too large|content too large"),
    ("operation", r"another operation|operation .{0,40}in progress|conflict"),
    ("memory", r"out of memory|unable to allocate|cannot allocate memory|memoryerror"),
)
_KNOWN = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _CLUES)
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|\?xml)", re.IGNORECASE)
_REASON_ONLY = frozenset({"model_error"})

WORDS = {
    "renewed": "credential renewed",
    "scoring_timeout": "script passed SCORING_TIMEOUT_MS",
    "script_error": "exception in run()",
    "server_error": "inference server failed",
    "overloaded": "overloaded",
    "not_ready": "no replica ready",
    "pending": "too many pending requests",
    "rate_limited": "rate limited",
    "slow_model": "model too slow",
    "closed": "replica closed the connection",
    "no_key": "no key sent",
    "expired": "token expired",
    "wrong_key": "wrong key",
    "no_deployment": "no deployment with traffic",
    "long_id": "id or header too long",
    "content_type": "wrong content type",
    "bad_payload": "payload refused",
    "too_large": "payload too large",
    "operation": "operation in progress",
    "memory": "out of memory",
    "page": "page of a proxy",
}
"""Each clue in a few words, for the cause of a group."""


def clue(reason: str | None, body: str | None) -> str | None:
    """The word for what the reason, or else the body, says; None where neither says anything known.

    >>> clue(None, "Too many requests for service churn (overloaded)"), clue("too_many_pending_request", "")
    ('overloaded', 'pending')
    """
    found = _said(reason) if reason and reason not in _REASON_ONLY else None
    return found or (_said(body) if body else None)


@lru_cache(maxsize=4096)
def _said(text: str) -> str | None:
    for name, pattern in _KNOWN:
        if pattern.search(text[:2000]):
            return name
    return "page" if _PAGE.match(text) else None
