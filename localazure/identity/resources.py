"""The JSON of each resource as Azure Resource Manager and model management show it. No I/O."""

from __future__ import annotations

from typing import Any

from localazure.entrances import Entrance
from localazure.identity.site import Site, iso_duration

_MODES = {"key": "Key", "token": "AMLToken", "entra": "AADToken", "none": "Key"}
_KINDS = {"managed": "Managed", "kubernetes": "Kubernetes"}
CREATED_AT = "2026-01-01T00:00:00Z"


def subscription(site: Site) -> dict[str, Any]:
    names = site.names
    return {
        "id": f"/subscriptions/{names.subscription_id}",
        "subscriptionId": names.subscription_id,
        "tenantId": site.tenant.tenant_id,
        "displayName": "Local",
        "state": "Enabled",
    }


def group(site: Site) -> dict[str, Any]:
    names = site.names
    return {
        "id": f"/subscriptions/{names.subscription_id}/resourceGroups/{names.resource_group}",
        "name": names.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": names.location,
        "properties": {"provisioningState": "Succeeded"},
    }


def workspace(site: Site) -> dict[str, Any]:
    """The Azure ML workspace; its discoveryUrl leads to the region's services."""
    names = site.names
    start = f"/subscriptions/{names.subscription_id}/resourceGroups/{names.resource_group}/providers"
    return {
        "id": names.ml_workspace_id,
        "name": names.workspace_name,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": names.location,
        "tags": {},
        "kind": "Default",
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {
            "type": "SystemAssigned",
            "principalId": site.tenant.identity_object_id,
            "tenantId": site.tenant.tenant_id,
        },
        "properties": {
            "friendlyName": names.workspace_name,
            "workspaceId": names.app_id,
            "storageAccount": f"{start}/Microsoft.Storage/storageAccounts/local",
            "keyVault": f"{start}/Microsoft.KeyVault/vaults/local",
            "applicationInsights": names.component_id,
            "discoveryUrl": f"{site.mms_url}/discovery",
            "hbiWorkspace": False,
            "publicNetworkAccess": "Enabled",
            "provisioningState": "Succeeded",
            "tenantId": site.tenant.tenant_id,
        },
    }


def component(site: Site) -> dict[str, Any]:
    """Application Insights. The connection string is that of the telemetry, where there is any."""
    names = site.names
    return {
        "id": names.component_id,
        "name": names.workspace_name,
        "type": "microsoft.insights/components",
        "location": names.location,
        "kind": "web",
        "tags": {},
        "properties": {
            "AppId": names.app_id,
            "ApplicationId": names.workspace_name,
            "Application_Type": "web",
            "InstrumentationKey": names.instrumentation_key,
            "ConnectionString": site.connection_string or f"InstrumentationKey={names.instrumentation_key}",
            "WorkspaceResourceId": names.log_workspace_id,
            "IngestionMode": "LogAnalytics",
            "SamplingPercentage": None,
            "RetentionInDays": 90,
            "DisableLocalAuth": False,
            "provisioningState": "Succeeded",
        },
    }


def log_workspace(site: Site) -> dict[str, Any]:
    names = site.names
    return {
        "id": names.log_workspace_id,
        "name": names.workspace_name,
        "type": "Microsoft.OperationalInsights/workspaces",
        "location": names.location,
        "tags": {},
        "properties": {
            "customerId": names.workspace_id,
            "provisioningState": "Succeeded",
            "retentionInDays": 30,
            "sku": {"name": "PerGB2018"},
        },
    }


def endpoint(site: Site, entrance: Entrance) -> dict[str, Any]:
    """An online endpoint. `traffic` sends everything to the one deployment."""
    options = site.options
    swagger = entrance.scoring_uri.removesuffix("/score") + "/swagger.json"
    return {
        "id": site.arm_id(entrance),
        "name": entrance.azure_name,
        "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "location": site.names.location,
        "kind": _KINDS.get(options.hosting, "Managed"),
        "tags": {},
        "identity": {
            "type": "SystemAssigned",
            "principalId": site.tenant.identity_object_id,
            "tenantId": site.tenant.tenant_id,
        },
        "properties": {
            "authMode": _MODES[entrance.auth],
            "description": "",
            "properties": {},
            "compute": "local" if options.hosting == "kubernetes" else None,
            "traffic": {options.deployment: 100},
            "mirrorTraffic": {},
            "scoringUri": entrance.scoring_uri,
            "swaggerUri": swagger,
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
        },
        "systemData": {"createdAt": CREATED_AT, "lastModifiedAt": CREATED_AT},
    }


def deployment(site: Site, entrance: Entrance) -> dict[str, Any]:
    """The deployment with the settings that the flags of the stand-in gave it."""
    options = site.options
    is_managed = options.hosting == "managed"
    properties: dict[str, Any] = {
        "endpointComputeType": "Managed" if is_managed else "Kubernetes",
        "model": f"{site.names.ml_workspace_id}/models/local/versions/1",
        "environmentId": f"{site.names.ml_workspace_id}/environments/local/versions/1",
        "environmentVariables": {"WORKER_COUNT": str(site.worker_count)},
        "codeConfiguration": {
            "codeId": f"{site.names.ml_workspace_id}/codes/local/versions/1",
            "scoringScript": "score.py",
        },
        "appInsightsEnabled": site.has_app_insights,
        "requestSettings": {
            "requestTimeout": iso_duration(options.request_timeout_ns),
            "maxConcurrentRequestsPerInstance": options.max_concurrent,
            "maxQueueWait": iso_duration(options.queue_wait_ns),
        },
        "livenessProbe": _probe(),
        "readinessProbe": _probe(),
        "scaleSettings": {"scaleType": "Default"},
        "provisioningState": "Succeeded",
        "description": "",
        "properties": {},
    }
    if is_managed:
        properties |= {"instanceType": "Standard_DS3_v2", "egressPublicNetworkAccess": "Enabled"}
    else:
        limits = {"cpu": "0.1", "memory": "0.5Gi"}
        properties |= {"instanceType": "defaultinstancetype"}
        properties |= {"containerResourceRequirements": {"containerResourceRequests": limits}}
    return {
        "id": f"{site.arm_id(entrance)}/deployments/{options.deployment}",
        "name": options.deployment,
        "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
        "location": site.names.location,
        "kind": "Managed" if is_managed else "Kubernetes",
        "tags": {},
        "sku": {"name": "Default", "tier": "Standard", "capacity": options.instances},
        "properties": properties,
        "systemData": {"createdAt": CREATED_AT, "lastModifiedAt": CREATED_AT},
    }


def _probe() -> dict[str, Any]:
    return {
        "initialDelay": "PT10S",
        "period": "PT10S",
        "timeout": "PT2S",
        "successThreshold": 1,
        "failureThreshold": 30,
    }


def diagnostic_setting(site: Site, scope: str) -> dict[str, Any]:
    """The endpoint's own logs, sent to the Log Analytics workspace."""
    categories = ("AmlOnlineEndpointTrafficLog", "AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointEventLog")
    return {
        "id": f"{scope}/providers/microsoft.insights/diagnosticSettings/local",
        "name": "local",
        "type": "Microsoft.Insights/diagnosticSettings",
        "location": None,
        "kind": None,
        "properties": {
            "workspaceId": site.names.log_workspace_id,
            "storageAccountId": None,
            "eventHubAuthorizationRuleId": None,
            "logAnalyticsDestinationType": "Dedicated",
            "logs": [
                {
                    "category": category,
                    "categoryGroup": None,
                    "enabled": True,
                    "retentionPolicy": {"enabled": False, "days": 0},
                }
                for category in categories
            ],
            "metrics": [{"category": "AllMetrics", "enabled": False, "retentionPolicy": {"enabled": False, "days": 0}}],
        },
    }


def service(site: Site, entrance: Entrance) -> dict[str, Any]:
    """A web service of SDK v1."""
    options, is_aks = site.options, site.options.hosting == "aks"
    common: dict[str, Any] = {
        "id": entrance.azure_name,
        "name": entrance.azure_name,
        "computeType": options.hosting.upper(),
        "createdTime": CREATED_AT,
        "updatedTime": CREATED_AT,
        "description": None,
        "kvTags": {},
        "properties": {},
        "state": "Healthy",
        "error": None,
        "imageId": None,
        "authEnabled": entrance.auth == "key",
        "createdBy": {"userName": "Somebody", "userObjectId": site.tenant.user_object_id},
        "appInsightsEnabled": site.has_app_insights,
        "scoringUri": entrance.scoring_uri,
        "swaggerUri": entrance.scoring_uri.removesuffix("/score") + "/swagger.json",
        "containerResourceRequirements": {
            "cpu": 0.1,
            "cpuLimit": 0.1,
            "memoryInGB": 0.5,
            "memoryInGBLimit": 0.5,
            "gpu": None,
        },
        "modelConfigMap": None,
        "models": [],
        "environmentImageRequest": {"environment": {"environmentVariables": {"WORKER_COUNT": str(site.worker_count)}}},
    }
    if not is_aks:
        place = {"location": site.names.location, "publicIp": "127.0.0.1", "publicFqdn": "127.0.0.1"}
        return common | place | {"cname": None, "sslEnabled": False, "sslCertificate": None, "sslKey": None}
    return common | {
        "aadAuthEnabled": entrance.auth == "token",
        "computeName": "local",
        "namespace": "local",
        "autoScaler": {
            "autoscaleEnabled": False,
            "minReplicas": None,
            "maxReplicas": None,
            "refreshPeriodInSeconds": None,
            "targetUtilization": None,
        },
        "numReplicas": options.instances,
        "maxConcurrentRequestsPerContainer": options.max_concurrent,
        "maxQueueWaitMs": options.queue_wait_ns // 10**6,
        "scoringTimeoutMs": options.request_timeout_ns // 10**6,
        "dataCollection": {"storageEnabled": False, "eventHubEnabled": False},
        "livenessProbeRequirements": {
            "periodSeconds": 10,
            "initialDelaySeconds": 310,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
            "successThreshold": 1,
        },
    }
