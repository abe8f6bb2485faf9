"""Telemetry envelopes as rows of the tables, the way the ingestion service reads them. No I/O."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

MAX_ITEM_BYTES = 65_536
_MAX_MESSAGE_CHARS = 32_768
_MAX_PROPERTY_CHARS = 8_192
_MAX_NAME_CHARS = 150
_LEAST_RATE_PERCENT = 1e-6
_TIMESPAN = re.compile(r"(-?)(?:(\d+)\.)?(\d+):(\d+):(\d+)(?:\.(\d{1,9}))?")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_COUNTER = re.compile(r"\\(?P<category>[^\\(]+)(?:\((?P<instance>[^)]*)\))?\\(?P<counter>.+)")
_KEPT_TAGS = frozenset(
    (
        *("ai.operation.syntheticSource", "ai.session.id", "ai.user.id", "ai.user.authUserId", "ai.user.accountId"),
        *("ai.application.ver", "ai.device.model", "ai.device.osVersion", "ai.user.userAgent"),
    )
)
"""Tags that columns are made of and that have no stored column of their own."""
_json_text = json.JSONEncoder(ensure_ascii=False).encode
_LEVELS = {"verbose": 0, "information": 1, "warning": 2, "error": 3, "critical": 4}
KINDS = {
    "RequestData": "requests",
    "RemoteDependencyData": "dependencies",
    "ExceptionData": "exceptions",
    "MessageData": "traces",
    "EventData": "customEvents",
    "MetricData": "customMetrics",
    "AvailabilityData": "availabilityResults",
}


class Row(NamedTuple):
    """One row of a stored table; columns that are not among the values are null."""

    table: str
    values: dict[str, Any]


class BadItemError(Exception):
    """An envelope that is not stored; the text says why."""


def rows_of(envelope: object, item_id: str) -> list[Row]:
    """The rows of one envelope: one, or one per metric. Raises BadItemError."""
    if not isinstance(envelope, dict):
        raise BadItemError("103: Field 'item' on type 'Envelope' is not an object")
    data = envelope.get("data")
    kind = data.get("baseType") if isinstance(data, dict) else None
    body = data.get("baseData") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(body, dict):
        raise BadItemError("107: Field 'data' on type 'Envelope' is required but missing or of an unknown kind")
    common = _common(envelope, body, item_id)
    table = KINDS[kind]
    if table == "customMetrics":
        return _metrics(body, common)
    own = _OWN[table](body)
    return [Row(table, common | own)]


def _common(envelope: dict[str, Any], body: dict[str, Any], item_id: str) -> dict[str, Any]:
    tags = _dictionary(envelope.get("tags"))
    return {
        "timestamp": instant_us(envelope.get("time")),
        "itemId": item_id,
        "itemCount": _weight(_number(envelope.get("sampleRate"))),
        "operation_Name": _text(tags.get("ai.operation.name")),
        "operation_Id": _text(tags.get("ai.operation.id")),
        "operation_ParentId": _text(tags.get("ai.operation.parentId")),
        "cloud_RoleName": _text(tags.get("ai.cloud.role")),
        "cloud_RoleInstance": _text(tags.get("ai.cloud.roleInstance")),
        "sdkVersion": _text(tags.get("ai.internal.sdkVersion")),
        "iKey": _text(envelope.get("iKey")),
        "tags": _json({name: value for name, value in tags.items() if name in _KEPT_TAGS}),
        "customDimensions": _properties(body.get("properties")),
        "customMeasurements": _json(body.get("measurements")),
    }


def _weight(rate_percent: float | None) -> int:
    """How many items a kept one stands for: 1 where no sampling is told, or none that can be."""
    if rate_percent is None or not _LEAST_RATE_PERCENT <= rate_percent < 100:
        return 1
    return max(1, round(100 / rate_percent))


def _request(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": _text(body.get("id")),
        "source": _text(body.get("source")),
        "name": _text(body.get("name")),
        "url": _text(body.get("url")),
        "success": _truth(body.get("success")),
        "resultCode": _text(body.get("responseCode")),
        "duration": duration_ms(body.get("duration")),
    }


def _dependency(body: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: _text(body.get(name)) for name in ("id", "target", "type", "name", "data", "resultCode")},
        "success": _truth(body.get("success", True)),
        "duration": duration_ms(body.get("duration")),
    }


def _exception(body: dict[str, Any]) -> dict[str, Any]:
    """The outermost exception stands first in the list, the innermost last."""
    chain = [one for one in body.get("exceptions") or () if isinstance(one, dict)]
    if not chain:
        raise BadItemError("107: Field 'exceptions' on type 'ExceptionData' is required but missing or empty")
    outer, inner = _thrown(chain[0]), _thrown(chain[-1])
    problem = _text(body.get("problemId")) or (f"{outer[0]} at {outer[2]}" if outer[2] else outer[0])
    return {
        "problemId": problem,
        "handledAt": _text(body.get("handledAt")) or "Unhandled",
        **dict(zip(("type", "message", "method", "assembly"), outer, strict=True)),
        **dict(zip(("outerType", "outerMessage", "outerMethod", "outerAssembly"), outer, strict=True)),
        **dict(zip(("innermostType", "innermostMessage", "innermostMethod", "innermostAssembly"), inner, strict=True)),
        "severityLevel": severity(body.get("severityLevel")),
        "details": _json([_detail(one) for one in chain]),
    }


def _thrown(one: dict[str, Any]) -> tuple[str, str, str, str]:
    """Type, message, and the method and assembly of the frame that raised."""
    frames = [frame for frame in one.get("parsedStack") or () if isinstance(frame, dict)]
    frame = min(frames, key=lambda frame: _number(frame.get("level")) or 0, default={})
    method = _text(frame.get("method"))
    assembly = _text(frame.get("assembly")) or _text(frame.get("fileName"))
    return _text(one.get("typeName")), _text(one.get("message"))[:_MAX_MESSAGE_CHARS], method, assembly


def _detail(one: dict[str, Any]) -> dict[str, Any]:
    detail = {
        "severityLevel": "Error",
        "outerId": str(one.get("outerId", 0)),
        "message": _text(one.get("message"))[:_MAX_MESSAGE_CHARS],
        "type": _text(one.get("typeName")),
        "id": str(one.get("id", 0)),
        "parsedStack": one.get("parsedStack") or [],
    }
    if one.get("stack"):
        detail["rawStack"] = _text(one["stack"])[:_MAX_MESSAGE_CHARS]
    return detail


def _trace(body: dict[str, Any]) -> dict[str, Any]:
    if "message" not in body:
        raise BadItemError("107: Field 'message' on type 'MessageData' is required but missing or empty")
    text = _text(body["message"])[:_MAX_MESSAGE_CHARS]
    return {"message": text, "severityLevel": severity(body.get("severityLevel"))}


def _event(body: dict[str, Any]) -> dict[str, Any]:
    return {"name": _text(body.get("name"))}


def _availability(body: dict[str, Any]) -> dict[str, Any]:
    measurements = _dictionary(body.get("measurements"))
    return {
        "id": _text(body.get("id")),
        "name": _text(body.get("name")),
        "location": _text(body.get("runLocation")),
        "success": {"True": "1", "False": "0"}[_truth(body.get("success"))],
        "message": _text(body.get("message")),
        "duration": duration_ms(body.get("duration")),
        "size": _number(measurements.get("size")),
    }


def _metrics(body: dict[str, Any], common: dict[str, Any]) -> list[Row]:
    points = [one for one in body.get("metrics") or () if isinstance(one, dict)]
    if not points:
        raise BadItemError("107: Field 'metrics' on type 'MetricData' is required but missing or empty")
    rows = []
    for number, point in enumerate(points):
        values = common | ({"itemId": f"{common['itemId']}-{number}"} if number else {})
        counter = _COUNTER.fullmatch(_text(point.get("name")))
        rows.append(_counter(point, counter, values) if counter else _metric(point, values))
    return rows


def _metric(point: dict[str, Any], common: dict[str, Any]) -> Row:
    value = _number(point.get("value"))
    count = _number(point.get("count"))
    least, most = _number(point.get("min")), _number(point.get("max"))
    own = {
        "name": _text(point.get("name")),
        "valueSum": value,
        "valueCount": 1 if count is None or not math.isfinite(count) else max(1, int(count)),
        "valueMin": value if least is None else least,
        "valueMax": value if most is None else most,
        "valueStdDev": _number(point.get("stdDev")) or 0.0,
    }
    return Row("customMetrics", common | own)


def _counter(point: dict[str, Any], name: re.Match[str], common: dict[str, Any]) -> Row:
    own = {
        "name": name["counter"],
        "category": name["category"],
        "counter": name["counter"],
        "instance": name["instance"] or "",
        "value": _number(point.get("value")),
    }
    return Row("performanceCounters", common | own)


_OWN = {
    "requests": _request,
    "dependencies": _dependency,
    "exceptions": _exception,
    "traces": _trace,
    "customEvents": _event,
    "availabilityResults": _availability,
}


def duration_ms(value: object) -> float | None:
    """Milliseconds of `[d.]hh:mm:ss[.fffffff]`; None when it is not such a text.

    >>> duration_ms("0.00:00:01.500"), duration_ms("00:00:02"), duration_ms("1.00:00:00.000"), duration_ms("soon")
    (1500.0, 2000.0, 86400000.0, None)
    """
    return _timespan_ms(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _timespan_ms(text: str) -> float | None:
    match = _TIMESPAN.fullmatch(text)
    if match is None:
        return None
    sign, days, hours, minutes, seconds, fraction = match.groups()
    whole_s = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    rest_ms = int((fraction or "0").ljust(9, "0")) / 1e6
    return (-1 if sign else 1) * (whole_s * 1000 + rest_ms)


def instant_us(value: object) -> int:
    """Microseconds since the epoch; texts without a zone are UTC. Raises BadItemError."""
    match = _INSTANT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise BadItemError("100: Field 'time' on type 'Envelope' is not a valid time")
    whole, fraction, zone = match.groups()
    try:
        seconds = _seconds(whole + ("+00:00" if zone in (None, "Z", "z") else zone))
    except ValueError:
        raise BadItemError("100: Field 'time' on type 'Envelope' is not a valid time") from None
    return seconds * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))


@lru_cache(maxsize=1024)
def _seconds(text: str) -> int:
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def severity(value: object) -> int | None:
    """0 (verbose) to 4 (critical), from a number, its text or its name; None where there is none.

    >>> severity(3), severity("1"), severity("Warning"), severity(None)
    (3, 1, 2, None)
    """
    if isinstance(value, str):
        value = _LEVELS.get(value.lower(), int(value) if value.isascii() and value.isdigit() else None)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4:
        return value
    return None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value) if isinstance(value, bool) else _json_text(value)


def _truth(value: object) -> str:
    return "True" if value is True or (isinstance(value, str) and value.lower() == "true") else "False"


def _number(value: object) -> float | None:
    """Also of the texts `NaN` and `Infinity`, which JSON has no number for."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _dictionary(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _properties(value: object) -> str | None:
    """Dimensions as JSON text; every value of a dimension is a text, as the service stores them."""
    if not isinstance(value, dict) or not value:
        return None
    texts = {name[:_MAX_NAME_CHARS]: _text(one)[:_MAX_PROPERTY_CHARS] for name, one in value.items()}
    return _json_text(texts)


def _json(value: object) -> str | None:
    return _json_text(value) if value else None
