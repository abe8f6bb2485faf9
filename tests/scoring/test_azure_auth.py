"""The real azure-identity, over TLS, against the stand-in's token issuer: who gets in, and what the others are told."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scoring.access import AzureAccess
from scoring.azure_auth import azure_credential, signed_in
from scoring.endpoint import Endpoint, with_access
from scoring.errors import Exit, RedlineError
from scoring.identity.credentials import NotSignedIn
from scoring.identity.signin import ORDER, SignedIn, cloud_signed_in_to
from tests.localazure.identity.test_sign_in import follow_form, made_certificate
from tests.scoring.standin import NO_METADATA, StandIn, only, stand_in

ARM_SCOPE = "https://management.azure.com/.default"
UNKNOWN = "11111111-1111-4111-8111-111111111111"
ASSERTION = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzb21lYm9keSJ9.c2lnbmF0dXJl"

SignIn = Callable[..., SignedIn]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(tmp_path_factory.mktemp("azure"), "--hosting", "managed") as found:
        yield found


@pytest.fixture
def sign_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SignIn]:
    """`sign_in(access, environ)` in a process that has these variables and no others of Azure."""
    held: list[Any] = []

    def as_asked(access: AzureAccess, environ: dict[str, str], **options: Any) -> SignedIn:
        only(NO_METADATA | environ, monkeypatch)
        monkeypatch.setenv("PATH", environ.get("PATH", "/nowhere"))
        options = {"may_ask": False} | options
        found = signed_in(access, environ=os.environ, **options)
        held.append(found.credential)
        return found

    yield as_asked
    for credential in held:
        credential.close()


KINDS = [
    ("environment", "environment", "environment (AZURE_CLIENT_SECRET), application "),
    ("workload-identity", "workload-identity", "workload-identity ("),
    ("github", "github", "github (token of this job)"),
    ("azureml-v1", "service-principal", "service-principal (AZUREML_SERVICE_PRINCIPAL_*)"),
    ("app-service", "managed-identity", "managed identity (App Service, the system-assigned identity)"),
    ("azure-ml", "managed-identity", "managed identity (Azure ML compute, the system-assigned identity)"),
    ("imds", "managed-identity", "managed identity (metadata service, the system-assigned identity)"),
]


@pytest.mark.parametrize(("name", "kind", "words"), KINDS, ids=[row[0] for row in KINDS])
@pytest.mark.parametrize("how", ["chosen", "auto"])
def test_each_unattended_kind_gets_a_token(
    azure: StandIn, sign_in: SignIn, name: str, kind: str, words: str, how: str
) -> None:
    """Chosen by name or found by itself, each kind signs in, says so, and asks nobody at Microsoft."""
    access = azure.access(auth=kind if how == "chosen" else "auto")
    found = sign_in(access, azure.environ(name))
    assert found.kind == kind
    assert found.used.startswith(words)
    assert found.credential.get_token(ARM_SCOPE).token.count(".") == 2


def test_auto_says_why_those_before_did_not_serve(azure: StandIn, sign_in: SignIn) -> None:
    """One line for each kind that comes earlier in the stated order, and none for later ones."""
    found = sign_in(azure.access(), azure.environ("github"))
    assert [line.partition(":")[0] for line in found.others] == list(ORDER[: ORDER.index("github")])
    assert "environment: neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set" in found.others


def test_the_auth_file_signs_in_and_names_its_cloud(azure: StandIn, sign_in: SignIn) -> None:
    """The JSON of `--json-auth` is enough: identity, token issuer and resource manager stand in it."""
    file = str(azure.served.folder / "ready.json.auth.json")
    found = sign_in(AzureAccess(auth_file=file, ca_file=azure.ready["ca_file"]), {})
    assert found.kind == "service-principal"
    assert found.access.authority == azure.ready["authority"]
    by_variable = sign_in(AzureAccess(ca_file=azure.ready["ca_file"]), {"AZURE_AUTH_LOCATION": file})
    assert by_variable.used == found.used


def test_the_cloud_of_the_auth_file_decides_what_tokens_are_for(tmp_path: Path) -> None:
    """A principal of another cloud asks for that cloud's own scopes."""
    file = tmp_path / "auth.json"
    file.write_text('{"activeDirectoryEndpointUrl": "https://login.chinacloudapi.cn"}')
    cloud = cloud_signed_in_to(AzureAccess(auth_file=str(file)), {})
    assert (cloud.name, cloud.ml_scope) == ("china", "https://ml.azure.cn/.default")
    assert cloud_signed_in_to(AzureAccess(auth_file=str(file), auth="cli"), {}).name == "public"


def test_a_certificate_signs_in_once_it_is_registered(azure: StandIn, sign_in: SignIn, tmp_path: Path) -> None:
    """A PEM file, an encrypted PFX file, and each wrong use of them with a line of its own."""
    pem = made_certificate(tmp_path / "redline.pem")
    pfx = _as_pfx(pem, tmp_path / "redline.pfx", b"opens-it-77")
    ids = {name: azure.ready[name] for name in ("tenant_id", "client_id")}

    def at(file: Path) -> AzureAccess:
        return azure.access(auth="certificate", certificate_file=str(file), **ids)

    assert "not registered" in _refusal(sign_in, at(pem), {}).message
    azure.command("certificates", pem.read_bytes())
    assert sign_in(at(pem), {}).kind == "certificate"
    assert sign_in(at(pfx), {"AZURE_CLIENT_CERTIFICATE_PASSWORD": "opens-it-77"}).kind == "certificate"
    assert "AZURE_CLIENT_CERTIFICATE_PASSWORD is not set" in _refusal(sign_in, at(pfx), {}).message
    wrong = _refusal(sign_in, at(pfx), {"AZURE_CLIENT_CERTIFICATE_PASSWORD": "does-not-78"})
    assert "cannot be opened" in wrong.message
    assert "does-not-78" not in f"{wrong!r}"
    keyless = tmp_path / "keyless.pem"
    keyless.write_bytes(b"-----BEGIN CERTIFICATE-----" + pem.read_bytes().partition(b"-----BEGIN CERTIFICATE-----")[2])
    assert "holds no private key" in _refusal(sign_in, at(keyless), {}).message
    (tmp_path / "empty.pem").touch()
    assert "is empty" in _refusal(sign_in, at(tmp_path / "empty.pem"), {}).message


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("environment", {"AZURE_CLIENT_SECRET": "not-the-secret-0123456789"}, "AADSTS7000215"),
        ("environment", {"AZURE_TENANT_ID": UNKNOWN}, "AADSTS90002"),
        ("environment", {"AZURE_CLIENT_ID": UNKNOWN}, "AADSTS700016"),
        ("environment", {"AZURE_CLIENT_SECRET": ""}, "neither AZURE_CLIENT_SECRET nor"),
        ("environment", {"AZURE_CLIENT_ID": ""}, "AZURE_CLIENT_ID is not"),
        ("environment", {"REQUESTS_CA_BUNDLE": ""}, "the certificate of 127.0.0.1 is not trusted"),
        ("environment", {"AZURE_AUTHORITY_HOST": "https://127.0.0.1:9"}, "127.0.0.1 refuses connections"),
        ("environment", {"AZURE_AUTHORITY_HOST": "http://127.0.0.1:9"}, "is no https address"),
        ("workload-identity", {"AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token cannot be read"),
        ("github", {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "not-the-token-0123456789"}, "GitHub answered 401"),
    ],
)
def test_each_wrong_sign_in_has_its_own_line(
    azure: StandIn, sign_in: SignIn, name: str, changed: dict[str, str], words: str
) -> None:
    """Exit 4, one line with what is wrong, something to type; the first kind that is set up wrong ends the search."""
    _refusal(sign_in, AzureAccess(arm_url=azure.ready["arm_url"]), azure.environ(name, **changed), words)


def test_a_federated_token_of_somebody_else_is_refused(azure: StandIn, sign_in: SignIn, tmp_path: Path) -> None:
    """An assertion that no federated credential fits is told as such."""
    file = tmp_path / "token"
    file.write_text(ASSERTION)
    environ = azure.environ("workload-identity", AZURE_FEDERATED_TOKEN_FILE=str(file))
    _refusal(sign_in, azure.access(), environ, "the signed assertion")


def test_an_expired_secret_and_a_missing_identity_are_told_apart(azure: StandIn, sign_in: SignIn) -> None:
    """The secret's time is over; the compute has no identity: two different things to do."""
    azure.settings(secret_expired=True, managed_identity=False)
    try:
        _refusal(sign_in, azure.access(), azure.environ("environment"), "AADSTS7000222")
        chosen = azure.access(auth="managed-identity")
        _refusal(sign_in, chosen, azure.environ("imds"), "no such identity is assigned")
        _refusal(sign_in, chosen, azure.environ("app-service"), "gives no token")
    finally:
        azure.settings(secret_expired=False, managed_identity=True)


def test_who_has_nothing_is_told_what_was_looked_for(azure: StandIn, sign_in: SignIn) -> None:
    """No metadata service, no tool, nothing set up: one line, within a second or so."""
    error = _refusal(sign_in, azure.access(), {}, "no credential is found")
    assert "managed-identity: no metadata service answers" in error.message
    assert "az login" in str(error.hint)


@pytest.mark.parametrize(("kind", "words"), [("browser", "by browser"), ("device-code", "by device-code")])
@pytest.mark.parametrize(("environ", "may_ask"), [({"CI": "true"}, True), ({}, False)], ids=["CI", "no terminal"])
def test_nobody_is_waited_for_where_nobody_is(
    azure: StandIn, sign_in: SignIn, kind: str, words: str, environ: dict[str, str], may_ask: bool
) -> None:
    """In a pipeline or without a terminal the kinds that ask a person fail at once."""
    with pytest.raises(RedlineError, match="nobody can be asked") as caught:
        sign_in(azure.access(auth=kind), environ, may_ask=may_ask)
    assert words in caught.value.message


def test_a_device_code_is_shown_and_then_signs_in(azure: StandIn, sign_in: SignIn) -> None:
    """The person reads one line with the address and the code."""
    azure.settings(approve_device_codes=True)
    said: list[str] = []
    ids = {name: azure.ready[name] for name in ("tenant_id", "client_id")}
    access = azure.access(auth="device-code", **ids)
    found = sign_in(access, {}, may_ask=True, say=said.append)
    assert found.kind == "device-code"
    assert len(said) == 1
    assert f"open {azure.ready['authority']}/device in a browser and enter the code" in said[0]


def test_a_browser_signs_in_where_a_person_may_be_asked(
    azure: StandIn, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page posts its form back to this machine, as a browser does for the person."""
    followed: list[Thread] = []

    def browse(url: str) -> bool:
        followed.append(Thread(target=follow_form, args=(url, azure.ready["ca_file"])))
        followed[0].start()
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    access = azure.access(auth="browser", tenant_id=azure.ready["tenant_id"])
    found = sign_in(access, {}, may_ask=True)
    followed[0].join(20)
    assert (found.kind, found.used) == ("browser", "browser")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1", "nobody is logged in"),
        ("echo 'ERROR: AADSTS700082: The refresh token has expired.' >&2; exit 1", "the sign-in has expired"),
        ("echo 'no JSON'; exit 0", "Unexpected output"),
    ],
)
def test_what_az_says_becomes_one_line(
    azure: StandIn, sign_in: SignIn, tmp_path: Path, script: str, words: str
) -> None:
    """Not logged in, logged in too long ago, broken: each is told as what it is."""
    _tool(tmp_path, script)
    _refusal(sign_in, azure.access(auth="cli"), {"PATH": f"{tmp_path}:/usr/bin:/bin"}, words)


def test_az_that_is_logged_in_serves_and_is_asked_once(azure: StandIn, sign_in: SignIn, tmp_path: Path) -> None:
    """The token of the trial is the one that is used: az starts slowly."""
    answer = '{"accessToken": "a.b.c", "expires_on": 4102444800}'
    _tool(tmp_path, f"echo x >> {tmp_path}/calls; echo '{answer}'")
    found = sign_in(azure.access(), {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (found.kind, found.used) == ("cli", "Azure CLI (az)")
    assert found.credential.get_token(ARM_SCOPE).token == "a.b.c"
    assert (tmp_path / "calls").read_text() == "x\n"


def test_without_any_tool_cli_says_what_to_install(azure: StandIn, sign_in: SignIn) -> None:
    """Nothing on the path is told as such."""
    _refusal(sign_in, azure.access(auth="cli"), {}, "none of az, azd and pwsh is installed")


def test_a_token_file_is_read_anew_each_time(azure: StandIn, sign_in: SignIn, tmp_path: Path) -> None:
    """Whoever renews the token writes it there."""
    file = tmp_path / "token"
    file.write_text("first-token\n")
    found = sign_in(azure.access(token_file=str(file)), {})
    file.write_text("second-token\n")
    assert found.credential.get_token(ARM_SCOPE).token == "second-token"
    file.write_text("e30.eyJleHAiOjE2MDAwMDAwMDB9.c2ln")
    with pytest.raises(NotSignedIn, match="expired at 2020-09-13"):
        found.credential.get_token(ARM_SCOPE)
    file.unlink()
    with pytest.raises(NotSignedIn, match="cannot be read"):
        found.credential.get_token(ARM_SCOPE)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("certificate", "certificate_file is not set"),
        ("service-principal", "neither auth_file"),
        ("token-file", "token_file is not set"),
        ("environment", "neither AZURE_CLIENT_SECRET"),
        ("workload-identity", "AZURE_FEDERATED_TOKEN_FILE is not set"),
        ("github", "ACTIONS_ID_TOKEN_REQUEST_URL is not set"),
        ("managed-identity", "no metadata service answers"),
    ],
)
def test_a_kind_that_is_chosen_and_not_set_up_says_so(azure: StandIn, sign_in: SignIn, kind: str, words: str) -> None:
    """Whoever chooses a kind is told what it lacks, and no other kind serves instead."""
    _refusal(sign_in, azure.access(auth=kind), {}, words)


def test_a_failed_sign_in_is_an_error_of_azure_s_clients_too(azure: StandIn, sign_in: SignIn) -> None:
    """Reports that ask through azure-monitor-query go on with their other sources."""
    from azure.core.exceptions import AzureError

    error = _refusal(sign_in, azure.access(auth="cli"), {}, "installed")
    assert isinstance(error, AzureError)


def test_a_choice_on_the_command_line_comes_before_the_token_file(tmp_path: Path) -> None:
    """--auth decides who signs in, --ca-file whom the endpoint and Azure are trusted by."""
    endpoint = Endpoint("churn", "https://churn.example/score", azure_token_file=str(tmp_path / "none"))
    chosen = with_access(endpoint, "cli", "ca.pem")
    assert (chosen.azure_token_file, chosen.azure.auth, chosen.azure.ca_file) == (None, "cli", "ca.pem")
    assert chosen.ca_file == "ca.pem"
    assert with_access(endpoint, None, None) == endpoint
    with pytest.raises(RedlineError, match="no way to sign in"):
        with_access(endpoint, "entra", None)
    with pytest.raises(RedlineError, match=r"the token file .* cannot be read"):
        azure_credential(endpoint)


def _refusal(sign_in: SignIn, access: AzureAccess, environ: dict[str, str], words: str = "") -> RedlineError:
    with pytest.raises(RedlineError) as caught:
        sign_in(access, environ)
    error = caught.value
    assert words in error.message
    assert error.exit_code is Exit.NO_ENTRY
    assert error.hint
    assert "\n" not in error.message + error.hint
    for name in ("AZURE_CLIENT_SECRET", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "IDENTITY_HEADER"):
        assert environ.get(name) is None or environ[name] not in error.message + error.hint
    return error


def _tool(folder: Path, script: str) -> None:
    """An `az` that does as the script says."""
    tool = folder / "az"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o700)


def _as_pfx(pem: Path, pfx: Path, password: bytes) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    key: Any = serialization.load_pem_private_key(pem.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    sealed = serialization.BestAvailableEncryption(password)
    pfx.write_bytes(pkcs12.serialize_key_and_certificates(b"redline", key, certificate, None, sealed))
    return pfx
