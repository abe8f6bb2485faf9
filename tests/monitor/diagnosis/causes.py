"""Causes with what one failure of each looks like: to the caller, the model's server, the front end, the container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scoring.endpoint import Hosting
from scoring.served import EventKind, Source

ACI, AKS, MANAGED, KUBERNETES, LOCAL = Hosting
ALL = tuple(Hosting)
ROUTED = (AKS, KUBERNETES)
LIMIT_MS = 5_000.0
HEAD = {"function_failed": False}


@dataclass(frozen=True)
class Seen:
    """One failed request: fields of the caller's row, of the server's row and of the traffic log's; an exception."""

    client: dict[str, Any]
    server: dict[str, Any] | None = None  # None: the model's server has no row
    front: dict[str, Any] = field(default_factory=dict)
    thrown: dict[str, Any] | None = None


@dataclass(frozen=True)
class Cause:
    """A cause by its rule: what one failure looks like on a hosting, and the events around it."""

    name: str
    rule: str
    hostings: tuple[Hosting, ...]
    seen: Callable[[Hosting], Seen]
    events: tuple[tuple[Source, EventKind, int | None], ...] = ()
    users: int = 2
    needs: frozenset[Source] = frozenset()  # without one of these the cause cannot be told
    client: dict[str, Any] = field(default_factory=dict)
    good_before: bool = True
    good_after: bool = True
    auth: str = "key"


def _status(status: int, **fields: Any) -> dict[str, Any]:
    return {"status": status, "failure": "unexpected_status", "duration_ms": 20.0, **fields}


def _failed(failure: str, **fields: Any) -> dict[str, Any]:
    return {"status": None, "failure": failure, "duration_ms": 20.0, **fields}


TROUBLESHOOTING = "\nWhat the status means is told here: …#http-status-codes"
RAISED = '{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'


def _passed_on(hosting: Hosting, status: int, body: str, failed: bool, **fields: Any) -> dict[str, Any]:
    """An answer of the model's server as the hosting passes it on."""
    if hosting is MANAGED:
        told = {"model_status": status, "reason": "model_error", "function_failed": failed}
        return _status(424, body=body + TROUBLESHOOTING, **told, **fields)
    return _status(status, body=body, function_failed=failed, **fields)


def _front_of(client: dict[str, Any]) -> dict[str, Any]:
    return {"reason": client.get("reason"), "model_status": client.get("model_status")}


def _script(hosting: Hosting) -> Seen:
    client = _passed_on(hosting, 500, RAISED, failed=True)
    thrown = {"type": "ValueError", "message": "Input contains NaN.", "frame": "score.py:11 in run", "kind": "script"}
    return Seen(client, {"status": 500}, _front_of(client), thrown)


def _script_timeout(hosting: Hosting) -> Seen:
    client = _passed_on(hosting, 500, '{"message": "Scoring timeout after 1500 ms"}', failed=True, duration_ms=1510.0)
    thrown = {"type": "UserScriptTimeout", "message": "Scoring timeout", "kind": "timeout"}
    return Seen(client, {"status": 500, "duration_ms": 1500.0}, _front_of(client), thrown)


def _own(status: int) -> Callable[[Hosting], Seen]:
    def seen(hosting: Hosting) -> Seen:
        client = _passed_on(hosting, status, '{"detail": "no such customer"}', failed=status >= 500)
        return Seen(client, {"status": status}, _front_of(client))

    return seen


def _refused(status: int, text: str) -> Callable[[Hosting], Seen]:
    def seen(hosting: Hosting) -> Seen:
        client = _passed_on(hosting, status, f'{{"message": "{text}"}}', failed=False)
        return Seen(client, {"status": status}, _front_of(client))

    return seen


def _crash(hosting: Hosting) -> Seen:
    if hosting is MANAGED:
        client = _status(424, body="upstream closed the connection" + TROUBLESHOOTING, reason="model_error")
        return Seen(client, None, {"reason": "model_error"})
    if hosting is LOCAL:
        return Seen(_failed("empty_reply"))
    return Seen(_status(502, body="Replica closed connection before replying"))


def overload(_: Hosting) -> Seen:
    return Seen(_status(503, body="Too many requests for service churn (overloaded)", duration_ms=3.0))


def _not_ready(hosting: Hosting) -> Seen:
    if hosting is MANAGED:
        return Seen(
            _status(424, body="no healthy upstream", reason="model_not_ready"), None, {"reason": "model_not_ready"}
        )
    return Seen(_status(503, body="No ready replicas for service churn"))


def pending(_: Hosting) -> Seen:
    return Seen(_status(429, body="", reason="too_many_pending_request"), None, {"reason": "too_many_pending_request"})


def _rate(_: Hosting) -> Seen:
    return Seen(_status(429, body="Rate limited"), None, {"reason": "rate_limited"})


def _slow(hosting: Hosting) -> Seen:
    if hosting is MANAGED:
        client = _status(408, body="upstream request timeout", duration_ms=LIMIT_MS + 12)
        return Seen(client, {"status": 200, "duration_ms": 6_200.0}, {"duration_ms": LIMIT_MS + 5})
    text = "The replica did not answer within 5000 ms"
    if hosting is ACI:
        text = "Post http://localhost:5001/score: net/http: request canceled (Client.Timeout exceeded …)"
    client = _status(504, body=text, duration_ms=LIMIT_MS + 12)
    return Seen(client, {"status": 200, "duration_ms": 6_200.0})


def _queued(_: Hosting) -> Seen:
    client = _status(504, body="The replica did not answer within 5000 ms", duration_ms=LIMIT_MS + 12)
    return Seen(client, {"status": 200, "duration_ms": 900.0})


def _hung(_: Hosting) -> Seen:
    return Seen(_status(504, body="The replica did not answer within 5000 ms", duration_ms=LIMIT_MS + 9))


def _throttled(_: Hosting) -> Seen:
    client = _status(408, body="upstream request timeout", duration_ms=LIMIT_MS + 12)
    front = {"model_status": 200, "throttled_ms": 4_200.0, "duration_ms": LIMIT_MS + 5}
    return Seen(client, {"status": 200, "duration_ms": 400.0}, front)


def _answer(status: int, body: str) -> Callable[[Hosting], Seen]:
    return lambda _: Seen(_status(status, body=body))


def _wire(failure: str, **fields: Any) -> Callable[[Hosting], Seen]:
    return lambda _: Seen(_failed(failure, detail=f"{failure} told by the socket", **fields))


def _silent(failure: str) -> Callable[[Hosting], Seen]:
    client = {"status": 200, "failure": failure, "duration_ms": 20.0, "body": '{"error": "no model"}', **HEAD}
    return lambda _: Seen(dict(client), {"status": 200})


_LOG = frozenset({Source.SERVICE_LOG})
TELEMETRY = frozenset({Source.APP_INSIGHTS})
_EXIT = (Source.SERVICE_LOG, EventKind.WORKER_EXITED, 1)
_BOOT = (Source.SERVICE_LOG, EventKind.WORKER_BOOTED, None)
_FRONTED = (ACI, AKS, MANAGED, KUBERNETES)

CAUSES = (
    Cause("exception in run", "D01", ALL, _script),
    Cause("worker exits", "D02", ALL, _crash, (_EXIT, _BOOT), needs=_LOG),
    Cause(
        "killed for memory", "D03", ALL, _crash, ((Source.SERVICE_LOG, EventKind.WORKER_KILLED, 9), _BOOT), needs=_LOG
    ),
    Cause("kernel kills it", "D03", ALL, _crash, ((Source.EVENT_LOG, EventKind.OUT_OF_MEMORY, None),), needs=_LOG),
    Cause("overload", "D05", ROUTED, overload, users=12),
    Cause(
        "gunicorn time-out",
        "D06",
        ALL,
        _crash,
        ((Source.SERVICE_LOG, EventKind.WORKER_TIMED_OUT, None), _BOOT),
        needs=_LOG,
    ),
    Cause("model too slow", "D08", (ACI, AKS, KUBERNETES), _slow),
    Cause("hung", "D09", (ACI, AKS, KUBERNETES), _hung, needs=TELEMETRY),
    Cause("own time-out", "D10", ALL, _script_timeout),
    Cause("request time-out", "D11", (MANAGED,), _slow),
    Cause("throttled", "D11", (MANAGED,), _throttled),
    Cause("probes fail", "D12", (MANAGED,), _not_ready, ((Source.EVENT_LOG, EventKind.READINESS_FAILED, None),)),
    Cause("too many pending", "D13", (MANAGED,), pending, users=12),
    Cause("rate limit", "D13", (MANAGED,), _rate),
    Cause("token expires", "D14", (AKS, MANAGED, KUBERNETES), _answer(401, ""), good_after=False, auth="token"),
    Cause("token says expired", "D14", (MANAGED,), _answer(401, "jwt is expired"), auth="entra"),
    Cause("wrong key", "D15", _FRONTED, _answer(401, "key_auth_access_denied"), good_before=False, good_after=False),
    Cause("key rotated", "D15", _FRONTED, _answer(401, "key_auth_access_denied"), good_after=False),
    Cause("no deployment", "D16", (MANAGED,), _answer(404, "Specified traffic group could not be found")),
    Cause("wrong path", "D16", ALL, _answer(404, '{"message": "Not found"}'), good_before=False, good_after=False),
    Cause("operation runs", "D17", ROUTED, _answer(409, "Another operation is in progress")),
    Cause("long id", "D18", ALL, _answer(431, '{"message": "id is longer than 100 characters"}'), good_before=False),
    *(
        Cause(f"network: {failure}", "D19", ALL, _wire(failure), good_before=False, good_after=False)
        for failure in ("dns_not_found", "connect_refused", "connect_timeout", "tls_expired", "tls_untrusted")
    ),
    *(
        Cause(f"silent: {failure}", "D20", ALL, _silent(failure))
        for failure in ("error_in_body", "body_invalid", "schema_mismatch", "golden_mismatch", "body_truncated")
    ),
    Cause(
        "busy generator",
        "D21",
        ALL,
        lambda _: Seen(_failed("deadline_exceeded", duration_ms=2_000.0), {"status": 200, "duration_ms": 20.0}),
        client={"is_fair": False, "cpu_ratio": 0.99, "lag_p99_ms": 900.0},
    ),
    Cause(
        "answer lost",
        "D22",
        _FRONTED,
        lambda _: Seen(_failed("deadline_exceeded", duration_ms=2_000.0), {"status": 200, "duration_ms": 20.0}),
        needs=TELEMETRY,
    ),
    Cause(
        "script does not load",
        "D24",
        (ACI, AKS, KUBERNETES),
        _not_ready,
        ((Source.SERVICE_LOG, EventKind.SCRIPT_FAILED_TO_LOAD, None),),
        needs=_LOG,
        good_before=False,
        good_after=False,
    ),
    Cause("nothing ready", "D25", (AKS, KUBERNETES, ACI), _not_ready),
    *(Cause(f"script answers {status}", "D26", ALL, _own(status)) for status in (400, 403, 409, 429, 501, 503)),
    Cause("script answers 500", "D26", ALL, _own(500), needs=TELEMETRY),
    Cause("payload is no JSON", "D27", ALL, _refused(400, "Expecting value: line 1 column 1 (char 0)")),
    Cause("wrong content type", "D27", ALL, _refused(415, "Expects Content-Type to be application/json")),
    Cause("payload too large", "D27", _FRONTED, _answer(413, "Payload Too Large")),
    Cause("wrong method", "D28", ALL, _answer(405, '{"message": "Method not allowed"}'), good_before=False),
    Cause("redirect", "D29", _FRONTED, _wire("redirect_refused"), good_before=False, good_after=False),
    Cause("out of ports", "D30", ALL, _wire("out_of_ports")),
    Cause("answer too large", "D31", ALL, _silent("body_too_large")),
    Cause("queue in the container", "D32", (AKS, KUBERNETES), _queued, users=12, needs=TELEMETRY),
    Cause("forbidden", "D33", _FRONTED, _answer(403, ""), good_before=False, good_after=False),
    Cause("proxy", "D35", _FRONTED, _answer(502, "<html><head><title>502 Bad Gateway</title></head></html>")),
    Cause("no credential", "D38", _FRONTED, _wire("auth_failed"), good_before=False, good_after=False),
    Cause(
        "stopped",
        "D40",
        (AKS, KUBERNETES, ACI),
        _crash,
        ((Source.SERVICE_LOG, EventKind.SERVER_STOPPED, 15), (Source.EVENT_LOG, EventKind.KILLING, None)),
        needs=_LOG,
    ),
)
