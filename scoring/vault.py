"""A secret of Azure Key Vault, by one REST call; and which vault an address means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scoring.controlplane.clouds import KNOWN, Cloud
from scoring.controlplane.refusals import RestError
from scoring.errors import Exit, RedlineError
from scoring.text import harmless

if TYPE_CHECKING:
    from scoring.controlplane.rest import Rest

API_VERSION = "7.4"
_PATH = re.compile(r"/secrets/([0-9A-Za-z-]{1,127})(?:/([0-9a-fA-F]{32}))?/?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EXAMPLE = 'key_vault = "https://VAULT.vault.azure.net/secrets/NAME"'


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """Which secret of which vault. `version` None: the current one."""

    origin: str
    vault: str
    name: str
    version: str | None

    @property
    def url(self) -> str:
        return f"{self.origin}/secrets/{self.name}" + (f"/{self.version}" if self.version else "")

    @property
    def words(self) -> str:
        return f"Key Vault secret {self.name} of {self.vault}"


def vault_secret(address: str, cloud: Cloud) -> VaultSecret:
    """The secret that the address means. RedlineError (exit 4) where it is none of this cloud's vaults.

    A token for vaults goes to vaults only: of the cloud itself, or of this machine where a cloud is imitated.
    """
    try:
        split = urlsplit(address)
        host, port = (split.hostname or "").lower(), split.port
    except ValueError:
        raise _wrong(address, "is no address") from None
    found = _PATH.fullmatch(split.path)
    if split.scheme != "https" or not host or "@" in split.netloc or found is None or split.query or split.fragment:
        raise _wrong(address, "is no address of a secret")
    is_imitated = cloud.is_custom and host in _LOOPBACK
    if not host.endswith(f".{cloud.vault_host}") and not is_imitated:
        other = next((one.name for one in KNOWN.values() if host.endswith(f".{one.vault_host}")), None)
        if other is not None:
            message = f"the vault {host} is of the cloud {other}, and the sign-in of {cloud.name}"
            raise RedlineError(message, f'cloud = "{other}" under [azure]', Exit.NO_ENTRY)
        raise _wrong(address, "is no address of a key vault")
    return VaultSecret(
        f"https://{host}{f':{port}' if port else ''}",
        host if is_imitated else host.partition(".")[0],
        found[1],
        found[2],
    )


def secret_in(rest: Rest, secret: VaultSecret, now_s: float) -> str:
    """The secret's value, foreign and as it is. RedlineError (exit 4) where it is not given out or not to be used."""
    try:
        answer = rest.call("GET", secret.url, what=secret.words, api_version=API_VERSION, scope=rest.cloud.vault_scope)
    except RestError as error:
        raise _refused(secret, error) from error
    return value_told(secret, answer, now_s)


def value_told(secret: VaultSecret, answer: object, now_s: float) -> str:
    """The value in a vault's answer. RedlineError (exit 4) where there is none, or where its time is not now."""
    document = answer if isinstance(answer, dict) else {}
    attributes = document.get("attributes")
    _check_usable(secret, attributes if isinstance(attributes, dict) else {}, now_s)
    value = document.get("value")
    if not isinstance(value, str) or not value:
        raise RedlineError(f"{secret.words} holds no value", _set(secret), Exit.NO_ENTRY)
    return value


def _check_usable(secret: VaultSecret, attributes: dict[str, Any], now_s: float) -> None:
    if attributes.get("enabled") is False:
        raise _disabled(secret)
    expires_s, from_s = attributes.get("exp"), attributes.get("nbf")
    if isinstance(expires_s, int | float) and expires_s <= now_s:
        raise RedlineError(f"{secret.words} expired at {_at(expires_s)}", _set(secret), Exit.NO_ENTRY)
    if isinstance(from_s, int | float) and from_s > now_s:
        message = f"{secret.words} is not to be used before {_at(from_s)}"
        raise RedlineError(message, "date -u; or name an older version of it", Exit.NO_ENTRY)


def _refused(secret: VaultSecret, error: RestError) -> RedlineError:
    """The vault's refusal in the words of vaults; what broke on the way keeps its own."""
    if error.status == 403 and "disabled" in error.message.lower():
        return _disabled(secret)
    if error.status == 403 and re.search(r"(?i)network|firewall|client address", error.message):
        message = f"{secret.words}: the vault takes no requests from this network"
        hint = f"az keyvault network-rule add --name {secret.vault} --ip-address ADDRESS"
        return RedlineError(message, hint, Exit.NO_ENTRY)
    if error.status == 403:
        hint = (
            'az role assignment create --assignee CLIENT_ID --role "Key Vault Secrets User" --scope'
            f" $(az keyvault show --name {secret.vault} --query id -o tsv)"
        )
        return RedlineError(f"{secret.words}: whoever signs in may not read it (403)", hint, Exit.NO_ENTRY)
    if error.status == 404:
        message = f"{secret.words} does not exist, or not in this version"
        return RedlineError(message, f"az keyvault secret list --vault-name {secret.vault} -o table", Exit.NO_ENTRY)
    if error.status == 401:
        message = f"{secret.words}: the vault does not take the token (401): it may be of another tenant"
        return RedlineError(message, "tenant_id under [azure]: that of the vault's subscription", Exit.NO_ENTRY)
    return RedlineError(error.message, error.hint, Exit.NO_ENTRY)


def _disabled(secret: VaultSecret) -> RedlineError:
    hint = f"az keyvault secret set-attributes --vault-name {secret.vault} --name {secret.name} --enabled true"
    return RedlineError(f"{secret.words} is disabled", hint, Exit.NO_ENTRY)


def _set(secret: VaultSecret) -> str:
    return f"az keyvault secret set --vault-name {secret.vault} --name {secret.name} --file key.txt"


def _at(instant_s: float) -> str:
    try:
        return datetime.fromtimestamp(instant_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "an instant that no calendar has"


def _wrong(address: str, words: str) -> RedlineError:
    return RedlineError(f"key_vault `{harmless(address, max_chars=200)}` {words}", _EXAMPLE, Exit.NO_ENTRY)
