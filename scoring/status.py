"""What a status code or a failure means on each hosting, and what to do about it.

The same overload is 503 on AKS and Kubernetes and 429 on managed endpoints; the same time-out 504, 408 or 500; the same
script crash 502, 424 or 500 (Microsoft: how-to-troubleshoot-online-endpoints, v1/how-to-troubleshoot-deployment).
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from scoring.attempt import Failure
from scoring.endpoint import Hosting

REJECTED = frozenset({429, 503})
"""The endpoint says that it takes no more: the statuses a limit search looks for."""
TIMED_OUT = frozenset({408, 504})
"""The endpoint gave up on its own model."""
NOT_LOAD = frozenset({400, 401, 403, 404, 405, 413, 415, 424, 431, 502})
"""At the lowest load these have nothing to do with load."""
AUTH = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Meaning:
    """`name` in two or three words, `cause` and `next_step` one sentence each."""

    name: str
    cause: str
    next_step: str


ACI, AKS, MANAGED, KUBERNETES, LOCAL = Hosting
_LOGS = {
    ACI: "read `az container logs` or `service.get_logs()`",
    AKS: "read `service.get_logs()` or `kubectl logs` of the service's pod",
    MANAGED: "read `az ml online-deployment get-logs -n DEPLOYMENT -e ENDPOINT`",
    KUBERNETES: "read `kubectl logs` of the deployment's pod",
    LOCAL: "read the server's own output",
    None: "read the service's log",
}


def meaning(status: int, hosting: Hosting | None) -> Meaning:
    """What the status says when this hosting sends it; an honest general answer for one it does not document."""
    found = _BY_HOSTING.get((status, hosting)) or _GENERAL.get(status)
    if found is None:
        return _unlisted(status, hosting)
    return Meaning(found.name, found.cause, found.next_step.replace("{logs}", _LOGS[hosting]))


def failure_meaning(failure: Failure) -> Meaning:
    """What the failure says when no status does."""
    return _FAILURES[failure]


def _unlisted(status: int, hosting: Hosting | None) -> Meaning:
    try:
        name = HTTPStatus(status).phrase
    except ValueError:
        name = "unlisted status"
    where = "its documents" if hosting is None else f"the documents of {hosting} hosting"
    return Meaning(
        name,
        f"{where} do not list {status}: a proxy, a gateway or the entry script may have sent it",
        f"look at the answer's body and `server` header, then {_LOGS[hosting]}",
    )


_GENERAL = {
    200: Meaning("answered", "the endpoint answered", "nothing to do"),
    400: Meaning(
        "bad request",
        "the payload was refused before or by the entry script",
        "compare the payload with /swagger.json beside the scoring URI",
    ),
    401: Meaning(
        "unauthorized",
        "the key or token is missing, wrong or expired",
        "fetch the key again and set the variable that key_env names",
    ),
    403: Meaning(
        "forbidden",
        "the credential is known but may not score, or the network is closed to this address",
        "ask for the right to score, or run from a network that the endpoint admits",
    ),
    404: Meaning("not found", "no service answers at this path", "compare the path with the scoring URI Azure shows"),
    405: Meaning("method not allowed", "the path takes other methods", "send POST to the scoring URI"),
    408: Meaning(
        "timed out", "the answer took longer than the service allows", "measure one request alone, then {logs}"
    ),
    409: Meaning(
        "operation running", "another operation on the service is running", "wait until it has ended, then retry"
    ),
    413: Meaning("payload too large", "the payload is larger than the service takes", "send fewer rows per request"),
    415: Meaning(
        "wrong content type",
        "the entry script's schema wants JSON",
        'set content_type = "application/json" in the scenario',
    ),
    424: Meaning("model error", "the model's container answered something other than 200", "{logs}"),
    429: Meaning("too many requests", "more requests than the service takes", "send fewer at once, or add instances"),
    431: Meaning("headers too large", "a header is longer than the service takes", "shorten the scenario's headers"),
    499: Meaning(
        "client left",
        "a proxy saw the caller close the connection before the answer; no document of Azure ML lists it",
        "compare the caller's deadline with the model's service time",
    ),
    500: Meaning("internal error", "the entry script raised, or the platform failed", "{logs}"),
    502: Meaning("replica failed", "the model's process died or closed the connection", "{logs}"),
    503: Meaning("no capacity", "no replica was free or ready", "send fewer at once, or add replicas"),
    504: Meaning("gateway timed out", "the model took longer than the service waits", "measure one request alone"),
}

_SCRIPT_RAISED = Meaning(
    "script error",
    "the entry script raised an exception, or passed its own scoring time-out",
    "{logs}, and look for the traceback",
)
_ROUTER_FULL = (
    "every replica held its max concurrent requests for longer than the queue wait, or none was ready; "
    "autoscaling reacts only after the spike"
)
_BY_HOSTING: dict[tuple[int, Hosting | None], Meaning] = {
    (401, ACI): Meaning(
        "unauthorized",
        "key auth is on for this container, and the key is missing or wrong",
        "take a key from `service.get_keys()` and set the variable that key_env names",
    ),
    (401, AKS): Meaning(
        "unauthorized",
        "the key or token is missing, wrong or expired",
        "take a key from `service.get_keys()`, or a token from `service.get_access_token()`",
    ),
    (401, MANAGED): Meaning(
        "unauthorized",
        "no permission to score, or the key or token is expired or malformed",
        "run `az ml online-endpoint get-credentials -n ENDPOINT`",
    ),
    (401, KUBERNETES): Meaning(
        "unauthorized",
        "the key or token is missing, wrong or expired",
        "run `az ml online-endpoint get-credentials -n ENDPOINT`",
    ),
    (404, MANAGED): Meaning(
        "no deployment",
        "no deployment with positive traffic weight answers here",
        "run `az ml online-endpoint show -n ENDPOINT --query traffic`",
    ),
    (408, MANAGED): Meaning(
        "model too slow",
        "the model took longer than request_timeout_ms (5,000 ms unless set, at most 180,000)",
        "raise request_settings.request_timeout_ms, or lower max_concurrent_requests_per_instance",
    ),
    (424, MANAGED): Meaning(
        "model error",
        "the model's container answered something other than 200, or its probes fail; "
        "`ms-azureml-model-error-statuscode` holds its own code",
        "{logs}",
    ),
    (429, MANAGED): Meaning(
        "too many pending",
        "more than 2 x max_concurrent_requests_per_instance x instances were in flight, or the rate limit was passed",
        "add instances, or raise max_concurrent_requests_per_instance together with WORKER_COUNT",
    ),
    (500, MANAGED): Meaning(
        "platform fault",
        "the managed service itself failed; a script's exception is 424 here",
        "open a support ticket and quote the answer's x-request-id",
    ),
    (502, ACI): Meaning("script crashed", "the entry script raised or its process died", "{logs}"),
    (502, AKS): Meaning("script crashed", "the entry script raised or its replica died before replying", "{logs}"),
    (502, KUBERNETES): Meaning("script crashed", "the entry script raised or its process died", "{logs}"),
    (503, ACI): Meaning(
        "not ready",
        "the container is starting or restarting: ACI has one replica and queues, it does not shed load",
        "{logs}, and wait until it answers",
    ),
    (503, AKS): Meaning(
        "overloaded",
        _ROUTER_FULL,
        "raise autoscale_min_replicas or num_replicas, or lower autoscale_target_utilization",
    ),
    (503, KUBERNETES): Meaning(
        "overloaded",
        _ROUTER_FULL,
        "raise scale_settings.min_instances, or lower target_utilization_percentage",
    ),
    (504, ACI): Meaning(
        "model too slow", "the model took longer than about 60 s", "measure one request alone, then give more cpu_cores"
    ),
    (504, AKS): Meaning(
        "model too slow",
        "the model took longer than scoring_timeout_ms (60,000 ms unless set)",
        "raise scoring_timeout_ms, or make one request's work smaller",
    ),
    (504, KUBERNETES): Meaning(
        "model too slow",
        "the model took longer than request_timeout_ms (5,000 ms unless set, at most 300,000)",
        "raise request_settings.request_timeout_ms, or make one request's work smaller",
    ),
    (500, ACI): _SCRIPT_RAISED,
    (500, AKS): _SCRIPT_RAISED,
    (500, LOCAL): _SCRIPT_RAISED,
    (500, KUBERNETES): Meaning(
        "internal error", "the platform failed, or the entry script's error was passed through", "{logs}"
    ),
}

_CLIENT_WALL = "close other programs, or use fewer users per machine and more machines"
_FAILURES = {
    Failure.UNEXPECTED_STATUS: Meaning(
        "unexpected status", "a complete answer with a status the scenario does not expect", "look at the status itself"
    ),
    Failure.DNS_NOT_FOUND: Meaning(
        "name not found", "the host name has no address", "compare it with the scoring URI; run `nslookup HOST`"
    ),
    Failure.DNS_TIMEOUT: Meaning(
        "name lookup timed out", "no name server answered in time", "check the network, then run `nslookup HOST`"
    ),
    Failure.CONNECT_REFUSED: Meaning(
        "connection refused", "the host is there, but nothing listens on this port", "check the port and that it runs"
    ),
    Failure.CONNECT_TIMEOUT: Meaning(
        "connect timed out",
        "nothing answered to the connection: a firewall, a private endpoint or a full backlog",
        "run from a network that the endpoint admits, or check the firewall",
    ),
    Failure.NETWORK_UNREACHABLE: Meaning(
        "network unreachable",
        "this machine has no route to the address",
        "check VPN and routes: `ip route get ADDRESS`",
    ),
    Failure.TLS_EXPIRED: Meaning(
        "certificate expired", "the server's certificate is past its date", "renew the certificate, or check this clock"
    ),
    Failure.TLS_WRONG_HOST: Meaning(
        "certificate of another host", "the certificate does not name this host", "use the host name that it names"
    ),
    Failure.TLS_UNTRUSTED: Meaning(
        "certificate not trusted", "no known authority signed the certificate", 'name its authority: ca_file = "ca.pem"'
    ),
    Failure.TLS_FAILED: Meaning(
        "TLS handshake failed",
        "the two sides agree on no protocol, or the port speaks no TLS",
        "try `openssl s_client -connect HOST:PORT`",
    ),
    Failure.CONN_RESET: Meaning(
        "connection reset", "the connection was cut before the answer ended", "look for a crash or restart at that time"
    ),
    Failure.EMPTY_REPLY: Meaning(
        "empty reply", "the connection was closed without one byte of answer", "look for a crash or kill at that time"
    ),
    Failure.BODY_TRUNCATED: Meaning(
        "answer cut short", "the body ended before its announced length", "look for a crash or a proxy limit"
    ),
    Failure.DEADLINE_EXCEEDED: Meaning(
        "past the deadline",
        "the answer was not complete within the scenario's total deadline",
        "send fewer at once, or raise the scenario's deadline",
    ),
    Failure.PROTOCOL_ERROR: Meaning(
        "not HTTP", "the answer breaks HTTP", "check that the port is the scoring port and http or https is right"
    ),
    Failure.BODY_TOO_LARGE: Meaning(
        "answer too large", "the body is longer than the scenario reads", "raise expect.max_bytes in the scenario"
    ),
    Failure.BODY_INVALID: Meaning(
        "not JSON",
        "the body is not the JSON that the scenario expects",
        "look at the sample, or set expect.json = false",
    ),
    Failure.ERROR_IN_BODY: Meaning(
        "error inside a 200",
        "the entry script caught an exception and returned it as an answer",
        "read the error in the sample, and let run() raise so that the status says it",
    ),
    Failure.SCHEMA_MISMATCH: Meaning(
        "schema not met", "the answer does not have the shape that the scenario's schema asks", "compare both"
    ),
    Failure.GOLDEN_MISMATCH: Meaning(
        "not the golden answer",
        "the answer differs from the golden one by more than the tolerance",
        "check which model version is deployed, or record the golden answer again",
    ),
    Failure.REDIRECT_REFUSED: Meaning(
        "redirect refused",
        "the answer points elsewhere, and the key is never sent to another place",
        "use the final address as scoring URI",
    ),
    Failure.OUT_OF_FILES: Meaning(
        "out of file descriptors", "this machine, not the endpoint, was the wall", "run `ulimit -n 65536` first"
    ),
    Failure.OUT_OF_PORTS: Meaning("out of ports", "this machine, not the endpoint, was the wall", _CLIENT_WALL),
    Failure.AUTH_FAILED: Meaning(
        "no credential", "no credential could be had, so nothing was sent", "check key_env or key_file"
    ),
    Failure.ABORTED: Meaning(
        "run ended", "the run ended while the request was in flight", "nothing: it counts for no level"
    ),
}
