"""Where scoring requests go, and what is known of the place."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from scoring.access import AZURE_AUTH_KINDS, AzureAccess
from scoring.errors import RedlineError
from scoring.text import harmless

if TYPE_CHECKING:
    from scoring.scenario import Scenario

AUTH_KINDS = ("none", "key", "token", "entra")


class Hosting(StrEnum):
    ACI = "aci"
    AKS = "aks"
    MANAGED = "managed"
    KUBERNETES = "kubernetes"
    LOCAL = "local"


@dataclass(frozen=True)
class Endpoint:
    """A scoring endpoint as redline.toml or the command line describes it. Names secrets, never holds one."""

    name: str
    scoring_uri: str
    hosting: Hosting | None = None
    auth: str = "none"  # one of AUTH_KINDS
    key_env: str | None = None
    key_file: str | None = None
    key_vault: str | None = None  # https://VAULT.vault.azure.net/secrets/NAME
    key_keyring: str | None = None  # SERVICE/USER in the keyring of the operating system
    secondary_key_env: str | None = None  # the key to fall back to when the first is refused
    secondary_key_file: str | None = None
    deployment: str | None = None
    ca_file: str | None = None
    instances: int | None = None
    max_concurrent: int | None = None  # requests one instance serves at once
    request_timeout_ns: int | None = None
    scenario: str | None = None  # path of a scenario file
    goals: tuple[str, ...] = ()
    need: str | None = None
    arm_id: str | None = (
        None  # …/workspaces/W/onlineEndpoints/NAME; of an SDK v1 web service …/workspaces/W/services/NAME
    )
    app_insights_id: str | None = None  # resource id of the Application Insights component
    workspace_id: str | None = None  # GUID of the Log Analytics workspace
    logs_url: str | None = None  # None: Azure's public cloud
    metrics_url: str | None = None  # regional: https://REGION.metrics.monitor.azure.com
    azure_token_file: str | None = None  # file with an access token, for where no Azure credential can be had
    azure: AzureAccess = field(default_factory=AzureAccess)

    def __post_init__(self) -> None:
        checked_uri(self.scoring_uri)
        for name in (self.key_env, self.secondary_key_env):
            if name is not None:
                checked_env_name(name)
        if self.deployment is not None:
            checked_deployment(self.deployment)

    @property
    def host(self) -> str:
        """Lower case, an IPv6 address without its brackets."""
        return self._split.hostname or ""

    @property
    def port(self) -> int:
        return self._split.port or (443 if self.is_tls else 80)

    @property
    def path(self) -> str:
        """Path and query as they stand in the request line; at least `/`."""
        split = self._split
        return (split.path or "/") + (f"?{split.query}" if split.query else "")

    @property
    def host_header(self) -> str:
        """Value of the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def is_tls(self) -> bool:
        return self._split.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """True for 127.0.0.0/8, ::1 and localhost, told from the text alone: no name is resolved."""
        if self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback

    @property
    def telemetry_source(self) -> str:
        """Where its telemetry is asked for: endpoints with the same one have it or lack it together."""
        return f"{self.logs_url or ''} {self.workspace_id or self.app_insights_id or ''}".lower()

    @property
    def expected_admitted(self) -> int | None:
        """Requests that the front end lets in at once, as Microsoft documents it; None: never rejects, or unknown."""
        if self.instances is None or self.max_concurrent is None:
            return None
        served = self.instances * self.max_concurrent
        if self.hosting in (Hosting.AKS, Hosting.KUBERNETES):
            return served
        return 2 * served if self.hosting is Hosting.MANAGED else None

    @property
    def _split(self) -> SplitResult:
        return urlsplit(self.scoring_uri)


def checked_uri(uri: str) -> str:
    """The URI as given, when it is http or https with a host, and without user info or fragment; else RedlineError."""
    hint = "an address such as https://NAME.REGION.inference.ml.azure.com/score"
    seen = harmless(uri, max_chars=200)
    if any(char <= " " or char == "\x7f" for char in uri):
        raise RedlineError("the scoring URI holds a space or a control character", hint)
    try:
        split = urlsplit(uri)
        port = split.port
    except ValueError as error:
        raise RedlineError("the scoring URI cannot be read: bad port or address", hint) from error
    if "@" in split.netloc:
        raise RedlineError("the scoring URI holds a user name or password", "an address without it; key_env for a key")
    if split.scheme not in ("http", "https"):
        raise RedlineError(f"`{seen}` is no http or https address", hint)
    if not split.hostname or port == 0:
        raise RedlineError(f"`{seen}` names no host, or port 0", hint)
    if split.fragment or uri.endswith("#"):
        raise RedlineError(f"`{seen}` has a fragment, which is never sent", "the address without # and what follows")
    if not uri.isascii():
        raise RedlineError(f"`{seen}` is not ASCII", "a percent-encoded path, a punycode host")
    return uri


def checked_env_name(name: str) -> str:
    """The name as given, when it can be an environment variable's and does not look like the secret itself."""
    looks_secret = len(name) >= 20 and "_" not in name and any(c.isdigit() for c in name)
    if looks_secret or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        message = "key_env holds no variable name, but perhaps the key itself (value not shown)"
        raise RedlineError(message, "the name of an environment variable, such as SCORING_KEY")
    return name


def checked_deployment(name: str) -> str:
    """The name as given, when it can stand in a header."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise RedlineError(f"`{harmless(name, max_chars=60)}` is no deployment name", "letters, digits and dashes")
    return name


def with_access(endpoint: Endpoint, auth: str | None, ca_file: str | None) -> Endpoint:
    """The endpoint with what --auth and --ca-file say; None leaves what is there.

    A kind of sign-in that is chosen so comes before `azure_token_file`.
    """
    access = endpoint.azure
    if auth is not None:
        if auth not in AZURE_AUTH_KINDS:
            seen = harmless(auth, max_chars=60)
            raise RedlineError(f"--auth {seen} is no way to sign in to Azure", f"one of: {', '.join(AZURE_AUTH_KINDS)}")
        endpoint, access = replace(endpoint, azure_token_file=None), replace(access, auth=auth)
    if ca_file is not None:
        endpoint, access = replace(endpoint, ca_file=ca_file), replace(access, ca_file=ca_file)
    return replace(endpoint, azure=access)


def request_headers(endpoint: Endpoint, scenario: Scenario, key: str | None, request_id: str) -> list[tuple[str, str]]:
    """The headers of one scoring request, in order. Host, Content-Length and Connection belong to the transport."""
    headers = [("Accept", "*/*"), ("User-Agent", "redline"), ("Content-Type", scenario.content_type)]
    headers.append(("x-ms-client-request-id", request_id))
    if key is not None:
        headers.append(("Authorization", f"Bearer {key}"))
    if endpoint.deployment is not None:
        headers.append(("azureml-model-deployment", endpoint.deployment))
    given = {name.lower() for name, _ in scenario.headers}
    return [header for header in headers if header[0].lower() not in given] + list(scenario.headers)


def endpoint_as_json(endpoint: Endpoint) -> dict[str, Any]:
    """Plain values; `endpoint_from` reads them back. Names where the key is, not the key."""
    return asdict(endpoint)


def endpoint_from(document: dict[str, Any]) -> Endpoint:
    """The endpoint that `endpoint_as_json` wrote. Unknown keys are dropped, so that newer files stay readable."""
    known = {known.name for known in fields(Endpoint)}
    values = {name: value for name, value in document.items() if name in known}
    if values.get("hosting") is not None:
        values["hosting"] = Hosting(values["hosting"])
    values["goals"] = tuple(values.get("goals") or ())
    access = values.get("azure") or {}
    values["azure"] = AzureAccess(**{f.name: access[f.name] for f in fields(AzureAccess) if f.name in access})
    return Endpoint(**values)
