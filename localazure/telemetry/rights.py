"""Whether a token may ask for logs or metrics: its issuer, its time, its audience and the roles of its principal."""

from __future__ import annotations

from collections.abc import Container

from localazure.http1 import Request
from localazure.identity.roles import allow
from localazure.identity.tokens import Flaw, judged
from localazure.telemetry.replies import ApiError
from localazure.telemetry.settings import Settings

READ_LOGS = "Microsoft.OperationalInsights/workspaces/query/read"
READ_METRICS = "Microsoft.Insights/metrics/read"


def check(request: Request, settings: Settings, audiences: Container[str], action: str, now_s: float) -> None:
    """Raises ApiError. Without a signing key any bearer token is good; the static token always is."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing")
    if settings.signing_key is None or token == settings.static_token:
        return
    found = judged(token, bytes.fromhex(settings.signing_key), audiences, now_s)
    if found is Flaw.AUDIENCE:
        raise ApiError(403, "InvalidAuthenticationTokenAudience", "The access token was issued for another audience")
    if isinstance(found, Flaw):
        text = "The access token has expired" if found is Flaw.EXPIRED else "The access token is invalid"
        raise ApiError(401, "InvalidAuthenticationToken", text)
    if not allow(found.get("roles_local", ()), action):
        raise ApiError(
            403, "InsufficientAccessError", f"The principal is not allowed to perform {action} on the resource"
        )
