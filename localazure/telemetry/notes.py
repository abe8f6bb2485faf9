"""What the endpoint notes of each request for its telemetry: one tuple, which the child's pipe sends in batches."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from localazure.telemetry.endpoint_rows import service_lines
from localazure.telemetry.records import MAX_SHOWN_BODY_BYTES, Happened, Launched, Load, Modelled, Switched

if TYPE_CHECKING:
    from localazure.answers import Ids
    from localazure.http1 import Request
    from localazure.model import ModelAnswer
    from localazure.options import Options
    from localazure.service import Exchange
    from localazure.telemetry.child import TelemetryChild

CLIENT_LEFT = 499
"""The status of a request whose caller left first. Azure's own is not known."""
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]+")
_INTERNAL = ("/", "/redline/stats")
_AUTH_TYPES = {"none": "", "key": "Key", "token": "AMLToken", "entra": "AADToken"}
_RECENT_COUNT = 2_000


class Notes:
    """Owns nothing: writes to the records of the child. Traffic is noted on managed hosting, as only it logs it."""

    def __init__(self, child: TelemetryChild, options: Options) -> None:
        self._child = child
        self._is_built_in = options.entry_script is None
        self._has_traffic = options.hosting == "managed" and options.control.has_diagnostics
        self._instance_count = options.instances
        self._worker_count = options.instances * options.max_concurrent
        self._opened_count = 0
        self._recent: deque[tuple[Any, ...]] = deque(maxlen=_RECENT_COUNT)

    def modelled(self, exchange: Exchange, answer: ModelAnswer, spent_ns: int) -> None:
        """The built-in model is done with a request. The real server tells of its own."""
        if not self._is_built_in:
            return
        request, ids, body = exchange.request, exchange.ids, answer.body
        headers = request.headers
        record = (
            *("m", time.time_ns(), spent_ns, int.from_bytes(ids.request.encode()[-2:]) % self._worker_count),
            *(request.method, "/score", request.query, ids.request, ids.client, headers.get("user-agent", "-")),
            *(answer.status, body[:MAX_SHOWN_BODY_BYTES], len(body), answer.run_failed, answer.traceback),
        )
        self._child.records.append(record)
        self._recent.append(record)

    def aside(self, request: Request, ids: Ids, status: int, body: bytes) -> None:
        """The server answered something else than a scoring request, which it tells of too, but for health probes."""
        if self._is_built_in and request.path not in _INTERNAL and status not in (404, 405):
            agent = request.headers.get("user-agent", "-")
            path = "/score" if request.method == "OPTIONS" else "/swagger.json"
            self._child.records.append(
                (
                    *("m", time.time_ns(), 0, 0, request.method, path, request.query, ids.request, ids.client, agent),
                    *(status, body[:MAX_SHOWN_BODY_BYTES], len(body), False, None),
                )
            )

    def passed(
        self,
        request: Request,
        ids: Ids | None,
        status: int,
        response_bytes: int,
        auth: str,
        *,
        total_ns: int = 0,
        reason: str = "",
        model: tuple[int | None, int] | None = None,
    ) -> None:
        """The front end has answered. `model`: status and time of the container, where it was reached."""
        if not self._has_traffic or request.path in _INTERNAL:
            return
        headers = request.headers
        auth_type = _AUTH_TYPES[auth] if "authorization" in headers else ""
        client = ids.client if ids is not None else usable(headers.get("x-ms-client-request-id"))
        model_status, model_ns = (None, None) if model is None else model
        self._child.records.append(
            (
                *("p", time.time_ns(), total_ns, model_ns, request.method, request.path),
                *("HTTP/1.0" if request.is_http10 else "HTTP/1.1", auth_type, status, reason),
                *(model_status, len(request.body), response_bytes, headers.get("user-agent", "")),
                *("" if ids is None else ids.request, client),
            )
        )

    def load(self, connection_count: int, opened_count: int, ready_count: int) -> None:
        """How busy the endpoint is now. `opened_count` counts since the start."""
        if self._has_traffic:
            opened, self._opened_count = opened_count - self._opened_count, opened_count
            self._child.add(Load(time.time_ns(), connection_count, opened, ready_count))

    def switched(self, is_on: bool) -> None:
        """App Insights of the deployment is on, or off, from now on."""
        self._child.add(Switched(time.time_ns(), is_on))

    def recent_log(self, line_count: int) -> str:
        """The last lines that the built-in model's server has written about the last requests."""
        settings, lines = self._child.settings, list[str]()
        for record in reversed(self._recent):
            lines = [*"\n".join(service_lines(Modelled(*record[1:]), settings)).split("\n"), *lines]
            if len(lines) >= line_count:
                break
        return "".join(f"{line}\n" for line in lines[-line_count:])

    def happened(self, instance: int, name: str, message: str) -> None:
        if self._has_traffic:
            self._child.add(Happened(time.time_ns(), instance, name, message))

    def launched(self, instance: int, pid: int | None = None) -> None:
        """The container of an instance runs; `pid` is that of its inference server, None for the built-in model."""
        self._child.add(Launched(time.time_ns(), instance, pid))

    def built_in_launched(self, *, is_cold: bool) -> None:
        """All instances of the built-in model; a cold one fails its probe until it is ready."""
        for instance in range(self._instance_count):
            self.launched(instance)
            if is_cold:
                self.happened(instance, "ReadinessProbeFailed", "Readiness probe failed: the model is not loaded yet")


def usable(client_id: str | None) -> str | None:
    """The caller's id as a managed endpoint takes it: letters, digits, `-` and `_`, cut at 40."""
    return client_id[:40] if client_id and _CLIENT_ID.fullmatch(client_id) else None
