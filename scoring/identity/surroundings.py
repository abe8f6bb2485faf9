"""What the environment says of the place we run in, and which of its variables each kind of sign-in may need."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.access import AzureAccess

CI_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "TF_BUILD",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "BUILDKITE",
    "CIRCLECI",
    "CODEBUILD_BUILD_ID",
    "BITBUCKET_BUILD_NUMBER",
    "AZUREML_RUN_ID",
)
"""Set where no person watches. Values that mean no do not count."""

_PRINCIPAL = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
_CERTIFICATE = ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN")
_AZUREML = tuple(f"AZUREML_SERVICE_PRINCIPAL_{part}" for part in ("TENANT_ID", "ID", "PASSWORD"))
_HOME = ("HOME", "PATH", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "LANG", "DISPLAY")

ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "environment": (
        *_PRINCIPAL,
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PATH",
        *_CERTIFICATE,
        "AZURE_USERNAME",
        "AZURE_PASSWORD",
    ),
    "service-principal": ("AZURE_AUTH_LOCATION", *_AZUREML, *_CERTIFICATE),
    "certificate": (*_PRINCIPAL, *_CERTIFICATE),
    "workload-identity": (*_PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE"),
    "github": (*_PRINCIPAL, "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    "managed-identity": (
        "AZURE_CLIENT_ID",
        "DEFAULT_IDENTITY_CLIENT_ID",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "IDENTITY_SERVER_THUMBPRINT",
        "IMDS_ENDPOINT",
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    ),
    "cli": (*_HOME, "AZURE_CONFIG_DIR", "AZD_CONFIG_DIR"),
    "browser": (*_PRINCIPAL, *_HOME, "BROWSER", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
    "device-code": _PRINCIPAL,
    "token-file": (),
}
"""Kind of sign-in → the variables it may read beside those of every kind."""
ENVIRONMENT["auto"] = tuple(
    dict.fromkeys(
        name for kind, names in ENVIRONMENT.items() if kind not in ("browser", "device-code") for name in names
    )
)

NETWORK = (
    "AZURE_AUTHORITY_HOST",
    "REDLINE_ARM_URL",
    "REDLINE_MMS_URL",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    *(name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())),
)
"""What every kind may read: the cloud, the authorities to trust, the way out."""


def sign_in_environment(access: AzureAccess) -> tuple[str, ...]:
    """The variables that signing in as `access` says may need, and those by which a pipeline is known."""
    return tuple(dict.fromkeys((*ENVIRONMENT[access.auth], *NETWORK, *CI_VARIABLES)))


def watching_nobody(environ: Mapping[str, str]) -> str | None:
    """The variable that says that this is a pipeline or a job, where nobody can be asked; None elsewhere."""
    return next((name for name in CI_VARIABLES if _means_yes(environ.get(name))), None)


def managed_client_id(access: AzureAccess, environ: Mapping[str, str]) -> str | None:
    """The client id of a user-assigned identity; None: the system-assigned one is asked for.

    An id beside auth_file or certificate_file is that service principal's. Azure ML compute names its identity itself.
    """
    if access.client_id is not None and access.auth_file is None and access.certificate_file is None:
        return access.client_id
    if environ.get("MSI_ENDPOINT") and environ.get("DEFAULT_IDENTITY_CLIENT_ID"):
        return environ["DEFAULT_IDENTITY_CLIENT_ID"]
    return environ.get("AZURE_CLIENT_ID") or None


def managed_form(environ: Mapping[str, str]) -> str | None:
    """The platform that offers a managed identity by its variables; None: only the metadata service can tell."""
    if environ.get("IDENTITY_ENDPOINT"):
        if environ.get("IDENTITY_HEADER"):
            return "Service Fabric" if environ.get("IDENTITY_SERVER_THUMBPRINT") else "App Service"
        return "Azure Arc" if environ.get("IMDS_ENDPOINT") else None
    if environ.get("MSI_ENDPOINT"):
        return "Azure ML compute" if environ.get("MSI_SECRET") else "Cloud Shell"
    return None


def _means_yes(value: str | None) -> bool:
    return value is not None and value.strip().lower() not in ("", "0", "false", "no")
