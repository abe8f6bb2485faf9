"""YAML of Azure ML v2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.endpoint import Hosting
from scoring.errors import RedlineError
from scoring.starting.endpointyaml import Described, described, together
from scoring.units import S

ENDPOINT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: churn
auth_mode: aad_token
"""
DEPLOYMENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: churn
instance_type: Standard_DS3_v2
instance_count: 3
request_settings: {request_timeout_ms: 3000, max_concurrent_requests_per_instance: 4}
environment_variables: {STORAGE_KEY: not-for-us}
"""


def test_an_endpoint_yaml_says_name_hosting_and_auth() -> None:
    """aad_token is redline's entra."""
    assert described(ENDPOINT, "e.yml") == Described("churn", Hosting.MANAGED, "entra")


def test_a_deployment_yaml_says_what_serves() -> None:
    """Instances, requests at once and the time-out, which stands there in milliseconds."""
    assert described(DEPLOYMENT, "d.yml") == Described("churn", Hosting.MANAGED, None, "blue", 3, 4, 3 * S)


@pytest.mark.parametrize(
    "text",
    [
        "$schema: https://x/kubernetesOnlineEndpoint.schema.json\nname: churn",
        "name: churn\ncompute: azureml:cluster",
        "type: kubernetes\nname: blue\nendpoint_name: churn",
    ],
)
def test_kubernetes_is_told_by_schema_compute_or_type(text: str) -> None:
    """Each of the three ways to write it."""
    assert described(text, "e.yml").hosting is Hosting.KUBERNETES


def test_two_files_of_one_endpoint_add_up() -> None:
    """What one does not say the other may."""
    found = together([described(ENDPOINT, "e.yml"), described(DEPLOYMENT, "d.yml")])
    assert (found.auth, found.deployment, found.instances) == ("entra", "blue", 3)


def test_files_of_different_endpoints_do_not() -> None:
    """One endpoint at a time."""
    with pytest.raises(RedlineError, match="different endpoints: churn, other"):
        together([described(ENDPOINT, "e.yml"), described("name: other", "o.yml")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("name: [", "e.yml:", id="broken"),
        pytest.param("just text", "names no online endpoint", id="a text"),
        pytest.param("name: !!python/object/apply:os.getcwd []", "no YAML", id="a tag that would run something"),
        pytest.param("$schema: batchEndpoint\nname: nightly", "batch", id="a batch endpoint"),
        pytest.param("a: &a x\nb: [" + ", ".join(["*a"] * 60) + "]", "aliases", id="a bomb"),
        pytest.param("[" * 3000, "levels", id="too deep"),
    ],
)
def test_what_is_no_such_yaml_is_one_line(text: str, words: str) -> None:
    """Nothing of it is obeyed or unfolded."""
    with pytest.raises(RedlineError, match=words) as told:
        described(text, "e.yml")
    assert told.value.hint


@given(st.text("abc:-[]{}&*!|>'\"\n #%@`,?$_0123", max_size=60))
def test_any_text_is_described_or_refused(text: str) -> None:
    """A YAML reader meets every text without another error."""
    try:
        described(text, "e.yml")
    except RedlineError as error:
        assert "e.yml" in error.message  # noqa: PT017
