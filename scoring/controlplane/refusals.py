"""What Azure's APIs refuse, as one line and a hint that can be typed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.errors import Exit, RedlineError
from scoring.redact import redact
from scoring.text import harmless

_ACTION = re.compile(r"perform (?:the )?actions? '([^']{1,300})'")
_SCOPE = re.compile(r"(?:over|on) (?:the )?(?:scope|resource)s? '?(/[^' ]{1,600})")
_TENANT = re.compile(r"must match (?:one of )?the tenants? '(?:https://[^/']+/)?([0-9a-fA-F-]{36})")
_PRIVATE = re.compile(r"(?i)private ?(?:end ?point|link)|public ?network ?access|not (?:an )?approved network|firewall")


class RestError(RedlineError):
    """A call that did not do what it should. `status` is None where no answer came, `code` Azure's word for it."""

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, hint, Exit.NO_ENTRY)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `code` and `message` are foreign, made harmless here."""

    what: str  # the call in words: "the keys of `churn`"
    host: str
    status: int
    code: str
    message: str
    inner: tuple[str, ...] = ()  # codes inside

    @property
    def codes(self) -> set[str]:
        return {self.code.lower(), *(code.lower() for code in self.inner)}


def refusal_of(what: str, host: str, status: int, headers: Mapping[str, str], body: bytes) -> RestError:
    """The error for an answer that is no success, with what mends it where Azure's code tells."""
    code, message, inner = _told(body)
    refusal = Refusal(what, host, status, code, message or _plain(body), inner)
    line, hint = _words(refusal, headers)
    return RestError(redact(line), hint, status=status, code=code or None)


def role_for(action: str) -> str:
    """The smallest of Azure's own roles that allows an action, as far as redline's actions go."""
    low = action.lower()
    if low.startswith("microsoft.keyvault/"):
        return "Key Vault Secrets User"
    if low.startswith("microsoft.operationalinsights/") and "query" in low:
        return "Log Analytics Reader"
    if low.startswith("microsoft.insights/"):
        return "Monitoring Reader" if low.endswith("/read") else "Monitoring Contributor"
    if low.endswith("/read"):
        return "Reader"
    if low.startswith("microsoft.machinelearningservices/"):
        return "AzureML Data Scientist"
    return "Contributor"


def grant_command(role: str, scope: str) -> str:
    """The line that an owner of the scope types to give a role."""
    return f'az role assignment create --assignee CLIENT_ID --role "{role}" --scope {scope}'


def _words(refusal: Refusal, headers: Mapping[str, str]) -> tuple[str, str | None]:
    if refusal.status == 401:
        return _unauthenticated(refusal)
    if _PRIVATE.search(refusal.message) and refusal.status in (400, 403, 404):
        line = f"{refusal.what}: {refusal.host} takes requests of its private network only: {refusal.message}"
        return line, "run redline from inside the virtual network, or allow public network access"
    if refusal.status == 403:
        return _forbidden(refusal)
    if refusal.status == 404 or refusal.codes & _ABSENT.keys():
        return _absent(refusal)
    if refusal.status == 429:
        wait = headers.get("retry-after", "")
        after = f", for {harmless(wait, max_chars=40)} s more" if wait else ""
        return f"{refusal.what}: {refusal.host} throttles requests (429){after}", "try again later, or with fewer runs"
    if refusal.status == 409:
        return _line(refusal, "another operation is under way (409)"), "try again when it has ended"
    if refusal.status >= 500:
        return _line(refusal, f"{refusal.host} answered {refusal.status}"), "try again; https://status.azure.com"
    if 300 <= refusal.status < 400:
        return (
            f"{refusal.what}: {refusal.host} redirects ({refusal.status}), which is not followed",
            "check the address",
        )
    return _line(refusal, f"{refusal.host} answered {refusal.status}"), None


def _unauthenticated(refusal: Refusal) -> tuple[str, str | None]:
    tenant = _TENANT.search(refusal.message)
    if "invalidauthenticationtokentenant" in refusal.codes or tenant is not None:
        named = tenant[1] if tenant else "TENANT_ID"
        line = f"{refusal.what}: the credential is of another tenant than the subscription's"
        return line + (f", {named}" if tenant else ""), f'tenant_id = "{named}" in [azure], or AZURE_TENANT_ID={named}'
    if "invalidauthenticationtokenaudience" in refusal.codes or "audience" in refusal.message.lower():
        line = f"{refusal.what}: {refusal.host} wants a token for another audience; perhaps it is another cloud"
        return line, 'cloud = "china" or "usgov" in [azure], or AZURE_AUTHORITY_HOST of that cloud'
    if "expiredauthenticationtoken" in refusal.codes or "expired" in refusal.message.lower():
        line = f"{refusal.what}: the token has expired on its way, or a clock is wrong"
        return line, "date -u; compare with the time that another machine shows"
    return _line(
        refusal, f"{refusal.host} answered 401 to the credential"
    ), "redline doctor shows who signs in, and how"


def _forbidden(refusal: Refusal) -> tuple[str, str | None]:
    action, scope = _ACTION.search(refusal.message), _SCOPE.search(refusal.message)
    if action is None:
        line = _line(refusal, f"{refusal.host} does not allow it (403)")
        return line, "an owner of the workspace gives the role: az role assignment create --help"
    role = role_for(action[1])
    where = scope[1].rstrip(".,") if scope else "SCOPE"
    line = f"{refusal.what}: not allowed to {action[1]}" + (f" at {where}" if scope else "")
    return line + f"; the smallest role that gives it is {role}", grant_command(role, where)


_ABSENT = {
    "subscriptionnotfound": (
        "the subscription does not exist, or the credential sees none of it",
        "az account list -o table; subscription_id of config.json, tenant_id in [azure]",
    ),
    "invalidsubscriptionid": ("the subscription's id is none", "subscription_id of config.json is a GUID"),
    "resourcegroupnotfound": ("there is no such resource group in the subscription", "az group list -o table"),
    "parentresourcenotfound": (
        "there is no such workspace in the resource group",
        "az ml workspace list -o table; workspace_name of config.json",
    ),
}


def _absent(refusal: Refusal) -> tuple[str, str | None]:
    for code, (words, hint) in _ABSENT.items():
        if code in refusal.codes:
            return f"{refusal.what}: {words}" + _said(refusal), hint
    return f"{refusal.what}: not found (404)" + _said(refusal), None


def _line(refusal: Refusal, words: str) -> str:
    return f"{refusal.what}: {words}" + _said(refusal)


def _said(refusal: Refusal) -> str:
    parts = [part for part in (refusal.code, refusal.message) if part]
    return f": {': '.join(parts)}" if parts else ""


def _told(body: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Code, message and inner codes of ARM's and model management's error bodies; empty where there are none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", ()
    error = document.get("error", document) if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return "", _text(error), ()
    inner: list[str] = []
    _inner_codes(error.get("innererror") or error.get("innerError") or error.get("details"), inner)
    return _text(error.get("code")), _text(error.get("message")), tuple(inner)


def _inner_codes(value: Any, into: list[str]) -> None:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and len(into) < 20:
            if isinstance(item.get("code"), str):
                into.append(item["code"][:100])
            _inner_codes(item.get("innererror") or item.get("innerError") or item.get("details"), into)


def _text(value: object) -> str:
    """Foreign text as one harmless line without secrets."""
    return harmless(redact(value), max_chars=400).replace("\\n", " ").strip() if isinstance(value, str) else ""


def _plain(body: bytes) -> str:
    """The start of a body that is no JSON, without its markup."""
    if body[:1] in (b"{", b"["):
        return ""
    text = re.sub(r"<[^>]{0,2000}>", " ", body[:4000].decode("utf-8", "replace"))
    return _text(" ".join(text.split())[:200])
