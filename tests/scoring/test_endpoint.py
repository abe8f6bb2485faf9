"""Where requests go: addresses, loopback, admitted requests, headers; and the key that goes with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scoring.auth import read_key
from scoring.endpoint import Endpoint, Hosting, endpoint_as_json, endpoint_from, request_headers
from scoring.errors import Exit, RedlineError
from scoring.scenario import Payload, Scenario

SCENARIO = Scenario("s", (Payload("p", b"{}"),))
KEY = "kEy-0123456789abcdefghijkl"


def at(uri: str = "https://churn.example/score", **known: object) -> Endpoint:
    return Endpoint("churn", uri, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "host", "port", "path", "host_header"),
    [
        ("https://Churn.Example/score", "churn.example", 443, "/score", "churn.example"),
        ("http://churn.example", "churn.example", 80, "/", "churn.example"),
        ("http://127.0.0.1:5001/score?v=2", "127.0.0.1", 5001, "/score?v=2", "127.0.0.1:5001"),
        ("http://[::1]:80/score", "::1", 80, "/score", "[::1]"),
        ("https://[::1]:8443/", "::1", 8443, "/", "[::1]:8443"),
    ],
)
def test_an_address_is_taken_apart(uri: str, host: str, port: int, path: str, host_header: str) -> None:
    """Host in lower case, the scheme's port unless one is given, path with query."""
    endpoint = at(uri)
    assert (endpoint.host, endpoint.port, endpoint.path, endpoint.host_header) == (host, port, path, host_header)
    assert endpoint.is_tls is uri.startswith("https")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("128.0.0.1", False),
        ("127.0.0.1.example", False),
        ("localhost.example", False),
        ("0.0.0.0", False),
        ("[::2]", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    """127.0.0.0/8, ::1 and localhost, by their text; a name that merely begins so is another host."""
    assert at(f"http://{host}/score").is_loopback is loopback


@pytest.mark.parametrize(
    "uri",
    [
        "churn.example/score",
        "ftp://churn.example/",
        "https://",
        "https:///score",
        "https://me:pw@churn.example/",
        "https://@churn.example/",
        "https://churn.example/#top",
        "https://churn.example/#",
        "https://churn.example/a b",
        "https://churn.example/\r\nX-A: 1",
        "https://churn.example:port/",
        "https://churn.example:99999/",
        "https://[::1/",
        "https://chürn.example/",
        "",
    ],
)
def test_an_address_that_could_mislead_is_refused(uri: str) -> None:
    """No scheme, no host, user info, a fragment, spaces, bad ports and non-ASCII are usage errors."""
    with pytest.raises(RedlineError) as caught:
        at(uri)
    assert caught.value.exit_code is Exit.USAGE
    assert "me:pw" not in caught.value.message


@pytest.mark.parametrize(
    ("hosting", "instances", "max_concurrent", "admitted"),
    [
        (Hosting.AKS, 3, 2, 6),
        (Hosting.KUBERNETES, 3, 2, 6),
        (Hosting.MANAGED, 3, 2, 12),
        (Hosting.ACI, 3, 2, None),
        (Hosting.LOCAL, 3, 2, None),
        (None, 3, 2, None),
        (Hosting.AKS, None, 2, None),
        (Hosting.MANAGED, 3, None, None),
    ],
)
def test_admitted_requests_follow_the_hosting(
    hosting: Hosting | None, instances: int | None, max_concurrent: int | None, admitted: int | None
) -> None:
    """M·I on AKS and Kubernetes, 2·M·I on managed endpoints; ACI and local queue; unknown stays unknown."""
    known = at(hosting=hosting, instances=instances, max_concurrent=max_concurrent)
    assert known.expected_admitted == admitted


def test_an_endpoint_survives_json() -> None:
    """What is written is read back equal; keys of newer files are dropped."""
    endpoint = at(hosting=Hosting.AKS, auth="key", key_env="CHURN_KEY", goals=("errors<=1%",), instances=2)
    document = json.loads(json.dumps(endpoint_as_json(endpoint)))
    assert endpoint_from({**document, "later": 1}) == endpoint


def test_the_scenario_may_name_its_own_accept_and_user_agent() -> None:
    """A header of the scenario replaces ours of the same name; none is sent twice."""
    scenario = Scenario("s", SCENARIO.payloads, headers=(("accept", "text/csv"), ("X-A", "1")))
    headers = request_headers(at(deployment="blue"), scenario, KEY, "0" * 32)
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names))
    assert dict(headers)["accept"] == "text/csv"
    assert dict(headers)["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_no_authorization_is_sent() -> None:
    """An endpoint without auth gets no Authorization header, not an empty one."""
    names = {name for name, _ in request_headers(at(), SCENARIO, None, "0" * 32)}
    assert names == {"Accept", "User-Agent", "Content-Type", "x-ms-client-request-id"}


def test_a_key_comes_from_the_variable_or_the_file(tmp_path: Path) -> None:
    """The line break at the end belongs to the file, not to the key; without auth there is none."""
    file = tmp_path / "key"
    file.write_text(KEY + "\r\n", encoding="utf-8")
    assert read_key(at(auth="key", key_env="CHURN_KEY"), {"CHURN_KEY": KEY}) == KEY
    assert read_key(at(auth="key", key_file=str(file)), {}) == KEY
    assert read_key(at(), {"CHURN_KEY": KEY}) is None


@pytest.mark.parametrize(
    ("known", "environ", "message"),
    [
        ({"key_env": "CHURN_KEY"}, {}, "`churn`: environment variable CHURN_KEY is not set"),
        ({"key_env": "CHURN_KEY"}, {"CHURN_KEY": ""}, "`churn`: environment variable CHURN_KEY is empty"),
        ({"key_env": "CHURN_KEY"}, {"CHURN_KEY": f"Bearer {KEY}"}, "holds a space"),
        ({"key_env": "CHURN_KEY"}, {"CHURN_KEY": f"{KEY}\r\nX: 1"}, "holds a space, a line break"),
        (
            {"key_file": "/nowhere/key"},
            {},
            "`churn`: the key file /nowhere/key cannot be read: No such file or directory",
        ),
        ({"key_file": "/"}, {}, "cannot be read: Is a directory"),
        ({"auth": "key"}, {}, "no key_env or key_file says where the credential is"),
    ],
)
def test_a_key_that_cannot_be_had_is_no_entry(known: dict[str, str], environ: dict[str, str], message: str) -> None:
    """The message names the source, never the value, has a hint, and the exit code is 4."""
    with pytest.raises(RedlineError) as caught:
        read_key(at(**known), environ)
    assert message in caught.value.message
    assert KEY not in f"{caught.value!r} {caught.value.hint}"
    assert (caught.value.exit_code, bool(caught.value.hint)) == (Exit.NO_ENTRY, True)


def test_a_key_given_as_the_name_of_a_variable_is_not_repeated() -> None:
    """Who types the key where the variable's name belongs does not find it in the message."""
    with pytest.raises(RedlineError) as caught:
        at(key_env="9fJ2kLm4Qr7sTv0wXy3zAb6cDe8gHi1j")
    assert "9fJ2" not in f"{caught.value!r} {caught.value.hint}"
