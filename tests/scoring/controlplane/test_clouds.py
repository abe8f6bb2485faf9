"""Where Azure's APIs are, by [azure] and the environment."""

from __future__ import annotations

import pytest

from scoring.access import AzureAccess
from scoring.controlplane.clouds import cloud_of, told_by_metadata
from scoring.errors import Exit, RedlineError

METADATA = [
    {
        "name": "AzureStack",
        "authentication": {"loginEndpoint": "https://login.local", "audiences": ["https://management.local/"]},
        "resourceManager": "https://arm.local/",
        "logAnalyticsResourceId": "https://logs.local",
        "suffixes": {"keyVaultDns": "vault.local"},
    }
]


@pytest.mark.parametrize(
    ("access", "environ", "name", "arm_url"),
    [
        pytest.param(
            AzureAccess(), {}, "public", "https://management.azure.com", id="nothing said is the public cloud"
        ),
        pytest.param(
            AzureAccess(cloud="china"), {}, "china", "https://management.chinacloudapi.cn", id="a cloud by its name"
        ),
        pytest.param(
            AzureAccess(),
            {"AZURE_AUTHORITY_HOST": "login.microsoftonline.us"},
            "usgov",
            "https://management.usgovcloudapi.net",
            id="a known authority, without its scheme",
        ),
        pytest.param(
            AzureAccess(),
            {"AZURE_AUTHORITY_HOST": "https://login.partner.microsoftonline.cn/"},
            "china",
            "https://management.chinacloudapi.cn",
            id="the other name of an authority",
        ),
        pytest.param(
            AzureAccess(arm_url="https://management.usgovcloudapi.net/"),
            {},
            "usgov",
            "https://management.usgovcloudapi.net",
            id="a known resource manager",
        ),
        pytest.param(
            AzureAccess(authority="https://login.local"), {}, "custom", None, id="an authority that nobody knows"
        ),
        pytest.param(
            AzureAccess(authority="https://login.local"),
            {"REDLINE_ARM_URL": "https://arm.local/"},
            "custom",
            "https://arm.local",
            id="its resource manager by the environment",
        ),
        pytest.param(
            AzureAccess(cloud="public", arm_url="https://arm.local"),
            {},
            "public",
            "https://arm.local",
            id="an address beside a cloud replaces its own",
        ),
        pytest.param(
            AzureAccess(authority="https://login.microsoftonline.us"),
            {"AZURE_AUTHORITY_HOST": "https://login.chinacloudapi.cn"},
            "usgov",
            "https://management.usgovcloudapi.net",
            id="the file comes before the environment",
        ),
    ],
)
def test_the_cloud_is_told_by_its_addresses(
    access: AzureAccess, environ: dict[str, str], name: str, arm_url: str | None
) -> None:
    """[azure] decides, then the environment; an address that no cloud has makes a cloud of its own."""
    cloud = cloud_of(access, environ)
    assert (cloud.name, cloud.arm_url) == (name, arm_url)


@pytest.mark.parametrize("address", ["http://login.local", "ftp://x", "https://user@login.local", "https://", "h:x"])
def test_a_token_issuer_without_tls_is_refused(address: str) -> None:
    """An address that would carry tokens in clear text, or is none, is one line with its place, exit 4."""
    with pytest.raises(RedlineError, match="AZURE_AUTHORITY_HOST") as told:
        cloud_of(AzureAccess(), {"AZURE_AUTHORITY_HOST": address})
    assert told.value.exit_code is Exit.NO_ENTRY


def test_the_metadata_of_a_cloud_completes_it() -> None:
    """Resource manager, audiences, logs and vaults come from the document; what it leaves out stays."""
    cloud = told_by_metadata(cloud_of(AzureAccess(authority="https://login.local"), {}), METADATA)
    assert cloud.arm_url == "https://arm.local"
    assert cloud.arm_scope == "https://management.local/.default"
    assert (cloud.logs_url, cloud.vault_host) == ("https://logs.local", "vault.local")
    assert cloud.ml_scope == "https://ml.azure.com/.default"


@pytest.mark.parametrize(
    "document", [None, [], {}, [[]], {"resourceManager": 5, "suffixes": [], "authentication": "x"}]
)
def test_metadata_of_a_strange_shape_changes_nothing(document: object) -> None:
    """What is no metadata document leaves the cloud as it was."""
    cloud = cloud_of(AzureAccess(authority="https://login.local"), {})
    assert told_by_metadata(cloud, document) == cloud


def test_metrics_are_where_the_region_is() -> None:
    """A region's name may be written as the portal shows it."""
    assert cloud_of(AzureAccess(), {}).metrics_url("West Europe") == "https://westeurope.metrics.monitor.azure.com"
