"""The credential of a scoring request: where it stands, who gives it, and what cannot be."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.access import AzureAccess
from scoring.auth import key_in_keyring
from scoring.controlplane.clouds import cloud_of
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import Exit, RedlineError
from scoring.granting import environment_of, scoring_source
from scoring.jwt import expiry_s
from scoring.vault import value_told, vault_secret
from tests.cli.terminal import ROOT
from tests.scoring.plain_keyring import PlainKeyring, kept
from tests.scoring.standin import StandIn, only, stand_in

PRIMARY, SECONDARY = "primary-0123456789abcdefgh", "secondary-0123456789abcdef"
GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
V2, V1 = f"{GROUP}/onlineEndpoints/churn", f"{GROUP}/services/churn"
PUBLIC = cloud_of(AzureAccess(), {})
NOW_S = 1_800_000_000.0


def at(**known: Any) -> Endpoint:
    return Endpoint("churn", "https://churn.example/score", **{"auth": "key"} | known)


@pytest.mark.parametrize(
    ("known", "renews"),
    [
        ({"auth": "none"}, False),
        ({"key_env": "K"}, False),
        ({"key_env": "K", "secondary_key_env": "S"}, False),
        ({"key_env": "K", "secondary_key_file": "s"}, True),
        ({"key_file": "k"}, True),
        ({"key_vault": "https://v.vault.azure.net/secrets/k"}, True),
        ({"key_keyring": "redline/churn"}, True),
        ({"arm_id": V2}, True),
        ({"auth": "token", "arm_id": V2}, True),
        ({"auth": "entra"}, True),
    ],
)
def test_only_what_cannot_change_is_not_renewed(known: dict[str, Any], renews: bool) -> None:
    """The environment of a running process stays as it is; a file, a vault and Azure may tell something else."""
    assert scoring_source(at(**known), {}).renews is renews


def test_an_endpoint_without_a_credential_gets_none() -> None:
    """None is an answer, and asks nobody."""
    assert scoring_source(at(auth="none"), {}).fetch() is None


def test_a_key_file_is_read_anew_at_each_fetch(tmp_path: Path) -> None:
    """Whoever rotates the key writes it there."""
    file = tmp_path / "key"
    source = scoring_source(at(key_file=str(file)), {})
    for key in (PRIMARY, SECONDARY):
        file.write_text(key + "\n")
        grant = source.fetch()
        assert grant is not None
        assert (grant.secret, grant.spare, grant.source) == (key, None, f"file {file}")


def test_a_second_key_is_the_spare_one(tmp_path: Path) -> None:
    """From a variable or a file; a second key that is the first one is none."""
    file = tmp_path / "second"
    file.write_text(SECONDARY)
    environ = {"K": PRIMARY, "S": SECONDARY}
    spares = [
        scoring_source(at(key_env="K", **second), environ).fetch()
        for second in ({"secondary_key_env": "S"}, {"secondary_key_file": str(file)}, {"secondary_key_env": "K"})
    ]
    assert [grant and grant.spare for grant in spares] == [SECONDARY, SECONDARY, None]
    assert PRIMARY not in repr(spares)
    assert SECONDARY not in repr(spares)


def test_a_token_that_tells_its_end_is_known_to_end(tmp_path: Path) -> None:
    """A JWT in a file carries its expiry; a key does not."""
    file = tmp_path / "token"
    file.write_text(f"e30.{base64.urlsafe_b64encode(json.dumps({'exp': 1800000000}).encode()).decode()}.c2ln")
    grant = scoring_source(at(auth="token", key_file=str(file)), {}).fetch()
    assert grant is not None
    assert (grant.expires_s, grant.renew_from_s) == (1_800_000_000.0, None)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: f"e30.{base64.urlsafe_b64encode(raw).decode()}.c"))
def test_no_token_breaks_the_reader(token: str) -> None:
    """What is no JWT has no end that could be read."""
    found = expiry_s(token)
    assert found is None or found > 0


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"hosting": Hosting.ACI, "auth": "token"}, "aci has no token authentication"),
        ({"hosting": Hosting.ACI, "auth": "entra"}, "aci takes no Entra token"),
        ({"hosting": Hosting.AKS, "auth": "entra"}, "aks takes no Entra token"),
        ({"hosting": Hosting.KUBERNETES, "auth": "entra", "arm_id": V2}, "kubernetes takes no Entra token"),
        ({"hosting": Hosting.LOCAL, "auth": "entra"}, "local takes no Entra token"),
        ({"hosting": Hosting.LOCAL, "auth": "token"}, "local has nobody who gives tokens"),
        ({"hosting": Hosting.LOCAL, "arm_id": V2}, "a local endpoint has no control plane"),
        ({"auth": "entra", "arm_id": V1}, "a web service of SDK v1 takes no Entra token"),
        ({"auth": "key"}, "no key_env or key_file says where the credential is, and no arm_id"),
        ({"auth": "token", "hosting": Hosting.MANAGED}, "and no arm_id who gives it"),
        ({"auth": "key", "arm_id": "/subscriptions/x"}, "is no resource id"),
        ({"auth": "key", "arm_id": GROUP}, "names a workspace, not an endpoint in it"),
        ({"key_vault": "https://evil.example/secrets/k"}, "is no address of a key vault"),
        ({"key_vault": "http://v.vault.azure.net/secrets/k"}, "is no address of a secret"),
        ({"key_vault": "https://v.vault.azure.net/keys/k"}, "is no address of a secret"),
        ({"key_vault": "https://v.vault.azure.cn/secrets/k"}, "is of the cloud china, and the sign-in of public"),
        ({"key_vault": "https://vault.azure.net.evil.example/secrets/k"}, "is no address of a key vault"),
        ({"key_keyring": "churn"}, "which is not SERVICE/USER"),
        ({"key_env": "K"}, "environment variable K is not set"),
        ({"key_env": "P", "secondary_key_env": "S"}, "environment variable S is not set"),
        ({"key_file": "/nowhere/key"}, "the key file /nowhere/key cannot be read"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_is_asked(known: dict[str, Any], message: str) -> None:
    """Exit 4, one line, and what to write instead; no sign-in is tried."""
    with pytest.raises(RedlineError) as caught:
        scoring_source(at(**known), {"P": PRIMARY}).fetch()
    assert message in caught.value.message
    assert (caught.value.exit_code, bool(caught.value.hint)) == (Exit.NO_ENTRY, True)


@pytest.mark.parametrize(
    ("known", "has", "lacks"),
    [
        ({"auth": "none"}, set(), {"PATH"}),
        ({"key_env": "K", "secondary_key_env": "S"}, {"K", "S"}, {"AZURE_CLIENT_SECRET"}),
        ({"key_file": "k"}, set(), {"AZURE_CLIENT_SECRET"}),
        ({"key_keyring": "a/b"}, {"DBUS_SESSION_BUS_ADDRESS"}, {"AZURE_CLIENT_SECRET"}),
        ({"arm_id": V2}, {"AZURE_CLIENT_SECRET", "MSI_SECRET", "PATH", "HTTPS_PROXY"}, {"BROWSER"}),
        ({"arm_id": V2, "azure": AzureAccess(auth="cli")}, {"PATH", "HOME"}, {"AZURE_CLIENT_SECRET"}),
        (
            {"arm_id": V2, "azure": AzureAccess(auth="github"), "secondary_key_env": "S"},
            {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "S"},
            {"AZURE_CLIENT_SECRET"},
        ),
    ],
)
def test_a_renewal_reads_no_more_of_the_environment_than_it_needs(
    known: dict[str, Any], has: set[str], lacks: set[str]
) -> None:
    """The variables of the chosen kind, and none of the others."""
    names = set(environment_of(at(**known)))
    assert has <= names
    assert not lacks & names


def test_granting_loads_nothing_heavy_before_it_is_asked() -> None:
    """A load generator imports it after its own patching: azure, requests and keyring come only with a fetch."""
    program = "import sys, scoring.granting; print(sorted({'azure', 'requests', 'keyring', 'msal'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"value": PRIMARY, "attributes": {"enabled": False}}, "is disabled"),
        ({"value": PRIMARY, "attributes": {"exp": NOW_S - 1}}, "expired at 2027-01-15T07:59:59Z"),
        ({"value": PRIMARY, "attributes": {"nbf": NOW_S + 1}}, "not to be used before 2027-01-15T08:00:01Z"),
        ({"value": "", "attributes": {}}, "holds no value"),
        ([], "holds no value"),
        ({"value": 7}, "holds no value"),
    ],
)
def test_a_secret_whose_time_is_not_now_is_not_used(answer: object, message: str) -> None:
    """Key Vault gives out what has expired; a load by it would fail for a reason nobody sees."""
    secret = vault_secret("https://v.vault.azure.net/secrets/k", PUBLIC)
    with pytest.raises(RedlineError, match=message) as caught:
        value_told(secret, answer, NOW_S)
    assert PRIMARY not in f"{caught.value!r}"


def test_a_secret_may_have_a_version() -> None:
    """The address that the portal shows names one."""
    version = "0123456789abcdef0123456789abcdef"
    found = vault_secret(f"https://V.vault.azure.net/secrets/k/{version}", PUBLIC)
    assert (found.vault, found.name, found.url) == ("v", "k", f"https://v.vault.azure.net/secrets/k/{version}")


@pytest.fixture
def keyring() -> Iterator[PlainKeyring]:
    with kept() as found:
        yield found


def test_a_key_comes_from_the_keyring(keyring: PlainKeyring) -> None:
    """SERVICE/USER names it; what is missing or locked has a line of its own."""
    keyring.set_password("redline", "churn", PRIMARY)
    grant = scoring_source(at(key_keyring="redline/churn"), {}).fetch()
    assert grant is not None
    assert (grant.secret, grant.source) == (PRIMARY, "keyring redline/churn")
    with pytest.raises(RedlineError, match="the keyring has no password of other for redline"):
        key_in_keyring("redline/other", "churn")
    keyring.is_locked = True
    with pytest.raises(RedlineError, match="the keyring gives nothing out: KeyringLocked"):
        key_in_keyring("redline/churn", "churn")


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(tmp_path_factory.mktemp("azure"), "--hosting", "managed", "--token-life", "20s") as found:
        yield found


@pytest.fixture
def endpoint(azure: StandIn, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """The keyed endpoint, whose key has to be looked up by whoever the environment names."""
    only(azure.environ("environment"), monkeypatch)
    access = azure.access(tenant_id=azure.ready["tenant_id"])
    arm_id = str(azure.endpoints["local-token"].arm_id).removesuffix("-token")
    return replace(azure.endpoints["local"], key_file=None, arm_id=arm_id, azure=access)


def test_both_keys_are_looked_up(azure: StandIn, endpoint: Endpoint) -> None:
    """The primary is sent, the secondary is the spare; after a rotation the next fetch has the keys of then."""
    source = scoring_source(endpoint, os.environ)
    first = source.fetch()
    azure.command("regenerate", b'{"endpoint": "local", "key": "Primary"}')
    second = source.fetch()
    assert first is not None
    assert second is not None
    assert second.secret not in (first.secret, first.spare)
    assert first.spare is not None
    assert second.spare == first.spare
    assert second.source.startswith("listKeys (primary), as environment (AZURE_CLIENT_SECRET), application ")


@pytest.mark.parametrize(("name", "source"), [("local-token", "aml_token"), ("local-entra", "Entra token, as ")])
def test_a_token_says_when_to_renew_it_and_each_fetch_brings_another(
    azure: StandIn, endpoint: Endpoint, name: str, source: str
) -> None:
    """Renewed before the end, however short its life; what has just been refused is not given again."""
    source_of = scoring_source(replace(azure.endpoints[name], azure=endpoint.azure), os.environ)
    first, second = source_of.fetch(), source_of.fetch()
    assert first is not None
    assert second is not None
    assert first.secret != second.secret
    assert first.source.startswith(source)
    assert first.renew_from_s is not None
    assert first.expires_s is not None
    assert 5 <= first.expires_s - first.renew_from_s <= 15


@pytest.mark.parametrize(
    ("name", "message"),
    [("scoring-key", ""), ("disabled-key", "is disabled"), ("nothing", "does not exist, or not in this version")],
)
def test_a_key_comes_from_key_vault(azure: StandIn, endpoint: Endpoint, name: str, message: str) -> None:
    """The vault's secret is the key; what it does not give out has a line of its own."""
    source = scoring_source(replace(endpoint, key_vault=f"{azure.ready['vault_url']}/secrets/{name}"), os.environ)
    if not message:
        grant = source.fetch()
        assert grant is not None
        assert "Key Vault secret scoring-key" in grant.source
        return
    with pytest.raises(RedlineError, match=message) as caught:
        source.fetch()
    assert caught.value.exit_code is Exit.NO_ENTRY


def test_who_may_not_list_keys_is_told_the_role(azure: StandIn, endpoint: Endpoint) -> None:
    """The action that is missing, and the smallest role that has it; a vault says it in its own words."""
    azure.command("roles", b'{"roles": ["reader"]}')
    try:
        with pytest.raises(RedlineError, match="listKeys/action") as caught:
            scoring_source(endpoint, os.environ).fetch()
        assert "AzureML Data Scientist" in str(caught.value.hint)
        azure.command("roles", b'{"roles": ["none"]}')
        vault = replace(endpoint, key_vault=f"{azure.ready['vault_url']}/secrets/scoring-key")
        with pytest.raises(RedlineError, match=r"whoever signs in may not read it \(403\)") as caught:
            scoring_source(vault, os.environ).fetch()
        assert "Key Vault Secrets User" in str(caught.value.hint)
    finally:
        azure.command("roles", b'{"roles": ["data-scientist", "monitoring-reader"]}')
