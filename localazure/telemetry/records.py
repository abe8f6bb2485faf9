"""What the endpoint tells the telemetry process of each request, and how it crosses the pipe between them.

A record is a tuple of texts, numbers and bytes, so that making and sending one costs the endpoint a few microseconds.
Times are nanoseconds of the wall clock; statuses are None where nothing was answered.
"""

from __future__ import annotations

import marshal
from typing import Any, NamedTuple

MAX_SHOWN_BODY_BYTES = 8_192


class Modelled(NamedTuple):
    """A request that reached the built-in model. `worker` counts from 0 over all instances."""

    done_ns: int
    spent_ns: int
    worker: int
    method: str
    path: str
    query: str
    request_id: str
    client_id: str | None
    agent: str
    status: int | None
    body: bytes  # at most MAX_SHOWN_BODY_BYTES of it
    size_bytes: int
    has_raised: bool
    traceback: str | None


class Passed(NamedTuple):
    """A request as the front end of a managed endpoint answered it. `reason` is Azure's word, or empty."""

    done_ns: int
    total_ns: int
    model_ns: int | None
    method: str
    path: str
    protocol: str
    auth_type: str  # Key, AMLToken, AADToken; empty where the caller sent no credential
    status: int
    reason: str
    model_status: int | None
    request_bytes: int
    response_bytes: int
    agent: str
    request_id: str
    client_id: str | None


class Happened(NamedTuple):
    """Something that befell an instance: Killing, BackOff, ReadinessProbeFailed …"""

    at_ns: int
    instance: int
    name: str
    message: str


class Launched(NamedTuple):
    """A container of an instance runs; `pid` is that of its inference server, None for the built-in model."""

    at_ns: int
    instance: int
    pid: int | None


class Load(NamedTuple):
    """Connections open at this time, how many were opened since the last such record, and replicas that are ready."""

    at_ns: int
    connection_count: int
    opened_count: int
    ready_count: int


class Switched(NamedTuple):
    """From now on the built-in model sends to App Insights, or does not."""

    at_ns: int
    is_on: bool


KINDS: dict[str, Any] = {"m": Modelled, "p": Passed, "h": Happened, "s": Launched, "l": Load, "a": Switched}
Record = Modelled | Passed | Happened | Launched | Load | Switched


def frame_of(records: list[tuple[Any, ...]]) -> bytes:
    """Length and content. Each record is a kind, followed by the fields of its type."""
    content = marshal.dumps(records)
    return len(content).to_bytes(4, "big") + content


def records_of(content: bytes) -> list[Record]:
    """The records in the content of a frame, which only our own process writes."""
    return [KINDS[kind](*fields) for kind, *fields in marshal.loads(content)]  # noqa: S302
