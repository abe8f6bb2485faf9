"""The directory of the stand-in: its ids, its principals, what proves them and which roles they hold."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from localazure.identity.tokens import Tokens

PUBLIC_CLIENTS = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
    "1950a258-227b-4e31-a9cf-717495945fc2": "PowerShell",
}
"""Apps of Microsoft by which a person signs in. The first is the default of azure-identity."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who can hold a token."""

    object_id: str
    client_id: str  # of the app by which it signs in
    user_name: str | None = None  # of a person


@dataclass(frozen=True, slots=True)
class Device:
    """A device that waits for its person, who is None until somebody enters the user code."""

    user_code: str
    client_id: str
    scope: str
    expires_s: float
    person: Principal | None = None


@dataclass(frozen=True, slots=True)
class Authorized:
    """A code of the browser flow, to be exchanged once."""

    client_id: str
    redirect_uri: str
    scope: str
    challenge: str
    nonce: str


@dataclass(slots=True)
class Tenant:
    """Owns what sign-in depends on. The roles are those of every principal, over the whole subscription."""

    tokens: Tokens
    roles: tuple[str, ...]
    tenant_id: str = field(default_factory=lambda: str(uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid4()))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    is_secret_expired: bool = False
    service_object_id: str = field(default_factory=lambda: str(uuid4()))
    identity_client_id: str = field(default_factory=lambda: str(uuid4()))
    identity_object_id: str = field(default_factory=lambda: str(uuid4()))
    user_object_id: str = field(default_factory=lambda: str(uuid4()))
    has_managed_identity: bool = True
    identity_header: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    request_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    certificates: dict[str, Any] = field(default_factory=dict)  # thumbprint → public key
    device_codes: dict[str, Device] = field(default_factory=dict, repr=False)
    codes: dict[str, Authorized] = field(default_factory=dict, repr=False)
    refresh_tokens: dict[str, Principal] = field(default_factory=dict, repr=False)
    approves_device_codes: bool = False

    @property
    def service(self) -> Principal:
        return Principal(self.service_object_id, self.client_id)

    @property
    def managed_identity(self) -> Principal:
        return Principal(self.identity_object_id, self.identity_client_id)

    def user(self, client_id: str) -> Principal:
        return Principal(self.user_object_id, client_id, "somebody@local.invalid")

    def claims(self, principal: Principal, issuer: str) -> dict[str, Any]:
        """What every token says of its principal."""
        claims = {
            "iss": f"{issuer}/{self.tenant_id}/",
            "tid": self.tenant_id,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "appid": principal.client_id,
            "ver": "1.0",
        }
        if principal.user_name is None:
            return claims | {"idtyp": "app", "appidacr": "1", "roles_local": list(self.roles)}
        person = {"idtyp": "user", "scp": "user_impersonation", "upn": principal.user_name}
        return claims | person | {"roles_local": list(self.roles)}

    def register(self, pem: bytes) -> str:
        """The thumbprint (SHA-1, hex) of a certificate that proves the service principal from now on. ValueError."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        certificate = x509.load_pem_x509_certificate(pem)
        for algorithm in (hashes.SHA1(), hashes.SHA256()):  # noqa: S303 - the names of a certificate, not its seal
            digest = certificate.fingerprint(algorithm)
            self.certificates[base64.urlsafe_b64encode(digest).rstrip(b"=").decode()] = certificate.public_key()
        return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
