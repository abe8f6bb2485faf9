"""Web services of SDK v1, out of the JSON of model management."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from scoring.controlplane.deployed import Deployed, Deployment
from scoring.controlplane.ids import ArmId
from scoring.controlplane.reading import count_at, flag_at, table_at, text_at, told_variables
from scoring.endpoint import Hosting
from scoring.units import MS


def service_of(arm_id: ArmId, document: Any) -> Deployed:
    """A web service on ACI or AKS. One that says nothing of its compute is on AKS where it can be scaled."""
    uri = text_at(document, "scoringUri")
    return Deployed(
        name=arm_id.name or "",
        arm_id=arm_id.text,
        workspace_arm_id=arm_id.workspace_id,
        hosting=_hosting(document),
        auth=_auth(document),
        scoring_uri=uri,
        swagger_uri=text_at(document, "swaggerUri") or (None if uri is None else swagger_beside(uri)),
        location=text_at(document, "location"),
        state=text_at(document, "state"),
        error=text_at(document, "error", "message") or text_at(document, "error"),
        compute=text_at(document, "computeName"),
        deployments=(_deployment(document),),
    )


def swagger_beside(scoring_uri: str) -> str:
    """The scoring URI with `swagger.json` in place of its last path segment.

    >>> swagger_beside("http://10.0.0.4:80/api/v1/service/churn/score"), swagger_beside("http://h")
    ('http://10.0.0.4:80/api/v1/service/churn/swagger.json', 'http://h/swagger.json')
    """
    split = urlsplit(scoring_uri)
    path = split.path.rstrip("/").rpartition("/")[0] + "/swagger.json"
    return urlunsplit((split.scheme, split.netloc, path, "", ""))


def _hosting(document: Any) -> Hosting:
    told = (text_at(document, "computeType") or "").lower()
    if "aci" in told or "containerinstance" in told:
        return Hosting.ACI
    if "aks" in told or "akc" in told or "kubernetes" in told:
        return Hosting.AKS
    return Hosting.AKS if count_at(document, "numReplicas") or table_at(document, "autoScaler") else Hosting.ACI


def _auth(document: Any) -> str:
    if flag_at(document, "aadAuthEnabled"):
        return "token"
    return "key" if flag_at(document, "authEnabled") else "none"


def _deployment(document: Any) -> Deployment:
    scaler = table_at(document, "autoScaler")
    scaled = flag_at(scaler, "autoscaleEnabled") is True
    single = _hosting(document) is Hosting.ACI
    return Deployment(
        name=None,
        instances=1 if single else count_at(document, "numReplicas"),
        max_concurrent=count_at(document, "maxConcurrentRequestsPerContainer"),
        request_timeout_ns=_ms(count_at(document, "scoringTimeoutMs")),
        queue_wait_ns=_ms(count_at(document, "maxQueueWaitMs")),
        autoscale_min=count_at(scaler, "minReplicas") if scaled else None,
        autoscale_max=count_at(scaler, "maxReplicas") if scaled else None,
        app_insights=flag_at(document, "appInsightsEnabled"),
        state=text_at(document, "state"),
        environment=told_variables(table_at(document, "environmentVariables")),
    )


def _ms(count: int | None) -> int | None:
    return None if count is None else count * MS
