"""Who is let in at which address: keys, tokens of Azure ML, tokens of Entra, nobody asked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import requests

from tests.localazure.conftest import Endpoint, Serve
from tests.localazure.identity.calling import ML_SCOPE, Calling, token_of

MODES = {
    "managed": {"local": "key", "local-token": "token", "local-entra": "entra"},
    "kubernetes": {"local": "key", "local-token": "token"},
    "aks": {"local": "key", "local-token": "token", "local-open": "none"},
    "aci": {"local": "none", "local-key": "key"},
    "local": {"local": "none"},
}


@pytest.fixture(scope="module")
def endpoint(serve: Serve) -> Endpoint:
    return serve("--hosting", "managed", "--service-time", "1ms", "--no-telemetry")


@pytest.fixture
def azure(endpoint: Endpoint) -> Calling:
    return Calling(endpoint.ready)


@pytest.mark.parametrize("hosting", MODES)
def test_each_hosting_has_the_ways_in_that_azure_has(serve: Serve, hosting: str) -> None:
    """Named in the ready file, each at a port of its own."""
    found = serve("--hosting", hosting, "--no-telemetry").ready["endpoints"]
    assert {one["name"]: one["auth"] for one in found} == MODES[hosting]
    assert {one["hosting"] for one in found} == {hosting}
    assert len({one["scoring_uri"] for one in found}) == len(found)


def test_a_token_lets_in_at_its_own_endpoint_only(azure: Calling) -> None:
    """A token of Azure ML is for one endpoint, that of Entra for Azure ML's API; a key opens neither."""
    of_ml = azure.arm("POST", f"{azure.endpoint('local-token')}/token").json()["accessToken"]
    of_entra = token_of(azure.ready, ML_SCOPE)
    key = azure.ready["key"]
    seen = {
        name: [azure.score(name, secret).status_code for secret in (key, of_ml, of_entra)]
        for name in ("local", "local-token", "local-entra")
    }
    assert seen == {"local": [200, 401, 401], "local-token": [401, 200, 401], "local-entra": [401, 401, 200]}


@pytest.mark.parametrize(
    ("name", "secret", "status", "text"),
    [
        ("local", None, 401, "key_auth_bad_header_forbidden"),
        ("local", "wrong", 401, "key_auth_access_denied"),
        ("local-token", None, 401, "token_auth_bad_header_forbidden"),
        ("local-token", "wrong", 401, "token_auth_access_denied"),
        ("local-entra", None, 401, "token_auth_bad_header_forbidden"),
    ],
)
def test_a_refusal_tells_what_was_wrong(azure: Calling, name: str, secret: str | None, status: int, text: str) -> None:
    """One text for no credential and one for a wrong one."""
    answer = azure.score(name, secret)
    assert (answer.status_code, answer.text) == (status, text)


def test_a_principal_without_the_right_to_score_is_a_403(azure: Calling) -> None:
    """Its token is good, and it was let in a moment before."""
    token = token_of(azure.ready, ML_SCOPE)
    assert azure.score("local-entra", token).status_code == 200
    azure.command("roles", {"roles": ["reader"]})
    answer = azure.score("local-entra", token)
    azure.command("roles", {"roles": ["data-scientist", "monitoring-reader"]})
    assert (answer.status_code, answer.text) == (403, "token_auth_permission_denied: onlineEndpoints/score/action")


def test_tokens_that_are_taken_back_are_refused_as_expired(azure: Calling) -> None:
    """Also one that has just let in; a newer one is good."""
    path = f"{azure.endpoint('local-token')}/token"
    token = azure.arm("POST", path).json()["accessToken"]
    assert azure.score("local-token", token).status_code == 200
    azure.command("expire-tokens")
    answer = azure.score("local-token", token)
    assert (answer.status_code, answer.text) == (401, "token_auth_token_expired")
    azure.token = token_of(azure.ready)
    assert azure.score("local-token", azure.arm("POST", path).json()["accessToken"]).status_code == 200


def test_a_token_ends_with_its_life(azure: Calling) -> None:
    """One of a second says so itself, may be renewed from half of it, and is refused after it."""
    azure.command("settings", {"token_life_s": 1})
    document = azure.arm("POST", f"{azure.endpoint('local-token')}/token").json()
    azure.command("settings", {"token_life_s": 3600})
    uri, token = azure.uri("local-token"), document["accessToken"]
    assert document["refreshAfterTimeUtc"] < document["expiryTimeUtc"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with requests.Session() as session:
        statuses = [session.post(uri, b"{}", headers=headers, timeout=30).status_code]
        while statuses[-1] == 200 and len(statuses) < 100_000:
            statuses.append(session.post(uri, b"{}", headers=headers, timeout=30).status_code)
    assert (statuses[0], statuses[-1]) == (200, 401)


def test_the_swagger_document_needs_what_scoring_needs(azure: Calling) -> None:
    """Where a token is asked for it is asked for here too."""
    url = azure.uri("local-token").replace("/score", "/swagger.json")
    token = azure.arm("POST", f"{azure.endpoint('local-token')}/token").json()["accessToken"]
    assert requests.get(url, timeout=30).status_code == 401
    assert requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 200


def test_all_ways_in_share_one_capacity(serve: Serve) -> None:
    """A request at one address fills the only place, and the next one is rejected at another."""
    busy = serve("--hosting", "aks", "--service-time", "10s", "--request-timeout", "60s", "--no-telemetry")
    pending = busy.send()
    busy.until_in_flight(1)
    open_uri = Calling(busy.ready, "no-token").uri("local-open")
    answer = requests.post(open_uri, b"{}", headers={"Content-Type": "application/json"}, timeout=30)
    pending.close()
    assert answer.status_code == 503


def test_a_rotation_under_traffic_never_refuses_the_other_key(azure: Calling) -> None:
    """From the moment of the answer to a regeneration its old key is refused; the secondary key never is."""
    keys = azure.arm("POST", f"{azure.endpoint()}/listKeys").json()
    stop, statuses = threading.Event(), list[int]()
    uri, headers = azure.uri("local"), {"Content-Type": "application/json"}

    def score_on() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                secondary = headers | {"Authorization": f"Bearer {keys['secondaryKey']}"}
                statuses.append(session.post(uri, b"{}", headers=secondary, timeout=30).status_code)

    traffic = threading.Thread(target=score_on)
    traffic.start()
    try:
        primary = keys["primaryKey"]
        for _ in range(20):
            assert azure.score("local", primary).status_code == 200
            azure.arm("POST", f"{azure.endpoint()}/regenerateKeys", {"keyType": "Primary"})
            assert azure.score("local", primary).status_code == 401
            primary = azure.arm("POST", f"{azure.endpoint()}/listKeys").json()["primaryKey"]
    finally:
        stop.set()
        traffic.join(30)
    assert statuses
    assert set(statuses) == {200}


def test_keys_rotate_by_themselves_and_the_key_file_follows(serve: Serve) -> None:
    """Primary and secondary in turn; the file holds the primary key that is good."""
    own = serve("--hosting", "managed", "--no-telemetry", "--rotate-keys-every", "200ms", "--service-time", "0ms")
    key_file = Path(own.ready["config"].removesuffix(".redline.toml") + ".key")
    first, changed = own.ready["key"], False
    for _ in range(100_000):
        changed = key_file.read_text().strip() != first
        if changed:
            break
    assert changed
    assert Calling(own.ready, "no-token").score("local", first).status_code == 401


def test_without_identity_there_is_one_way_in(serve: Serve) -> None:
    """`--no-identity` leaves the keys out, and the endpoint serves as ever."""
    alone = serve("--hosting", "aks", "--no-identity", "--no-telemetry")
    assert set(alone.ready) == {"scoring_uri", "key", "pid", "config"}
    assert alone.score().status == 200
    assert "[azure]" not in Path(alone.ready["config"]).read_text()
