"""Edge: one exchange with one of Azure's APIs by `requests`: no redirect, no netrc, certificates always checked."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, NameResolutionError

from scoring.controlplane.refusals import RestError
from scoring.errors import causes_of
from scoring.redact import redact
from scoring.text import harmless
from scoring.wire import tls_context

CONNECT_S = 10.0
READ_S = 30.0
MAX_BYTES = 64_000_000
UNREACHABLE = "unreachable"
"""The code of a RestError that may be gone at the next try."""
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, whole. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Owns the connections. `ca_file` alone is trusted where given, then what REQUESTS_CA_BUNDLE names."""

    def __init__(self, ca_file: str | None) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        bundle = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._session.mount("https://", _Trusting(_context(bundle or None)))

    def close(self) -> None:
        """No connection is left open."""
        self._session.close()

    def exchange(self, method: str, url: str, what: str, body: object, token: str | None, until_s: float) -> Answered:
        """The answer, whatever its status; RestError when none came whole before `until_s` (monotonic clock)."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "redline"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        left_s = max(0.001, until_s - time.monotonic())
        try:
            with closing(
                self._session.request(
                    method,
                    url,
                    headers=headers,
                    json=body,
                    timeout=(min(CONNECT_S, left_s), min(READ_S, left_s)),
                    allow_redirects=False,
                    stream=True,
                    proxies=get_environ_proxies(url, no_proxy=None),
                )
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answered(url, response.status_code, found, _body(response, what, until_s))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise _unreached(what, url, error) from error


class _Trusting(HTTPAdapter):
    """requests' transport with certificates checked by one context, also through a proxy."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing: the context verifies, always."""


def _context(bundle: str | None) -> ssl.SSLContext:
    if bundle is not None and Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return tls_context(bundle)


def _body(response: requests.Response, what: str, until_s: float) -> bytes:
    """The whole body; RestError when it is too long or does not end before the deadline."""
    body = bytearray()
    raw: Any = response.raw
    while piece := raw.read1(_CHUNK_BYTES, decode_content=True):
        body += piece
        if len(body) > MAX_BYTES:
            raise RestError(
                f"{what}: the answer is longer than {MAX_BYTES:,} bytes", "ask for fewer lines: --tail 1000"
            )
        if time.monotonic() > until_s:
            raise RestError(f"{what}: the answer did not end in time", "try again", code=UNREACHABLE)
    return bytes(body)


def _unreached(what: str, url: str, error: Exception) -> RestError:
    """No answer: the cause in words, and what can be typed. An error of certificates is not worth a second try."""
    if isinstance(error, RestError):
        return error
    causes = list(causes_of(error))
    host = host_of(url)
    if any(isinstance(cause, requests.exceptions.SSLError | ssl.SSLError) for cause in causes):
        words = next((str(c) for c in causes if isinstance(c, ssl.SSLCertVerificationError)), str(causes[-1]))
        line = f"{what}: the certificate of {host} is not trusted: {harmless(words, max_chars=200)}"
        return RestError(
            line, "ca_file in [azure], or REQUESTS_CA_BUNDLE: the PEM of its authority", code="certificate"
        )
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return RestError(f"{what}: the proxy does not let through to {host}", "env | grep -i proxy", code=UNREACHABLE)
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        hint = f"nslookup {host}; another cloud, or a private network, has other names"
        return RestError(f"{what}: the name {host} is not found", hint, code=UNREACHABLE)
    if any(isinstance(cause, requests.exceptions.Timeout | TimeoutError) for cause in causes):
        return RestError(
            f"{what}: no answer from {host} in time", "try again; is a firewall in between?", code=UNREACHABLE
        )
    words = harmless(redact(str(causes[-1]) or type(causes[-1]).__name__), max_chars=200)
    return RestError(f"{what}: {host} cannot be reached: {words}", f"curl -sv {origin_of(url)}", code=UNREACHABLE)


def check_encrypted(url: str, what: str) -> None:
    """Returns when a token may go there: https, or http of this machine."""
    split = urlsplit(url)
    if split.scheme != "https" and split.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise RestError(f"{what}: {harmless(origin_of(url), max_chars=200)} is not https", "an https address")


def origin_of(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


def host_of(url: str) -> str:
    return harmless(urlsplit(url).netloc, max_chars=200)
