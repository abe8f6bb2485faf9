"""Model management of SDK v1: services, keys, tokens, logs and the App Insights switch."""

from __future__ import annotations

import pytest

from tests.localazure.conftest import Endpoint, Serve
from tests.localazure.identity.calling import Calling


@pytest.fixture(scope="module")
def aks(serve: Serve) -> Endpoint:
    flags = ("--instances", "3", "--max-concurrent", "2", "--queue-wait", "300ms", "--service-time", "1ms")
    return serve("--hosting", "aks", "--name", "churn", *flags)


@pytest.fixture(scope="module")
def azure(aks: Endpoint) -> Calling:
    return Calling(aks.ready)


def test_a_service_has_the_fields_of_v1(azure: Calling) -> None:
    """The settings of the flags in v1's words, and the address that answers."""
    found = azure.mms("GET", "/services/churn?expand=true").json()
    assert (found["computeType"], found["authEnabled"], found["aadAuthEnabled"]) == ("AKS", True, False)
    assert (found["numReplicas"], found["maxConcurrentRequestsPerContainer"], found["maxQueueWaitMs"]) == (3, 2, 300)
    sizes = {"cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"}
    assert set(found["containerResourceRequirements"]) == sizes  # azureml-core refuses a service without one of them
    assert found["scoringUri"] == azure.ready["scoring_uri"]
    assert found["scoringUri"].endswith("/api/v1/service/churn/score")


def test_services_are_listed_with_their_ways_in(azure: Calling) -> None:
    """Key, token and none, each at an address of its own; Azure's names follow --name, those of the config do not."""
    listed = azure.mms("GET", "/services").json()
    assert set(listed) == {"value"}  # azureml-core follows a nextLink even where it is null
    found = listed["value"]
    assert [(one["name"], one["authEnabled"], one["aadAuthEnabled"]) for one in found] == [
        ("churn", True, False),
        ("churn-token", False, True),
        ("churn-open", False, False),
    ]
    assert [one["name"] for one in azure.ready["endpoints"]] == ["local", "local-token", "local-open"]


def test_a_service_that_is_not_there_is_a_404(azure: Calling) -> None:
    """In the shape of model management."""
    answer = azure.mms("GET", "/services/other")
    assert (answer.status_code, answer.json()["statusCode"], answer.json()["code"]) == (404, 404, "WebserviceNotFound")


def test_arm_has_no_online_endpoint_of_a_v1_service(azure: Calling) -> None:
    """They live in model management alone."""
    assert azure.arm("GET", f"{azure.workspace}/onlineEndpoints").json() == {"value": []}


def test_keys_and_token_let_in(azure: Calling) -> None:
    """Both keys, and the token with the time from which a newer one may be had."""
    keys = azure.mms("POST", "/services/churn/listkeys", {}).json()
    assert [azure.score("local", key).status_code for key in keys.values()] == [200, 200]
    token = azure.mms("POST", "/services/churn-token/token", {}).json()
    assert azure.score("local-token", token["accessToken"]).status_code == 200
    assert token["refreshAfter"] < token["expiryOn"]
    assert azure.score("local-open", None).status_code == 200


def test_a_regenerated_key_is_refused_at_once(azure: Calling) -> None:
    """The operation is found by its header: running, then done."""
    keys = azure.mms("POST", "/services/churn/listkeys", {}).json()
    answer = azure.mms("POST", "/services/churn/regenerateKeys", {"keyType": "Secondary", "keyValue": None})
    operation = answer.headers["Operation-Location"].rpartition("/")[2]
    states = [azure.mms("GET", f"/operations/{operation}").json()["state"] for _ in range(2)]
    assert states == ["Running", "Succeeded"]
    assert azure.score("local", keys["secondaryKey"]).status_code == 401
    assert azure.score("local", keys["primaryKey"]).status_code == 200


def test_logs_are_those_of_the_last_requests_without_a_file(azure: Calling) -> None:
    """So many lines of what the service would have written."""
    azure.score("local-open", None)
    content = azure.mms("GET", "/services/churn/logs?tail=2&init=false").json()["content"]
    assert len(content.splitlines()) == 2
    assert "POST /score 200" in content


def test_app_insights_is_switched_by_a_json_patch(azure: Calling) -> None:
    """As the update of SDK v1 sends it."""
    for value in (False, True):
        patch = [{"op": "replace", "path": "/appInsightsEnabled", "value": value}]
        assert azure.mms("PATCH", "/services/churn", patch).status_code == 200
        assert azure.mms("GET", "/services/churn").json()["appInsightsEnabled"] is value


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("reader", [200, 403, 200]), ("data-scientist", [200, 200, 200]), ("none", [403, 403, 403])],
)
def test_a_token_needs_less_than_a_key(azure: Calling, role: str, statuses: list[int]) -> None:
    """Reader is enough for a token, as its page says; keys are an action."""
    azure.command("roles", {"roles": [role]})
    calls = (
        ("GET", "/services/churn", None),
        ("POST", "/services/churn/listkeys", {}),
        ("POST", "/services/churn-token/token", {}),
    )
    found = [azure.mms(*call).status_code for call in calls]
    azure.command("roles", {"roles": ["data-scientist", "monitoring-reader"]})
    assert found == statuses


def test_a_token_endpoint_has_no_keys_and_the_other_way_round(azure: Calling) -> None:
    """Only the credentials of its own way in."""
    assert azure.mms("POST", "/services/churn-token/listkeys", {}).status_code == 400
    assert azure.mms("POST", "/services/churn/token", {}).status_code == 400
