"""The resource logs of a managed endpoint: traffic, console and event rows. No I/O.

Names and types are those of Azure's tables; the words in ResponseCodeReason that no public source tells are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from localazure.model import MS, ModelAnswer
from localazure.servicelog import Served, azmlinfsrv_lines, legacy_lines
from localazure.telemetry.builtin_rows import instance_of
from localazure.telemetry.envelopes import Row
from localazure.telemetry.records import Happened, Launched, Modelled, Passed
from localazure.telemetry.settings import Settings

CONTAINER = "inference-server"
IMAGE = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py310-cpu-inference:latest"
_MAX_AGENT_CHARS = 70
_LAUNCH = (
    ("Pulled", f'Container image "{IMAGE}" already present on machine'),
    ("Created", f"Created container {CONTAINER}"),
    ("Started", f"Started container {CONTAINER}"),
)


def traffic_row(passed: Passed) -> Row:
    """The request as the front end saw it. Durations are whole milliseconds, cut."""
    total_ms = passed.total_ns // MS
    values = {
        "timestamp": (passed.done_ns - passed.total_ns) // 1000,
        "Method": passed.method,
        "Path": passed.path,
        "Protocol": passed.protocol,
        "OperationName": "AmlOnlineEndpointTraffic",
        "AuthType": passed.auth_type,
        "IdentityData": "",
        "ResponseCode": str(passed.status),
        "ResponseCodeReason": passed.reason or phrase(passed.status),
        "ModelStatusCode": None if passed.model_status is None else str(passed.model_status),
        "ModelStatusReason": "" if passed.model_status is None else phrase(passed.model_status),
        "RequestPayloadSize": str(passed.request_bytes),
        "ResponsePayloadSize": str(passed.response_bytes),
        "TotalDurationMs": str(total_ms),
        "RequestDurationMs": "0",
        "ResponseDurationMs": None if passed.model_ns is None else str(min(total_ms, passed.model_ns // MS)),
        "RequestThrottlingDelayMs": "0",
        "ResponseThrottlingDelayMs": "0",
        "UserAgent": passed.agent[:_MAX_AGENT_CHARS],
        "XRequestId": passed.request_id,
        "XMSClientRequestId": passed.client_id or "",
    }
    return Row("AmlOnlineEndpointTrafficLog", values)


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def console_rows(record: Modelled, settings: Settings) -> Iterator[Row]:
    """The lines that the model's server writes about the request."""
    instance = record.worker // max(1, settings.max_concurrent)
    for line in service_lines(record, settings):
        for part in line.split("\n"):
            yield console_row(part, record.done_ns, instance, settings)


def service_lines(record: Modelled, settings: Settings) -> list[str]:
    served = Served(
        at_ns=record.done_ns,
        pid=settings.server_pid + 1 + record.worker,
        master_pid=settings.server_pid,
        method=record.method,
        target="/score" + (f"?{record.query}" if record.query else ""),
        headers=(("user-agent", record.agent or "-"),),
        body=b"",
        answer=ModelAnswer(record.status, bytes(record.size_bytes), traceback=record.traceback),
        spent_ns=record.spent_ns,
        timeout_ns=settings.request_timeout_ns,
    )
    return legacy_lines(served) if settings.format == "legacy" else azmlinfsrv_lines(served)


def console_row(line: str, at_ns: int, instance: int, settings: Settings) -> Row:
    values = {
        "timestamp": at_ns // 1000,
        "InstanceId": instance_of(settings, instance),
        "ContainerName": CONTAINER,
        "ContainerImageName": IMAGE,
        "Message": line,
        "OperationName": "AmlOnlineEndpointConsole",
    }
    return Row("AmlOnlineEndpointConsoleLog", values)


def event_rows(record: Happened | Launched, settings: Settings) -> Iterator[Row]:
    """One row per event; a launch is three."""
    events = _LAUNCH if isinstance(record, Launched) else ((record.name, record.message),)
    for name, message in events:
        values = {
            "timestamp": record.at_ns // 1000,
            "InstanceId": instance_of(settings, record.instance),
            "Name": name,
            "Message": message,
            "OperationName": "AmlOnlineEndpointEvent",
        }
        yield Row("AmlOnlineEndpointEventLog", values)
