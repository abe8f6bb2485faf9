"""The bytes of each answer, as the hosting writes it: status, texts and headers. No I/O.

Texts and headers are those of public traces of Azure; where none is known the text is ours and docs/serve.md says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from localazure.model import MS, ModelAnswer

HOSTINGS = ("aks", "kubernetes", "managed", "aci", "local")
SERVER_VERSION = "azmlinfsrv/1.5.1"
TROUBLESHOOTING = (
    b"\nWhat the status means is told here:\n"
    b"https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-online-endpoints#http-status-codes\n"
)
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class Cause(Enum):
    """Why the front end answers in place of the model."""

    OVERLOADED = 1
    NOT_READY = 2
    RATE_LIMITED = 3
    TIMED_OUT = 4
    CRASHED = 5
    WRONG_KEY = 6
    NO_KEY = 7
    NO_DEPLOYMENT = 8
    LONG_ID = 9
    NO_TOKEN = 10
    WRONG_TOKEN = 11  # malformed, of another issuer, or for another audience
    EXPIRED_TOKEN = 12
    NO_RIGHT = 13  # the token is good, its principal may not score


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer whose bytes are known before the request."""

    status: int
    body: bytes = b""
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Ids:
    """The tracing headers of one answer. `client` is None when the caller sent no usable id."""

    request: str
    ms_request: str
    client: str | None


def canned_answer(cause: Cause, hosting: str, *, name: str, timeout_ns: int | None) -> Canned:
    """What the hosting's front end says, and with which status, in place of the model."""
    if cause is Cause.NO_DEPLOYMENT:
        return Canned(404, b"Specified traffic group could not be found")
    if cause is Cause.LONG_ID:
        return Canned(431, b'{"message": "x-ms-client-request-id is longer than 100 characters"}', _JSON)
    if hosting == "managed":
        return _MANAGED[cause]
    return _routed(cause, hosting, name, (timeout_ns or 0) // MS)


def _reason(reason: str, status_code: str | None = None) -> tuple[tuple[str, str], ...]:
    headers = (("ms-azureml-model-error-reason", reason),)
    return headers if status_code is None else (*headers, ("ms-azureml-model-error-statuscode", status_code))


_MANAGED = {
    Cause.OVERLOADED: Canned(429, b"", "text/plain", _reason("too_many_pending_request")),
    Cause.NOT_READY: Canned(424, b"no healthy upstream" + TROUBLESHOOTING, _TEXT, _reason("model_not_ready", "")),
    Cause.RATE_LIMITED: Canned(429, b"Rate limited"),
    Cause.TIMED_OUT: Canned(408, b"upstream request timeout"),
    Cause.CRASHED: Canned(424, b"upstream closed the connection" + TROUBLESHOOTING, _TEXT, _reason("model_error", "")),
    Cause.WRONG_KEY: Canned(401, b"key_auth_access_denied"),
    Cause.NO_KEY: Canned(401, b"key_auth_bad_header_forbidden"),
    Cause.NO_TOKEN: Canned(401, b"token_auth_bad_header_forbidden"),
    Cause.WRONG_TOKEN: Canned(401, b"token_auth_access_denied"),
    Cause.EXPIRED_TOKEN: Canned(401, b"token_auth_token_expired"),
    Cause.NO_RIGHT: Canned(403, b"token_auth_permission_denied: onlineEndpoints/score/action"),
}


REASONS = {
    Cause.OVERLOADED: "too_many_pending_request",
    Cause.NOT_READY: "model_not_ready",
    Cause.RATE_LIMITED: "rate_limited",
    Cause.TIMED_OUT: "upstream_request_timeout",
    Cause.CRASHED: "model_error",
    Cause.WRONG_KEY: "key_auth_access_denied",
    Cause.NO_KEY: "key_auth_bad_header_forbidden",
    Cause.NO_DEPLOYMENT: "traffic_group_not_found",
    Cause.LONG_ID: "request_header_too_large",
    Cause.NO_TOKEN: "token_auth_bad_header_forbidden",
    Cause.WRONG_TOKEN: "token_auth_access_denied",
    Cause.EXPIRED_TOKEN: "token_auth_token_expired",
    Cause.NO_RIGHT: "token_auth_permission_denied",
}
"""The word for each cause in the traffic log of a managed endpoint. Those that no header carries are ours."""


def _routed(cause: Cause, hosting: str, name: str, timeout_ms: int) -> Canned:
    """Answers of azureml-fe and of the ACI side-car. A local container has neither; it only ever needs the 401."""
    texts = {
        Cause.OVERLOADED: (503, f"Too many requests for service {name} (overloaded)"),
        Cause.NOT_READY: (503, f"No ready replicas for service {name}"),
        Cause.RATE_LIMITED: (429, "Rate limited"),
        Cause.TIMED_OUT: (504, f"The replica did not answer within {timeout_ms} ms"),
        Cause.CRASHED: (502, "Replica closed connection before replying"),
        Cause.WRONG_KEY: (401, "Unauthorized: wrong key"),
        Cause.NO_KEY: (401, "Unauthorized: no key in the Authorization header"),
        Cause.NO_TOKEN: (401, "Unauthorized: no token in the Authorization header"),
        Cause.WRONG_TOKEN: (401, "Unauthorized: wrong token"),
        Cause.EXPIRED_TOKEN: (401, "Unauthorized: the token has expired"),
        Cause.NO_RIGHT: (403, "Forbidden: the principal may not score"),
    }
    if hosting == "aci":
        texts[Cause.TIMED_OUT] = (
            504,
            "Post http://localhost:5001/score: net/http: request canceled "
            "(Client.Timeout exceeded while awaiting headers)",
        )
    status, text = texts[cause]
    return Canned(status, text.encode())


def ids_of(headers: dict[str, str], hosting: str, fresh: str) -> Ids | None:
    """The tracing ids of the answer; None when the caller's id is longer than the inference server takes.

    Managed endpoints overwrite x-request-id and take a client id of letters, digits, `-` and `_`, cut at 40.
    """
    client = headers.get("x-ms-client-request-id") or None
    request = fresh
    if hosting == "managed":
        client = client[:40] if client and _CLIENT_ID.fullmatch(client) else None
    else:
        if client and len(client) > 100:
            return None
        client = client if client and _PRINTABLE.fullmatch(client) else None
        given = headers.get("x-request-id", "")
        request = given if given and len(given) <= 100 and _PRINTABLE.fullmatch(given) else fresh
    return Ids(request, client or request, client)


class AnswerWriter:
    """Answers as bytes. The parts that never change are put together once; `date` is to be set about once a second."""

    def __init__(
        self, hosting: str, *, name: str, deployment: str, timeout_ns: int | None, retry_after_s: float | None
    ) -> None:
        self._hosting = hosting
        self.date = b""
        self._common = b""
        if hosting == "managed":
            deployment_lines = [("azureml-model-deployment", deployment), ("azureml-model-session", deployment)]
            self._common = _lines([("server", "azureml-frontdoor"), *deployment_lines])
        self._canned: dict[Cause, tuple[int, bytes, bytes]] = {}
        for cause in Cause:
            canned = canned_answer(cause, hosting, name=name, timeout_ns=timeout_ns)
            headers = list(canned.headers)
            if retry_after_s is not None and canned.status in (429, 503):
                headers.append(("Retry-After", str(math.ceil(retry_after_s))))
            start = _start(canned.status, canned.content_type, len(canned.body)) + self._common + _lines(headers)
            self._canned[cause] = (canned.status, start, canned.body)
        run_lines = _lines([("x-ms-run-function-failed", "False"), ("x-ms-server-version", SERVER_VERSION)])
        self._good_start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + self._common + run_lines

    def canned(self, cause: Cause, ids: Ids | None, connection: bytes) -> tuple[int, bytes]:
        """Status and bytes of the front end's own answer. `connection` is b"" or a whole Connection line."""
        status, start, body = self._canned[cause]
        return status, start + self.date + _id_lines(ids) + connection + b"\r\n" + body

    def from_model(self, answer: ModelAnswer, ids: Ids, connection: bytes, spent_ns: int) -> tuple[int, bytes]:
        """Status and bytes of the model's answer as the hosting passes it on; `spent_ns` is the container's time."""
        if answer.status is None:
            return self.canned(Cause.CRASHED, ids, connection)
        if answer.status == 200 and not answer.headers and answer.content_type == _JSON and not answer.run_failed:
            start, status, body = self._good_start, 200, answer.body
        else:
            status, start, body = self._other(answer)
        times = b""
        if answer.exec_ns is not None:
            times = b"x-ms-run-fn-exec-ms: %.3f\r\n" % (answer.exec_ns / MS)
        if self._hosting == "managed":
            times += b"ms-azureml-model-time: %d\r\n" % (spent_ns // MS)
        length = b"Content-Length: %d\r\n" % len(body)
        return status, b"".join((start, length, times, self.date, _id_lines(ids), connection, b"\r\n", body))

    def _other(self, answer: ModelAnswer) -> tuple[int, bytes, bytes]:
        status, body = answer.status or 500, answer.body
        headers = [("Content-Type", answer.content_type), *answer.headers]
        headers.append(("x-ms-run-function-failed", str(answer.run_failed)))
        if not any(name.lower() == "x-ms-server-version" for name, _ in answer.headers):
            headers.append(("x-ms-server-version", SERVER_VERSION))
        if self._hosting == "managed" and status != 200:
            headers += _reason("model_error", str(status))
            status, body = 424, body + TROUBLESHOOTING
        return status, _status_line(status) + self._common + _lines(headers), body

    def plain(self, status: int, body: bytes, content_type: str, connection: bytes, allow: str | None = None) -> bytes:
        """An answer outside scoring: health, swagger, statistics, 404, 405 and requests that cannot be read."""
        headers = [] if allow is None else [("Allow", allow)]
        start = _start(status, content_type, len(body)) + self._common + _lines(headers)
        return start + self.date + connection + b"\r\n" + body


def message(text: str) -> bytes:
    """The body in which the inference server wraps its own messages."""
    return json.dumps({"message": text}).encode()


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())


def _start(status: int, content_type: str, length_bytes: int) -> bytes:
    lines = [("Content-Type", content_type), ("Content-Length", str(length_bytes))]
    return _status_line(status) + _lines(lines)


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")


def _id_lines(ids: Ids | None) -> bytes:
    if ids is None:
        return b""
    text = f"x-ms-request-id: {ids.ms_request}\r\nx-request-id: {ids.request}\r\n"
    if ids.client is not None:
        text += f"x-ms-client-request-id: {ids.client}\r\n"
    return text.encode("latin-1")
