"""Edge: one scoring request by `requests`: no retry, no redirect, no proxy, one total deadline, an exact outcome."""

from __future__ import annotations

import http.client
import re
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, IncompleteRead, InvalidChunkLength

from scoring.attempt import FLAG_NEW_CONNECTION, Attempt, Failure
from scoring.endpoint import Endpoint, request_headers
from scoring.errors import causes_of
from scoring.redact import redact
from scoring.scenario import Payload, Scenario, judge, why_not
from scoring.text import harmless
from scoring.wire import Wire, WireError

_KEPT_BODY_BYTES = 65_536
_CHUNK_BYTES = 65_536
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """What came of one request. `headers` has lower-case names and foreign values; `detail` is one harmless line."""

    attempt: Attempt
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""  # its first 64 KiB
    detail: str = ""
    phases_ns: Mapping[str, int] = field(
        default_factory=dict
    )  # those reached of dns, connect, tls, wait, transfer, total
    date_skew_s: float | None = None  # the server's Date header minus our clock; the header has whole seconds
    certificate_expires_s: float | None = None  # seconds since 1970


def probe(
    endpoint: Endpoint,
    scenario: Scenario,
    payload: Payload,
    key: str | None,
    *,
    deadline_ns: int | None = None,
) -> Answer:
    """What came of one request, at the latest at the deadline: the scenario's, unless one is given."""
    request_id = uuid.uuid4().hex
    seen = _Seen()
    with Wire(endpoint, scenario.deadline_ns if deadline_ns is None else deadline_ns) as wire:
        try:
            _exchange(
                wire, seen, _request(endpoint, scenario, payload, key, request_id), scenario.expectation.max_bytes
            )
            failure, detail = _judged(endpoint, scenario, payload, seen)
        except WireError as error:
            failure, detail = error.failure, error.detail
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            failure, detail = _broken(error, seen)
        done_ns = seen.done_ns or time.monotonic_ns()
        if done_ns >= wire.deadline_ns and not wire.is_opening:
            failure, detail = Failure.DEADLINE_EXCEEDED, seen.progress
    attempt = _attempt(request_id, scenario, payload, wire, seen, done_ns, failure)
    detail = redact(harmless(redact(detail, _held(key)), max_chars=500), _held(key))
    return _answer(attempt, wire, seen, detail)


@dataclass
class _Seen:
    """What has arrived so far."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    first_byte_ns: int | None = None
    headers_at_s: float = 0.0  # seconds since 1970
    done_ns: int | None = None  # the last byte; judging comes after it and is not the endpoint's time
    is_cut: bool = False  # the connection was gone while we sent, which urllib3 keeps to itself

    @property
    def place(self) -> str:
        if self.first_byte_ns is None:
            return "before the first byte"
        return "inside the header" if self.status is None else f"after {len(self.body):,} body bytes"

    @property
    def progress(self) -> str:
        if self.first_byte_ns is None:
            return "no byte of an answer before the deadline"
        if self.status is None:
            return "the header was not complete at the deadline"
        return f"{len(self.body):,} body bytes had come at the deadline"


class _TooLarge(ValueError):
    """The body is longer than the expectation reads."""


class _Head:
    """The lines of a response head, read from `file`; keeps the last one."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def close(self) -> None:
        self.file.close()


class _Response(http.client.HTTPResponse):
    """Notes when its first byte comes, and refuses a head that ends before its blank line."""

    def __init__(self, seen: _Seen, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen = seen

    def begin(self) -> None:
        if self.fp.peek(1):
            self._seen.first_byte_ns = time.monotonic_ns()
        whole: Any = self.fp
        head = _Head(whole)
        self.fp = head  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = whole
        if head.last not in (b"\r\n", b"\n"):
            raise http.client.HTTPException("the connection was closed inside the header")


class _Connection(HTTPConnection):
    """urllib3's connection over our wire, which does TLS itself."""

    def __init__(self, wire: Wire, seen: _Seen, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._wire, self._seen = wire, seen
        self.response_class = partial(_Response, seen)  # type: ignore[assignment]

    def connect(self) -> None:
        self.sock = self._wire.open()

    def send(self, data: Any) -> None:
        try:
            super().send(data)
        except ConnectionError:
            self._seen.is_cut = True
            raise


class _Adapter(HTTPAdapter):
    """requests' transport over one wire, for one request."""

    def __init__(self, wire: Wire, seen: _Seen) -> None:
        super().__init__(max_retries=0)
        self._pool = HTTPConnectionPool(wire.endpoint.host, wire.endpoint.port)
        self._pool.ConnectionCls = partial(_Connection, wire, seen)  # type: ignore[assignment]

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Nothing: the wire verifies, always."""

    def close(self) -> None:
        self._pool.close()
        super().close()


def _request(
    endpoint: Endpoint, scenario: Scenario, payload: Payload, key: str | None, request_id: str
) -> requests.PreparedRequest:
    headers = dict(request_headers(endpoint, scenario, key, request_id))
    headers |= {"Host": endpoint.host_header, "Accept-Encoding": "identity", "Connection": "close"}
    return requests.Request(scenario.method, endpoint.scoring_uri, headers=headers, data=payload.body).prepare()


def _exchange(wire: Wire, seen: _Seen, request: requests.PreparedRequest, max_bytes: int) -> None:
    """Send, and read the answer to its end into `seen`. Raises what stopped it."""
    with (
        closing(_Adapter(wire, seen)) as adapter,
        closing(adapter.send(request, stream=True, timeout=wire.remaining_s)) as response,
    ):
        seen.headers_at_s = time.time()
        seen.status = response.status_code
        seen.headers = {name.lower(): value for name, value in response.headers.items()}
        length = seen.headers.get("content-length")
        if length is not None and not length.isdecimal():
            raise http.client.HTTPException(f"Content-Length is {length}")
        if length is not None and int(length) > max_bytes:
            raise _TooLarge(f"Content-Length is {length}, more than {max_bytes:,} bytes are not read")
        for piece in _pieces(response.raw):
            seen.body += piece
            if len(seen.body) > max_bytes:
                raise _TooLarge(f"more than {max_bytes:,} bytes")
    seen.done_ns = time.monotonic_ns()


def _pieces(raw: Any) -> Iterator[bytes]:
    """The body as it arrives, not decoded."""
    if raw.chunked:
        yield from raw.read_chunked(_CHUNK_BYTES, decode_content=False)
        return
    while piece := raw.read1(_CHUNK_BYTES, decode_content=False):
        yield piece


def _judged(endpoint: Endpoint, scenario: Scenario, payload: Payload, seen: _Seen) -> tuple[Failure | None, str]:
    status = seen.status or 0
    if status in _REDIRECTS and status != scenario.expectation.status:
        return Failure.REDIRECT_REFUSED, f"{status} to {_redirect_target(endpoint, seen)}"
    body = bytes(seen.body)
    failure = judge(scenario.expectation, payload, status, body)
    return failure, "" if failure is None else why_not(scenario.expectation, payload, status, body)


def _redirect_target(endpoint: Endpoint, seen: _Seen) -> str:
    location = seen.headers.get("location")
    if location is None:
        return "nowhere: it has no Location"
    try:
        target = urlsplit(urljoin(endpoint.scoring_uri, location))
        same = (target.scheme, target.hostname, target.port or (443 if target.scheme == "https" else 80))
    except ValueError:
        return "a Location that is no URI"
    origin = ("https" if endpoint.is_tls else "http", endpoint.host, endpoint.port)
    where = "path of the same origin" if same == origin else f"another origin, {target.scheme}://{target.netloc}"
    return f"a {where}" if same == origin else where


def _broken(error: Exception, seen: _Seen) -> tuple[Failure, str]:
    """The failure behind what requests, urllib3, http.client or the socket raised, and the cause in words."""
    if isinstance(error, _TooLarge):
        return Failure.BODY_TOO_LARGE, str(error)
    causes = list(causes_of(error))
    if seen.first_byte_ns is None and any(isinstance(cause, http.client.RemoteDisconnected) for cause in causes):
        if seen.is_cut:
            return Failure.CONN_RESET, "the connection was reset while the request was sent"
        return Failure.EMPTY_REPLY, "the connection was closed without an answer"
    if any(_is_cut(cause) for cause in causes):
        announced = seen.headers.get("content-length")
        return Failure.BODY_TRUNCATED, f"{len(seen.body):,} of {announced or 'the chunked'} body bytes came"
    for kind, failure, what in _FAILURE_OF_ERROR:
        if any(isinstance(cause, kind) for cause in causes):
            return failure, f"{what} {seen.place}"
    return Failure.PROTOCOL_ERROR, f"{type(causes[-1]).__name__}: {causes[-1]}"


_FAILURE_OF_ERROR: tuple[tuple[type[BaseException], Failure, str], ...] = (
    (ssl.SSLEOFError, Failure.CONN_RESET, "the connection was cut below TLS"),
    (ConnectionError, Failure.CONN_RESET, "the connection was reset"),
    (TimeoutError, Failure.DEADLINE_EXCEEDED, "nothing came any more"),
)


def _is_cut(cause: BaseException) -> bool:
    """The body ended before its announced end. urllib3 tells an end where a chunk should begin only by its words."""
    if isinstance(cause, InvalidChunkLength):
        return False
    if isinstance(cause, IncompleteRead | http.client.IncompleteRead):
        return True
    return cause.args[:1] == ("Response ended prematurely",)


def _held(key: str | None) -> tuple[str, ...]:
    return () if key is None else (key,)


def _attempt(
    request_id: str,
    scenario: Scenario,
    payload: Payload,
    wire: Wire,
    seen: _Seen,
    done_ns: int,
    failure: Failure | None,
) -> Attempt:
    exec_ms = seen.headers.get("x-ms-run-fn-exec-ms", "")
    return Attempt(
        request_id=request_id,
        due_ns=wire.started_ns,
        sent_ns=wire.started_ns,
        first_byte_ns=seen.first_byte_ns,
        done_ns=done_ns,
        status=seen.status,
        failure=failure,
        flags=FLAG_NEW_CONNECTION,
        payload=scenario.payloads.index(payload) if payload in scenario.payloads else 0,
        received_bytes=len(seen.body),
        server_us=round(float(exec_ms) * 1000) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", exec_ms) else None,
    )


def _answer(attempt: Attempt, wire: Wire, seen: _Seen, detail: str) -> Answer:
    phases_ns = dict(wire.phases_ns)
    if seen.first_byte_ns is not None:
        phases_ns["wait"] = seen.first_byte_ns - wire.started_ns - sum(wire.phases_ns.values())
        phases_ns["transfer"] = attempt.done_ns - seen.first_byte_ns
    phases_ns["total"] = attempt.latency_ns
    return Answer(
        attempt=attempt,
        status=seen.status,
        headers=seen.headers,
        body=bytes(seen.body[:_KEPT_BODY_BYTES]),
        detail=detail,
        phases_ns=phases_ns,
        date_skew_s=_date_skew_s(seen),
        certificate_expires_s=wire.certificate_expires_s,
    )


def _date_skew_s(seen: _Seen) -> float | None:
    try:
        return parsedate_to_datetime(seen.headers["date"]).timestamp() - seen.headers_at_s
    except (KeyError, ValueError, OverflowError):
        return None
