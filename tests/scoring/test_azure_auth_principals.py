"""Who the environment and redline.toml describe, and what is said of those that are described by half."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.access import AZURE_AUTH_KINDS, AzureAccess
from scoring.errors import Exit, RedlineError
from scoring.identity.principals import (
    AssertionFile,
    Certificate,
    GithubToken,
    Password,
    Secret,
    access_of_auth_file,
    of_auth_file,
    of_azureml,
    of_certificate,
    of_environment,
    of_github,
    of_workload,
)
from scoring.identity.surroundings import (
    ENVIRONMENT,
    managed_client_id,
    managed_form,
    sign_in_environment,
    watching_nobody,
)

TENANT, CLIENT, SECRET = (
    "9e8cb62f-63a9-4684-b123-9a13ed1f2db3",
    "55b9b5b7-56ec-4509-af85-cc1d8223655f",
    "s3cr~et-Value-1",
)
IDS = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}
NOBODY = AzureAccess()
JSON_AUTH = {"clientId": CLIENT, "clientSecret": SECRET, "subscriptionId": "x", "tenantId": TENANT}
PLAIN = {"appId": CLIENT, "displayName": "redline", "password": SECRET, "tenant": TENANT}


@pytest.mark.parametrize(
    ("environ", "proof"),
    [
        ({"AZURE_CLIENT_SECRET": SECRET}, Secret(SECRET)),
        ({"AZURE_CLIENT_CERTIFICATE_PATH": "c.pem"}, Certificate("c.pem")),
        (
            {"AZURE_CLIENT_CERTIFICATE_PATH": "c.pfx", "AZURE_CLIENT_CERTIFICATE_PASSWORD": "pw"},
            Certificate("c.pfx", "pw"),
        ),
        (
            {"AZURE_CLIENT_CERTIFICATE_PATH": "c.pem", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "True"},
            Certificate("c.pem", None, True),
        ),
        ({"AZURE_USERNAME": "ann@example.org", "AZURE_PASSWORD": "pw"}, Password("ann@example.org", "pw")),
        ({"AZURE_CLIENT_SECRET": SECRET, "AZURE_CLIENT_CERTIFICATE_PATH": "c.pem"}, Secret(SECRET)),
    ],
)
def test_the_environment_describes_a_principal_as_azure_s_own_tools_read_it(
    environ: dict[str, str], proof: Any
) -> None:
    """A secret comes before a certificate, a certificate before a user's password."""
    found = of_environment(NOBODY, IDS | environ)
    assert found is not None
    assert (found.tenant_id, found.client_id, found.proof) == (TENANT, CLIENT, proof)


def test_a_password_is_called_deprecated() -> None:
    """Whoever signs in by user name and password is told that it will end."""
    found = of_environment(NOBODY, IDS | {"AZURE_USERNAME": "ann@example.org", "AZURE_PASSWORD": "pw"})
    assert found is not None
    assert "deprecated" in found.source


def test_ids_may_stand_in_redline_toml_and_the_secret_in_the_environment() -> None:
    """Tenant and client of [azure] serve where the environment names none."""
    access = AzureAccess(tenant_id=TENANT, client_id=CLIENT)
    found = of_environment(access, {"AZURE_CLIENT_SECRET": SECRET})
    assert found is not None
    assert (found.tenant_id, found.client_id) == (TENANT, CLIENT)


@pytest.mark.parametrize(
    "environ", [{}, {"AZURE_CLIENT_ID": CLIENT}, {"AZURE_TENANT_ID": TENANT}, {"AZURE_CLIENT_SECRET": ""}]
)
def test_an_environment_that_proves_nothing_describes_nobody(environ: dict[str, str]) -> None:
    """A client id alone may be a managed identity's, a tenant alone a hint for az."""
    assert of_environment(NOBODY, environ) is None


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"AZURE_CLIENT_SECRET": SECRET}, "AZURE_CLIENT_SECRET is set, but AZURE_TENANT_ID is not"),
        (
            {"AZURE_CLIENT_SECRET": SECRET, "AZURE_TENANT_ID": TENANT},
            "AZURE_CLIENT_SECRET is set, but AZURE_CLIENT_ID is not",
        ),
        (IDS, "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is"),
        ({**IDS, "AZURE_USERNAME": "ann"}, "AZURE_USERNAME is set, but AZURE_PASSWORD is not"),
        ({**IDS, "AZURE_PASSWORD": SECRET}, "AZURE_PASSWORD is set, but AZURE_USERNAME is not"),
        ({**IDS, "AZURE_TENANT_ID": "a/../b", "AZURE_CLIENT_SECRET": SECRET}, "AZURE_TENANT_ID is no id: `a/../b`"),
    ],
)
def test_half_an_environment_is_an_error_of_its_own(environ: dict[str, str], message: str) -> None:
    """Exit 4, what is set and what is not, something to type, and no value that is secret."""
    _is_half(lambda: of_environment(NOBODY, environ), message)


@pytest.mark.parametrize(
    "platform", ["AZURE_FEDERATED_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"]
)
def test_ids_without_a_secret_are_whole_where_the_platform_proves_them(platform: str) -> None:
    """Kubernetes, GitHub and managed identities name client and tenant, and need no secret."""
    assert of_environment(NOBODY, {**IDS, platform: "there"}) is None


def test_the_variables_of_sdk_v1_are_all_or_nothing() -> None:
    """AZUREML_SERVICE_PRINCIPAL_* describe a principal when all three are set."""
    names = [f"AZUREML_SERVICE_PRINCIPAL_{part}" for part in ("TENANT_ID", "ID", "PASSWORD")]
    whole = dict(zip(names, (TENANT, CLIENT, SECRET), strict=True))
    found = of_azureml(whole)
    assert found is not None
    assert (found.tenant_id, found.client_id, found.proof) == (TENANT, CLIENT, Secret(SECRET))
    assert of_azureml({}) is None
    _is_half(lambda: of_azureml({names[2]: SECRET}), f"{names[2]} is set, but {names[0]} and {names[1]} not")


def test_a_service_account_s_token_file_needs_the_ids_beside_it() -> None:
    """The webhook of the cluster sets all three."""
    found = of_workload(NOBODY, {**IDS, "AZURE_FEDERATED_TOKEN_FILE": "token"})
    assert found is not None
    assert found.proof == AssertionFile("token")
    assert of_workload(NOBODY, IDS) is None
    half = {"AZURE_FEDERATED_TOKEN_FILE": "token", "AZURE_TENANT_ID": TENANT}
    _is_half(lambda: of_workload(NOBODY, half), "AZURE_CLIENT_ID is not")


def test_a_job_of_github_needs_the_permission_to_ask_for_its_token() -> None:
    """Without `id-token: write` GitHub sets neither variable; one of them alone is a mistake."""
    url, bearer = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://g/x"}, {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET}
    found = of_github(NOBODY, {**IDS, **url, **bearer})
    assert found is not None
    assert found.proof == GithubToken("https://g/x", SECRET)
    assert of_github(NOBODY, IDS) is None
    _is_half(lambda: of_github(NOBODY, {**IDS, **url}), "ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set")
    _is_half(lambda: of_github(NOBODY, {**IDS, **bearer}), "ACTIONS_ID_TOKEN_REQUEST_URL is not set")


def test_a_certificate_of_redline_toml_goes_with_the_ids_of_redline_toml() -> None:
    """What stands together in a file is meant together, whatever the environment says."""
    access = AzureAccess(tenant_id=TENANT, client_id=CLIENT, certificate_file="c.pem")
    found = of_certificate(access, {"AZURE_TENANT_ID": "other", "AZURE_CLIENT_ID": "other"})
    assert found is not None
    assert (found.tenant_id, found.client_id, found.proof) == (TENANT, CLIENT, Certificate("c.pem"))


@pytest.mark.parametrize("document", [JSON_AUTH, PLAIN])
def test_both_spellings_of_the_auth_file_are_read(document: dict[str, str]) -> None:
    """`--json-auth` and the form without it say the same in other words."""
    found = of_auth_file(document, "auth.json")
    assert (found.tenant_id, found.client_id, found.proof) == (TENANT, CLIENT, Secret(SECRET))


@pytest.mark.parametrize("name", ["clientCertificate", "fileWithCertAndPrivateKey"])
def test_an_auth_file_may_name_a_certificate(name: str) -> None:
    """`az ad sp create-for-rbac --create-cert` gives no secret but a file."""
    found = of_auth_file({"clientId": CLIENT, "tenantId": TENANT, name: "c.pem", "password": None}, "auth.json")
    assert found.proof == Certificate("c.pem")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "auth.json holds no JSON object"),
        ({}, "auth.json has no tenantId or tenant"),
        ({"tenantId": TENANT}, "auth.json has no clientId or appId"),
        ({"tenantId": TENANT, "clientId": CLIENT}, "auth.json has no clientSecret or password"),
        ({**JSON_AUTH, "clientSecret": 7}, "auth.json has no clientSecret or password"),
        ({**JSON_AUTH, "tenantId": "a b"}, "tenantId in auth.json is no id: `a b`"),
    ],
)
def test_half_an_auth_file_is_an_error_of_its_own(document: Any, message: str) -> None:
    """The file and the field that is missing are named."""
    _is_half(lambda: of_auth_file(document, "auth.json"), message)


def test_the_auth_file_names_its_cloud() -> None:
    """Its addresses serve where [azure] names none; those of [azure] come first."""
    document = JSON_AUTH | {
        "activeDirectoryEndpointUrl": "https://login.chinacloudapi.cn/",
        "resourceManagerEndpointUrl": "https://management.chinacloudapi.cn/",
    }
    found = access_of_auth_file(NOBODY, document, "auth.json")
    assert found.authority == "https://login.chinacloudapi.cn"
    assert found.arm_url == "https://management.chinacloudapi.cn"
    own = AzureAccess(authority="https://mine.example")
    assert access_of_auth_file(own, document, "auth.json").authority == "https://mine.example"
    named = AzureAccess(cloud="usgov")
    assert access_of_auth_file(named, document, "auth.json") == named


@pytest.mark.parametrize("address", ["http://login.example", "https://user@login.example", "https://[", "login"])
def test_an_auth_file_sends_no_secret_to_what_is_no_https_address(address: str) -> None:
    """A secret goes out encrypted, or not at all."""
    document = JSON_AUTH | {"activeDirectoryEndpointUrl": address}
    _is_half(lambda: access_of_auth_file(NOBODY, document, "auth.json"), "activeDirectoryEndpointUrl")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.dictionaries(
                st.sampled_from([*JSON_AUTH, *PLAIN, "clientCertificate", "activeDirectoryEndpointUrl"]),
                inner,
                max_size=6,
            )
            | st.lists(inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_no_auth_file_breaks_the_reader(document: Any) -> None:
    """Any JSON is a principal or a clear error."""
    try:
        access_of_auth_file(NOBODY, document, "auth.json")
        found = of_auth_file(document, "auth.json")
    except RedlineError as error:
        assert error.exit_code is Exit.NO_ENTRY  # noqa: PT017
    else:
        assert found.tenant_id


def test_no_principal_shows_its_secret() -> None:
    """`repr` of everything that holds a secret shows none."""
    held = [
        of_environment(NOBODY, IDS | {"AZURE_CLIENT_SECRET": SECRET}),
        of_environment(NOBODY, IDS | {"AZURE_USERNAME": "ann", "AZURE_PASSWORD": SECRET}),
        of_environment(
            NOBODY, IDS | {"AZURE_CLIENT_CERTIFICATE_PATH": "c", "AZURE_CLIENT_CERTIFICATE_PASSWORD": SECRET}
        ),
        of_github(
            NOBODY, IDS | {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://g", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET}
        ),
        of_auth_file(JSON_AUTH, "auth.json"),
    ]
    assert [one.secrets for one in held if one is not None] == [(SECRET,)] * 5
    assert SECRET not in repr(held)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"CI": "true"}, "CI"),
        ({"GITHUB_ACTIONS": "true"}, "GITHUB_ACTIONS"),
        ({"TF_BUILD": "True"}, "TF_BUILD"),
        ({"JENKINS_URL": "https://j"}, "JENKINS_URL"),
        ({"CI": "false"}, None),
        ({"CI": "0"}, None),
        ({"CI": ""}, None),
        ({}, None),
    ],
)
def test_a_pipeline_is_known_by_its_variables(environ: dict[str, str], variable: str | None) -> None:
    """What says no does not count."""
    assert watching_nobody(environ) == variable


@pytest.mark.parametrize(
    ("environ", "form"),
    [
        ({"IDENTITY_ENDPOINT": "e", "IDENTITY_HEADER": "h"}, "App Service"),
        ({"IDENTITY_ENDPOINT": "e", "IDENTITY_HEADER": "h", "IDENTITY_SERVER_THUMBPRINT": "t"}, "Service Fabric"),
        ({"IDENTITY_ENDPOINT": "e", "IMDS_ENDPOINT": "i"}, "Azure Arc"),
        ({"MSI_ENDPOINT": "e", "MSI_SECRET": "s"}, "Azure ML compute"),
        ({"MSI_ENDPOINT": "e"}, "Cloud Shell"),
        ({}, None),
    ],
)
def test_the_platform_is_known_by_its_variables(environ: dict[str, str], form: str | None) -> None:
    """In the order in which azure-identity looks."""
    assert managed_form(environ) == form


@pytest.mark.parametrize(
    ("access", "environ", "client_id"),
    [
        (NOBODY, {}, None),
        (AzureAccess(client_id="toml"), {"AZURE_CLIENT_ID": "env"}, "toml"),
        (AzureAccess(client_id="toml", auth_file="a.json"), {}, None),
        (AzureAccess(client_id="toml", certificate_file="c.pem"), {}, None),
        (NOBODY, {"AZURE_CLIENT_ID": "env"}, "env"),
        (NOBODY, {"MSI_ENDPOINT": "e", "DEFAULT_IDENTITY_CLIENT_ID": "aml", "AZURE_CLIENT_ID": "env"}, "aml"),
        (NOBODY, {"DEFAULT_IDENTITY_CLIENT_ID": "aml"}, None),
    ],
)
def test_which_identity_is_asked_for(access: AzureAccess, environ: dict[str, str], client_id: str | None) -> None:
    """Azure ML compute names its own; an id beside a secret's or certificate's file is that principal's."""
    assert managed_client_id(access, environ) == client_id


def test_every_kind_says_which_variables_it_reads() -> None:
    """A renewal process gets these and no others; `auto` reads those of every kind that asks nobody."""
    assert set(ENVIRONMENT) == set(AZURE_AUTH_KINDS)
    assert set(ENVIRONMENT["environment"]) <= set(ENVIRONMENT["auto"])
    assert "AZURE_CLIENT_SECRET" not in sign_in_environment(AzureAccess(auth="managed-identity"))
    assert "REQUESTS_CA_BUNDLE" in sign_in_environment(AzureAccess(auth="token-file"))


def _is_half(describe: Any, message: str) -> None:
    with pytest.raises(RedlineError) as caught:
        describe()
    assert message in caught.value.message
    assert caught.value.exit_code is Exit.NO_ENTRY
    assert caught.value.hint
    assert SECRET not in f"{caught.value!r}"
