"""Azure's rules for roles, and what follows for an endpoint."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.doctor.facts import Gap, Rights
from monitor.doctor.permissions import V2_KEYS, V2_SCORE, V2_TOKEN, allows, excess
from monitor.doctor.rights import needed_for_scoring, role_checks
from scoring.controlplane.deployed import Permission
from scoring.endpoint import Hosting
from tests.monitor.doctor.samples import (
    ARM_ID,
    CONTRIBUTOR,
    DATA_SCIENTIST,
    DEPLOYED,
    ENDPOINT,
    FINE,
    LOGS_ID,
    OWNER,
    READER,
    but,
)

ACTION = st.text("ab/", min_size=1, max_size=8)
PATTERN = st.text("ab/*", min_size=1, max_size=6)


@given(PATTERN, ACTION)
def test_a_star_stands_for_anything(pattern: str, action: str) -> None:
    """As in a shell pattern, slashes included."""
    assert allows([Permission((pattern,))], action) == fnmatchcase(action, pattern)


@given(PATTERN, PATTERN, ACTION)
def test_letters_of_any_case_are_the_same(pattern: str, taken: str, action: str) -> None:
    """Azure compares actions without regard to case."""
    plain = allows([Permission((pattern,), (taken,))], action)
    assert allows([Permission((pattern.upper(),), (taken,))], action.upper()) == plain


@pytest.mark.parametrize(
    ("roles", "is_allowed"),
    [
        ((), False),
        ((READER,), False),
        ((DATA_SCIENTIST,), True),
        ((OWNER,), True),
        ((Permission(("*",), (V2_KEYS,)),), False),
        ((Permission(("*",), (V2_KEYS,)), DATA_SCIENTIST), True),
    ],
)
def test_what_one_role_takes_away_another_may_give(roles: tuple[Permission, ...], is_allowed: bool) -> None:
    """Not-actions belong to their own role alone."""
    assert allows(roles, V2_KEYS) is is_allowed


@pytest.mark.parametrize(
    ("role", "words"),
    [
        (OWNER, "give rights to others (as Owner)"),
        (CONTRIBUTOR, "delete everything (as Contributor)"),
        (Permission(("Microsoft.Authorization/roleAssignments/write",)), "give rights to others"),
        (Permission(("Microsoft.MachineLearningServices/*",)), "delete the workspace"),
        (DATA_SCIENTIST, None),
        (READER, None),
    ],
)
def test_rights_beyond_need_are_named(role: Permission, words: str | None) -> None:
    """The lesson that grants `owner` is seen."""
    found = excess((role,))
    assert found is None if words is None else words in str(found)


def test_a_missing_role_is_given_by_one_command() -> None:
    """The smallest role, for who is signed in, at the endpoint."""
    facts = but(endpoint=replace(ENDPOINT, key_env=None), rights_endpoint=Rights(ARM_ID, (READER,)))
    found = next(one for one in role_checks(facts) if one.id == "role_keys")
    assert found.outcome == "fail"
    assert found.fix == f"az role assignment create --role 'AzureML Data Scientist' --assignee oid-1 --scope {ARM_ID}"


def test_a_key_at_hand_makes_the_missing_role_a_warning() -> None:
    """It serves until somebody regenerates it."""
    found = next(one for one in role_checks(but(rights_endpoint=Rights(ARM_ID, ()))) if one.id == "role_keys")
    assert found.outcome == "warn"


def test_logs_of_one_kind_alone_are_a_warning() -> None:
    """A reader may query the workspace, but not fetch what the containers print."""
    found = {one.id: one for one in role_checks(but(rights_endpoint=Rights(ARM_ID, (READER,))))}["role_logs"]
    assert found.outcome == "warn"
    assert "may not fetch the containers' logs" in found.evidence
    none = but(rights_endpoint=Rights(ARM_ID, ()), rights_logs=Rights(LOGS_ID, ()))
    assert {one.id: one for one in role_checks(none)}["role_logs"].outcome == "fail"


def test_an_owner_is_told_the_smallest_role() -> None:
    """With the commands that give it, and take the great one away."""
    found = {one.id: one for one in role_checks(but(rights_endpoint=Rights(ARM_ID, (OWNER,))))}["rights"]
    assert found.outcome == "warn"
    assert "AzureML Data Scientist" in str(found.fix)
    assert "az role assignment delete --role 'Owner'" in str(found.fix)


@pytest.mark.parametrize(("auth", "action"), [("key", V2_KEYS), ("token", V2_TOKEN), ("entra", V2_SCORE)])
def test_each_kind_of_auth_needs_its_own_action(auth: str, action: str) -> None:
    """Keys are listed, tokens fetched, and Entra asks for the right to score."""
    need = needed_for_scoring(replace(ENDPOINT, auth=auth), Gap("not asked"))
    assert need is not None
    assert need.action == action


def test_a_service_of_the_first_sdk_has_actions_of_its_own() -> None:
    """By what Azure says of the hosting, and without it by what redline.toml says."""
    aks = replace(ENDPOINT, hosting=Hosting.AKS)
    by_file, by_azure = (
        needed_for_scoring(aks, Gap("not asked")),
        needed_for_scoring(ENDPOINT, replace(DEPLOYED, hosting=Hosting.AKS)),
    )
    assert by_file == by_azure
    assert by_file is not None
    assert "/services/aks/listkeys/action" in by_file.action


def test_an_open_endpoint_needs_no_right() -> None:
    """Nothing of Azure is asked to score there."""
    assert needed_for_scoring(replace(ENDPOINT, auth="none", key_env=None), FINE.deployed) is None
