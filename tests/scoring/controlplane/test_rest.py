"""Calls to Azure's APIs over a real socket: patience, tokens, pages, operations."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from scoring.access import AzureAccess
from scoring.controlplane.calls import keys_of, set_app_insights, token_of
from scoring.controlplane.clouds import cloud_of
from scoring.controlplane.ids import ArmId
from scoring.controlplane.refusals import RestError
from scoring.controlplane.rest import Rest
from scoring.errors import Exit, RedlineError
from tests.scoring.controlplane.api_server import Api, Reply, Tokens, answering, asking

BUSY = Reply(503, {"error": {"code": "ServerBusy"}})
GOOD = Reply(200, {"name": "churn"})
ENDPOINT = ArmId("s", "g", "w", "onlineEndpoints", "churn")


def called(*replies: Reply, **options: Any) -> tuple[Any, Api]:
    with answering(*replies) as api, asking(api) as rest:
        return rest.call("GET", "/x", what="the call", **options), api


def refused(*replies: Reply) -> tuple[RestError, Api]:
    with answering(*replies) as api, asking(api) as rest, pytest.raises(RestError) as told:
        rest.call("GET", "/x", what="the call")
    return told.value, api


def test_a_call_carries_a_token_and_the_version() -> None:
    """The token of the cloud's ARM and the api-version go with each call."""
    found, api = called(GOOD)
    assert found == {"name": "churn"}
    assert api.seen == [("GET", "/x?api-version=2024-04-01", "Bearer token-1", b"")]


def test_an_empty_post_has_a_length() -> None:
    """ARM answers 411 to a POST without Content-Length; the keys come by one with 0."""
    with answering(Reply(200, {"primaryKey": "a", "secondaryKey": "b"})) as api, asking(api) as rest:
        assert keys_of(rest, ENDPOINT).secondary == "b"
    assert api.seen[0][0] == "POST"
    assert "/onlineEndpoints/churn/listKeys?" in api.seen[0][1]


@pytest.mark.parametrize(
    "failing",
    [BUSY, Reply(429), Reply(408), Reply(409), Reply(hangs=True)],
    ids=["503", "429", "408", "409", "no answer"],
)
def test_what_passes_by_itself_is_tried_again(failing: Reply) -> None:
    """Throttling, a busy service, another operation and a lost connection cost a wait, not the call."""
    found, api = called(failing, failing, GOOD)
    assert found == {"name": "churn"}
    assert api.waits_s == [0.5, 1.0]


def test_retry_after_is_kept_to() -> None:
    """The wait is what the service asks for."""
    _, api = called(Reply(429, headers={"Retry-After": "7"}), GOOD)
    assert api.waits_s == [7.0]


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    """A Retry-After beyond the patience ends the call at once, and the line says how long it would be."""
    error, api = refused(Reply(429, headers={"Retry-After": "300"}))
    assert api.waits_s == []
    assert "300 s" in error.message


def test_patience_ends() -> None:
    """After four tries the last refusal is told."""
    error, api = refused(BUSY)
    assert (len(api.seen), error.status, error.code) == (4, 503, "ServerBusy")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    """What asking again does not change is told at once, with exit code 4."""
    error, api = refused(Reply(status, {"error": {"code": "No", "message": "no"}}))
    assert (len(api.seen), error.status, error.exit_code) == (1, status, Exit.NO_ENTRY)


def test_a_redirect_is_not_followed() -> None:
    """The token goes nowhere else."""
    with answering(GOOD) as other:
        error, api = refused(Reply(307, headers={"Location": f"{other.url}/x"}))
    assert "not followed" in error.message
    assert other.seen == []
    assert len(api.seen) == 1


def test_a_next_page_of_another_origin_gets_no_token() -> None:
    """Pages are followed within the origin, refused outside of it."""
    with answering(GOOD) as other, answering(Reply(200, {"value": [1], "nextLink": f"{other.url}/2"})) as api:
        with asking(api) as rest, pytest.raises(RestError, match="another origin"):
            list(rest.pages("/list", what="the list"))
        assert other.seen == []


def test_pages_are_followed_to_their_end() -> None:
    """Every item of every page comes, in order."""
    with answering(Reply(200, {"value": [1, 2]}), Reply(200, {"value": [3]})) as api:
        api.replies[0].body["nextLink"] = f"{api.url}/list?page=2"
        with asking(api) as rest:
            assert list(rest.pages("/list", what="the list")) == [1, 2, 3]
    assert [path for _, path, _, _ in api.seen] == ["/list?api-version=2024-04-01", "/list?page=2"]


def test_a_token_is_asked_for_once_while_it_lives() -> None:
    """Calls share the token of their audience; another audience has its own."""
    tokens = Tokens()
    with answering(GOOD) as api, asking(api, tokens) as rest:
        for _ in range(3):
            rest.call("GET", "/x")
        rest.call("GET", f"{api.url}/y", scope="https://vault.azure.net/.default")
    assert [scope for scope, _ in tokens.asked] == [
        "https://management.azure.com/.default",
        "https://vault.azure.net/.default",
    ]


def test_a_token_that_is_about_to_expire_is_replaced() -> None:
    """A token whose life is over is not sent again."""
    with answering(GOOD) as api, asking(api, Tokens(life_s=-1)) as rest:
        rest.call("GET", "/x")
        rest.call("GET", "/x")
    assert api.tokens == ["Bearer token-1", "Bearer token-2"]


def test_claims_that_a_refusal_asks_for_are_in_the_next_token() -> None:
    """Continuous access evaluation: the challenge goes to the credential, and the call is made again."""
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    challenge = f'Bearer error="insufficient_claims", claims="{base64.b64encode(claims.encode()).decode()}"'
    tokens = Tokens()
    with answering(Reply(401, headers={"WWW-Authenticate": challenge}), GOOD) as api, asking(api, tokens) as rest:
        assert rest.call("GET", "/x") == {"name": "churn"}
    assert tokens.asked[1] == ("https://management.azure.com/.default", claims)


def test_a_long_operation_is_waited_for() -> None:
    """202 with an operation: it is asked until it has succeeded, as slowly as it says."""
    accepted = Reply(202, {}, {"Azure-AsyncOperation": "HERE/operations/1", "Retry-After": "3"})
    running = Reply(200, {"status": "InProgress"}, {"Retry-After": "4"})
    with answering(accepted, running, running, Reply(200, {"status": "Succeeded"})) as api, asking(api) as rest:
        rest.call("PUT", "/x", body={"a": 1})
    assert [path for _, path, _, _ in api.seen][1:] == ["/operations/1"] * 3
    assert api.waits_s == [4.0, 4.0]


def test_an_operation_that_fails_is_an_error() -> None:
    """Its own words are told."""
    accepted = Reply(202, {}, {"Location": "/operations/1"})
    failed = Reply(200, {"status": "Failed", "error": {"code": "OutOfQuota", "message": "no cores left"}})
    with answering(accepted, failed) as api, asking(api) as rest, pytest.raises(RestError, match="no cores left"):
        rest.call("PUT", "/x")


def test_the_progress_of_an_operation_at_another_origin_gets_no_token() -> None:
    """The token stays where it was asked for."""
    with answering(GOOD) as other, answering(Reply(202, {}, {"Location": f"{other.url}/1"})) as api:
        with asking(api) as rest, pytest.raises(RestError, match="another origin"):
            rest.call("PUT", "/x")
        assert other.seen == []


def test_an_answer_that_is_no_json_says_what_came() -> None:
    """A sign-in page or a proxy's is told by its start."""
    error, _ = refused(Reply(200, b"<html>Sign in</html>"))
    assert "no JSON" in error.message
    assert "proxy" in str(error.hint)


def test_an_answer_without_a_body_is_none() -> None:
    """204 and an empty 200 have nothing to say."""
    assert called(Reply(204, b""))[0] is None


def test_a_host_that_takes_no_connection_is_named() -> None:
    """The line has the host, the hint a command; exit code 4."""
    with answering(GOOD) as api:
        gone = api.url
    with asking(Api(gone, [])) as rest, pytest.raises(RestError, match="cannot be reached") as told:
        rest.call("GET", "/x", what="the call")
    assert gone.removeprefix("http://") in told.value.message
    assert told.value.exit_code is Exit.NO_ENTRY


def test_a_token_does_not_travel_in_clear_text() -> None:
    """An address without TLS that is not this machine is refused before a token is asked for."""
    tokens = Tokens()
    with answering(GOOD) as api, asking(api, tokens) as rest, pytest.raises(RedlineError, match="not https"):
        rest.call("GET", "http://192.0.2.1/x")
    assert tokens.asked == []


def test_the_keys_of_an_endpoint_without_keys_say_what_to_write() -> None:
    """400 to listKeys is another auth mode; the hint is the line for redline.toml."""
    with answering(Reply(400, {"error": {"code": "BadRequest", "message": "not Key"}})) as api, asking(api) as rest:
        with pytest.raises(RestError) as told:
            keys_of(rest, ENDPOINT)
        assert 'auth = "token"' in str(told.value.hint)
        with pytest.raises(RestError) as told:
            token_of(rest, ENDPOINT)
        assert 'auth = "key"' in str(told.value.hint)


def test_switching_application_insights_changes_nothing_else() -> None:
    """The deployment is written back as it was read, but for the switch and what only ARM writes."""
    document = {
        "location": "westeurope",
        "sku": {"name": "Default", "capacity": 3},
        "id": "not to be sent",
        "properties": {"appInsightsEnabled": False, "provisioningState": "Succeeded", "instanceType": "D3"},
    }
    with answering(Reply(200, document)) as api, asking(api) as rest:
        set_app_insights(rest, ENDPOINT, deployment="blue", on=True)
    assert [method for method, _, _, _ in api.seen] == ["GET", "PUT"]
    assert api.seen[1][3] == (
        b'{"location": "westeurope", "sku": {"name": "Default", "capacity": 3}, '
        b'"properties": {"appInsightsEnabled": true, "instanceType": "D3"}}'
    )


def test_a_cloud_that_nobody_knows_is_asked_for_its_addresses() -> None:
    """The metadata document at the authority names the resource manager; it is read without a token."""
    with answering(Reply(200, [{"resourceManager": "https://arm.local/"}])) as api:
        access = AzureAccess(authority=api.url)
        with Rest(access, Tokens(), cloud_of(access, {})) as rest:
            assert rest.cloud.arm_url == "https://arm.local"
    assert api.seen == [("GET", "/metadata/endpoints?api-version=2022-09-01", "", b"")]


def test_a_cloud_without_metadata_says_what_to_write() -> None:
    """Where the authority tells nothing, arm_url in [azure] does."""
    with answering(Reply(404)) as api:
        access = AzureAccess(authority=api.url)
        with Rest(access, Tokens(), cloud_of(access, {})) as rest, pytest.raises(RestError) as told:
            rest.call("GET", "/x")
    assert "arm_url" in str(told.value.hint)


def test_tokens_and_keys_are_in_no_error() -> None:
    """An API that repeats the token in its refusal does not bring it to the screen."""
    error, _ = refused(
        Reply(400, {"error": {"code": "Bad", "message": "Authorization: Bearer token-1-abcdefghijklmno"}})
    )
    assert "token-1-abc" not in error.message
