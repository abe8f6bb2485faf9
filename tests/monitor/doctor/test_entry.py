"""Who is let in, judged from what was answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.doctor.entry import (
    answer_check,
    authenticated_check,
    credential_check,
    key_required_check,
    wrong_key_check,
)
from monitor.doctor.facts import Credential, Seen
from scoring.attempt import Failure
from scoring.endpoint import Hosting
from tests.monitor.doctor.samples import ENDPOINT, NOW_S, REFUSED, SEEN

KEY = Credential("environment variable SCORING_KEY")


def _answered(status: int | None, *, is_of_model: bool = False) -> Seen:
    return replace(SEEN, status=status, is_of_model=is_of_model, failure=Failure.UNEXPECTED_STATUS, deployment=None)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (_answered(401), "ok"),
        (_answered(403), "ok"),
        (SEEN, "fail"),
        (_answered(500, is_of_model=True), "fail"),
        (_answered(424, is_of_model=True), "fail"),
        (_answered(404), "unknown"),
        (_answered(503), "unknown"),
        (_answered(302), "unknown"),
        (replace(SEEN, status=None, failure=Failure.CONN_RESET, is_of_model=False), "unknown"),
    ],
)
def test_an_endpoint_is_open_when_the_model_answered_without_a_key(answer: Seen, outcome: str) -> None:
    """An error of the model shows it too; what a front end may say before it looks at a key does not tell."""
    assert key_required_check(ENDPOINT, answer).outcome == outcome
    assert wrong_key_check(ENDPOINT, answer).outcome == outcome


def test_an_open_endpoint_on_aci_is_told_as_its_default() -> None:
    """With the call of the SDK that asks for a key from then on."""
    found = key_required_check(replace(ENDPOINT, hosting=Hosting.ACI), SEEN)
    assert "the default of ACI" in found.evidence
    assert "auth_enabled=True" in str(found.fix)


def test_a_local_server_is_open_by_nature() -> None:
    """A container on this machine checks no key: a warning, not a failure."""
    assert key_required_check(replace(ENDPOINT, hosting=Hosting.LOCAL), SEEN).outcome == "warn"


@pytest.mark.parametrize(
    ("credential", "outcome", "words"),
    [
        (KEY, "ok", "the key comes from environment variable SCORING_KEY"),
        (replace(KEY, has_spare=True), "ok", "a second key to fall back to"),
        (replace(KEY, expires_s=NOW_S + 7200, renew_from_s=NOW_S + 6900), "ok", "renewed in 1 h 55 min"),
        (replace(KEY, expires_s=NOW_S + 60), "warn", "valid for 60.0 s"),
        (replace(KEY, expires_s=NOW_S - 60), "fail", "ended 60.0 s ago"),
    ],
)
def test_a_credential_tells_its_source_and_its_life(credential: Credential, outcome: str, words: str) -> None:
    """A token that ends soon and is not renewed warns; one that ended fails."""
    found = credential_check(ENDPOINT, credential, NOW_S)
    assert (found.outcome, words in found.evidence) == (outcome, True), found


@pytest.mark.parametrize(
    ("answer", "authenticated", "answered"),
    [
        (SEEN, "ok", "ok"),
        (REFUSED, "fail", "unknown"),
        (_answered(404), "unknown", "fail"),
        (_answered(503), "unknown", "fail"),
        (_answered(424), "ok", "fail"),
        (_answered(408), "ok", "fail"),
        (_answered(500, is_of_model=True), "ok", "fail"),
        (replace(SEEN, failure=Failure.ERROR_IN_BODY), "ok", "fail"),
        (replace(SEEN, status=None, failure=Failure.DEADLINE_EXCEEDED), "fail", "unknown"),
    ],
)
def test_being_let_in_and_being_answered_well_are_two_things(answer: Seen, authenticated: str, answered: str) -> None:
    """A refusal says nothing of the payload; a time-out of the model shows that the key was taken."""
    found = authenticated_check(ENDPOINT, answer, KEY).outcome, answer_check(ENDPOINT, answer).outcome
    assert found == (authenticated, answered)


def test_a_refused_first_key_is_told_although_the_second_serves() -> None:
    """Somebody has regenerated it."""
    found = authenticated_check(ENDPOINT, SEEN, replace(KEY, is_first_refused=True))
    assert found.outcome == "warn"
    assert "the first key was refused" in found.evidence
