"""Azure Resource Manager of the stand-in: shapes, refusals, long-running operations, roles."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.localazure.conftest import Endpoint, Serve
from tests.localazure.identity.calling import ML_SCOPE, Calling, token_of

FLAGS = ("--instances", "3", "--max-concurrent", "2", "--request-timeout", "1500ms", "--worker-count", "4")


@pytest.fixture(scope="module")
def endpoint(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    log = tmp_path_factory.mktemp("log") / "service.log"
    return serve("--hosting", "managed", "--no-telemetry", "--service-time", "1ms", "--log-file", str(log), *FLAGS)


@pytest.fixture(scope="module")
def shared(endpoint: Endpoint) -> Calling:
    return Calling(endpoint.ready)


@pytest.fixture
def azure(shared: Calling) -> Iterator[Calling]:
    """Calls as the service principal; what a test changes is put back."""
    yield shared
    shared.command("clear")
    shared.command("roles", {"roles": ["data-scientist", "monitoring-reader"]})
    shared.command("settings", {"app_insights": True, "diagnostic_settings": True})


def code_of(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_the_workspace_leads_to_telemetry_and_discovery(azure: Calling) -> None:
    """Component, Log Analytics workspace and the region's services are found from the workspace, each by its id."""
    workspace = azure.arm("GET", azure.workspace).json()
    component = azure.arm("GET", workspace["properties"]["applicationInsights"]).json()
    logs = azure.arm("GET", component["properties"]["WorkspaceResourceId"]).json()
    assert len(logs["properties"]["customerId"]) == 36
    discovery = requests.get(workspace["properties"]["discoveryUrl"], verify=azure.ready["ca_file"], timeout=30).json()
    assert discovery["modelmanagement"] == azure.ready["mms_url"]


def test_lists_hold_what_the_names_lead_to(azure: Calling) -> None:
    """Subscriptions, groups, workspaces, endpoints and deployments, each as it is found by itself."""
    subscription = azure.workspace.partition("/resourceGroups")[0]
    group = azure.workspace.partition("/providers")[0]
    kinds = f"{group}/providers/Microsoft.MachineLearningServices/workspaces"
    for path in ("/subscriptions", f"{subscription}/resourceGroups", kinds, f"{azure.endpoint()}/deployments"):
        first = azure.arm("GET", path).json()["value"][0]
        assert azure.arm("GET", first["id"]).json() == first
    names = [one["name"] for one in azure.arm("GET", f"{azure.workspace}/onlineEndpoints").json()["value"]]
    assert names == ["local", "local-token", "local-entra"]


def test_an_endpoint_tells_its_auth_mode_address_and_traffic(azure: Calling) -> None:
    """The three modes in ARM's words; the scoring URI is the one that answers."""
    found = {name: azure.arm("GET", azure.endpoint(name)).json()["properties"] for name in ("local", "local-token")}
    assert [one["authMode"] for one in found.values()] == ["Key", "AMLToken"]
    assert found["local"]["scoringUri"] == azure.ready["scoring_uri"]
    assert found["local"]["traffic"] == {"blue": 100}
    entra = azure.arm("GET", azure.endpoint("local-entra")).json()
    assert (entra["properties"]["authMode"], entra["kind"]) == ("AADToken", "Managed")


def test_a_deployment_has_the_settings_of_the_flags(azure: Calling) -> None:
    """Instances, concurrency and time-out as they are served, and the WORKER_COUNT that was asked for."""
    found = azure.arm("GET", f"{azure.endpoint()}/deployments/blue").json()
    settings = found["properties"]["requestSettings"]
    assert (found["sku"]["capacity"], settings["maxConcurrentRequestsPerInstance"]) == (3, 2)
    assert settings["requestTimeout"] == "PT1.5S"
    assert found["properties"]["environmentVariables"] == {"WORKER_COUNT": "4"}


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "AuthenticationFailed"),
        ("rubbish", "InvalidAuthenticationToken"),
        ("audience", "InvalidAuthenticationTokenAudience"),
    ],
)
def test_a_wrong_token_is_a_401_with_its_code(azure: Calling, token: str | None, code: str) -> None:
    """And a challenge that names the issuer."""
    text = token_of(azure.ready, ML_SCOPE) if token == "audience" else token
    headers = {} if text is None else {"Authorization": f"Bearer {text}"}
    url = f"{azure.ready['arm_url']}{azure.workspace}?api-version=2024-04-01"
    answer = requests.get(url, headers=headers, verify=azure.ready["ca_file"], timeout=30)
    assert code_of(answer) == (401, code)
    issuer = f'Bearer authorization_uri="{azure.ready["authority"]}/{azure.ready["tenant_id"]}"'
    assert answer.headers["WWW-Authenticate"].startswith(issuer)


def test_an_expired_token_is_a_401_with_its_code(azure: Calling) -> None:
    """All tokens are taken back at once; one that is issued afterwards is good."""
    old = Calling(azure.ready)
    azure.command("expire-tokens")
    assert code_of(old.arm("GET", old.workspace)) == (401, "ExpiredAuthenticationToken")
    azure.token = token_of(azure.ready)
    assert azure.arm("GET", azure.workspace).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/subscriptions/00000000-0000-0000-0000-000000000000", 404, "SubscriptionNotFound"),
        ("GROUP/resourceGroups/other", 404, "ResourceGroupNotFound"),
        (
            "/subscriptions/other/resourceGroups/local/providers/Microsoft.MachineLearningServices/workspaces",
            404,
            "SubscriptionNotFound",
        ),
        ("WORKSPACE-2", 404, "ResourceNotFound"),
        ("WORKSPACE/onlineEndpoints/other", 404, "ResourceNotFound"),
        ("WORKSPACE/onlineEndpoints/local/deployments/green", 404, "ResourceNotFound"),
        ("WORKSPACE/nothing", 404, "InvalidResourceType"),
    ],
)
def test_what_is_not_there_is_a_404_with_its_code(azure: Calling, path: str, status: int, code: str) -> None:
    """Each step of the path has its own word."""
    group = azure.workspace.partition("/resourceGroups")[0]
    assert code_of(azure.arm("GET", path.replace("WORKSPACE", azure.workspace).replace("GROUP", group))) == (
        status,
        code,
    )


def test_a_call_without_api_version_is_refused(azure: Calling) -> None:
    """As ARM does, whatever is asked."""
    answer = azure.arm("GET", azure.workspace, version=None)
    assert code_of(answer) == (400, "MissingApiVersionParameter")


def test_a_post_without_length_is_a_411(azure: Calling) -> None:
    """An empty POST must say that it is empty."""
    context = ssl.create_default_context(cafile=azure.ready["ca_file"])
    port = urlsplit(azure.ready["arm_url"]).port
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    connection.putrequest("POST", f"{azure.endpoint()}/listKeys?api-version=2024-04-01")
    connection.putheader("Authorization", f"Bearer {azure.token}")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    assert status == 411


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("reader", {"read"}),
        ("monitoring-reader", {"read"}),
        ("data-scientist", {"keys", "token", "logs", "read-endpoint"}),
        ("contributor", {"read", "keys", "token", "logs"}),
        ("owner", {"read", "keys", "token", "logs"}),
        ("none", set()),
    ],
)
def test_each_role_may_what_azure_lets_it(azure: Calling, role: str, allowed: set[str]) -> None:
    """Keys and logs are actions, the component is read; the data scientist has no right outside the workspace."""
    azure.command("roles", {"roles": [role]})
    component = azure.workspace.replace("Microsoft.MachineLearningServices/workspaces", "Microsoft.Insights/components")
    calls = {
        "read": ("GET", component, None),
        "read-endpoint": ("GET", azure.endpoint(), None),
        "keys": ("POST", f"{azure.endpoint()}/listKeys", {}),
        "token": ("POST", f"{azure.endpoint('local-token')}/token", {}),
        "logs": ("POST", f"{azure.endpoint()}/deployments/blue/getLogs", {"tail": 5}),
    }
    expected = allowed | ({"read-endpoint"} if "read" in allowed else set())
    statuses = {name: azure.arm(*call).status_code for name, call in calls.items()}
    assert statuses == {name: 200 if name in expected else 403 for name in calls}


def test_a_refusal_names_action_and_scope(azure: Calling) -> None:
    """So that a person knows what to ask for."""
    azure.command("roles", {"roles": ["reader"]})
    answer = azure.arm("POST", f"{azure.endpoint()}/listKeys", {})
    assert code_of(answer) == (403, "AuthorizationFailed")
    text = answer.json()["error"]["message"]
    assert "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action" in text
    assert f"over scope '{azure.endpoint()}/listKeys'" in text


def test_permissions_are_those_of_the_roles(azure: Calling) -> None:
    """One entry per role, with its actions and not-actions."""
    azure.command("roles", {"roles": ["owner", "reader"]})
    found = azure.arm("GET", f"{azure.endpoint()}/providers/Microsoft.Authorization/permissions").json()["value"]
    assert [one["actions"] for one in found] == [["*"], ["*/read"]]


def test_regenerating_a_key_takes_a_while_and_the_old_key_is_refused_at_once(azure: Calling) -> None:
    """202 with an operation that is first in progress and then done; the other key is as it was."""
    before = azure.arm("POST", f"{azure.endpoint()}/listKeys").json()
    answer = azure.arm("POST", f"{azure.endpoint()}/regenerateKeys", {"keyType": "Primary"})
    assert answer.status_code == 202
    assert azure.score("local", before["primaryKey"]).status_code == 401
    assert azure.score("local", before["secondaryKey"]).status_code == 200
    looks = [azure.call("GET", answer.headers["Azure-AsyncOperation"]).json()["status"] for _ in range(2)]
    assert looks == ["InProgress", "Succeeded"]
    assert azure.call("GET", answer.headers["Location"]).status_code == 204
    after = azure.arm("POST", f"{azure.endpoint()}/listKeys").json()
    assert (after["secondaryKey"], azure.score("local", after["primaryKey"]).status_code) == (
        before["secondaryKey"],
        200,
    )


def test_a_key_can_be_set_to_a_value(azure: Calling) -> None:
    """As the clients do that send the present value."""
    azure.arm("POST", f"{azure.endpoint()}/regenerateKeys", {"keyType": "Secondary", "keyValue": "my-own-key"})
    assert azure.score("local", "my-own-key").status_code == 200
    refused = azure.arm("POST", f"{azure.endpoint()}/regenerateKeys", {"keyType": "Third"})
    assert refused.status_code == 400


@pytest.mark.parametrize(("name", "verb"), [("local", "token"), ("local-token", "listKeys"), ("local-entra", "token")])
def test_an_endpoint_has_only_the_credentials_of_its_mode(azure: Calling, name: str, verb: str) -> None:
    """No token of a key endpoint, no keys of a token endpoint."""
    assert azure.arm("POST", f"{azure.endpoint(name)}/{verb}").status_code == 400


def test_logs_are_the_lines_of_the_service(endpoint: Endpoint, azure: Calling) -> None:
    """The last so many lines of what --log-file holds; the other container has its own; a wrong one is refused."""
    for _ in range(3):
        endpoint.score()
    path = f"{azure.endpoint()}/deployments/blue/getLogs"
    content = azure.arm("POST", path, {"containerType": "InferenceServer", "tail": 4}).json()["content"]
    assert len(content.splitlines()) == 4
    assert "azmlinfsrv - POST /score 200" in content
    assert azure.arm("POST", path, {"containerType": "StorageInitializer"}).json()["content"]
    assert azure.arm("POST", path, {"containerType": "Other"}).status_code == 400
    assert azure.arm("POST", path, {"tail": 0}).status_code == 400


def test_app_insights_is_switched_by_the_whole_deployment(azure: Calling) -> None:
    """A PUT switches it; a PATCH takes tags and scale only."""
    path = f"{azure.endpoint()}/deployments/blue"
    document = azure.arm("GET", path).json()
    document["properties"]["appInsightsEnabled"] = False
    answer = azure.arm("PUT", path, document)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    assert azure.arm("GET", path).json()["properties"]["appInsightsEnabled"] is False
    assert azure.arm("PATCH", path, {"properties": {"appInsightsEnabled": True}}).status_code == 400
    assert azure.arm("PATCH", path, {"tags": {}}).status_code == 200


def test_diagnostic_settings_are_there_or_not(azure: Calling) -> None:
    """One that sends the three logs to the workspace, or an empty list."""
    path = f"{azure.endpoint()}/providers/Microsoft.Insights/diagnosticSettings"
    (found,) = azure.arm("GET", path).json()["value"]
    assert {one["category"] for one in found["properties"]["logs"] if one["enabled"]} == {
        "AmlOnlineEndpointTrafficLog",
        "AmlOnlineEndpointConsoleLog",
        "AmlOnlineEndpointEventLog",
    }
    azure.command("settings", {"diagnostic_settings": False})
    assert azure.arm("GET", path).json() == {"value": []}


def test_the_cloud_tells_its_addresses_at_both_origins(azure: Calling) -> None:
    """Without a token, at ARM and at the issuer."""
    found: list[Any] = []
    for origin in ("arm_url", "authority"):
        url = f"{azure.ready[origin]}/metadata/endpoints?api-version=2022-09-01"
        found.append(requests.get(url, verify=azure.ready["ca_file"], timeout=30).json())
    assert found[0] == found[1]
    assert found[0][0]["authentication"]["loginEndpoint"] == azure.ready["authority"]
    assert found[0][0]["resourceManager"].rstrip("/") == azure.ready["arm_url"]


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"status": 429, "headers": {"Retry-After": "1"}, "count": 2}, [429, 429, 200]),
        ({"status": 500, "path": "/LISTKEYS"}, [500, 200, 200]),
        ({"status": 500, "path": "/nothing"}, [200, 200, 200]),
        ({"status": 503, "for_s": 3600}, [503, 503, 503]),
        ({"status": 503, "for_s": 0}, [200, 200, 200]),
    ],
)
def test_a_fault_befalls_the_calls_it_is_meant_for(azure: Calling, fault: dict[str, Any], statuses: list[int]) -> None:
    """So many of them, or for so long, on the paths that were named."""
    azure.command("faults", [{"api": "arm", **fault}])
    assert [azure.arm("POST", f"{azure.endpoint()}/listKeys").status_code for _ in range(3)] == statuses


def test_a_fault_can_hang(azure: Calling) -> None:
    """The call gets no answer at all."""
    azure.command("faults", [{"api": "arm", "hang": True}])
    url = f"{azure.ready['arm_url']}{azure.workspace}?api-version=2024-04-01"
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(url, verify=azure.ready["ca_file"], timeout=0.2)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("faults", [{"api": "nowhere"}]),
        ("faults", "no list"),
        ("roles", {"roles": ["king"]}),
        ("regenerate", {"endpoint": "local-entra"}),
        ("settings", {"colour": "red"}),
        ("settings", {"token_life_s": 0}),
        ("settings", {"token_life_s": 1e300}),
        ("nothing", {}),
    ],
)
def test_a_command_that_cannot_be_is_refused(azure: Calling, name: str, body: Any) -> None:
    """With the reason, and nothing is changed."""
    answer = azure.call("POST", f"{azure.ready['arm_url']}/redline/{name}", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
