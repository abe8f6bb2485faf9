"""Online endpoints, workspaces and what belongs to them, out of ARM's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scoring.controlplane.deployed import Deployed, Deployment, DiagnosticSetting, Keys, Permission
from scoring.controlplane.ids import ArmId
from scoring.controlplane.isodurations import duration_ns
from scoring.controlplane.reading import at, count_at, flag_at, items_at, table_at, text_at, told_variables
from scoring.endpoint import Hosting
from scoring.grant import Grant

_AUTH = {"key": "key", "amltoken": "token", "aadtoken": "entra"}


def endpoint_of(arm_id: ArmId, document: Any, deployments: Iterable[Any]) -> Deployed:
    """An online endpoint with its deployments, in the order of their traffic."""
    properties = table_at(document, "properties")
    traffic, mirror = table_at(properties, "traffic"), table_at(properties, "mirrorTraffic")
    found = [deployment_of(one, traffic, mirror) for one in deployments]
    kinds = {(text_at(one, "properties", "endpointComputeType") or "").lower() for one in deployments}
    compute = text_at(properties, "compute")
    on_cluster = "kubernetes" in kinds or (not kinds & {"managed"} and compute is not None)
    return Deployed(
        name=arm_id.name or "",
        arm_id=arm_id.text,
        workspace_arm_id=arm_id.workspace_id,
        hosting=Hosting.KUBERNETES if on_cluster else Hosting.MANAGED,
        auth=_AUTH.get((text_at(properties, "authMode") or "").lower(), "key"),
        scoring_uri=text_at(properties, "scoringUri"),
        swagger_uri=text_at(properties, "swaggerUri"),
        location=text_at(document, "location"),
        public_network=_enabled(text_at(properties, "publicNetworkAccess")),
        state=text_at(properties, "provisioningState"),
        compute=None if compute is None else compute.rpartition("/")[2],
        deployments=tuple(sorted(found, key=lambda one: (-(one.traffic_percent or 0), one.name or ""))),
    )


def deployment_of(document: Any, traffic: Mapping[str, Any], mirror: Mapping[str, Any]) -> Deployment:
    """One deployment, with its share of the endpoint's traffic: 0 where the endpoint gives it none."""
    properties = table_at(document, "properties")
    settings, scale = table_at(properties, "requestSettings"), table_at(properties, "scaleSettings")
    name = text_at(document, "name")
    scaled = (text_at(scale, "scaleType") or "").lower() == "targetutilization"
    return Deployment(
        name=name,
        traffic_percent=count_at(traffic, name or "") or 0,
        mirror_percent=count_at(mirror, name or ""),
        instances=count_at(document, "sku", "capacity") or count_at(properties, "instanceCount"),
        max_concurrent=count_at(settings, "maxConcurrentRequestsPerInstance"),
        request_timeout_ns=duration_ns(at(settings, "requestTimeout")),
        queue_wait_ns=duration_ns(at(settings, "maxQueueWait")),
        autoscale_min=count_at(scale, "minInstances") if scaled else None,
        autoscale_max=count_at(scale, "maxInstances") if scaled else None,
        app_insights=flag_at(properties, "appInsightsEnabled"),
        state=text_at(properties, "provisioningState"),
        instance_type=text_at(properties, "instanceType"),
        environment=told_variables(table_at(properties, "environmentVariables")),
    )


def keys_told(document: Any) -> Keys | None:
    """The keys of listKeys and of v1's listkeys; None where there is no primary key."""
    primary, secondary = at(document, "primaryKey"), at(document, "secondaryKey")
    if not isinstance(primary, str) or not primary:
        return None
    return Keys(primary, secondary if isinstance(secondary, str) and secondary else None)


def token_told(document: Any, source: str) -> Grant | None:
    """The AML token of an online endpoint, or the token of an AKS service of SDK v1; None where there is none."""
    secret = at(document, "accessToken")
    if not isinstance(secret, str) or not secret:
        return None
    renew = at(document, "refreshAfterTimeUtc") or at(document, "refreshAfter")
    expires = at(document, "expiryTimeUtc") or at(document, "expiryOn")
    return Grant(secret, source, renew_from_s=_epoch_s(renew), expires_s=_epoch_s(expires))


def permission_of(document: Any) -> Permission:
    """One role of the caller at a scope."""
    names = ("actions", "notActions", "dataActions", "notDataActions")
    return Permission(*(tuple(v for v in items_at(document, name) if isinstance(v, str)) for name in names))


def diagnostic_setting_of(document: Any) -> DiagnosticSetting:
    """One diagnostic setting; only what is switched on is among its categories."""
    properties = table_at(document, "properties")
    switched_on = [log for log in items_at(properties, "logs") if flag_at(log, "enabled")]
    named = (text_at(log, "category") or text_at(log, "categoryGroup") for log in switched_on)
    return DiagnosticSetting(
        text_at(document, "name") or "", text_at(properties, "workspaceId"), frozenset(filter(None, named))
    )


def autoscale_of(settings: Iterable[Any], deployment_id: str) -> tuple[int, int] | None:
    """Least and most instances that an enabled autoscale setting of Azure Monitor allows a deployment; None: none."""
    for setting in settings:
        properties = table_at(setting, "properties")
        target = text_at(properties, "targetResourceUri") or ""
        if target.lower() != deployment_id.lower() or flag_at(properties, "enabled") is False:
            continue
        for profile in items_at(properties, "profiles"):
            least, most = count_at(profile, "capacity", "minimum"), count_at(profile, "capacity", "maximum")
            if least is not None and most is not None:
                return least, most
    return None


def _enabled(text: str | None) -> bool | None:
    return {"enabled": True, "disabled": False}.get((text or "").lower())


def _epoch_s(value: Any) -> float | None:
    """Seconds since 1970; what is far beyond any date is milliseconds."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        return None
    return value / 1000 if value > 1e11 else float(value)
