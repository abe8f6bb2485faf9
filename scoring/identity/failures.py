"""What went wrong while signing in, as one line and a hint, whatever library said it and however many words it took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from scoring.identity.refusals import refusal, said
from scoring.text import harmless


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs in, in words, and where. `repr` shows no secret."""

    kind: str  # of AZURE_AUTH_KINDS
    words: str
    authority: str | None = None  # None: not this address is asked, but the platform or a tool
    tenant_id: str | None = None
    client_id: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        return harmless(urlsplit(self.authority or "").hostname or "", max_chars=100)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a sign-in did not succeed, and what to type. `is_absent`: there is nothing of this kind here."""

    what: str
    hint: str
    is_absent: bool = False


def failure_of(error: BaseException, signer: Signer) -> Failure:
    """The failure behind an exception of azure-identity, msal, azure-core or the transport."""
    causes = list(_causes(error))
    texts = [str(cause) for cause in causes]
    for text in texts:
        told = refusal(text, client_id=signer.client_id, tenant_id=signer.tenant_id)
        if told is not None:
            return Failure(*told, is_absent=signer.authority is None)
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    if signer.authority is None:
        for pattern, what, hint in _OF_PLATFORM.get(signer.kind, ()):
            if any(re.search(pattern, text) for text in texts):
                return Failure(what, hint, is_absent=True)
    found = _on_the_way(kinds, " ".join(texts), signer) or Failure(said(texts[0], signer.secrets), _hint(signer))
    return replace(found, is_absent=signer.authority is None)


def _hint(signer: Signer) -> str:
    if signer.authority is None:
        return _AT_HAND.get(signer.kind, "az login")
    return f"curl -sv {signer.authority}/{signer.tenant_id or 'organizations'}/v2.0/.well-known/openid-configuration"


_AT_HAND = {"managed-identity": "az vm identity show, or the Identity page of the compute in the portal"}
_ASSIGN = "assign one (Identity page of this compute in the portal), or name another: client_id under [azure]"
_ELSE = "az login, or a service principal: export AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET"
# Kind → what its error says, what that means, what to type. These kinds give no AADSTS code.
_OF_PLATFORM: dict[str, tuple[tuple[str, str, str], ...]] = {
    "managed-identity": (
        (
            r"(?i)identity not found|no identity|not been assigned|No User Assigned|no managed identity",
            "no such identity is assigned to this compute",
            _ASSIGN,
        ),
        (r"Token request error", "the platform gives no token for this compute's identity", _ASSIGN),
        (r"no response from the IMDS endpoint", "no metadata service answers, so this is no machine of Azure", _ELSE),
        (
            r"authentication unavailable|Expecting value|Unexpected content type",
            "a metadata service answers, but not as Azure's does",
            _ELSE,
        ),
    ),
    "cli": (
        (r"not found on path|[Ff]ailed to execute", "not installed", "https://aka.ms/azure-cli, then az login"),
        (
            r"az login|azd auth login|Connect-AzAccount|az account set",
            "nobody is logged in",
            "az login",
        ),
        (r"Failed to invoke|[Tt]imed out|timeout", "gave no answer in time", "az account get-access-token --debug"),
    ),
}
_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerificationError")
_NO_NAME = re.compile(
    r"NameResolutionError|Name or service not known|getaddrinfo failed|nodename nor servname|Temporary failure in name"
)


def _on_the_way(kinds: set[str], text: str, signer: Signer) -> Failure | None:
    """What broke between us and the token issuer; None where an answer came."""
    host = signer.host or "the platform's identity service"
    if _UNTRUSTED.search(text):
        hint = 'ca_file = "ca.pem" under [azure], --ca-file ca.pem, or export REQUESTS_CA_BUNDLE=ca.pem'
        return Failure(f"the certificate of {host} is not trusted", hint)
    if re.search(r"NO_CERTIFICATE_OR_CRL|\[X509|TLS CA certificate bundle", text):
        hint = "openssl x509 -in ca.pem -noout -subject: ca_file of [azure], or REQUESTS_CA_BUNDLE"
        return Failure("the file of trusted certificates holds none", hint)
    if _NO_NAME.search(text):
        return Failure(f"{host} has no address", f"nslookup {host}")
    if "OIDC Discovery failed" in text or "Unable to get authority configuration" in text:
        return Failure(
            f"{host} knows no tenant `{harmless(signer.tenant_id or '', max_chars=64)}`: wrong tenant_id or authority",
            "az account show --query tenantId",
        )
    if kinds & {"ServiceResponseTimeoutError", "ServiceRequestTimeoutError", "ReadTimeout", "ConnectTimeout"}:
        return Failure(f"{host} gave no answer in time", _hint(signer))
    if kinds & {"ConnectionRefusedError", "NewConnectionError"}:
        return Failure(f"{host} refuses connections", _hint(signer))
    if kinds & {"SSLError"}:
        return Failure(f"{host} speaks no TLS that we understand", _hint(signer))
    if kinds & {"ServiceRequestError", "ServiceResponseError", "ConnectionError", "ProxyError"}:
        return Failure(f"{host} cannot be reached, or broke the connection off", _hint(signer))
    if kinds & {"JSONDecodeError", "DecodeError"} or "Unexpected content type" in text:
        return Failure(
            f"{host} answered with what is no token; is a proxy or a sign-in page in between?", _hint(signer)
        )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first."""
    seen: list[BaseException] = []
    rest: list[object] = [error]
    while rest and len(seen) < 30:
        item = rest.pop(0)
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            rest += [*item.args, getattr(item, "reason", None), getattr(item, "inner_exception", None)]
            rest += [item.__cause__, item.__context__]
    yield from seen
