"""The telemetry of the built-in model, worded as each generation of Microsoft's inference server words it. No I/O.

From 0.5 on the standard columns lie: result code 0 and success for every status, and from 1.5 on a duration of nothing;
the truth is in the dimensions. 0.4 told the truth in the columns.
"""

from __future__ import annotations

import json
import time
from functools import lru_cache
from hashlib import md5
from typing import Any

from localazure.model import MS
from localazure.telemetry.records import Modelled
from localazure.telemetry.settings import Settings

_NO_OPERATION = "0" * 32
_WRAPPED = "The above exception was the direct cause of the following exception:"
_SDK = {
    "otel": "ulm_py3.11.7:otel1.33.0:ext1.0.0b40",
    "opencensus": "py3.11.7:oc0.11.4:ext1.1.15",
    "legacy": "py3:0.11.10",
}
_SERVER = "/azureml-envs/lib/python3.11/site-packages/azureml_inference_server_http/server"
_MODULE = "azureml_inference_server_http.server.user_script"
_RAISED = "Caught an unhandled exception from the user script"
_TIMED_OUT = "Script failed to execute within the allotted time"
_FRAMES = [
    {"level": 1, "method": "invoke_run", "fileName": f"{_SERVER}/user_script.py", "line": 139},
    {"level": 0, "method": "handle_score", "fileName": f"{_SERVER}/routes.py", "line": 222},
]

Envelope = dict[str, Any]


def envelopes_of(record: Modelled, settings: Settings) -> list[Envelope]:
    """One request, and what the script raised. Nothing for a worker that died: it took its telemetry with it."""
    if record.status is None:
        return []
    found = [(_legacy_request if settings.format == "legacy" else _request)(record, settings)]
    if record.has_raised:
        found.append(_exception(record, settings))
    return found


def started(worker: int, at_ns: int, settings: Settings) -> Envelope:
    """The line that the script's init() prints in each worker."""
    dimensions = {"process": "MainProcess", "module": "print_log_hook", "level": "INFO"}
    body = {"message": "init: the built-in model is loaded", "severityLevel": 1, "properties": dimensions}
    return _envelope("Message", at_ns, settings, worker, body)


def _envelope(kind: str, at_ns: int, settings: Settings, worker: int, body: dict[str, Any]) -> Envelope:
    tags = {
        "ai.cloud.roleInstance": container_of(settings, worker),
        "ai.internal.sdkVersion": _SDK[settings.format],
        "ai.operation.id": _NO_OPERATION,
    }
    if settings.format == "otel":
        tags["ai.cloud.role"] = settings.names.endpoint
    elif settings.format == "opencensus":
        tags["ai.cloud.role"] = "azmlinfsrv"
        tags["ai.operation.parentId"] = f"|{_NO_OPERATION}.{'0' * 16}."
    name = f"Microsoft.ApplicationInsights.{kind}"
    severity = body.get("severityLevel")
    if settings.format == "otel" and severity is not None:
        body = body | {"severityLevel": str(severity)}
    return {
        "name": name,
        "time": utc_text(at_ns, digits=6),
        "iKey": settings.names.instrumentation_key,
        "tags": tags,
        "data": {"baseType": f"{kind}Data", "baseData": body},
    }


def _request(record: Modelled, settings: Settings) -> Envelope:
    is_otel = settings.format == "otel"
    status = record.status or 0
    shown = record.body.decode("utf-8", "replace")
    operation = _operation(record) if is_otel else ""
    properties = _ids(record, settings) | {
        "Response Value": shown if is_otel else json.dumps(shown),
        "name": record.path,
        "url": f"http://127.0.0.1:5001{_target(record)}",
        "start_time": utc_text(record.done_ns - record.spent_ns, digits=6),
        "duration": clock_text(record.spent_ns),
        "resultCode": str(status),
        "success": str(status < 400) if is_otel else status < 400,
        "http_method": record.method,
        "Workspace Name": settings.names.workspace_name,
        "Service Name": settings.names.endpoint,
    }
    body = {
        "id": operation[16:] if is_otel else record.request_id,
        "name": record.path if is_otel else "",
        "duration": "0." + clock_text(0 if is_otel else record.spent_ns),
        "responseCode": "0",
        "success": True,
        "properties": properties,
    }
    envelope = _envelope("Request", record.done_ns, settings, record.worker, body)
    if is_otel:
        envelope["tags"]["ai.operation.id"] = operation
        envelope["tags"]["ai.operation.name"] = record.path
    return envelope


def _legacy_request(record: Modelled, settings: Settings) -> Envelope:
    status = record.status or 0
    body = {
        "id": record.request_id,
        "name": record.path,
        "duration": "0." + clock_text(record.spent_ns),
        "responseCode": str(status),
        "success": status < 400,
        "url": f"http://127.0.0.1:5001{_target(record)}",
        "properties": {
            "Container Id": container_of(settings, record.worker),
            "Response Value": json.dumps(record.body.decode("utf-8", "replace")),
        },
    }
    return _envelope("Request", record.done_ns - record.spent_ns, settings, record.worker, body)


def _exception(record: Modelled, settings: Settings) -> Envelope:
    """The wrapper that the server raises; what the script raised stands only in the text of the stack."""
    has_timed_out = record.traceback is None
    kind, text = ("UserScriptTimeout", _TIMED_OUT) if has_timed_out else ("UserScriptException", _RAISED)
    stack = f"{_outer_frames(143 if has_timed_out else 139)}\n{_MODULE}.{kind}: {text}"
    if not has_timed_out:
        stack = f"{_user_frames(record.traceback or '')}\n\n{_WRAPPED}\n\n{stack}"
    message = f"(<class '{_MODULE}.{kind}'>, {kind}('{text}'), <traceback object at 0x7f983cc15400>)"
    thrown: dict[str, Any] = {"typeName": kind, "hasFullStack": True}
    ids = _ids(record, settings)
    if settings.format == "otel":
        thrown |= {"message": message, "stack": stack}
        properties: dict[str, Any] = {"custom_dimensions": repr(ids), "code.function.name": "send_exception_log"}
    else:
        thrown |= {"id": 1, "outerId": 0, "message": f"{message}\n{stack}", "parsedStack": _FRAMES}
        properties = {"process": "MainProcess", "module": "appinsights_client", "level": "ERROR"} | ids
    body = {"exceptions": [thrown], "severityLevel": 3, "properties": properties}
    return _envelope("Exception", record.done_ns, settings, record.worker, body)


def _ids(record: Modelled, settings: Settings) -> dict[str, Any]:
    return {
        "Container Id": container_of(settings, record.worker),
        "Request Id": record.request_id,
        "Client Request Id": record.client_id or "",
    }


def _user_frames(traceback: str) -> str:
    """The script's own frames, under those of the server that called it."""
    head, _, rest = traceback.partition("\n")
    rest = rest.replace('File "score.py"', 'File "/var/azureml-app/score.py"')
    call = "    run_output = self._wrapped_user_run(**run_parameters, request_headers=dict(request.headers))"
    return f'{head}\n  File "{_SERVER}/user_script.py", line 132, in invoke_run\n{call}\n{rest}'


def _outer_frames(line: int) -> str:
    call = "    timed_result = main_blueprint.user_script.invoke_run(request, timeout_ms=config.scoring_timeout)"
    return (
        f'Traceback (most recent call last):\n  File "{_SERVER}/routes.py", line 222, in handle_score\n{call}\n'
        f'  File "{_SERVER}/user_script.py", line {line}, in invoke_run\n    raise'
    )


def container_of(settings: Settings, worker: int) -> str:
    """The container that the worker runs in: one per instance."""
    return instance_of(settings, worker // max(1, settings.max_concurrent))


def instance_of(settings: Settings, instance: int) -> str:
    return f"{settings.names.endpoint}-{settings.names.deployment}-{instance}"


def _target(record: Modelled) -> str:
    return f"{record.path}?{record.query}" if record.query else record.path


def _operation(record: Modelled) -> str:
    """32 hexadecimal digits, another value for each request."""
    return md5(f"{record.request_id} {record.done_ns}".encode(), usedforsecurity=False).hexdigest()


def utc_text(at_ns: int, *, digits: int) -> str:
    """RFC 3339 with so many digits after the second, cut, not rounded.

    >>> utc_text(1_700_000_000_123_456_789, digits=6)
    '2023-11-14T22:13:20.123456Z'
    """
    seconds, rest_ns = divmod(at_ns, 10**9)
    return f"{_second(seconds)}{rest_ns:09d}"[: 20 + digits] + "Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds))


def clock_text(spent_ns: int) -> str:
    """`hh:mm:ss.fff`, with days before it past the first.

    >>> clock_text(1_234_900_000), clock_text(90_061 * 10**9)
    ('00:00:01.234', '1.01:01:01.000')
    """
    return _clock(max(0, spent_ns) // MS)


@lru_cache(maxsize=65_536)
def _clock(spent_ms: int) -> str:
    seconds, rest_ms = divmod(spent_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}.{rest_ms:03d}"
    return f"{days}.{text}" if days else text
