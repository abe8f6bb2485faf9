"""Where Azure's APIs are and which audience each wants, for every cloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from scoring.access import AzureAccess
from scoring.errors import Exit, RedlineError
from scoring.text import harmless

ARM_URL = "REDLINE_ARM_URL"
MMS_URL = "REDLINE_MMS_URL"
AUTHORITY = "AZURE_AUTHORITY_HOST"
METADATA_PATH = "/metadata/endpoints?api-version=2022-09-01"
"""Where an ARM, without a token, tells of its cloud."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses have no slash at their end; a scope is what a token is asked for."""

    name: str  # one of scoring.access.CLOUDS, or custom
    authority: str
    arm_url: str | None  # None: `METADATA_PATH` at the authority tells
    arm_scope: str
    ml_scope: str  # scoring with Entra
    logs_url: str
    logs_scope: str
    metrics_host: str  # metrics of a region are at https://REGION.this
    metrics_scope: str
    vault_host: str  # a vault is at https://NAME.this
    vault_scope: str
    mms_url: str | None = None  # None: the workspace's discovery URL tells
    all_metrics_url: str | None = None  # of every region; None: each has its own

    @property
    def is_custom(self) -> bool:
        return self.name == "custom"

    def metrics_url(self, region: str) -> str:
        """Where the metrics of a region are read; its name may stand there as `West Europe`."""
        return self.all_metrics_url or f"https://{region.replace(' ', '').lower()}.{self.metrics_host}"


_PUBLIC = Cloud(
    name="public",
    authority="https://login.microsoftonline.com",
    arm_url="https://management.azure.com",
    arm_scope="https://management.azure.com/.default",
    ml_scope="https://ml.azure.com/.default",
    logs_url="https://api.loganalytics.azure.com",
    logs_scope="https://api.loganalytics.io/.default",
    metrics_host="metrics.monitor.azure.com",
    metrics_scope="https://metrics.monitor.azure.com/.default",
    vault_host="vault.azure.net",
    vault_scope="https://vault.azure.net/.default",
)
_CHINA = Cloud(
    name="china",
    authority="https://login.chinacloudapi.cn",
    arm_url="https://management.chinacloudapi.cn",
    arm_scope="https://management.chinacloudapi.cn/.default",
    ml_scope="https://ml.azure.cn/.default",
    logs_url="https://api.loganalytics.azure.cn",
    logs_scope="https://api.loganalytics.azure.cn/.default",
    metrics_host="metrics.monitor.azure.cn",
    metrics_scope="https://metrics.monitor.azure.cn/.default",
    vault_host="vault.azure.cn",
    vault_scope="https://vault.azure.cn/.default",
)
_USGOV = Cloud(
    name="usgov",
    authority="https://login.microsoftonline.us",
    arm_url="https://management.usgovcloudapi.net",
    arm_scope="https://management.usgovcloudapi.net/.default",
    ml_scope="https://ml.azure.us/.default",
    logs_url="https://api.loganalytics.us",
    logs_scope="https://api.loganalytics.us/.default",
    metrics_host="metrics.monitor.azure.us",
    metrics_scope="https://metrics.monitor.azure.us/.default",
    vault_host="vault.usgovcloudapi.net",
    vault_scope="https://vault.usgovcloudapi.net/.default",
)
KNOWN = {cloud.name: cloud for cloud in (_PUBLIC, _CHINA, _USGOV)}
_OTHER_AUTHORITIES = {
    "login.windows.net": "public",
    "login.microsoft.com": "public",
    "sts.windows.net": "public",
    "login.partner.microsoftonline.cn": "china",
}


def cloud_of(access: AzureAccess, environ: Mapping[str, str]) -> Cloud:
    """The cloud that [azure] names, else the one of its addresses, else of the environment's, else the public one.

    Addresses given beside a known cloud replace its own. RedlineError (exit 4) for one that cannot be used.
    """
    authority = _given(access.authority, "authority in [azure]") or _given(environ.get(AUTHORITY), AUTHORITY)
    arm_url = _given(access.arm_url, "arm_url in [azure]") or _given(environ.get(ARM_URL), ARM_URL)
    mms_url = _given(access.mms_url, "mms_url in [azure]") or _given(environ.get(MMS_URL), MMS_URL)
    known = KNOWN.get(access.cloud or "") or _known_by(authority, arm_url)
    if known is not None:
        return replace(known, authority=authority or known.authority, arm_url=arm_url or known.arm_url, mms_url=mms_url)
    return replace(_PUBLIC, name="custom", authority=authority or _PUBLIC.authority, arm_url=arm_url, mms_url=mms_url)


def told_by_metadata(cloud: Cloud, document: object) -> Cloud:
    """The cloud with what its ARM's metadata document says; what the document leaves out stays as it is."""
    if isinstance(document, list):
        document = document[0] if document else None
    if not isinstance(document, dict):
        return cloud
    found = cloud
    arm_url, logs = _https(document.get("resourceManager")), _https(document.get("logAnalyticsResourceId"))
    audience = _first_https(_inner(document, "authentication").get("audiences"))
    metrics = _https(document.get("metricsEndpoint"))
    vault = _inner(document, "suffixes").get("keyVaultDns")
    if cloud.arm_url is None and arm_url is not None:
        found = replace(found, arm_url=arm_url)
    if audience is not None:
        found = replace(found, arm_scope=f"{audience}/.default")
    if logs is not None:
        found = replace(found, logs_url=logs, logs_scope=f"{logs}/.default")
    if metrics is not None:
        found = replace(found, all_metrics_url=metrics)
    if isinstance(vault, str) and re.fullmatch(r"\.?[a-z0-9.-]{1,200}", vault):
        found = replace(found, vault_host=vault.lstrip("."), vault_scope=f"https://{vault.lstrip('.')}/.default")
    return found


def _known_by(authority: str | None, arm_url: str | None) -> Cloud | None:
    """The cloud with this authority or ARM; the public one where neither is given, None where they are strangers."""
    if authority is None and arm_url is None:
        return _PUBLIC
    hosts = {_host(address) for address in (authority, arm_url) if address is not None}
    named = next((KNOWN[name] for host, name in _OTHER_AUTHORITIES.items() if host in hosts), None)
    return named or next(
        (cloud for cloud in KNOWN.values() if hosts & {_host(cloud.authority), _host(cloud.arm_url or "")}), None
    )


def _given(text: str | None, where: str) -> str | None:
    """The address without what follows its path; a host alone becomes https. Tokens never travel in clear text."""
    if text is None or not text.strip():
        return None
    address = text.strip() if "://" in text else f"https://{text.strip()}"
    try:
        split = urlsplit(address)
        clear = split.scheme == "http" and split.hostname not in _LOOPBACK
        usable = split.scheme in ("http", "https") and split.hostname and split.port != 0 and "@" not in split.netloc
    except ValueError:
        clear, usable = True, False
    if clear or not usable:
        message = f"{where} is `{harmless(text, max_chars=120)}`, which is no https address"
        raise RedlineError(message, "an address such as https://login.microsoftonline.us", Exit.NO_ENTRY)
    return address.rstrip("/")


def _https(value: object) -> str | None:
    return value.rstrip("/") if isinstance(value, str) and value.startswith("https://") else None


def _first_https(values: object) -> str | None:
    return next(filter(None, map(_https, values)), None) if isinstance(values, list) else None


def _inner(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""
