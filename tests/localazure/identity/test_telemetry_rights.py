"""Logs and metrics of the stand-in are for those who may read them."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.monitor.query import LogsQueryClient

from tests.localazure.asking import AUDIENCE, Asking
from tests.localazure.conftest import Endpoint, Serve
from tests.localazure.identity.calling import ARM_SCOPE, ML_SCOPE, Calling, secret_credential, token_of

LOGS_SCOPE = f"{AUDIENCE}/.default"


@pytest.fixture(scope="module")
def endpoint(serve: Serve) -> Endpoint:
    return serve("--hosting", "managed", "--service-time", "1ms", "--telemetry-flush", "50ms")


def status_of(endpoint: Endpoint, token: str) -> tuple[int, str | None]:
    path = f"/v1/workspaces/{endpoint.ready['workspace_id']}/query"
    headers = {"Authorization": f"Bearer {token}"}
    status, document, _ = Asking(endpoint.ready).raw("POST", path, {"query": "requests | count"}, headers)
    return status, document.get("error", {}).get("code")


def test_a_token_of_the_issuer_reads_logs(endpoint: Endpoint) -> None:
    """The real clients, from the secret to the rows, over one CA; also with the endpoint's own address as audience."""
    for more in ({"audience": AUDIENCE}, {}):
        with (
            secret_credential(endpoint.ready) as credential,
            LogsQueryClient(
                credential,
                endpoint=endpoint.ready["logs_url"],
                connection_verify=endpoint.ready["ca_file"],
                **more,
            ) as client,
        ):
            answer = client.query_workspace(endpoint.ready["workspace_id"], "requests | count", timespan=None)
            assert len(answer.tables[0].rows) == 1


def test_a_wrong_token_is_refused(endpoint: Endpoint) -> None:
    """For another audience 403; rubbish 401."""
    assert status_of(endpoint, token_of(endpoint.ready, ARM_SCOPE)) == (403, "InvalidAuthenticationTokenAudience")
    assert status_of(endpoint, "rubbish") == (401, "InvalidAuthenticationToken")


def test_an_expired_token_is_refused(endpoint: Endpoint) -> None:
    """A token whose second has passed is a 401."""
    azure = Calling(endpoint.ready)
    azure.command("settings", {"token_life_s": 1})
    token = token_of(endpoint.ready, LOGS_SCOPE)
    azure.command("settings", {"token_life_s": 3600})
    seen = status_of(endpoint, token)
    for _ in range(100_000):
        if seen[0] != 200:
            break
        seen = status_of(endpoint, token)
    assert seen == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("role", "logs", "metrics"),
    [("reader", 200, 200), ("monitoring-reader", 200, 200), ("data-scientist", 403, 403), ("owner", 200, 200)],
)
def test_a_role_reads_logs_and_metrics_or_does_not(endpoint: Endpoint, role: str, logs: int, metrics: int) -> None:
    """The role at the time the token was issued; AzureML Data Scientist has no right to either."""
    azure = Calling(endpoint.ready)
    azure.command("roles", {"roles": [role]})
    logs_token = token_of(endpoint.ready, LOGS_SCOPE)
    metrics_token = token_of(endpoint.ready, "https://metrics.monitor.azure.com/.default")
    azure.command("roles", {"roles": ["data-scientist", "monitoring-reader"]})
    assert status_of(endpoint, logs_token)[0] == logs
    path = f"/subscriptions/{endpoint.ready['subscription_id']}/metrics:getBatch?metricnames=RequestLatency"
    path += "&metricnamespace=Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    headers = {"Authorization": f"Bearer {metrics_token}"}
    body = {"resourceids": [endpoint.ready["resource_id"]]}
    assert Asking(endpoint.ready).raw("POST", path, body, headers)[0] == metrics


def test_metrics_are_found_by_the_id_of_every_way_in(endpoint: Endpoint) -> None:
    """The service behind them is one; an id of another endpoint is a 404."""
    path = f"/subscriptions/{endpoint.ready['subscription_id']}/metrics:getBatch?metricnames=RequestLatency"
    path += "&metricnamespace=Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    found = {}
    for suffix in ("", "-token", "-entra", "-other"):
        body = {"resourceids": [f"{endpoint.ready['resource_id']}{suffix}"]}
        found[suffix] = Asking(endpoint.ready).raw("POST", path, body)[0]
    assert found == {"": 200, "-token": 200, "-entra": 200, "-other": 404}


def test_the_real_client_raises_what_azure_makes_it_raise(endpoint: Endpoint) -> None:
    """403 is an HttpResponseError with the code in its text."""
    with (
        secret_credential(endpoint.ready) as credential,
        LogsQueryClient(
            credential,
            endpoint=endpoint.ready["logs_url"],
            audience="https://ml.azure.com",
            connection_verify=endpoint.ready["ca_file"],
        ) as client,
        pytest.raises(HttpResponseError, match="InvalidAuthenticationTokenAudience") as raised,
    ):
        client.query_workspace(endpoint.ready["workspace_id"], "requests | count", timespan=None)
    assert not isinstance(raised.value, ClientAuthenticationError)


def test_the_traffic_log_tells_how_each_was_let_in(endpoint: Endpoint) -> None:
    """Key, AMLToken and AADToken."""
    azure, asking = Calling(endpoint.ready), Asking(endpoint.ready)
    azure.score("local", endpoint.ready["key"])
    azure.score("local-token", azure.arm("POST", f"{azure.endpoint('local-token')}/token").json()["accessToken"])
    azure.score("local-entra", token_of(endpoint.ready, ML_SCOPE))
    kql = "AmlOnlineEndpointTrafficLog | where ResponseCode == 200 | summarize n = count() by AuthType"
    rows = asking.rows_once(kql, lambda rows: len(rows) == 3)
    asking.close()
    assert sorted(row[0] for row in rows) == ["AADToken", "AMLToken", "Key"]


def test_app_insights_that_is_off_gets_nothing(endpoint: Endpoint) -> None:
    """What is scored meanwhile is in the traffic log and not among the requests; switched on, it arrives again."""
    azure, asking = Calling(endpoint.ready), Asking(endpoint.ready)
    azure.command("settings", {"app_insights": False})
    endpoint.score(x_ms_client_request_id="while-off")
    azure.command("settings", {"app_insights": True})
    endpoint.score(x_ms_client_request_id="while-on")
    rid = "tostring(customDimensions['Client Request Id'])"
    assert asking.count_once(f"requests | where {rid} == 'while-on' | count", 1) == 1
    assert asking.rows(f"requests | where {rid} == 'while-off' | count") == [[0]]
    logged = "AmlOnlineEndpointTrafficLog | where XMSClientRequestId startswith 'while-o' | count"
    assert asking.rows(logged) == [[2]]
    asking.close()
