"""A key vault with the endpoint's primary key in the secret `scoring-key`, and `disabled-key`, which is switched off.

Access is by policy: whoever has a role at all may read secrets.
"""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, unquote

from localazure.http1 import Request
from localazure.identity.audiences import VAULT
from localazure.identity.site import Site
from localazure.identity.tokens import Flaw
from localazure.telemetry.replies import Reply, json_reply

_VERSION = "00000000000000000000000000000001"


def route(site: Site, request: Request) -> Reply:
    parts = unquote(request.path).strip("/").split("/")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found = site.tenant.tokens.flaw(token.strip(), VAULT, time.time()) if scheme.lower() == "bearer" else None
    if found is None or isinstance(found, Flaw):
        return _unauthorized(site, found)
    if "api-version" not in dict(parse_qsl(request.query)):
        return _refusal(400, "BadParameter", "api-version must be specified")
    if request.method != "GET" or parts[0] != "secrets" or len(parts) not in (2, 3):
        return _refusal(404, "NotFound", f"{request.path} is not served here")
    if site.tenant.roles == ("none",):
        return _refusal(
            403, "Forbidden", "The user, group or application does not have secrets get permission", "ForbiddenByPolicy"
        )
    return _secret(site, request, parts[1])


def _secret(site: Site, request: Request, name: str) -> Reply:
    if name == "disabled-key":
        return _refusal(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
    keys = next((one.keys for one in site.entrances if one.keys is not None), None)
    if name != "scoring-key" or keys is None:
        return _refusal(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
    return json_reply(
        {
            "value": keys.of["Primary"],
            "id": f"https://{request.headers.get('host', '')}/secrets/{name}/{_VERSION}",
            "attributes": {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable"},
        }
    )


def _unauthorized(site: Site, flaw: Flaw | None) -> Reply:
    texts = {None: "Request is missing a Bearer or PoP token.", Flaw.EXPIRED: "Error validating token: IDX10223"}
    text = texts.get(flaw, "Error validating token: S2S12086")
    challenge = f'Bearer authorization="{site.authority}/{site.tenant.tenant_id}", resource="https://vault.azure.net"'
    document = {"error": {"code": "Unauthorized", "message": f"AKV10000: {text}"}}
    return json_reply(document, 401, (("WWW-Authenticate", challenge),))


def _refusal(status: int, code: str, text: str, inner: str | None = None) -> Reply:
    error: dict[str, object] = {"code": code, "message": text}
    if inner is not None:
        error["innererror"] = {"code": inner}
    return json_reply({"error": error}, status)
