"""From a sign-in and an endpoint's name to an answered scoring request: every credential that a hosting can have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scoring.endpoint import Endpoint
from scoring.granting import scoring_source
from scoring.holding import Holder
from scoring.settings import read_scenario
from tests.cli.terminal import Told, ended, files_with, redline, started
from tests.localazure.identity.test_sign_in import made_certificate
from tests.scoring.plain_keyring import kept
from tests.scoring.standin import NO_METADATA, StandIn, command_lines_of, only, stand_in

V1_HOSTINGS = ("aks", "aci")
UNKNOWN = "11111111-1111-4111-8111-111111111111"
JWT_START = "eyJ"

Azure = Callable[[str], StandIn]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """`azure("aks")` is a stand-in with endpoints of that hosting, started once."""
    running: dict[str, StandIn] = {}
    with ExitStack() as stack:

        def of(hosting: str) -> StandIn:
            if hosting not in running:
                folder = tmp_path_factory.mktemp(hosting)
                running[hosting] = stack.enter_context(stand_in(folder, "--hosting", hosting))
            return running[hosting]

        yield of


def described(at: StandIn, hosting: str, name: str) -> Endpoint:
    """The endpoint as a person describes it who knows its resource id and nothing of its credential."""
    ready = at.ready
    kind = "services" if hosting in V1_HOSTINGS else "onlineEndpoints"
    group = f"/subscriptions/{ready['subscription_id']}/resourceGroups/{ready['resource_group']}"
    arm_id = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{ready['workspace_name']}/{kind}/{name}"
    return replace(at.endpoints[name], key_file=None, arm_id=arm_id, azure=at.access())


def status_of(endpoint: Endpoint) -> int | None:
    """What a scoring request with the endpoint's credential is answered."""
    scenario = read_scenario(endpoint.scenario)
    return Holder(endpoint, os.environ).signed_probe(endpoint, scenario, scenario.payloads[0]).status


KEYED = {"managed": "local", "kubernetes": "local", "aks": "local", "aci": "local-key"}
LOOKED_UP = [
    ("managed", "local"),
    ("managed", "local-token"),
    ("managed", "local-entra"),
    ("kubernetes", "local"),
    ("kubernetes", "local-token"),
    ("aks", "local"),
    ("aks", "local-token"),
    ("aci", "local-key"),
]


@pytest.mark.parametrize(("hosting", "name"), LOOKED_UP)
def test_what_azure_gives_lets_in(azure: Azure, monkeypatch: pytest.MonkeyPatch, hosting: str, name: str) -> None:
    """Keys by listKeys or listkeys, tokens of both generations, Entra tokens: the endpoint answers 200."""
    only(azure(hosting).environ("environment"), monkeypatch)
    assert status_of(described(azure(hosting), hosting, name)) == 200


@pytest.mark.parametrize("kind", ["workload-identity", "github", "azureml-v1", "app-service", "azure-ml", "imds"])
@pytest.mark.parametrize(("hosting", "name"), [("managed", "local-entra"), ("aks", "local"), ("kubernetes", "local")])
def test_whoever_signs_in_gets_in(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, kind: str, hosting: str, name: str
) -> None:
    """Each unattended sign-in serves v1, v2 and Entra alike."""
    only(azure(hosting).environ(kind), monkeypatch)
    assert status_of(described(azure(hosting), hosting, name)) == 200


@pytest.mark.parametrize("hosting", KEYED)
@pytest.mark.parametrize("source", ["variable", "file", "keyring", "vault"])
def test_a_key_lets_in_from_wherever_it_stands(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosting: str, source: str
) -> None:
    """Environment, file, keyring and Key Vault, for every hosting that takes keys."""
    at = azure(hosting)
    only(at.environ("environment"), monkeypatch)
    endpoint = replace(at.endpoints[KEYED[hosting]], key_file=None, auth="key", arm_id=None, azure=at.access())
    key = str(at.ready["key"] or _looked_up(at, hosting))
    (tmp_path / "key").write_text(key + "\n")
    monkeypatch.setenv("SCORING_KEY", key)
    places: dict[str, dict[str, Any]] = {
        "variable": {"key_env": "SCORING_KEY"},
        "file": {"key_file": str(tmp_path / "key")},
        "keyring": {"key_keyring": "redline/churn"},
        "vault": {"key_vault": f"{at.ready['vault_url']}/secrets/scoring-key"},
    }
    with kept() as keyring:
        keyring.set_password("redline", "churn", key)
        assert status_of(replace(endpoint, **places[source])) == 200


def _looked_up(at: StandIn, hosting: str) -> str:
    grant = scoring_source(described(at, hosting, KEYED[hosting]), os.environ).fetch()
    assert grant is not None
    return grant.secret


@pytest.mark.parametrize(("hosting", "name"), [("aci", "local"), ("aks", "local-open"), ("local", "local")])
def test_an_open_endpoint_is_asked_without_a_credential(azure: Azure, hosting: str, name: str) -> None:
    """auth = "none" sends no Authorization header, and signs nobody in."""
    endpoint = azure(hosting).endpoints[name]
    assert endpoint.auth == "none"
    assert status_of(endpoint) == 200


def test_the_second_key_lets_in_where_the_first_is_refused(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was rotated away is followed by the spare one, in the same request."""
    at = azure("managed")
    monkeypatch.setenv("FIRST", "a-key-that-was-rotated-away-0123")
    monkeypatch.setenv("SECOND", at.ready["key"])
    known = {"key_file": None, "key_env": "FIRST", "secondary_key_env": "SECOND"}
    assert status_of(replace(at.endpoints["local"], **known)) == 200  # type: ignore[arg-type]


WRONG: list[tuple[str, str, dict[str, str], str]] = [
    ("environment", "environment", {"AZURE_CLIENT_SECRET": "not-the-secret-0123456789"}, "the client secret is wrong"),
    ("environment", "environment", {"AZURE_TENANT_ID": UNKNOWN}, "the tenant is not known"),
    ("environment", "environment", {"AZURE_CLIENT_ID": UNKNOWN}, "the application is not known in this tenant"),
    ("environment", "environment", {"AZURE_CLIENT_SECRET": ""}, "neither AZURE_CLIENT_SECRET nor"),
    (
        "environment",
        "environment",
        {"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "redline.pem"},
        "the certificate is not registered",
    ),
    (
        "environment",
        "environment",
        {"AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "none.pem"},
        "none.pem cannot be read",
    ),
    ("workload-identity", "workload-identity", {"AZURE_FEDERATED_TOKEN_FILE": "assertion"}, "the signed assertion"),
    ("github", "github", {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "not-the-token-0123456789"}, "GitHub answered 401"),
    ("managed-identity", "imds", NO_METADATA, "no metadata service answers"),
    ("managed-identity", "app-service", {"IDENTITY_HEADER": "not-the-header-0123456789"}, "gives no token"),
    ("cli", "imds", {"PATH": "/nowhere"}, "none of az, azd and pwsh is installed"),
    ("cli", "imds", {"PATH": "LOGGED-OUT"}, "nobody is logged in"),
    ("browser", "imds", {}, "nobody can be asked"),
]


@pytest.mark.parametrize(("kind", "variables", "changed", "words"), WRONG, ids=[f"{row[0]}: {row[3]}" for row in WRONG])
def test_each_wrong_sign_in_ends_before_any_load(
    azure: Azure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    variables: str,
    changed: dict[str, str],
    words: str,
) -> None:
    """One line, a hint, exit 4, no run folder, and no secret anywhere."""
    at = azure("managed")
    _files(tmp_path)
    environ = at.environ(variables, **changed)
    if changed.get("PATH") == "LOGGED-OUT":
        environ["PATH"] = f"{tmp_path}:/usr/bin:/bin"
    only(environ, monkeypatch)
    told = _load(at.served.config, tmp_path, "--auth", kind)
    _is_refused(told, words)
    secrets = [at.ready["client_secret"], at.ready["key"], *_secret_values(environ)]
    for secret in secrets:
        assert secret not in told.out + told.err
    assert not (tmp_path / "redline-runs").exists()


def test_half_an_auth_file_is_named(azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of [azure] lacks a field: that is told, and nobody else is tried."""
    at = azure("managed")
    _files(tmp_path)
    only(at.environ("environment"), monkeypatch)
    text = Path(at.served.config).read_text()
    (tmp_path / "redline.toml").write_text(text.replace(str(at.served.folder / "ready.json.auth.json"), "half.json"))
    _is_refused(_load("redline.toml", tmp_path), "half.json has no clientSecret or password")


def test_a_role_that_is_missing_is_named(azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed in, but not allowed: the action, and the role to ask for."""
    at = azure("managed")
    only(at.environ("environment"), monkeypatch)
    at.command("roles", b'{"roles": ["reader"]}')
    try:
        told = _load(at.served.config, tmp_path, "--auth", "environment")
    finally:
        at.command("roles", b'{"roles": ["data-scientist", "monitoring-reader"]}')
    _is_refused(told, "onlineEndpoints/token/action")
    assert "AzureML Data Scientist" in told.err


def test_an_authority_that_is_not_trusted_is_named(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--ca-file is believed, even where it is the wrong one."""
    at = azure("managed")
    only(at.environ("environment"), monkeypatch)
    made_certificate(tmp_path / "redline.pem")
    told = _load(at.served.config, tmp_path, "--auth", "environment", "--ca-file", "redline.pem")
    _is_refused(told, "the certificate of 127.0.0.1 is not trusted")


def test_a_load_by_a_token_shows_no_secret_to_anybody(
    azure: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither output nor files nor the command line of any process of ours hold the secret or the token."""
    at = azure("managed")
    arguments = ("load", "local-token", "--config", at.served.config, "--users", "1", "--for", "2s", "--auth")
    payload = ("--payload", str(at.served.folder / "good.json"), "--json")
    only(at.environ("environment"), monkeypatch)
    process = started(tmp_path, [*arguments, "environment", *payload])
    seen = command_lines_of(process)
    told = ended(process)
    assert told.json["levels"][0]["status_count"].keys() == {"200"}, told.err
    assert "credential: aml_token" in told.err
    assert len(seen) >= 2
    secret = at.ready["client_secret"]
    for place in (told.out, told.err, *seen):
        assert secret not in place
        assert JWT_START not in place
    assert files_with(secret, tmp_path) + files_with(JWT_START, tmp_path) == []


def _load(config: str, folder: Path, *flags: str) -> Told:
    """`redline load` of the endpoint with AML tokens."""
    return redline(folder, "load", "local-token", "--config", config, "--users", "1", "--for", "1s", *flags)


def _is_refused(told: Told, words: str) -> None:
    assert told.code == 4, told.err
    error, blank, hint = told.err.strip().splitlines()
    assert error.startswith("error: ")
    assert words in error
    assert (blank, hint[:6]) == ("", "hint: ")
    assert told.out == ""


def _files(folder: Path) -> None:
    """What the wrong sign-ins name."""
    made_certificate(folder / "redline.pem")
    (folder / "assertion").write_text("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzb21lYm9keSJ9.c2lnbmF0dXJl")
    (folder / "half.json").write_text(f'{{"clientId": "{UNKNOWN}", "tenantId": "{UNKNOWN}"}}')
    (folder / "az").write_text("#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n")
    (folder / "az").chmod(0o700)


def _secret_values(environ: dict[str, str]) -> list[str]:
    names = ("AZURE_CLIENT_SECRET", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "IDENTITY_HEADER")
    return [environ[name] for name in names if name in environ]
