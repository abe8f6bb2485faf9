"""An endpoint as init has found it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scoring.access import AzureAccess
from scoring.controlplane.clouds import cloud_of
from scoring.controlplane.deployed import Deployed, Deployment
from scoring.endpoint import Hosting
from scoring.errors import Exit, RedlineError
from scoring.starting.endpointyaml import Described
from scoring.starting.found import Found, draft_of, near, of_address, of_deployed, with_described, with_key
from scoring.starting.settingstext import settings_text
from scoring.units import S

PUBLIC = cloud_of(AzureAccess(), {})
CHINA = cloud_of(AzureAccess(cloud="china"), {})
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
BLUE = Deployment("blue", 90, instances=2, max_concurrent=4, request_timeout_ns=5 * S)
GREEN = Deployment("green", 10, instances=1, max_concurrent=1, request_timeout_ns=9 * S)
CHURN = Deployed(
    name="churn",
    arm_id=f"{WORKSPACE}/onlineEndpoints/churn",
    workspace_arm_id=WORKSPACE,
    hosting=Hosting.MANAGED,
    auth="key",
    scoring_uri="https://churn.westeurope.inference.ml.azure.com/score",
    location="westeurope",
    deployments=(BLUE, GREEN),
)


def found(deployed: Deployed = CHURN, cloud: Any = PUBLIC) -> Found:
    return of_deployed(deployed, deployed.name, cloud, AzureAccess(), None)


def test_a_split_of_traffic_pins_the_largest_and_names_the_others() -> None:
    """A limit is that of one deployment; the comment tells of the rest."""
    endpoint = found().endpoint
    assert (endpoint.deployment, endpoint.instances, endpoint.request_timeout_ns) == ("blue", 2, 5 * S)
    assert "90 % of the traffic; others: green 10 %" in settings_text(draft_of(found()))


def test_a_deployment_with_all_traffic_is_not_pinned() -> None:
    """There is nothing to choose, and a later deployment is followed."""
    alone = replace(CHURN, deployments=(replace(BLUE, traffic_percent=100), replace(GREEN, traffic_percent=0)))
    assert found(alone).endpoint.deployment is None


def test_a_deployment_of_a_yaml_brings_its_own_settings() -> None:
    """What Azure says of that deployment comes before what the YAML says."""
    endpoint = with_described(found(), Described("churn", deployment="green", instances=7)).endpoint
    assert (endpoint.deployment, endpoint.instances, endpoint.max_concurrent) == ("green", 1, 1)


@pytest.mark.parametrize(
    ("deployed", "words"),
    [
        (replace(CHURN, public_network=False), "inside its virtual network only"),
        (replace(CHURN, state="Failed", error="image not found"), "its state is Failed: image not found"),
        (replace(CHURN, deployments=(replace(BLUE, traffic_percent=0),)), "answer 404"),
        (replace(CHURN, auth="none"), "whoever reaches it can score"),
        (replace(CHURN, deployments=(replace(BLUE, app_insights=False),)), "redline doctor --fix app-insights"),
    ],
)
def test_what_a_newcomer_should_know_is_a_note(deployed: Deployed, words: str) -> None:
    """Each thing that will matter later has its line."""
    assert any(words in note for note in found(deployed).notes)


def test_an_endpoint_that_is_still_being_made_is_told() -> None:
    """Without a scoring URI there is nothing to write; exit code 4."""
    with pytest.raises(RedlineError, match="no scoring URI yet") as told:
        found(replace(CHURN, scoring_uri=None, state="Creating"))
    assert told.value.exit_code is Exit.NO_ENTRY


def test_addresses_of_the_public_cloud_are_not_written() -> None:
    """Only what is no default stands in the file: China's logs, and the region's metrics."""
    assert found().endpoint.logs_url is None
    assert found(cloud=CHINA).endpoint.logs_url == "https://api.loganalytics.azure.cn"
    assert found().endpoint.metrics_url == "https://westeurope.metrics.monitor.azure.com"


def test_an_unknown_cloud_is_written_down() -> None:
    """The same look-up needs its addresses again, and the authority behind them."""
    cloud = cloud_of(AzureAccess(authority="https://login.local", arm_url="https://arm.local"), {})
    azure = of_deployed(CHURN, "churn", cloud, AzureAccess(), "/etc/ca.pem").azure
    assert azure == AzureAccess(authority="https://login.local", arm_url="https://arm.local", ca_file="/etc/ca.pem")


@pytest.mark.parametrize(
    ("uri", "hosting", "name"),
    [
        ("https://churn.westeurope.inference.ml.azure.com/score", Hosting.MANAGED, "churn"),
        ("http://10.0.0.4:80/api/v1/service/churn/score", Hosting.AKS, "churn"),
        ("http://10.0.0.4/api/v1/endpoint/churn/score", Hosting.KUBERNETES, "churn"),
        ("http://churn-1.westeurope.azurecontainer.io/score", Hosting.ACI, "churn-1"),
        ("http://127.0.0.1:5001/score", Hosting.LOCAL, "local"),
        ("https://models.example/score", None, "endpoint"),
    ],
)
def test_an_address_tells_hosting_and_name(uri: str, hosting: Hosting | None, name: str) -> None:
    """As far as Azure's scoring URIs do."""
    endpoint = of_address(uri, None, Described()).endpoint
    assert (endpoint.hosting, endpoint.name) == (hosting, name)


def test_a_key_of_ones_own_is_named_and_not_fetched() -> None:
    """key_env makes it an endpoint with a key; the comment about Azure's keys goes."""
    kept = with_key(of_address("https://h/score", "mine", Described()), "MY_KEY", None)
    text = settings_text(draft_of(kept))
    assert 'auth = "key"\n' in text
    assert 'key_env = "MY_KEY"' in text


def test_paths_below_the_folder_are_written_relative_to_it() -> None:
    """A folder that is moved or checked in stays usable."""
    kept = with_key(of_address("https://h/score", "mine", Described()), None, "/srv/app/keys/mine")
    assert near(kept, "/srv/app").endpoint.key_file == "keys/mine"
    assert near(kept, "/srv/ap").endpoint.key_file == "/srv/app/keys/mine"
