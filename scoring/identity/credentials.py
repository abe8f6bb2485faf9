"""Edge: the credentials of azure-identity, each of which fails with one clear line and within a bounded time."""

from __future__ import annotations

import logging
import socket
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import AzureError, ClientAuthenticationError

from scoring.controlplane.clouds import KNOWN, Cloud
from scoring.errors import Exit, RedlineError
from scoring.identity.failures import Failure, Signer, failure_of
from scoring.identity.githubtoken import github_assertion
from scoring.identity.principals import (
    AssertionFile,
    Certificate,
    GithubToken,
    Password,
    Principal,
    Secret,
)
from scoring.jwt import expiry_s
from scoring.text import harmless

if TYPE_CHECKING:
    from azure.core.credentials import TokenRequestOptions

BOUNDS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 1, "retry_status": 1}
"""A token issuer that does not answer is given up after half a minute."""
_PLATFORM_BOUNDS: dict[str, Any] = {"connection_timeout": 2, "read_timeout": 5, "retry_total": 2, "retry_status": 2}
TOOL_TIMEOUT_S = 20
PERSON_TIMEOUT_S = 300
_PROBE_S = 1.0
_METADATA_SERVICE = "http://169.254.169.254"
_MAX_FILE_BYTES = 1_000_000
_FILE_LIFE_S = 300
_STALE_S = 5.0  # what is left of a token that is still handed out
_FILE_HINT = "az account get-access-token --resource https://management.azure.com --query accessToken -o tsv > FILE"

for _name in ("azure.identity", "msal"):  # they would write foreign text, line by line, to stderr
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class NotSignedIn(RedlineError, ClientAuthenticationError):
    """A sign-in that failed, in redline's words; for clients of azure-core an error of authentication as any other."""

    def __init__(self, message: str, hint: str | None, *, why: str | None = None, is_absent: bool = False) -> None:
        Exception.__init__(self, message, hint, Exit.NO_ENTRY)
        self.message = message
        self.hint = hint
        self.exit_code = Exit.NO_ENTRY
        self.why = why or message.removeprefix("signing in to Azure by ")
        self.is_absent = is_absent
        self.reason = self.status_code = self.response = self.model = self.error = self.continuation_token = None
        self.inner_exception = None


class Signed:
    """A credential of azure-identity that raises NotSignedIn, whatever goes wrong."""

    def __init__(self, credential: Any, signer: Signer) -> None:
        self._credential = credential
        self._tried: dict[str, AccessTokenInfo] = {}  # given once more, to who asks first after the trial
        self.signer = signer

    def try_for(self, scope: str) -> None:
        """Returns when a token for the scope has been had."""
        self._tried[scope] = self.get_token_info(scope)

    def close(self) -> None:
        """No connection is left open."""
        self._credential.close()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        told = self.get_token_info(*scopes, options=options)  # type: ignore[arg-type]
        return AccessToken(told.token, told.expires_on)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        tried = self._tried.pop(scopes[0], None) if len(scopes) == 1 else None
        is_asked = tried is not None and not (options or {}).get("claims")
        if tried is not None and is_asked and tried.expires_on - time.time() > _STALE_S:
            return tried
        try:
            info: AccessTokenInfo = self._credential.get_token_info(*scopes, options=options or {})
        except NotSignedIn:
            raise
        except (AzureError, ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError) as error:
            raise_not_signed_in(error, self.signer)
        return info


class FileToken:
    """The token that stands in a file, read anew each time it is asked for: whoever renews it writes it there."""

    def __init__(self, path: str, whose: str) -> None:
        self._path = Path(path)
        self._whose = whose
        self._token()

    @property
    def path(self) -> str:
        return str(self._path)

    def try_for(self, scope: str) -> None:
        """Returns when a token has been had; which scope it is for, its writer decides."""
        self.get_token(scope)

    def close(self) -> None:
        """Nothing is open."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(*self._token())

    def get_token_info(self, *_scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:  # noqa: ARG002
        return AccessTokenInfo(*self._token())

    def _token(self) -> tuple[str, int]:
        """The token, and until when it may be kept in seconds since 1970."""
        try:
            token = self._read().decode("ascii").strip()
        except UnicodeDecodeError:
            token = ""
        if not token or not all("!" <= char <= "~" for char in token):
            raise NotSignedIn(f"{self._whose}: the token file {self._path} holds no token", self._hint)
        expires_s, now_s = expiry_s(token), time.time()
        if expires_s is not None and expires_s <= now_s:
            at = datetime.fromtimestamp(expires_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            raise NotSignedIn(f"{self._whose}: the token in {self._path} expired at {at}", self._hint)
        return token, int(min(now_s + _FILE_LIFE_S, expires_s or now_s + _FILE_LIFE_S))

    def _read(self) -> bytes:
        return read_file(self._path, f"{self._whose}: the token file", self._hint)

    @property
    def _hint(self) -> str:
        return _FILE_HINT.replace("FILE", str(self._path))


def read_file(path: Path, what: str, hint: str) -> bytes:
    """The beginning of the file, at most a megabyte; NotSignedIn where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NotSignedIn(f"{what} {path} cannot be read: {reason}", hint) from error


def raise_not_signed_in(error: BaseException, signer: Signer) -> NoReturn:
    if isinstance(error, RedlineError):
        raise NotSignedIn(error.message, error.hint) from error
    failed = failure_of(error, signer)
    raise not_signed_in(failed, signer) from error


def not_signed_in(failed: Failure, signer: Signer) -> NotSignedIn:
    message = f"signing in to Azure by {signer.words}: {failed.what}"
    return NotSignedIn(message, failed.hint, why=failed.what, is_absent=failed.is_absent)


def of_principal(kind: str, principal: Principal, cloud: Cloud, ca_file: str | None) -> Signed:
    """The principal's credential. Raises NotSignedIn for a file that cannot be used."""
    words = f"{kind} ({principal.source})"
    signer = Signer(kind, words, cloud.authority, principal.tenant_id, principal.client_id, principal.secrets)
    try:
        return Signed(_credential(principal, signer, _options(cloud, ca_file)), signer)
    except (ValueError, TypeError) as error:
        raise_not_signed_in(error, signer)


def _credential(principal: Principal, signer: Signer, options: dict[str, Any]) -> Any:
    from azure.identity import ClientAssertionCredential, ClientSecretCredential

    ids = (principal.tenant_id, principal.client_id)
    match principal.proof:
        case Secret(value):
            return ClientSecretCredential(*ids, value, **options)
        case Certificate() as certificate:
            return _of_certificate(principal, certificate, signer, options)
        case AssertionFile(file):
            return ClientAssertionCredential(*ids, lambda: _assertion(file, signer), **options)
        case GithubToken(url, bearer):
            ca_file = options.get("connection_verify")
            return ClientAssertionCredential(*ids, lambda: github_assertion(url, bearer, ca_file), **options)
        case Password(user, value):
            return _of_password(principal, user, value, options)


def _assertion(file: str, signer: Signer) -> str:
    what = f"signing in to Azure by {signer.kind}: the federated token file"
    token = read_file(Path(file), what, f"ls -l {file}").decode("ascii", "replace").strip()
    if not token or not all("!" <= char <= "~" for char in token):
        raise NotSignedIn(f"{what} {file} holds no token", "echo $AZURE_FEDERATED_TOKEN_FILE")
    return token


def _of_certificate(principal: Principal, certificate: Certificate, signer: Signer, options: dict[str, Any]) -> Any:
    from azure.identity import CertificateCredential
    from cryptography.exceptions import UnsupportedAlgorithm

    path = Path(certificate.file)
    what = f"signing in to Azure by {signer.kind}: the certificate file"
    data = read_file(path, what, f"ls -l {path}")
    if not data:
        raise NotSignedIn(f"{what} {path} is empty", f"openssl x509 -in {path} -noout -subject")
    try:
        return CertificateCredential(
            principal.tenant_id,
            principal.client_id,
            certificate_data=data,
            password=certificate.password,
            send_certificate_chain=certificate.sends_chain,
            **options,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = (
            "a PEM or PFX file with certificate and RSA key; AZURE_CLIENT_CERTIFICATE_PASSWORD opens an encrypted one"
        )
        raise NotSignedIn(f"{what} {path} {_unusable(data, certificate, error)}", hint) from error


def _unusable(data: bytes, certificate: Certificate, error: Exception) -> str:
    """Why a certificate file gives no credential."""
    if "RSA" in str(error):
        return "has a private key that is no RSA key"
    if b"-----BEGIN" in data:
        if b"PRIVATE KEY-----" not in data:
            return "holds no private key"
        if b"-----BEGIN CERTIFICATE-----" not in data:
            return "holds no certificate"
    is_encrypted = b"ENCRYPTED" in data or b"-----BEGIN" not in data
    if is_encrypted and certificate.password is None:
        return "is no PEM or PFX file, or is encrypted, and AZURE_CLIENT_CERTIFICATE_PASSWORD is not set"
    if is_encrypted:
        return "cannot be opened: it is damaged, or AZURE_CLIENT_CERTIFICATE_PASSWORD is another one's"
    return "cannot be read as PEM or PFX"


def _of_password(principal: Principal, user: str, password: str, options: dict[str, Any]) -> Any:
    from azure.identity import UsernamePasswordCredential

    with warnings.catch_warnings():  # its users are told by the words of the signer
        warnings.simplefilter("ignore", DeprecationWarning)
        return UsernamePasswordCredential(principal.client_id, user, password, tenant_id=principal.tenant_id, **options)


def of_platform(form: str | None, client_id: str | None, environ: Mapping[str, str]) -> Signed:
    """The identity that the compute we run on has. NotSignedIn (absent) where no metadata service answers."""
    from azure.identity import ManagedIdentityCredential

    identity = "the system-assigned identity" if client_id is None else f"identity {client_id}"
    signer = Signer(
        "managed-identity", f"managed identity ({form or 'metadata service'}, {identity})", client_id=client_id
    )
    if form is None:
        _probe_metadata(environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _METADATA_SERVICE, signer)
    try:
        return Signed(ManagedIdentityCredential(client_id=client_id, **_PLATFORM_BOUNDS), signer)
    except (ValueError, TypeError) as error:
        raise_not_signed_in(error, signer)


def _probe_metadata(url: str, signer: Signer) -> None:
    """Returns when somebody listens there; a laptop is told within a second that nobody does."""
    split = urlsplit(url)
    try:
        with socket.create_connection((split.hostname or "", split.port or 80), timeout=_PROBE_S):
            return
    except (OSError, ValueError) as error:
        failed = failure_of(ValueError("no response from the IMDS endpoint"), signer)
        raise not_signed_in(failed, signer) from error


def of_tool(tool: str, tenant_id: str | None) -> Signed:
    """The sign-in of a command-line tool: `az`, `azd` or `pwsh`."""
    from azure.identity import AzureCliCredential, AzureDeveloperCliCredential, AzurePowerShellCredential

    kind: Any = {"az": AzureCliCredential, "azd": AzureDeveloperCliCredential, "pwsh": AzurePowerShellCredential}[tool]
    words = {"az": "Azure CLI (az)", "azd": "Azure Developer CLI (azd)", "pwsh": "Azure PowerShell (pwsh)"}[tool]
    signer = Signer("cli", words, tenant_id=tenant_id)
    try:
        return Signed(kind(tenant_id=tenant_id or "", process_timeout=TOOL_TIMEOUT_S), signer)
    except ValueError as error:
        raise_not_signed_in(error, signer)


def of_person(
    kind: str,
    client_id: str | None,
    tenant_id: str | None,
    cloud: Cloud,
    ca_file: str | None,
    say: Callable[[str], None],
) -> Signed:
    """A person's sign-in, in a browser here or by a code typed into one elsewhere."""
    from azure.identity import DeviceCodeCredential, InteractiveBrowserCredential

    def told(address: str, code: str, _until_at: datetime) -> None:
        say(f"To sign in, open {address} in a browser and enter the code {code}")

    options = {**_options(cloud, ca_file), "timeout": PERSON_TIMEOUT_S}
    options |= {name: value for name, value in (("client_id", client_id), ("tenant_id", tenant_id)) if value}
    signer = Signer(kind, "browser" if kind == "browser" else "device code", cloud.authority, tenant_id, client_id)
    try:
        if kind == "browser":
            return Signed(InteractiveBrowserCredential(**options), signer)
        return Signed(DeviceCodeCredential(prompt_callback=told, **options), signer)
    except (ValueError, TypeError) as error:
        raise_not_signed_in(error, signer)


def _options(cloud: Cloud, ca_file: str | None) -> dict[str, Any]:
    """Where tokens come from. Of an authority that is not Microsoft's nobody at Microsoft is asked."""
    if not cloud.authority.startswith("https://"):
        message = f"signing in to Azure: authority {harmless(cloud.authority, max_chars=100)} is no https address"
        raise NotSignedIn(message, 'authority = "https://..." under [azure], or AZURE_AUTHORITY_HOST')
    options: dict[str, Any] = {"authority": cloud.authority, **BOUNDS}
    if cloud.authority not in {known.authority for known in KNOWN.values()}:
        options["disable_instance_discovery"] = True
    if ca_file is not None:
        if not Path(ca_file).is_file():
            raise NotSignedIn(f"signing in to Azure: ca_file {ca_file} is no file", f"ls -l {ca_file}")
        options["connection_verify"] = ca_file
    return options
