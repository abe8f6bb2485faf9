"""Azure Resource Manager: the calls that lead from a subscription to an endpoint's keys, tokens, logs and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from localazure.entrances import KINDS, Entrance
from localazure.http1 import Request
from localazure.identity import resources
from localazure.identity.errors import ArmError
from localazure.identity.roles import ML, ROLES
from localazure.identity.site import Site
from localazure.telemetry.replies import Reply, json_reply

ENDPOINTS = f"{ML}/onlineEndpoints"
_OPERATION_PATH = "/subscriptions/{}/providers/Microsoft.MachineLearningServices/locations/{}/mfeOperations{}/{}"
_DEFAULT_TAIL, _MAX_TAIL = 2_000, 5_000


@dataclass(frozen=True, slots=True)
class Call:
    """One call by somebody who may make it. `found` holds the named parts of the path."""

    site: Site
    scope: str
    found: dict[str, str]
    body: dict[str, Any]
    query: dict[str, str]

    @property
    def entrance(self) -> Entrance:
        """The online endpoint in the path. Raises ArmError 404."""
        entrance = None if self.site.is_v1 else self.site.entrance(self.found["endpoint"])
        if entrance is None or self.site.options.hosting == "local":
            raise ArmError(404, "ResourceNotFound", f"The endpoint '{self.found['endpoint']}' was not found.")
        return entrance

    def check_deployment(self) -> None:
        """Raises ArmError 404 for a deployment that is not the one there is."""
        if self.found["deployment"].lower() != self.site.options.deployment.lower():
            raise ArmError(404, "ResourceNotFound", f"The deployment '{self.found['deployment']}' was not found.")


Answer = Callable[[Call], Reply]


def route(site: Site, request: Request) -> Reply:
    path = unquote(request.path).rstrip("/")
    query = {name.lower(): value for name, value in parse_qsl(request.query, keep_blank_values=True)}
    try:
        if path.lower() == "/metadata/endpoints":
            return metadata(site)
        caller = site.caller(request.headers.get("authorization", ""))
        if "api-version" not in query:
            text = "The api-version query parameter (?api-version=) is required for all requests."
            raise ArmError(400, "MissingApiVersionParameter", text)
        for method, pattern, action, answer in _ROUTES:
            match = pattern.fullmatch(path)
            if match is not None and method == request.method:
                found = {name: value or "" for name, value in match.groupdict().items()}
                scope = found.get("scope") or path
                if action:
                    site.check_right(caller, action, scope)
                _check_names(site, found)
                return answer(Call(site, scope, found, _document(request), query))
        raise ArmError(404, "InvalidResourceType", f"{request.method} {path} is not served here.")
    except ArmError as error:
        return error.reply()


def metadata(site: Site) -> Reply:
    """The addresses of this cloud, as `/metadata/endpoints` of Azure tells those of its own."""
    host = site.authority.rstrip("/")
    return json_reply(
        [
            {
                "name": "AzureLocal",
                "portal": "https://portal.azure.com",
                "authentication": {
                    "loginEndpoint": host,
                    "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "resourceManager": f"{site.arm_url}/",
                "graph": "https://graph.windows.net/",
                "microsoftGraphResourceId": "https://graph.microsoft.com/",
                "logAnalyticsResourceId": site.logs_url,
                "metricsEndpoint": site.metrics_url,
                "appInsightsResourceId": "https://api.applicationinsights.io",
                "suffixes": {"keyVaultDns": "vault.azure.net", "storage": "core.windows.net"},
            }
        ]
    )


def _document(request: Request) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    return found


def _check_names(site: Site, found: dict[str, str]) -> None:
    """Raises ArmError 404 for a subscription, group or workspace that is not the one there is."""
    names = site.names
    wanted = found.get("subscription", "")
    if wanted and wanted.lower() != names.subscription_id:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")
    wanted = found.get("group", "")
    if wanted and wanted.lower() != names.resource_group.lower():
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{wanted}' could not be found.")
    for part, kind in _NAMED.items():
        wanted = found.get(part, "")
        if wanted and wanted.lower() != names.workspace_name.lower():
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource '{kind}/{wanted}' under resource group '{names.resource_group}' was not found. For more "
                "details please go to https://aka.ms/ARMResourceNotFoundFix",
            )


_NAMED = {
    "workspace": "Microsoft.MachineLearningServices/workspaces",
    "component": "Microsoft.Insights/components",
    "logs": "Microsoft.OperationalInsights/workspaces",
}


def _one(document: Callable[[Site], dict[str, Any]]) -> Answer:
    return lambda call: json_reply(document(call.site))


def _list_of(document: Callable[[Site], dict[str, Any]]) -> Answer:
    return lambda call: json_reply({"value": [document(call.site)]})


def _endpoints(call: Call) -> Reply:
    site = call.site
    has_any = not site.is_v1 and site.options.hosting != "local"
    return json_reply({"value": [resources.endpoint(site, one) for one in site.entrances] if has_any else []})


def _endpoint(call: Call) -> Reply:
    return json_reply(resources.endpoint(call.site, call.entrance))


def _keys(call: Call) -> Reply:
    keys = _keyed(call.entrance)
    return json_reply({"primaryKey": keys.of["Primary"], "secondaryKey": keys.of["Secondary"]})


def _keyed(entrance: Entrance) -> Any:
    if entrance.keys is None:
        text = f"Keys are not available for endpoint '{entrance.name}': its authentication mode is not Key."
        raise ArmError(400, "BadRequest", text)
    return entrance.keys


def _regenerate(call: Call) -> Reply:
    entrance, kind = call.entrance, str(call.body.get("keyType", ""))
    _keyed(entrance)
    if kind not in KINDS:
        raise ArmError(400, "BadRequest", f"keyType '{kind}' is neither Primary nor Secondary.")
    value = call.body.get("keyValue")
    call.site.regenerate(entrance, kind, str(value) if value else None)
    return _accepted(call.site, "regenerateKeys")


def _accepted(site: Site, kind: str) -> Reply:
    operation_id = site.begun(kind)
    return Reply(202, b"", headers=(*_operation_headers(site, operation_id), ("Retry-After", "1")))


def _operation_headers(site: Site, operation_id: str) -> tuple[tuple[str, str], ...]:
    start = (site.names.subscription_id, site.names.location)
    status = _OPERATION_PATH.format(*start, "Status", operation_id)
    results = _OPERATION_PATH.format(*start, "Results", operation_id)
    version = "?api-version=2025-12-01"
    return (
        ("Azure-AsyncOperation", f"{site.arm_url}{status}{version}"),
        ("Location", f"{site.arm_url}{results}{version}"),
    )


def _operation_status(call: Call) -> Reply:
    operation = call.site.operations.get(call.found["operation"])
    if operation is None:
        raise ArmError(404, "OperationNotFound", "The operation was not found.")
    status = "Succeeded" if operation.look() else "InProgress"
    return json_reply({"id": call.scope, "name": call.found["operation"], "status": status})


def _operation_result(call: Call) -> Reply:
    operation = call.site.operations.get(call.found["operation"])
    if operation is None:
        raise ArmError(404, "OperationNotFound", "The operation was not found.")
    if not operation.look():
        return Reply(202, b"", headers=(*_operation_headers(call.site, call.found["operation"]), ("Retry-After", "1")))
    return Reply(204)


def _token(call: Call) -> Reply:
    entrance = call.entrance
    if entrance.auth != "token":
        text = f"A token is not available for endpoint '{entrance.name}': its authentication mode is not AMLToken."
        raise ArmError(400, "BadRequest", text)
    token = call.site.scoring_token(entrance)
    return json_reply(
        {
            "accessToken": token.text,
            "expiryTimeUtc": token.expires_s,
            "refreshAfterTimeUtc": token.refresh_s,
            "tokenType": "Bearer",
        }
    )


def _deployments(call: Call) -> Reply:
    return json_reply({"value": [resources.deployment(call.site, call.entrance)]})


def _deployment(call: Call) -> Reply:
    call.check_deployment()
    return json_reply(resources.deployment(call.site, call.entrance))


def _put_deployment(call: Call) -> Reply:
    """Of the settings in the body, App Insights is the one that changes."""
    call.check_deployment()
    properties = call.body.get("properties")
    if not isinstance(properties, dict) or "endpointComputeType" not in properties:
        raise ArmError(400, "BadRequest", "properties.endpointComputeType is missing.")
    document = resources.deployment(call.site, call.entrance)
    call.site.switch_app_insights(bool(properties.get("appInsightsEnabled", False)))
    document["properties"]["appInsightsEnabled"] = call.site.has_app_insights
    document["properties"]["provisioningState"] = "Updating"
    operation_id = call.site.begun("putDeployment")
    return json_reply(document, 200, _operation_headers(call.site, operation_id)[:1])


def _patch_deployment(call: Call) -> Reply:
    call.check_deployment()
    if set(call.body) - {"sku", "tags"}:
        raise ArmError(400, "BadRequest", "A PATCH of a deployment can change sku and tags only; PUT the whole of it.")
    return json_reply(resources.deployment(call.site, call.entrance))


def _logs(call: Call) -> Reply:
    call.check_deployment()
    _ = call.entrance
    tail = call.body.get("tail", _DEFAULT_TAIL)
    if not isinstance(tail, int) or not 1 <= tail <= _MAX_TAIL:
        raise ArmError(400, "BadRequest", f"tail is not a whole number from 1 to {_MAX_TAIL}.")
    kind = call.body.get("containerType", "InferenceServer")
    if kind == "StorageInitializer":
        return json_reply({"content": "Downloading of the model and the code is done.\n"})
    if kind != "InferenceServer":
        raise ArmError(400, "BadRequest", f"containerType '{kind}' is neither InferenceServer nor StorageInitializer.")
    return json_reply({"content": call.site.log_text(tail)})


def _diagnostic_settings(call: Call) -> Reply:
    site = call.site
    found = [resources.diagnostic_setting(site, site.arm_id(call.entrance))] if site.has_diagnostics else []
    return json_reply({"value": found})


def _permissions(call: Call) -> Reply:
    """What the roles of the caller allow at the scope, one entry per role."""
    roles = [ROLES[name] for name in call.site.tenant.roles if name != "none"]
    found = [
        {
            "actions": list(role.actions),
            "notActions": list(role.not_actions),
            "dataActions": [],
            "notDataActions": [],
        }
        for role in roles
    ]
    return json_reply({"value": found})


def _role_assignments(call: Call) -> Reply:
    names, tenant = call.site.names, call.site.tenant
    start = f"/subscriptions/{names.subscription_id}"
    found = [
        {
            "id": f"{start}/providers/Microsoft.Authorization/roleAssignments/{role.id}",
            "name": role.id,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": {
                "roleDefinitionId": f"{start}/providers/Microsoft.Authorization/roleDefinitions/{role.id}",
                "principalId": tenant.service_object_id,
                "principalType": "ServicePrincipal",
                "scope": start,
            },
        }
        for role in (ROLES[name] for name in tenant.roles if name != "none")
    ]
    return json_reply({"value": found})


_SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
_GROUP = rf"{_SUBSCRIPTION}/resourceGroups/(?P<group>[^/]+)"
_ML = r"/providers/Microsoft\.MachineLearningServices"
_WORKSPACE = rf"{_GROUP}{_ML}/workspaces/(?P<workspace>[^/]+)"
_ENDPOINT = rf"{_WORKSPACE}/onlineEndpoints/(?P<endpoint>[^/]+)"
_DEPLOYMENT = rf"{_ENDPOINT}/deployments/(?P<deployment>[^/]+)"
_OPERATION = rf"{_SUBSCRIPTION}{_ML}/locations/[^/]+/mfeOperations"
_COMPONENT = rf"{_GROUP}/providers/Microsoft\.Insights/components/(?P<component>[^/]+)"
_LOGS = rf"{_GROUP}/providers/Microsoft\.OperationalInsights/workspaces/(?P<logs>[^/]+)"
_AUTHORIZATION = (
    rf"(?P<scope>{_SUBSCRIPTION}(?:/resourceGroups/(?P<group>[^/]+)(?:/.+)?)?)/providers/Microsoft\.Authorization"
)


def _row(method: str, pattern: str, action: str, answer: Answer) -> tuple[str, re.Pattern[str], str, Answer]:
    return method, re.compile(pattern, re.IGNORECASE), action, answer


_ROUTES = (
    _row("GET", r"/subscriptions", "", _list_of(resources.subscription)),
    _row("GET", _SUBSCRIPTION, "Microsoft.Resources/subscriptions/read", _one(resources.subscription)),
    _row(
        "GET",
        rf"{_SUBSCRIPTION}/resourceGroups",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        _list_of(resources.group),
    ),
    _row("GET", _GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", _one(resources.group)),
    _row("GET", rf"{_SUBSCRIPTION}{_ML}/workspaces", f"{ML}/read", _list_of(resources.workspace)),
    _row("GET", rf"{_GROUP}{_ML}/workspaces", f"{ML}/read", _list_of(resources.workspace)),
    _row("GET", _WORKSPACE, f"{ML}/read", _one(resources.workspace)),
    _row("GET", rf"{_WORKSPACE}/onlineEndpoints", f"{ENDPOINTS}/read", _endpoints),
    _row("GET", _ENDPOINT, f"{ENDPOINTS}/read", _endpoint),
    _row("POST", rf"{_ENDPOINT}/listKeys", f"{ENDPOINTS}/listKeys/action", _keys),
    _row("POST", rf"{_ENDPOINT}/regenerateKeys", f"{ENDPOINTS}/regenerateKeys/action", _regenerate),
    _row("POST", rf"{_ENDPOINT}/token", f"{ENDPOINTS}/token/action", _token),
    _row("GET", rf"{_ENDPOINT}/deployments", f"{ENDPOINTS}/deployments/read", _deployments),
    _row("GET", _DEPLOYMENT, f"{ENDPOINTS}/deployments/read", _deployment),
    _row("PUT", _DEPLOYMENT, f"{ENDPOINTS}/deployments/write", _put_deployment),
    _row("PATCH", _DEPLOYMENT, f"{ENDPOINTS}/deployments/write", _patch_deployment),
    _row("POST", rf"{_DEPLOYMENT}/getLogs", f"{ENDPOINTS}/deployments/getLogs/action", _logs),
    _row("GET", rf"{_OPERATION}Status/(?P<operation>[^/]+)", "", _operation_status),
    _row("GET", rf"{_OPERATION}Results/(?P<operation>[^/]+)", "", _operation_result),
    _row(
        "GET",
        rf"{_ENDPOINT}/providers/Microsoft\.Insights/diagnosticSettings",
        "Microsoft.Insights/diagnosticSettings/read",
        _diagnostic_settings,
    ),
    _row("GET", _COMPONENT, "Microsoft.Insights/components/read", _one(resources.component)),
    _row("GET", _LOGS, "Microsoft.OperationalInsights/workspaces/read", _one(resources.log_workspace)),
    _row("GET", rf"{_AUTHORIZATION}/permissions", "Microsoft.Authorization/permissions/read", _permissions),
    _row(
        "GET", rf"{_AUTHORIZATION}/roleAssignments", "Microsoft.Authorization/roleAssignments/read", _role_assignments
    ),
)
