"""Whether a signed assertion proves the service principal: by its certificate, or as a federated identity."""

from __future__ import annotations

import base64
from typing import Any

from localazure.identity.audiences import EXCHANGE
from localazure.identity.errors import SignInError
from localazure.identity.tenant import Tenant
from localazure.identity.tokens import claims_of, unpacked

SUBJECTS = ("system:serviceaccount:ml:redline", "repo:local/local:ref:refs/heads/main")
"""Those of the federated credentials: of a Kubernetes service account, and of a GitHub workflow."""


def check(tenant: Tenant, assertion: str, token_url: str, federated_issuer: str, now_s: float) -> None:
    """Raises SignInError where the assertion proves nothing."""
    header, claims = _parts(assertion)
    if header.get("alg") in ("RS256", "PS256"):
        _check_signature(tenant, assertion, header)
        _check_certified(tenant, claims, token_url)
    else:
        if claims_of(assertion, tenant.tokens.signing_key) is None:
            raise SignInError(50013, "Assertion failed signature validation. [Reason - The key was not found.]")
        _check_federated(claims, federated_issuer)
    if float(claims.get("exp", 0)) <= now_s:
        raise SignInError(
            700024,
            "Client assertion is not within its valid time range. Ensure that the access token is not expired "
            "before using it for client assertion, or generate a new token.",
        )


def _parts(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = assertion.split(".")
    header, claims = (unpacked(parts[0]), unpacked(parts[1])) if len(parts) == 3 else (None, None)
    if header is None or claims is None:
        raise SignInError(50027, "JWT token is invalid or malformed.", "invalid_request")
    return header, claims


def _check_certified(tenant: Tenant, claims: dict[str, Any], token_url: str) -> None:
    if claims.get("iss") != tenant.client_id or claims.get("sub") != tenant.client_id:
        raise SignInError(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
    if claims.get("aud") != token_url:
        raise SignInError(
            700023,
            f"Client assertion audience claim does not match Realm issuer. The audience is '{claims.get('aud')}'.",
        )


def _check_federated(claims: dict[str, Any], federated_issuer: str) -> None:
    issuer, subject, audience = (claims.get(name) for name in ("iss", "sub", "aud"))
    if issuer != federated_issuer:
        raise SignInError(
            700211, f"No matching federated identity record found for presented assertion issuer '{issuer}'."
        )
    if subject not in SUBJECTS:
        raise SignInError(
            700213, f"No matching federated identity record found for presented assertion subject '{subject}'."
        )
    if audience != EXCHANGE:
        raise SignInError(
            700212, f"No matching federated identity record found for presented assertion audience '{audience}'."
        )


def _check_signature(tenant: Tenant, assertion: str, header: dict[str, Any]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = tenant.certificates.get(str(header.get("x5t#S256") or header.get("x5t")).rstrip("="))
    if key is None:
        raise SignInError(
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application.",
        )
    body, _, seal = assertion.rpartition(".")
    is_pss = header["alg"] == "PS256"
    scheme: Any = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO) if is_pss else padding.PKCS1v15()
    try:
        signature = base64.urlsafe_b64decode(seal + "=" * (-len(seal) % 4))
        key.verify(signature, body.encode(), scheme, hashes.SHA256())
    except (InvalidSignature, ValueError):
        raise SignInError(700027, "Client assertion contains an invalid signature.") from None
