"""An endpoint found by its name, over a real socket."""

from __future__ import annotations

import pytest

from scoring.access import AzureAccess
from scoring.controlplane.clouds import cloud_of
from scoring.controlplane.deployed import Deployed
from scoring.controlplane.finding import found
from scoring.controlplane.refusals import RestError
from scoring.controlplane.rest import Rest
from scoring.endpoint import Hosting
from tests.scoring.controlplane.api_server import Reply, Tokens, answering

GROUP = "/subscriptions/s/resourceGroups/g/providers"
WORKSPACE = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/w"
COMPONENT = f"{GROUP}/Microsoft.Insights/components/c"
LOGS = f"{GROUP}/Microsoft.OperationalInsights/workspaces/l"
NOT_THERE = Reply(404, {"error": {"code": "ResourceNotFound", "message": "not there"}})
SPACE = Reply(200, {"location": "westeurope", "properties": {"applicationInsights": COMPONENT}})
ENDPOINT = Reply(200, {"properties": {"authMode": "Key", "scoringUri": "https://h/score", "traffic": {"blue": 100}}})
DEPLOYMENTS = Reply(200, {"value": [{"name": "blue", "properties": {"endpointComputeType": "Managed"}}]})
NONE = Reply(200, {"value": []})
OF_COMPONENT = Reply(200, {"properties": {"WorkspaceResourceId": LOGS}})
OF_LOGS = Reply(200, {"properties": {"customerId": "00000000-0000-0000-0000-000000000001"}})
FORBIDDEN = Reply(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})


def looked_up(*replies: Reply, name: str = "churn") -> tuple[Deployed, list[str]]:
    """What these answers, in turn, say of the endpoint, and the paths that were asked."""
    with answering(*replies) as api:
        access = AzureAccess(authority="https://login.local", arm_url=api.url, mms_url=api.url)
        with Rest(access, Tokens(), cloud_of(access, {}), sleep=api.waits_s.append) as rest:
            return found(rest, WORKSPACE, name), [path.partition("?")[0] for _, path, _, _ in api.seen]


def test_an_online_endpoint_is_found_with_its_telemetry() -> None:
    """From the workspace to the component to the GUID of the logs, each asked once."""
    deployed, paths = looked_up(SPACE, ENDPOINT, DEPLOYMENTS, NONE, OF_COMPONENT, OF_LOGS)
    assert (deployed.hosting, deployed.location, deployed.app_insights_id) == (Hosting.MANAGED, "westeurope", COMPONENT)
    assert (deployed.logs_workspace_id, deployed.notes) == ("00000000-0000-0000-0000-000000000001", ())
    assert paths[-2:] == [COMPONENT, LOGS]


def test_a_web_service_is_looked_for_where_no_online_endpoint_is() -> None:
    """Model management is asked below the workspace, with the same name."""
    service = Reply(200, {"computeType": "ACI", "scoringUri": "http://h/score"})
    deployed, paths = looked_up(SPACE, NOT_THERE, service, OF_COMPONENT, OF_LOGS)
    assert (deployed.hosting, deployed.arm_id) == (Hosting.ACI, f"{WORKSPACE}/services/churn")
    assert f"/modelmanagement/v1.0{WORKSPACE}/services/churn" in paths


def test_what_may_not_be_read_beside_is_a_note() -> None:
    """Without a right to the component the endpoint is still found."""
    deployed, _ = looked_up(SPACE, ENDPOINT, FORBIDDEN, FORBIDDEN)
    assert deployed.scoring_uri == "https://h/score"
    assert len(deployed.notes) == 2
    assert "the Application Insights component `c`" in deployed.notes[1]


def test_names_that_exist_come_nearest_first() -> None:
    """Of both generations, and the first is the one to type."""
    online = Reply(200, {"value": [{"name": "fraud"}, {"name": "churn-prod"}]})
    services = Reply(200, {"value": [{"name": "churn"}]})
    with pytest.raises(RestError, match="there are: churn, churn-prod, fraud") as told:
        looked_up(SPACE, NOT_THERE, NOT_THERE, services, online, name="chrn")
    assert told.value.hint == "--endpoint churn"


def test_model_management_that_does_not_answer_is_told_beside_what_exists() -> None:
    """The online endpoints are named, and why web services are not."""
    with pytest.raises(RestError, match=r"no online endpoint `churn` \(but fraud\)") as told:
        looked_up(SPACE, NOT_THERE, FORBIDDEN, Reply(200, {"value": [{"name": "fraud"}]}))
    assert "web services of SDK v1 cannot be asked" in told.value.message
    assert told.value.status == 403
