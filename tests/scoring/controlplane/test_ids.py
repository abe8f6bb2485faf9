"""Resource ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.controlplane.ids import V1, V2, ArmId, arm_id_of, parse_arm_id
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import RedlineError

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
NAMES = st.from_regex(r"[A-Za-z0-9_()-][A-Za-z0-9_().-]{0,20}", fullmatch=True).filter(
    lambda name: name.strip(".") == name
)


@given(NAMES, NAMES, NAMES, st.sampled_from([None, V1, V2]), NAMES)
def test_an_id_is_read_as_it_was_composed(sub: str, group: str, workspace: str, kind: str | None, name: str) -> None:
    """Parsing what was composed gives the same parts."""
    arm_id = ArmId(sub, group, workspace, kind, name if kind else None)
    assert parse_arm_id(arm_id.text) == arm_id


def test_letters_of_an_id_may_be_of_any_case() -> None:
    """Azure itself writes ids in several ways."""
    found = parse_arm_id(f"{WORKSPACE.upper().replace('/S/', '/s/')}/onlineendpoints/Churn/")
    assert (found.kind, found.name, found.workspace) == (V2, "Churn", "W")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "churn",
        WORKSPACE + "/jobs/x",
        WORKSPACE + "/services/a b",
        WORKSPACE + "/services/..",
        "/subscriptions//resourceGroups/g",
        WORKSPACE + "?x",
    ],
)
def test_what_is_no_id_of_an_endpoint_is_refused(text: str) -> None:
    """An id of something else, or with parts that change an address, is one line with the form that is wanted."""
    with pytest.raises(RedlineError) as told:
        parse_arm_id(text)
    assert "workspaces/W/onlineEndpoints/NAME" in str(told.value.hint)


@pytest.mark.parametrize(
    ("hosting", "written", "kind"),
    [
        (Hosting.AKS, V2, V1),
        (Hosting.ACI, V2, V1),
        (Hosting.MANAGED, V1, V2),
        (Hosting.KUBERNETES, V1, V2),
        (None, V1, V1),
    ],
)
def test_the_hosting_decides_the_generation(hosting: Hosting | None, written: str, kind: str) -> None:
    """ACI and AKS are web services of SDK v1 and managed and Kubernetes are v2, whatever the id says."""
    endpoint = Endpoint("churn", "http://h/score", hosting=hosting, arm_id=f"{WORKSPACE}/{written}/churn")
    assert arm_id_of(endpoint).kind == kind


@pytest.mark.parametrize("arm_id", [None, WORKSPACE])
def test_an_endpoint_without_an_id_of_its_own_says_so(arm_id: str | None) -> None:
    """No arm_id, or one of the workspace alone, is one line that says what to write."""
    with pytest.raises(RedlineError, match="arm_id") as told:
        arm_id_of(Endpoint("churn", "http://h/score", arm_id=arm_id))
    assert "redline init" in str(told.value.hint)
