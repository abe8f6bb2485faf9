"""Edge: calls to Azure's own APIs: a token for the right audience, patience within bounds, clear errors.

A token goes to the host it was asked for and nowhere else: redirects are not followed, a next page or an operation at
another origin is refused. Answers are read up to 64 MB and until the deadline.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from scoring.access import AzureAccess
from scoring.controlplane.clouds import METADATA_PATH, Cloud, told_by_metadata
from scoring.controlplane.ids import ArmId
from scoring.controlplane.patience import seconds_of, wait_before_next_s
from scoring.controlplane.refusals import RestError, refusal_of
from scoring.controlplane.transport import UNREACHABLE, Answered, Transport, check_encrypted, host_of, origin_of
from scoring.redact import redact
from scoring.text import harmless

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ML_VERSION = "2024-04-01"
DEADLINE_S = 60.0  # of one call, its repetitions included
OPERATION_S = 600.0  # of a long-running operation
LONGEST_POLL_S = 10.0
MOST_PAGES = 50
_TOKEN_MARGIN_S = 120.0
_DONE = frozenset({"succeeded", "failed", "canceled", "cancelled", "timedout"})


@dataclass(slots=True)
class _Token:
    """A token, and until when it is used (seconds since 1970)."""

    text: str
    use_until_s: float


class Rest:
    """Azure's APIs of one cloud, as one credential. Owns the connections; safe to use from several threads."""

    def __init__(
        self,
        access: AzureAccess,
        credential: TokenCredential,
        cloud: Cloud,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credential = credential
        self._cloud = cloud
        self._sleep = sleep
        self._tokens: dict[str, _Token] = {}
        self._mms_bases: dict[str, str] = {}
        self._lock = threading.RLock()
        self._transport = Transport(access.ca_file)

    def __enter__(self) -> Rest:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """No connection is left open."""
        self._transport.close()

    @property
    def cloud(self) -> Cloud:
        """The cloud with the address of its ARM, which a cloud that nobody knows is asked for at its authority."""
        with self._lock:
            if self._cloud.is_custom and self._cloud.arm_url is None:
                self._cloud = self._asked_cloud(self._cloud)
            return self._cloud

    def call(
        self,
        method: str,
        path_or_url: str,
        *,
        what: str | None = None,
        body: object = None,
        query: Mapping[str, str] | None = None,
        api_version: str | None = None,
        scope: str | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Any:
        """The JSON that a call answers, None for an empty answer; a long-running operation is waited for.

        A path goes to ARM with `ML_VERSION` unless another is given; an absolute address keeps its own host, and gets
        no api-version unless one is given. `what` names the call in errors: "the keys of `churn`". Raises RestError.
        """
        what = what or f"{method} {path_or_url.partition('?')[0]}"
        is_path = path_or_url.startswith("/")
        cloud = self.cloud
        url = f"{cloud.arm_url}{path_or_url}" if is_path else path_or_url
        version = api_version or (ML_VERSION if is_path else None)
        asked = {**(query or {}), **({"api-version": version} if version else {})}
        if asked:
            url += ("&" if "?" in url else "?") + urlencode(asked)
        answer = self._patiently(method, url, what, body, scope or cloud.arm_scope, deadline_s)
        if answer.status in (201, 202) and method != "GET" and _operation_of(answer) is not None:
            self._until_done(answer, what, scope or cloud.arm_scope)
        return _json_of(answer, what)

    def pages(self, path_or_url: str, *, what: str, api_version: str | None = None) -> Iterator[Any]:
        """Every item of a list, page after page; pages of another origin are refused."""
        page = self.call("GET", path_or_url, what=what, api_version=api_version)
        origin = origin_of(f"{self.cloud.arm_url}" if path_or_url.startswith("/") else path_or_url)
        for _ in range(MOST_PAGES):
            items = page.get("value") if isinstance(page, dict) else page
            yield from items if isinstance(items, list) else []
            following = page.get("nextLink") if isinstance(page, dict) else None
            if not isinstance(following, str) or not following:
                return
            if origin_of(following) != origin:
                host = harmless(origin_of(following), max_chars=200)
                raise RestError(f"{what}: the next page is at another origin, {host}, which gets no token")
            page = self.call("GET", following, what=what)

    def mms_base(self, workspace: ArmId) -> str:
        """The address below which a workspace's web services of SDK v1 are; asked once per workspace."""
        with self._lock:
            known = self._mms_bases.get(workspace.workspace_id)
            if known is None:
                root = self.cloud.mms_url or self._discovered(workspace)
                known = f"{root}/modelmanagement/v1.0{workspace.of_v1('x').in_url.removesuffix('/services/x')}"
                self._mms_bases[workspace.workspace_id] = known
            return known

    def _discovered(self, workspace: ArmId) -> str:
        what = f"the workspace `{workspace.workspace}`"
        found = self.call("GET", workspace.of_v1("x").in_url.removesuffix("/services/x"), what=what)
        url = _at(found, "properties", "discoveryUrl")
        if not isinstance(url, str) or urlsplit(url).scheme != "https":
            hint = "mms_url in [azure], such as https://westeurope.api.azureml.ms"
            raise RestError(f"{what} tells no https discoveryUrl, so its web services of SDK v1 are not found", hint)
        try:
            services = _json_of(self._patiently("GET", url, "the discovery of Azure ML", None, None, DEADLINE_S), what)
            named = _at(services, "modelmanagement")
        except RestError:
            named = None
        usable = isinstance(named, str) and urlsplit(named).scheme == "https"
        return str(named).rstrip("/") if usable else origin_of(url)

    def _asked_cloud(self, cloud: Cloud) -> Cloud:
        url = origin_of(cloud.authority) + METADATA_PATH
        what = f"the addresses of the cloud of {host_of(cloud.authority)}"
        try:
            found = told_by_metadata(cloud, _json_of(self._patiently("GET", url, what, None, None, DEADLINE_S), what))
        except RestError as error:
            hint = "arm_url in [azure], or REDLINE_ARM_URL: the address of Azure Resource Manager there"
            raise RestError(error.message, hint, status=error.status, code=error.code) from error
        if found.arm_url is None:
            raise RestError(f"{what} name no resource manager", "arm_url in [azure], or REDLINE_ARM_URL")
        return found

    def _patiently(
        self, method: str, url: str, what: str, body: object, scope: str | None, deadline_s: float
    ) -> Answered:
        """The first answer that is a success, within the deadline; RestError with the last refusal."""
        check_encrypted(url, what)
        until_s = time.monotonic() + deadline_s
        tries, challenged = 0, False
        while True:
            tries += 1
            failed: RestError
            status, retry_after = None, None
            try:
                token = None if scope is None else self._token(scope)
                answer = self._transport.exchange(method, url, what, body, token, until_s)
                if answer.status < 300:
                    return answer
                claims = _claims(answer.headers) if answer.status == 401 and not challenged else None
                if claims is not None and scope is not None:
                    challenged = True
                    self._new_token(scope, claims)
                    continue
                status, retry_after = answer.status, answer.headers.get("retry-after")
                failed = refusal_of(what, host_of(url), answer.status, answer.headers, answer.body)
            except RestError as error:
                if error.code != UNREACHABLE:
                    raise
                failed = error
            wait_s = wait_before_next_s(tries, status, retry_after, until_s - time.monotonic())
            if wait_s is None:
                raise failed
            self._sleep(wait_s)

    def _token(self, scope: str) -> str:
        with self._lock:
            known = self._tokens.get(scope)
            if known is None or time.time() >= known.use_until_s:
                return self._new_token(scope, None)
            return known.text

    def _new_token(self, scope: str, claims: str | None) -> str:
        """A token fresh from the credential; single flight, since the lock is held."""
        with self._lock:
            told = (
                self._credential.get_token(scope)
                if claims is None
                else self._credential.get_token(scope, claims=claims)
            )
            life_s = told.expires_on - time.time()
            margin_s = min(_TOKEN_MARGIN_S, life_s / 4)
            self._tokens[scope] = _Token(told.token, told.expires_on - margin_s)
            return told.token

    def _until_done(self, answer: Answered, what: str, scope: str) -> None:
        """Returns when the long-running operation has succeeded; RestError when it has not."""
        until_s = time.monotonic() + OPERATION_S
        url = _operation_of(answer)
        while url is not None:
            if origin_of(url) != origin_of(answer.url):
                host = harmless(origin_of(url), max_chars=200)
                raise RestError(f"{what}: its progress is told at another origin, {host}, which gets no token")
            seen = self._patiently("GET", url, what, None, scope, DEADLINE_S)
            told = _json_of(seen, what)
            state = str(_at(told, "status") or _at(told, "state") or "").lower()
            if state in _DONE or (not state and seen.status != 202):
                if state and state != "succeeded":
                    raise _operation_failed(what, state, told)
                return
            wait_s = min(seconds_of(seen.headers.get("retry-after")) or 2.0, LONGEST_POLL_S)
            if time.monotonic() + wait_s > until_s:
                raise RestError(
                    f"{what}: not done after {OPERATION_S:.0f} s", "look at the Azure portal, then try again"
                )
            self._sleep(wait_s)


def _json_of(answer: Answered, what: str) -> Any:
    if not answer.body.strip():
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        start = harmless(redact(answer.body[:80].decode("utf-8", "replace")), max_chars=80)
        message = f"{what}: {host_of(answer.url)} answered {answer.status} with what is no JSON: {start}"
        raise RestError(message, "is a proxy or a sign-in page in between?", status=answer.status) from error


def _operation_of(answer: Answered) -> str | None:
    """Where a long-running operation tells how far it is: ARM's header, else model management's, else Location."""
    for name in ("azure-asyncoperation", "operation-location", "location"):
        told = answer.headers.get(name)
        if told:
            services = re.match(r"(.*/modelmanagement/v1\.0/.*)/services/", answer.url)
            if name == "operation-location" and services is not None:
                return f"{services[1]}/operations/{told.partition('?')[0].rstrip('/').rpartition('/')[2]}"
            return urljoin(answer.url, told)
    return None


def _operation_failed(what: str, state: str, told: Any) -> RestError:
    error = json.dumps({"error": _at(told, "error") or {}}).encode()
    refused = refusal_of(what, "Azure", 500, {}, error)
    return RestError(f"{refused.message}; the operation ended as {harmless(state, max_chars=40)}", code=refused.code)


def _claims(headers: Mapping[str, str]) -> str | None:
    """The claims that a 401 asks a new token to hold (continuous access evaluation), as azure-identity takes them."""
    found = re.search(r'claims="([A-Za-z0-9+/=_-]{1,8000})"', headers.get("www-authenticate", ""))
    if found is None:
        return None
    try:
        return base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
    except ValueError:
        return None


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
