"""Managed identity: the address inside a machine, an app or an Azure ML compute that hands out tokens, over plain http.

App Service: header X-IDENTITY-HEADER, api-version 2019-08-01. Azure ML: header secret, api-version 2017-09-01.
A virtual machine (IMDS): /metadata/identity/oauth2/token with the header Metadata: true.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl

from localazure.http1 import Request
from localazure.identity.audiences import UnknownResourceError
from localazure.identity.issuer import Issuer
from localazure.telemetry.replies import Reply, json_reply

IMDS_PATH = "/metadata/identity/oauth2/token"
TOKEN_PATH = "/msi/token"  # noqa: S105 - a path


def route(issuer: Issuer, request: Request) -> Reply:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if request.path.rstrip("/") == IMDS_PATH:
        return _machine(issuer, request, query)
    if request.path.rstrip("/") == TOKEN_PATH:
        return _app(issuer, request, query)
    return json_reply({"error": "not_found", "error_description": f"{request.path} is not served here"}, 404)


def _app(issuer: Issuer, request: Request, query: dict[str, str]) -> Reply:
    is_ml = query.get("api-version") == "2017-09-01"
    given = request.headers.get("secret" if is_ml else "x-identity-header", "")
    if not hmac.compare_digest(given.encode(), issuer.tenant.identity_header.encode()):
        return json_reply({"statusCode": 401, "message": "The identity header is missing or wrong"}, 401)
    if query.get("api-version") not in ("2017-09-01", "2019-08-01"):
        return json_reply({"statusCode": 400, "message": "Unsupported API version"}, 400)
    if not issuer.tenant.has_managed_identity or not _is_known(issuer, query):
        return json_reply({"statusCode": 400, "message": "No MSI found for specified ClientId/ResourceId."}, 400)
    document = _token(issuer, query.get("resource", ""))
    if document is None:
        return json_reply({"statusCode": 400, "message": f"Unknown resource {query.get('resource', '')}"}, 400)
    if is_ml:
        document["expires_on"] = int(document["expires_on"])
    return json_reply(document)


def _machine(issuer: Issuer, request: Request, query: dict[str, str]) -> Reply:
    if request.headers.get("metadata", "").lower() != "true":
        text = "Required metadata header not specified or not correct"
        return json_reply({"error": "bad_request_102", "error_description": text}, 400)
    if not issuer.tenant.has_managed_identity or not _is_known(issuer, query):
        return json_reply({"error": "invalid_request", "error_description": "Identity not found"}, 400)
    document = _token(issuer, query.get("resource", ""))
    if document is None:
        text = f"AADSTS500011: The resource principal named {query.get('resource', '')} was not found in the tenant."
        return json_reply({"error": "invalid_resource", "error_description": text}, 400)
    return json_reply(document)


def _is_known(issuer: Issuer, query: dict[str, str]) -> bool:
    """The identity that is asked for is the one that is here; none asked for is that of the system."""
    asked = [query[name] for name in ("client_id", "clientid", "object_id", "principal_id") if name in query]
    identity = issuer.tenant.managed_identity
    return all(one in (identity.client_id, identity.object_id) for one in asked)


def _token(issuer: Issuer, resource: str) -> dict[str, Any] | None:
    try:
        audience = issuer.checked(resource)
    except UnknownResourceError:
        return None
    token = issuer.issue(audience, issuer.tenant.managed_identity)
    return {
        "access_token": token.text,
        "client_id": issuer.tenant.identity_client_id,
        "expires_in": str(token.expires_s - token.issued_s),
        "expires_on": str(token.expires_s),
        "ext_expires_in": str(token.expires_s - token.issued_s),
        "not_before": str(token.issued_s),
        "refresh_in": str(token.refresh_s - token.issued_s),
        "resource": resource,
        "token_type": "Bearer",
    }
