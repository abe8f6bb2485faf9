"""Why Microsoft Entra refused a sign-in, in one line and with what to type next; told from its AADSTS codes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scoring.redact import redact
from scoring.text import harmless

_CODE = re.compile(r"AADSTS(\d{4,9})")
_TAIL = re.compile(
    r"\s*(?:Trace ID|Correlation ID|Timestamp|Error: |To mitigate|To troubleshoot|https?://\S*aka\.ms).*", re.S
)
_MAX_SAID_CHARS = 200

_RESET = "az ad app credential reset --id CLIENT_ID --append, and put the new password there"
_SHOW_APP = "az ad sp show --id CLIENT_ID; az account show --query tenantId"
_FEDERATED = "az ad app federated-credential list --id CLIENT_ID, and compare issuer, subject and audience"
_CLOCK = "timedatectl, or w32tm /query /status: set the clock of this machine"
_LOGIN = "az login"

# Code → what is wrong, what to type. Microsoft's list: "Microsoft Entra authentication and authorization error codes".
_REFUSALS: dict[str, tuple[str, str]] = {
    "7000215": ("the client secret is wrong; an id of the secret is not its value", _RESET),
    "7000222": ("the client secret or certificate has expired", _RESET),
    "7000216": ("a client secret or certificate is needed, and none came", _RESET),
    "7000218": ("a client secret or certificate is needed, and none came", _RESET),
    "7000112": ("the application is disabled", "az ad sp update --id CLIENT_ID --set accountEnabled=true"),
    "7000229": ("the application has no service principal in this tenant", "az ad sp create --id CLIENT_ID"),
    "700016": ("the application is not known in this tenant: wrong client_id or tenant_id", _SHOW_APP),
    "90002": ("the tenant is not known: wrong tenant_id, or another cloud's", "az account show --query tenantId"),
    "900021": ("the tenant is not known: wrong tenant_id, or another cloud's", "az account show --query tenantId"),
    "900023": ("tenant_id is neither an id nor a domain", "az account show --query tenantId"),
    "90072": ("the user does not exist in this tenant", "az login --tenant TENANT_ID"),
    "50020": ("the user does not exist in this tenant", "az login --tenant TENANT_ID"),
    "50034": ("the user does not exist in this tenant", "az login --tenant TENANT_ID"),
    "50126": ("user name or password is wrong", _LOGIN),
    "50055": ("the user's password has expired", _LOGIN),
    "50053": ("the account is locked after too many tries", "wait, then az login"),
    "50057": ("the account is disabled", "ask an administrator of the tenant"),
    "50076": ("more than a password is asked for (multi-factor sign-in)", "az login, or use a service principal"),
    "50079": ("more than a password is asked for (multi-factor sign-in)", "az login, or use a service principal"),
    "50158": ("more than a password is asked for (conditional access)", "az login, or use a service principal"),
    "53003": ("a conditional-access policy of the tenant forbids it", "ask an administrator of the tenant"),
    "530003": ("a conditional-access policy of the tenant wants a managed device", "use a service principal"),
    "65001": ("nobody has consented to the application", "ask an administrator of the tenant for consent"),
    "50173": ("the sign-in has been revoked", _LOGIN),
    "70043": ("the sign-in has expired", _LOGIN),
    "700082": ("the sign-in has expired", _LOGIN),
    "700084": ("the sign-in has expired", _LOGIN),
    "50058": ("nobody is signed in", _LOGIN),
    "70008": ("the sign-in has expired", _LOGIN),
    "70020": ("the code was not entered in time", "run the command again, and enter the code at once"),
    "70016": ("the code was not entered in time", "run the command again, and enter the code at once"),
    "700027": (
        "the certificate is not registered with the application, or its key is another one's",
        "az ad app credential reset --id CLIENT_ID --cert @certificate.pem --append",
    ),
    "700021": ("the signed assertion is another application's", "az ad app show --id CLIENT_ID"),
    "700023": ("the signed assertion is for another token issuer", "check authority and tenant_id under [azure]"),
    "700030": ("the certificate's subject is not one that the application trusts", "az ad app show --id CLIENT_ID"),
    "5000611": ("the certificate's key is of a kind that is not supported", "use an RSA key of 2048 bits or more"),
    "700024": ("the signed assertion is not valid at this time: the clocks differ, or it is too old", _CLOCK),
    "500133": ("the signed assertion is not valid at this time: the clocks differ, or it is too old", _CLOCK),
    "50013": ("the signed assertion cannot be verified", _FEDERATED),
    "50027": ("the signed assertion cannot be read", _FEDERATED),
    "70021": ("no federated credential of the application fits the assertion", _FEDERATED),
    "700211": ("no federated credential of the application has the assertion's issuer", _FEDERATED),
    "700212": ("no federated credential of the application has the assertion's audience", _FEDERATED),
    "700213": ("no federated credential of the application has the assertion's subject", _FEDERATED),
    "7002381": ("the issuer of the federated token is not allowed", _FEDERATED),
    "500011": (
        "what is asked for is not known in this tenant: another tenant's, or another cloud's",
        'check tenant_id and cloud = "public" | "china" | "usgov" under [azure]',
    ),
    "70011": ("what is asked for is not known", 'check cloud = "public" | "china" | "usgov" under [azure]'),
    "1002012": ("what is asked for is not known", 'check cloud = "public" | "china" | "usgov" under [azure]'),
    "50049": ("the token issuer is not known", "check authority under [azure], or AZURE_AUTHORITY_HOST"),
    "900382": ("the application belongs to another cloud", 'cloud = "china" | "usgov" under [azure]'),
    "90033": ("the service is unavailable for the moment", "try again in a minute"),
    "50196": ("too many sign-ins in a short time", "try again in five minutes"),
    "500341": ("the account has been deleted", "ask an administrator of the tenant"),
    "500014": ("the service that is asked for is disabled in this tenant", "ask an administrator of the tenant"),
    "501051": ("the application must be assigned to a role first", "ask an administrator of the tenant"),
}


def refusal(text: str, *, client_id: str | None = None, tenant_id: str | None = None) -> tuple[str, str] | None:
    """What an answer with an AADSTS code means, and what to type; None where it has no such code.

    A code that is not in the table keeps Microsoft's first sentence.
    """
    codes = _CODE.findall(text)
    if not codes:
        return None
    code = next((code for code in codes if code in _REFUSALS), codes[0])
    if code in _REFUSALS:
        what, hint = _REFUSALS[code]
    else:
        what, hint = (
            said(text.partition(f"AADSTS{code}")[2].lstrip(": ")),
            f"https://login.microsoftonline.com/error?code={code}",
        )
    for name, value in (("CLIENT_ID", client_id), ("TENANT_ID", tenant_id)):
        hint = hint.replace(name, harmless(value, max_chars=64)) if value else hint
    return f"{what} (AADSTS{code})", hint


def said(text: str, secrets: Sequence[str] = ()) -> str:
    """The first sentence or so of a foreign message: one harmless line, without secrets, trace ids and help links."""
    flat = " ".join(_TAIL.sub("", redact(text, secrets)).split())
    return harmless(redact(flat, secrets), max_chars=_MAX_SAID_CHARS).rstrip(" .:") or "no reason was given"
