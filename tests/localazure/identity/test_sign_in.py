"""The real azure-identity signs in at the stand-in over TLS, in each way, and is refused in Azure's words."""

from __future__ import annotations

import html
import json
import re
import threading
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    DeviceCodeCredential,
    EnvironmentCredential,
    InteractiveBrowserCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from tests.localazure.conftest import Serve
from tests.localazure.identity.calling import ARM_SCOPE, Calling, how, secret_credential

Ready = dict[str, Any]


@pytest.fixture(scope="module")
def ready(serve: Serve) -> Ready:
    return serve("--hosting", "managed", "--no-telemetry").ready


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine signs in."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _clean(ready: Ready) -> Iterator[None]:
    """Faults and settings of a test end with it."""
    yield
    calling = Calling(ready, "no-token")
    calling.command("clear")
    calling.command("settings", {"secret_expired": False, "managed_identity": True, "approve_device_codes": False})


def opens_arm(ready: Ready, token: str) -> bool:
    calling = Calling(ready, token)
    return bool(calling.arm("GET", calling.workspace).status_code == 200)


def test_a_client_secret_gets_a_token_that_arm_takes(ready: Ready) -> None:
    """The whole flow over TLS, with the CA of the ready file."""
    with secret_credential(ready) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, "AADSTS700016"),
    ],
)
def test_a_wrong_principal_is_refused_with_its_code(ready: Ready, changed: dict[str, str], code: str) -> None:
    """A wrong secret and an unknown app each have Entra's number."""
    with secret_credential(ready, **changed) as credential, pytest.raises(ClientAuthenticationError, match=code):
        credential.get_token(ARM_SCOPE)


def test_an_unknown_tenant_is_refused_with_its_code(ready: Ready) -> None:
    """Both where its configuration is asked for and where a token is."""
    for method, rest in (("GET", "v2.0/.well-known/openid-configuration"), ("POST", "oauth2/v2.0/token")):
        url = f"{ready['authority']}/no-such-tenant/{rest}"
        answer = requests.request(method, url, data={}, verify=ready["ca_file"], timeout=30)
        assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_a_resource_that_does_not_exist_is_refused_with_its_code(ready: Ready) -> None:
    """The scope names no API of this tenant."""
    with secret_credential(ready) as credential, pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        credential.get_token("https://nothing.example.org/.default")


@pytest.mark.usefixtures("_clean")
def test_an_expired_secret_is_refused_with_its_code(ready: Ready) -> None:
    """The secret is right, but its time is over."""
    Calling(ready, "no-token").command("settings", {"secret_expired": True})
    with secret_credential(ready) as credential, pytest.raises(ClientAuthenticationError, match="AADSTS7000222"):
        credential.get_token(ARM_SCOPE)


def test_an_error_has_the_shape_of_entra(ready: Ready) -> None:
    """Error, description with trace ids and time, codes, ids."""
    url = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "client_id": ready["client_id"], "client_secret": "x"}
    answer = requests.post(url, form, headers={"client-request-id": "mine"}, verify=ready["ca_file"], timeout=30)
    error = answer.json()
    assert (answer.status_code, error["error"], error["error_codes"]) == (401, "invalid_client", [7000215])
    assert error["correlation_id"] == "mine"
    assert f"Trace ID: {error['trace_id']} Correlation ID: mine Timestamp: " in error["error_description"]


def made_certificate(path: Path) -> Path:
    """A self-signed certificate with its RSA key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now_at = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now_at - timedelta(days=1))
        .not_valid_after(now_at + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, pkcs8, plain) + certificate.public_bytes(pem))
    return path


def test_a_certificate_signs_in_once_it_is_registered(ready: Ready, tmp_path: Path) -> None:
    """Before that, the number of a certificate that the app does not know."""
    path = made_certificate(tmp_path / "client.pem")
    arguments = (ready["tenant_id"], ready["client_id"], str(path))
    with CertificateCredential(*arguments, **how(ready)) as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
            credential.get_token(ARM_SCOPE)
        url = f"{ready['arm_url']}/redline/certificates"
        assert requests.post(url, path.read_bytes(), verify=ready["ca_file"], timeout=30).status_code == 200
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


def test_a_certificate_can_be_named_on_the_command_line(serve: Serve, tmp_path: Path) -> None:
    """`--client-certificate` registers it at the start, and the environment's variables are enough."""
    path = made_certificate(tmp_path / "client.pem")
    own = serve("--hosting", "aks", "--no-telemetry", "--client-certificate", str(path)).ready
    with CertificateCredential(own["tenant_id"], own["client_id"], str(path), **how(own)) as credential:
        assert opens_arm(own, credential.get_token(ARM_SCOPE).token)


def github_token(ready: Ready, audience: str) -> requests.Response:
    names = ready["environments"]["github"]
    return requests.get(
        f"{names['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}",
        headers={"Authorization": f"Bearer {names['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
        verify=ready["ca_file"],
        timeout=30,
    )


def test_a_github_token_is_exchanged(ready: Ready) -> None:
    """The request URL hands out an assertion for the audience that is asked for, and the issuer takes it."""

    def assertion() -> str:
        return str(github_token(ready, "api://AzureADTokenExchange").json()["value"])

    arguments = (ready["tenant_id"], ready["client_id"], assertion)
    with ClientAssertionCredential(*arguments, **how(ready)) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


@pytest.mark.parametrize(
    ("assertion", "code"),
    [("audience", "AADSTS700212"), ("not.a.jwt", "AADSTS50027"), ("forged", "AADSTS50013")],
)
def test_a_wrong_assertion_is_refused_with_its_code(ready: Ready, assertion: str, code: str) -> None:
    """Of another audience, no JWT at all, and one whose seal is not the issuer's."""
    good = str(github_token(ready, "api://other").json()["value"])
    texts = {"audience": good, "forged": f"{good[:-4]}AAAA"}
    arguments = (ready["tenant_id"], ready["client_id"], lambda: texts.get(assertion, assertion))
    credential = ClientAssertionCredential(*arguments, **how(ready))
    with credential, pytest.raises(ClientAuthenticationError, match=code):
        credential.get_token(ARM_SCOPE)


def test_a_request_for_a_github_token_needs_its_own_token(ready: Ready) -> None:
    """Without the request token there is no assertion."""
    url = ready["environments"]["github"]["ACTIONS_ID_TOKEN_REQUEST_URL"]
    assert requests.get(url, verify=ready["ca_file"], timeout=30).status_code == 401


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_workload_identity_reads_its_federated_file(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the ready file are all that it needs."""
    set_all(monkeypatch, ready["environments"]["workload-identity"])
    with WorkloadIdentityCredential(disable_instance_discovery=True) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


def test_the_environment_is_enough(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenant, client, secret, authority and CA in variables, as in a CI job."""
    set_all(monkeypatch, ready["environments"]["environment"])
    with EnvironmentCredential(disable_instance_discovery=True) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)
    with DefaultAzureCredential(disable_instance_discovery=True) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


@pytest.mark.parametrize("form", ["app-service", "azure-ml", "imds"])
def test_managed_identity_gets_a_token_in_each_form(ready: Ready, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Of an app, of Azure ML compute and of a virtual machine."""
    set_all(monkeypatch, ready["environments"][form])
    with ManagedIdentityCredential() as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)


@pytest.mark.usefixtures("_clean")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("app-service", ClientAuthenticationError),
        ("azure-ml", ClientAuthenticationError),
        ("imds", CredentialUnavailableError),
    ],
)
def test_a_machine_without_identity_is_told_so(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, form: str, error: type[Exception]
) -> None:
    """A 400 in each form; on a virtual machine it means that there is no identity."""
    Calling(ready, "no-token").command("settings", {"managed_identity": False})
    set_all(monkeypatch, ready["environments"][form])
    with ManagedIdentityCredential(retry_total=0) as credential, pytest.raises(error):
        credential.get_token(ARM_SCOPE)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/msi/token?api-version=2019-08-01&resource=https://management.azure.com", {"X-IDENTITY-HEADER": "no"}, 401),
        ("/msi/token?api-version=2017-09-01&resource=https://management.azure.com", {}, 401),
        ("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com", {}, 400),
        ("/metadata/instance", {"Metadata": "true"}, 404),
        (
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://nothing.example.org",
            {"Metadata": "true"},
            400,
        ),
        (
            "/metadata/identity/oauth2/token?resource=https://management.azure.com&client_id=unknown",
            {"Metadata": "true"},
            400,
        ),
    ],
)
def test_a_wrong_request_for_a_managed_identity_is_refused(
    ready: Ready, path: str, headers: dict[str, str], status: int
) -> None:
    """Without its header, of another resource or of an identity that is not here."""
    url = ready["environments"]["imds"]["AZURE_POD_IDENTITY_AUTHORITY_HOST"] + path
    assert requests.get(url, headers=headers, timeout=30).status_code == status


def test_a_device_code_is_granted_once_its_user_code_is_entered(ready: Ready) -> None:
    """azure-identity polls while it is pending; the page of the issuer takes the code; silence the second time."""

    def entered(uri: str, user_code: str, _expires_at: datetime) -> None:
        assert requests.post(uri, {"user_code": user_code}, verify=ready["ca_file"], timeout=30).status_code == 200

    with DeviceCodeCredential(tenant_id=ready["tenant_id"], prompt_callback=entered, **how(ready)) as credential:
        assert opens_arm(ready, credential.get_token(ARM_SCOPE).token)
        assert opens_arm(ready, credential.get_token("https://management.core.windows.net/.default").token)


def test_a_device_code_is_pending_until_then(ready: Ready) -> None:
    """The error that makes a client go on polling; a wrong user code changes nothing."""
    start, client = f"{ready['authority']}/organizations", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
    form = {"client_id": client, "scope": ARM_SCOPE}
    verify = ready["ca_file"]
    told = requests.post(f"{start}/oauth2/v2.0/devicecode", form, verify=verify, timeout=30).json()
    assert requests.post(told["verification_uri"], {"user_code": "no"}, verify=verify, timeout=30).status_code == 400
    poll = {
        "client_id": client,
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": told["device_code"],
    }
    answer = requests.post(f"{start}/oauth2/v2.0/token", poll, verify=verify, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "authorization_pending")


def follow_form(url: str, ca_file: str) -> None:
    """What a browser does with a page whose script posts its form."""
    page = html.unescape(requests.get(url, verify=ca_file, timeout=30).text)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    requests.post(re.findall(r'action="([^"]+)"', page)[0], fields, timeout=30)


def test_a_browser_is_led_back_with_a_code(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interactive credential listens on loopback; what opens the page posts its form, as a browser does."""
    followed: list[threading.Thread] = []

    def browse(url: str) -> bool:
        follow = threading.Thread(target=follow_form, args=(url, ready["ca_file"]))
        followed.append(follow)
        follow.start()
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    with InteractiveBrowserCredential(tenant_id=ready["tenant_id"], timeout=20, **how(ready)) as credential:
        token = credential.get_token(ARM_SCOPE).token
    followed[0].join(20)
    assert opens_arm(ready, token)


@pytest.mark.parametrize("target", ["https://example.org/x", "http://localhost.example.org/", "http://[", ""])
def test_a_browser_is_led_back_to_this_machine_only(ready: Ready, target: str) -> None:
    """Any other redirect address is refused, and no code is given away."""
    query = {"client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "redirect_uri": target, "scope": ARM_SCOPE}
    url = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/authorize"
    answer = requests.get(url, query, verify=ready["ca_file"], timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [50011])


@pytest.mark.usefixtures("_clean")
def test_a_fault_of_the_issuer_befalls_so_many_calls(ready: Ready) -> None:
    """One 503, and then it answers again; the calls are counted."""
    calling = Calling(ready, "no-token")
    path = f"POST /{ready['tenant_id']}/oauth2/v2.0/token"
    before = calling.command("counts")["calls"]["issuer"].get(path, 0)
    calling.command("faults", [{"api": "issuer", "path": "/token", "status": 503, "count": 1}])
    form = {
        "grant_type": "client_credentials",
        "client_id": ready["client_id"],
        "client_secret": ready["client_secret"],
        "scope": ARM_SCOPE,
    }
    url = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token"
    codes = [requests.post(url, form, verify=ready["ca_file"], timeout=30).status_code for _ in range(2)]
    assert codes == [503, 200]
    assert calling.command("counts")["calls"]["issuer"][path] == before + 2


def test_the_files_hold_the_service_principal_and_the_federated_token(ready: Ready) -> None:
    """The auth file has the form of --json-auth with the addresses of the stand-in."""
    stem = Path(ready["config"].removesuffix(".redline.toml"))
    written = json.loads(Path(f"{stem}.auth.json").read_text())
    assert (written["clientId"], written["clientSecret"]) == (ready["client_id"], ready["client_secret"])
    assert written["activeDirectoryEndpointUrl"] == ready["authority"]
    assert written["resourceManagerEndpointUrl"] == ready["arm_url"] + "/"
