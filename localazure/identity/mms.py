"""Model management: what SDK v1 asks of the region's services about its web services, and the discovery answer."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from localazure.entrances import KINDS, Entrance
from localazure.http1 import Request
from localazure.identity import resources
from localazure.identity.errors import ArmError
from localazure.identity.roles import ML
from localazure.identity.site import Site
from localazure.telemetry.replies import Reply, json_reply

_START = re.compile(
    r"/modelmanagement/v1\.0(/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+))(/.*)",
    re.IGNORECASE,
)
_SERVICE = re.compile(r"/services(?:/([^/]+)(?:/([^/]+))?)?", re.IGNORECASE)
_OPERATION = re.compile(r"/operations/([^/]+)", re.IGNORECASE)
_TAIL = 5_000


def route(site: Site, request: Request) -> Reply:
    path = unquote(request.path).rstrip("/")
    if path.lower() == "/discovery":
        return discovery(site)
    try:
        caller = site.caller(request.headers.get("authorization", ""))
        match = _START.fullmatch(path)
        if match is None:
            raise ArmError(404, "NotFound", f"{path} is not served here")
        operation = _OPERATION.fullmatch(match[5])
        if operation is not None and request.method == "GET":
            return _operation(site, operation[1])
        service = _SERVICE.fullmatch(match[5])
        if service is None:
            raise ArmError(404, "NotFound", f"{path} is not served here")
        return _services(site, request, caller, match, service)
    except ArmError as error:
        return _refusal(error)


def discovery(site: Site) -> Reply:
    """Where the region's services are: all of them here."""
    names = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "pipelines", "registry")
    return json_reply(dict.fromkeys(names, site.mms_url))


def _refusal(error: ArmError) -> Reply:
    document = {
        "code": error.code,
        "statusCode": error.status,
        "message": error.text,
        "details": [],
        "correlation": {"RequestId": str(uuid4())},
    }
    return json_reply(document, error.status, error.headers)


def _services(
    site: Site, request: Request, caller: dict[str, Any], match: re.Match[str], service: re.Match[str]
) -> Reply:
    name, verb = service[1], (service[2] or "").lower()
    action = _action(site, request.method, verb)
    site.check_right(caller, action, f"{match[1]}{match[5]}")
    _check_workspace(site, match)
    if name is None:
        if request.method != "GET":
            raise _not_taken(request)
        found = [resources.service(site, one) for one in site.entrances] if site.is_v1 else []
        return json_reply({"value": found})
    entrance = site.entrance(name) if site.is_v1 else None
    if entrance is None:
        raise ArmError(404, "WebserviceNotFound", f"WebserviceNotFound: Webservice with name {name} not found")
    return _of_service(site, request, entrance, verb)


def _action(site: Site, method: str, verb: str) -> str:
    """What the caller must be allowed to do. A token asks for no more than to read (Reader, says its page)."""
    kind = site.options.hosting if site.is_v1 else "aks"
    if verb == "listkeys":
        return f"{ML}/services/{kind}/listkeys/action"
    if verb == "regeneratekeys" or method in ("PATCH", "PUT"):
        return f"{ML}/services/{kind}/write"
    return f"{ML}/services/read"


def _check_workspace(site: Site, match: re.Match[str]) -> None:
    names = site.names
    own = (names.subscription_id, names.resource_group, names.workspace_name)
    if tuple(part.lower() for part in match.group(2, 3, 4)) != tuple(part.lower() for part in own):
        raise ArmError(404, "WorkspaceNotFound", f"The workspace {match[1]} was not found")


def _of_service(site: Site, request: Request, entrance: Entrance, verb: str) -> Reply:
    asked = (request.method, verb)
    if asked == ("GET", ""):
        return json_reply(resources.service(site, entrance))
    if asked in (("PATCH", ""), ("PUT", "")):
        return _change(site, request, entrance)
    if asked == ("POST", "listkeys"):
        keys = _keyed(entrance).of
        return json_reply({"primaryKey": keys["Primary"], "secondaryKey": keys["Secondary"]})
    if asked == ("POST", "regeneratekeys"):
        return _regenerate(site, request, entrance)
    if asked == ("POST", "token"):
        return _token(site, entrance)
    if asked == ("GET", "logs"):
        query = dict(parse_qsl(request.query))
        tail = query.get("tail", str(_TAIL))
        return json_reply({"content": site.log_text(int(tail) if tail.isdigit() else _TAIL)})
    raise _not_taken(request)


def _not_taken(request: Request) -> ArmError:
    return ArmError(405, "MethodNotAllowed", f"{request.method} is not taken here")


def _keyed(entrance: Entrance) -> Any:
    if entrance.keys is None:
        raise ArmError(400, "BadRequest", f"Service {entrance.name} has no key: key authentication is not enabled")
    return entrance.keys


def _regenerate(site: Site, request: Request, entrance: Entrance) -> Reply:
    _keyed(entrance)
    body = _json(request)
    kind = str(body.get("keyType", "")) if isinstance(body, dict) else ""
    if kind not in KINDS:
        raise ArmError(400, "BadRequest", f"keyType '{kind}' is neither Primary nor Secondary")
    value = body.get("keyValue")
    site.regenerate(entrance, kind, str(value) if value else None)
    return Reply(202, b"", headers=(_operation_header(site, "regenerateKeys"),))


def _operation_header(site: Site, kind: str) -> tuple[str, str]:
    path = f"/modelmanagement/v1.0{site.names.ml_workspace_id}/operations/{site.begun(kind)}"
    return "Operation-Location", path


def _operation(site: Site, operation_id: str) -> Reply:
    operation = site.operations.get(operation_id)
    if operation is None:
        raise ArmError(404, "OperationNotFound", f"The operation {operation_id} was not found")
    state = "Succeeded" if operation.look() else "Running"
    return json_reply({"id": operation_id, "operationType": operation.kind, "state": state, "error": None})


def _token(site: Site, entrance: Entrance) -> Reply:
    if entrance.auth != "token":
        text = f"Service {entrance.name} has no token: token authentication is not enabled"
        raise ArmError(400, "BadRequest", text)
    token = site.scoring_token(entrance)
    return json_reply(
        {
            "accessToken": token.text,
            "tokenType": "Bearer",
            "refreshAfter": token.refresh_s,
            "expiryOn": token.expires_s,
        }
    )


def _change(site: Site, request: Request, entrance: Entrance) -> Reply:
    """Switch App Insights, by a JSON patch or by the whole service. Of the other settings none changes."""
    body = _json(request)
    if isinstance(body, list):
        given = {str(one.get("path", "")).strip("/"): one.get("value") for one in body if isinstance(one, dict)}
    else:
        given = body
    if "appInsightsEnabled" in given:
        site.switch_app_insights(given["appInsightsEnabled"] in (True, "true", "True"))
    return json_reply(resources.service(site, entrance), 200, (_operation_header(site, "update"),))


def _json(request: Request) -> Any:
    try:
        found = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict | list):
        raise ArmError(400, "BadRequest", "The request is invalid: its body is not JSON")
    return found
