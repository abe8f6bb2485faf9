"""The key vault of the stand-in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.localazure.conftest import Serve
from tests.localazure.identity.calling import Calling, token_of

Get = Callable[[str, str | None], requests.Response]


@pytest.fixture(scope="module")
def azure(serve: Serve) -> Calling:
    return Calling(serve("--hosting", "aks", "--no-telemetry").ready)


@pytest.fixture
def get(azure: Calling) -> Get:
    def ask(name: str, token: str | None) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"{azure.ready['vault_url']}/secrets/{name}?api-version=7.4"
        return requests.get(url, headers=headers, verify=azure.ready["ca_file"], timeout=30)

    return ask


def test_the_secret_is_the_primary_key(azure: Calling, get: Get) -> None:
    """With a token for vaults, and with no other; the first refusal names issuer and resource."""
    token = token_of(azure.ready, "https://vault.azure.net/.default")
    assert get("scoring-key", token).json()["value"] == azure.ready["key"]
    refused = get("scoring-key", None)
    assert (refused.status_code, get("scoring-key", azure.token).status_code) == (401, 401)
    assert (
        f'authorization="{azure.ready["authority"]}/{azure.ready["tenant_id"]}"' in refused.headers["WWW-Authenticate"]
    )


def test_refusals_have_the_codes_of_key_vault(azure: Calling, get: Get) -> None:
    """Not there, switched off, and not allowed."""
    token = token_of(azure.ready, "https://vault.azure.net/.default")
    missing, disabled = get("other", token).json(), get("disabled-key", token).json()
    assert missing["error"]["code"] == "SecretNotFound"
    assert disabled["error"]["innererror"]["code"] == "SecretDisabled"
    azure.command("roles", {"roles": ["none"]})
    forbidden = get("scoring-key", token)
    assert (forbidden.status_code, forbidden.json()["error"]["innererror"]["code"]) == (403, "ForbiddenByPolicy")
