"""The metrics batch API of Azure Monitor, answered from the rows of the endpoint.

A metric is one value per minute and combination of its dimensions. A longer interval aggregates those values, so that
the average of a percentile over an hour is an average of percentiles, as on Azure.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any
from urllib.parse import parse_qsl

from localazure.http1 import Request
from localazure.identity.audiences import METRICS
from localazure.telemetry.envelopes import BadItemError, instant_us
from localazure.telemetry.metricvalues import DEPLOYMENT_METRICS, ENDPOINT_METRICS, Metric, Source, Values
from localazure.telemetry.replies import ApiError, Reply, json_reply
from localazure.telemetry.rights import READ_METRICS, check
from localazure.telemetry.settings import Settings
from localazure.telemetry.spans import BadSpanError, duration_us

PATH = re.compile(r"/subscriptions/([^/]+)/metrics:getBatch", re.IGNORECASE)
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
DEPLOYMENTS = f"{NAMESPACE}/deployments"
_CLAUSE = re.compile(r"\s*([A-Za-z_]\w*)\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_MAX_POINTS = 100_000
_MAX_RESOURCES = 50
_MINUTE_US = 60_000_000
_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "average": fmean,
    "minimum": min,
    "maximum": max,
    "total": sum,
    "count": len,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Points every `interval_us` up to, without, `end_us`; `wanted`: dimension in lower case → its value, or `*`."""

    start_us: int
    end_us: int
    interval_us: int
    wanted: Mapping[str, str]
    aggregations: Sequence[str]


def answer(request: Request, settings: Settings, source: Source, now_us: int) -> Reply:
    """One value per resource, metric and combination of the dimensions that the filter names."""
    try:
        return json_reply(_document(request, settings, source, now_us))
    except ApiError as error:
        headers = (("WWW-Authenticate", "Bearer"),) if error.status == 401 else ()
        return json_reply({"error": {"code": error.code, "message": error.message}}, error.status, headers)


def _document(request: Request, settings: Settings, source: Source, now_us: int) -> dict[str, Any]:
    match = PATH.fullmatch(request.path)
    if match is None:
        raise ApiError(404, "PathNotFoundError", f"The requested path {request.path} does not exist")
    if request.method != "POST":
        raise ApiError(405, "MethodNotAllowed", f"{request.method} is not taken here")
    audiences = METRICS | {f"https://{request.headers.get('host', '')}"}
    check(request, settings, audiences, READ_METRICS, now_us / 1e6)
    given = {name.lower(): value for name, value in parse_qsl(request.query, keep_blank_values=True)}
    resources = _resources(request)
    names = settings.names
    ids = [one.lower() for one in names.endpoint_ids]
    known = dict.fromkeys(ids, NAMESPACE)
    known |= dict.fromkeys([f"{one}/deployments/{names.deployment.lower()}" for one in ids], DEPLOYMENTS)
    for resource in resources:
        if resource.lower() not in known:
            raise ApiError(404, "ResourceNotFound", f"The resource {resource} was not found")
        if not resource.lower().startswith(f"/subscriptions/{match[1].lower()}/"):
            raise _bad(f"The resource {resource} is not in the subscription {match[1]}")
    namespace = _namespace(given, {known[resource.lower()] for resource in resources})
    interval_us, start_us, end_us = _times(given, now_us)
    found = [_metric(name, namespace) for name in _names(given)]
    wanted = _filter(given.get("filter", ""), found)
    aggregations = _aggregations(given)
    asked = _Asked(start_us, end_us, interval_us, wanted, aggregations)
    metrics = [_metric_json(metric, source, asked) for metric in found]
    return {"values": [_value(resource, namespace, given, asked, metrics, settings) for resource in resources]}


def _bad(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def _resources(request: Request) -> list[str]:
    try:
        document = json.loads(request.body)
        resources = document["resourceids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _bad("The request body holds no resourceids") from None
    if not isinstance(resources, list) or not resources or not all(isinstance(one, str) for one in resources):
        raise _bad("resourceids is not a list of resource ids")
    if len(resources) > _MAX_RESOURCES:
        raise _bad(f"{len(resources)} resources are asked for; at most {_MAX_RESOURCES} are allowed")
    return [resource.rstrip("/") for resource in resources]


def _namespace(given: Mapping[str, str], kinds: set[str]) -> str:
    asked = given.get("metricnamespace", "")
    if len(kinds) > 1:
        raise _bad("All resources of one request are of the same type")
    kind = next(iter(kinds))
    if asked.lower() != kind.lower():
        raise _bad(f"Invalid metric namespace: {asked}. Valid namespaces: {kind}")
    return kind


def _names(given: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in given.get("metricnames", "").split(",") if name.strip()]
    if not names:
        raise _bad("metricnames is missing")
    return names


def _metric(name: str, namespace: str) -> Metric:
    known = ENDPOINT_METRICS if namespace == NAMESPACE else DEPLOYMENT_METRICS
    for metric in known:
        if metric.name.lower() == name.lower():
            return metric
    valid = ",".join(metric.name for metric in known)
    raise _bad(f"Failed to find metric configuration for provider: {namespace}, metric: {name}. Valid metrics: {valid}")


def _times(given: Mapping[str, str], now_us: int) -> tuple[int, int, int]:
    """Interval, start and end; without bounds the last hour. The start is cut to a whole interval."""
    try:
        interval_us = duration_us(given.get("interval") or "PT1M")
        end_us = instant_us(given["endtime"].replace(" ", "+")) if given.get("endtime") else now_us
        start_us = (
            instant_us(given["starttime"].replace(" ", "+")) if given.get("starttime") else end_us - 3_600_000_000
        )
    except (BadSpanError, BadItemError):
        raise _bad("starttime, endtime or interval is not a time") from None
    if interval_us < _MINUTE_US or interval_us % _MINUTE_US:
        raise _bad(f"Detected invalid time grain input: {given.get('interval')}. The smallest is 00:01:00")
    if start_us >= end_us:
        raise _bad("The start time is not before the end time")
    if (end_us - start_us) // interval_us > _MAX_POINTS:
        raise _bad(f"More than {_MAX_POINTS} points are asked for")
    return interval_us, start_us // interval_us * interval_us, end_us


def _filter(text: str, metrics: Sequence[Metric]) -> dict[str, str]:
    """Dimension → value or `*`. Raises ApiError for a dimension that one of the metrics does not have."""
    wanted: dict[str, str] = {}
    for clause in _AND.split(text) if text.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise _bad(f"The filter {clause!r} is not DIMENSION eq 'VALUE'")
        for metric in metrics:
            if match[1].lower() not in {name.lower() for name in metric.dimensions}:
                valid = ",".join(metric.dimensions) or "none"
                raise _bad(f"Metric: {metric.name} does not support requested dimension: {match[1]}. Valid: {valid}")
        wanted[match[1].lower()] = match[2].replace("''", "'")
    return wanted


def _aggregations(given: Mapping[str, str]) -> list[str]:
    asked = [name.strip().lower() for name in given.get("aggregation", "").split(",") if name.strip()]
    unknown = [name for name in asked if name not in _AGGREGATIONS]
    if unknown:
        raise _bad(f"Invalid aggregation: {unknown[0]}. Valid: {','.join(_AGGREGATIONS)}")
    return asked or ["average"]


def _value(
    resource: str,
    namespace: str,
    given: Mapping[str, str],
    asked: _Asked,
    metrics: list[dict[str, Any]],
    settings: Settings,
) -> dict[str, Any]:
    return {
        "cost": (asked.end_us - asked.start_us) // _MINUTE_US,
        "starttime": _text(asked.start_us),
        "endtime": _text(asked.end_us),
        "interval": given.get("interval") or "PT1M",
        "namespace": namespace,
        "resourceregion": settings.names.location,
        "resourceid": resource,
        "value": [metric | {"id": f"{resource}{metric['id']}"} for metric in metrics],
    }


def _metric_json(metric: Metric, source: Source, asked: _Asked) -> dict[str, Any]:
    dimensions = [name for name in metric.dimensions if name.lower() in asked.wanted]
    values = metric.values(source, dimensions, asked.start_us, asked.end_us)
    series = _timeseries(values, dimensions, asked)
    return {
        "id": f"/providers/Microsoft.Insights/metrics/{metric.name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": metric.name, "localizedValue": metric.name},
        "displayDescription": metric.description,
        "unit": metric.unit,
        "errorCode": "Success",
        "timeseries": series,
    }


def _timeseries(values: Values, dimensions: Sequence[str], asked: _Asked) -> list[dict[str, Any]]:
    found = []
    for combination, minutes in sorted(values.items()):
        pairs = list(zip(dimensions, combination, strict=True))
        if all(asked.wanted[name.lower()] in ("*", value) for name, value in pairs):
            named = [{"name": {"value": name, "localizedValue": name}, "value": value} for name, value in pairs]
            found.append({"metadatavalues": named, "data": _data(minutes, asked)})
    return found


def _data(minutes: Mapping[int, float], asked: _Asked) -> list[dict[str, Any]]:
    """A point for each interval; one without a value has only its time."""
    grouped: dict[int, list[float]] = defaultdict(list)
    for minute_us, value in minutes.items():
        grouped[minute_us // asked.interval_us * asked.interval_us].append(value)
    points = []
    for at_us in range(asked.start_us, asked.end_us, asked.interval_us):
        point: dict[str, Any] = {"timeStamp": _text(at_us)}
        if at_us in grouped:
            point |= {name: float(_AGGREGATIONS[name](grouped[at_us])) for name in asked.aggregations}
        points.append(point)
    return points


def _text(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
