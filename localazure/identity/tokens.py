"""Access tokens: JWTs that this process signs and everyone who holds its signing key can judge. Instants in seconds.

Azure signs with RSA; here it is HMAC with a key that is drawn at the start, as nobody but the stand-in looks inside.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Flaw(Enum):
    """Why a token does not let in."""

    MALFORMED = 1
    EXPIRED = 2
    AUDIENCE = 3


@dataclass(frozen=True, slots=True)
class Token:
    """One that was issued. From `refresh_s` on a newer one is to be asked for."""

    text: str
    issued_s: int
    expires_s: int
    refresh_s: int


class Tokens:
    """Owns the signing key, and the number up to which every token is taken back, `revoked_count`."""

    def __init__(self, signing_key: bytes, life_s: float) -> None:
        self.signing_key = signing_key
        self.life_s = life_s
        self.issued_count = 0
        self.revoked_count = 0

    def issue(self, audience: str, claims: dict[str, Any], now_s: float, life_s: float | None = None) -> Token:
        """A token that lives `life_s`, or as long as tokens do here; at half its life a newer one may be had."""
        life_s = self.life_s if life_s is None else life_s
        self.issued_count += 1
        issued_s, expires_s = int(now_s), int(now_s + life_s + 0.999)
        body = {"aud": audience, "iat": issued_s, "nbf": issued_s, "exp": expires_s, "uti": self.issued_count, **claims}
        return Token(signed(body, self.signing_key), issued_s, expires_s, int(now_s + life_s / 2))

    def revoke_all(self) -> None:
        """Every token issued so far is refused as expired by those who ask this object."""
        self.revoked_count = self.issued_count

    def is_revoked(self, claims: dict[str, Any]) -> bool:
        return int(claims.get("uti", 0)) <= self.revoked_count

    def flaw(self, text: str, audiences: Container[str], now_s: float) -> Flaw | dict[str, Any]:
        """The claims of a good token, or what is wrong with it."""
        found = judged(text, self.signing_key, audiences, now_s)
        if not isinstance(found, Flaw) and self.is_revoked(found):
            return Flaw.EXPIRED
        return found


def signed(claims: dict[str, Any], key: bytes) -> str:
    header = _packed({"alg": "HS256", "typ": "JWT", "kid": "local"})
    body = f"{header}.{_packed(claims)}"
    return f"{body}.{_seal(body, key)}"


def judged(text: str, key: bytes, audiences: Container[str], now_s: float) -> Flaw | dict[str, Any]:
    """The claims of a token that this key signed, whose time is not over and whose audience is one of these."""
    claims = claims_of(text, key)
    if claims is None:
        return Flaw.MALFORMED
    if claims["exp"] <= now_s:
        return Flaw.EXPIRED
    if str(claims["aud"]).rstrip("/") not in audiences:
        return Flaw.AUDIENCE
    return claims


def claims_of(text: str, key: bytes) -> dict[str, Any] | None:
    """What the token says; None where this key did not sign it."""
    body, _, seal = text.rpartition(".")
    if not text.isascii() or body.count(".") != 1 or not hmac.compare_digest(seal, _seal(body, key)):
        return None
    return unpacked(body.partition(".")[2])


def unpacked(part: str) -> dict[str, Any] | None:
    """The JSON object in one part of a JWT; None where there is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _packed(document: dict[str, Any]) -> str:
    return encoded(json.dumps(document, separators=(",", ":")).encode())


def _seal(body: str, key: bytes) -> str:
    return encoded(hmac.digest(key, body.encode(), hashlib.sha256))
