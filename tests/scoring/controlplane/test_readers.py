"""Endpoints out of ARM's and model management's JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.controlplane import arm, mms
from scoring.controlplane.ids import V1, V2, ArmId
from scoring.endpoint import AUTH_KINDS, Hosting
from scoring.units import MS, S

ENDPOINT = ArmId("s", "g", "w", V2, "churn")
SERVICE = ArmId("s", "g", "w", V1, "churn")
DOCUMENT = {
    "location": "westeurope",
    "properties": {
        "authMode": "AMLToken",
        "scoringUri": "https://churn.westeurope.inference.ml.azure.com/score",
        "swaggerUri": "https://churn.westeurope.inference.ml.azure.com/swagger.json",
        "traffic": {"blue": 90, "green": 10},
        "mirrorTraffic": {"grey": 5},
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Disabled",
    },
}
BLUE = {
    "name": "blue",
    "sku": {"name": "Default", "capacity": 3},
    "properties": {
        "endpointComputeType": "Managed",
        "instanceType": "Standard_DS3_v2",
        "appInsightsEnabled": False,
        "requestSettings": {
            "maxConcurrentRequestsPerInstance": 4,
            "requestTimeout": "PT1M30S",
            "maxQueueWait": "PT0.5S",
        },
        "scaleSettings": {"scaleType": "Default"},
        "environmentVariables": {"WORKER_COUNT": "2", "STORAGE_KEY": "not-to-be-kept"},
        "provisioningState": "Succeeded",
    },
}
GREEN = {"name": "green", "properties": {"endpointComputeType": "Managed"}}
SERVICE_DOCUMENT = {
    "name": "churn",
    "computeType": "AKS",
    "computeName": "cluster",
    "state": "Healthy",
    "authEnabled": True,
    "aadAuthEnabled": False,
    "appInsightsEnabled": True,
    "autoScaler": {"autoscaleEnabled": True, "minReplicas": 1, "maxReplicas": 10},
    "maxConcurrentRequestsPerContainer": 1,
    "maxQueueWaitMs": 500,
    "numReplicas": 2,
    "scoringTimeoutMs": 60000,
    "scoringUri": "http://10.0.0.4:80/api/v1/service/churn/score",
}
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [*DOCUMENT, *DOCUMENT["properties"], *BLUE, *BLUE["properties"], *SERVICE_DOCUMENT, "capacity", "error"]
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=20,
)


def test_an_online_endpoint_is_read_whole() -> None:
    """Addresses, auth mode, network and each deployment with its traffic, settings and instances."""
    found = arm.endpoint_of(ENDPOINT, DOCUMENT, [GREEN, BLUE])
    blue, green = found.deployments
    assert (found.auth, found.hosting, found.public_network) == ("token", Hosting.MANAGED, False)
    assert (blue.name, blue.traffic_percent, green.traffic_percent) == ("blue", 90, 10)
    assert (blue.instances, blue.max_concurrent) == (3, 4)
    assert (blue.request_timeout_ns, blue.queue_wait_ns) == (90 * S, 500 * MS)
    assert (blue.app_insights, blue.instance_type) == (False, "Standard_DS3_v2")
    assert found.carrying is blue


def test_variables_of_a_deployment_that_may_be_secret_are_not_kept() -> None:
    """Only those that change how a deployment serves are."""
    (blue,) = arm.endpoint_of(ENDPOINT, DOCUMENT, [BLUE]).deployments
    assert blue.environment == {"WORKER_COUNT": "2"}


@pytest.mark.parametrize(
    ("deployments", "compute", "hosting"),
    [
        ([{"name": "a", "properties": {"endpointComputeType": "Kubernetes"}}], None, Hosting.KUBERNETES),
        ([], "/subscriptions/s/…/computes/cluster", Hosting.KUBERNETES),
        ([BLUE], None, Hosting.MANAGED),
        ([], None, Hosting.MANAGED),
    ],
)
def test_a_cluster_tells_a_kubernetes_endpoint(deployments: list[Any], compute: str | None, hosting: Hosting) -> None:
    """By its deployments, and before there are any by the compute that it names."""
    document = {"properties": {"compute": compute}}
    assert arm.endpoint_of(ENDPOINT, document, deployments).hosting is hosting


def test_a_web_service_of_aks_is_read_whole() -> None:
    """Milliseconds become nanoseconds, the autoscaler its bounds, the swagger stands beside the scoring URI."""
    found = mms.service_of(SERVICE, SERVICE_DOCUMENT)
    (own,) = found.deployments
    assert (found.hosting, found.auth, found.compute) == (Hosting.AKS, "key", "cluster")
    assert found.swagger_uri == "http://10.0.0.4:80/api/v1/service/churn/swagger.json"
    assert (own.instances, own.max_concurrent, own.autoscale_min, own.autoscale_max) == (2, 1, 1, 10)
    assert (own.request_timeout_ns, own.queue_wait_ns) == (60 * S, 500 * MS)


@pytest.mark.parametrize(
    ("document", "hosting", "auth"),
    [
        ({"computeType": "ACI", "authEnabled": False}, Hosting.ACI, "none"),
        ({"computeType": "ACI", "authEnabled": True}, Hosting.ACI, "key"),
        ({"computeType": "AKSENDPOINT", "authEnabled": False, "aadAuthEnabled": True}, Hosting.AKS, "token"),
        ({"numReplicas": 3}, Hosting.AKS, "none"),
    ],
)
def test_a_web_service_says_where_it_runs_and_who_gets_in(document: Any, hosting: Hosting, auth: str) -> None:
    """aadAuthEnabled on the wire is token authentication."""
    found = mms.service_of(SERVICE, document)
    assert (found.hosting, found.auth) == (hosting, auth)


def test_an_autoscale_setting_belongs_to_the_deployment_it_targets() -> None:
    """Of the settings of a resource group the enabled one of this deployment gives the bounds."""
    of_blue = {
        "properties": {
            "targetResourceUri": f"{ENDPOINT.text}/deployments/BLUE",
            "enabled": True,
            "profiles": [{"capacity": {"minimum": "2", "maximum": "5", "default": "2"}}],
        }
    }
    of_green = {
        "properties": {
            "targetResourceUri": f"{ENDPOINT.text}/deployments/green",
            "enabled": False,
            "profiles": [{"capacity": {"minimum": "1", "maximum": "9"}}],
        }
    }
    assert arm.autoscale_of([of_green, of_blue], f"{ENDPOINT.text}/deployments/blue") == (2, 5)
    assert arm.autoscale_of([of_green, of_blue], f"{ENDPOINT.text}/deployments/green") is None


@pytest.mark.parametrize(
    ("document", "renew_s", "expires_s"),
    [
        (
            {"accessToken": "t", "refreshAfterTimeUtc": 1_800_000_000, "expiryTimeUtc": 1_800_003_600},
            1.8e9,
            1_800_003_600,
        ),
        ({"accessToken": "t", "refreshAfter": 1_800_000_000, "expiryOn": 1_800_003_600}, 1.8e9, 1_800_003_600),
        (
            {"accessToken": "t", "refreshAfterTimeUtc": 1_800_000_000_000, "expiryTimeUtc": "1800003600"},
            1.8e9,
            1_800_003_600,
        ),
        ({"accessToken": "t", "expiryTimeUtc": 0}, None, None),
    ],
)
def test_a_token_says_when_to_renew_it(document: Any, renew_s: float | None, expires_s: float | None) -> None:
    """Both generations, in seconds since 1970; absence is None, never 0."""
    grant = arm.token_told(document, "test")
    assert grant is not None
    assert (grant.renew_from_s, grant.expires_s) == (renew_s, expires_s)


def test_keys_are_not_shown() -> None:
    """The repr of a pair of keys holds neither."""
    keys = arm.keys_told({"primaryKey": "first-secret", "secondaryKey": "second-secret"})
    assert keys is not None
    assert "secret" not in repr(keys)


@given(JSON, st.lists(JSON, max_size=2))
def test_json_of_any_shape_is_an_endpoint_with_what_can_be_read(document: Any, deployments: list[Any]) -> None:
    """Nothing that Azure answers raises; what is missing or of another type is None."""
    assert arm.endpoint_of(ENDPOINT, document, deployments).auth in AUTH_KINDS
    assert mms.service_of(SERVICE, document).auth in AUTH_KINDS
    arm.permission_of(document)
    arm.diagnostic_setting_of(document)
    arm.keys_told(document)
    arm.token_told(document, "test")
    arm.autoscale_of(deployments, "x")
