"""Where Azure's own APIs are, and who signs in to them. Names secrets, never holds one."""

from __future__ import annotations

from dataclasses import dataclass

AZURE_AUTH_KINDS = (
    "auto",
    "environment",
    "service-principal",
    "certificate",
    "workload-identity",
    "github",
    "managed-identity",
    "cli",
    "browser",
    "device-code",
    "token-file",
)
CLOUDS = ("public", "china", "usgov")


@dataclass(frozen=True, slots=True)
class AzureAccess:
    """The table [azure] of redline.toml. None: what the cloud, the environment or a look-up says."""

    auth: str = "auto"  # one of AZURE_AUTH_KINDS
    cloud: str | None = None  # one of CLOUDS
    tenant_id: str | None = None
    client_id: str | None = None
    auth_file: str | None = None  # JSON of `az ad sp create-for-rbac --json-auth`
    certificate_file: str | None = None  # PEM or PFX of the service principal
    token_file: str | None = None  # an access token that somebody else renews
    authority: str | None = None  # https address of the token issuer
    arm_url: str | None = None  # Azure Resource Manager
    mms_url: str | None = None  # model management of SDK v1, regional
    ca_file: str | None = None  # PEM of the authority behind these addresses' certificates
