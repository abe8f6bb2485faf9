"""What the service says of itself: one scoring request, exception, event or leaked secret, each with its source.

Texts in these values are foreign: whoever makes the value has passed them through `scoring.redact` and `scoring.text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Who tells, in the order of trust: where several tell of the same period, the first one's counts hold."""

    CLIENT = "client"
    TRAFFIC_LOG = "traffic_log"
    APP_INSIGHTS = "app_insights"
    SERVICE_LOG = "service_log"
    METRICS = "metrics"  # rates and percentiles per minute; never the source of a count
    EVENT_LOG = "event_log"  # AmlOnlineEndpointEventLog: probe failures, kills
    CONSOLE_LOG = "console_log"  # AmlOnlineEndpointConsoleLog: the container's stdout and stderr


@dataclass(frozen=True, slots=True)
class Served:
    """One scoring request as one source tells it; from the client, the same facts of an attempt that failed."""

    source: Source
    at: datetime | None  # start of the request, aware UTC; None where the source tells no time
    status: int | None
    failure: str | None = None  # the client's failure class where no status says it
    duration_ms: float | None = None
    request_id: str | None = None  # the caller's own id, x-ms-client-request-id
    server_id: str | None = None  # the server's id, x-request-id
    deployment: str | None = None
    instance: str | None = None  # role instance, container, or pid
    model_status: int | None = None  # status of the container behind a managed front end
    reason: str | None = None  # ResponseCodeReason, or ms-azureml-model-error-reason
    function_failed: bool | None = None  # x-ms-run-function-failed
    server_ms: float | None = None  # time in run(): x-ms-run-fn-exec-ms
    throttled_ms: float | None = None  # bandwidth throttling, request and response together
    body: str | None = None  # beginning of the answer's body, redacted
    detail: str | None = None  # what the client saw on the wire
    headers: tuple[tuple[str, str], ...] = ()  # those of the answer that help to find a cause, redacted
    phases_ms: tuple[tuple[str, float], ...] = ()  # in order: how the duration divides
    users: int | None = None  # concurrent requests the client held
    count: int = 1  # itemCount: requests this row stands for
    where: str | None = None  # `app.log:120`, a table's name: where a person finds the row

    @property
    def label(self) -> str:
        """The key it is counted under: its status, or its failure where no status says it."""
        if self.status is not None and self.failure in (None, "unexpected_status"):
            return str(self.status)
        return self.failure or "no_status"


@dataclass(frozen=True, slots=True)
class Thrown:
    """One exception that the service reported. `type` and `message` are the innermost cause, not the wrapper."""

    source: Source
    at: datetime | None
    kind: str  # "script", "timeout" (SCORING_TIMEOUT_MS) or "server"
    type: str  # "ValueError"
    message: str
    frame: str | None = None  # the innermost frame of the user's script: "score.py:11 in run"
    outer_type: str | None = None
    request_id: str | None = None
    server_id: str | None = None
    instance: str | None = None
    stack: str = ""  # redacted, cut
    count: int = 1
    where: str | None = None


class EventKind(StrEnum):
    """What happened to a worker, a container or a deployment."""

    SERVER_STARTED = "server_started"
    SERVER_STOPPED = "server_stopped"
    WORKER_BOOTED = "worker_booted"
    WORKER_EXITED = "worker_exited"  # by itself or by a crash; `code` where told
    WORKER_TIMED_OUT = "worker_timed_out"  # gunicorn's WORKER TIMEOUT
    WORKER_KILLED = "worker_killed"  # by a signal; `code` is its number
    OUT_OF_MEMORY = "out_of_memory"
    LIVENESS_FAILED = "liveness_failed"
    READINESS_FAILED = "readiness_failed"
    BACK_OFF = "back_off"
    KILLING = "killing"
    CONTAINER_STARTED = "container_started"  # Pulled, Created, Started
    SCRIPT_FAILED_TO_LOAD = "script_failed_to_load"  # init() or import raised
    SCALED = "scaled"  # the number of replicas changed; `code` is the new number
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the service, with the text that says so."""

    source: Source
    at: datetime | None
    kind: EventKind
    text: str
    instance: str | None = None
    code: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret or payload data that stood where it must not. `sha256_prefix`: 12 hex digits of the value's hash."""

    type: str  # "bearer_token", "storage_account_key", "payload_data" …
    count: int
    where: str  # `service_log app.log:9`, the first place
    sha256_prefix: str
    rotate: str  # what to do: a sentence


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """Log lines alike but for numbers, ids and quoted values; `text` has `<*>` where they differ."""

    text: str
    count: int
    level: str | None  # "E", "W" …, where the format tells one
    sample: str
    first_at: datetime | None = None
    last_at: datetime | None = None
