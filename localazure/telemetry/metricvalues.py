"""The metrics of an online endpoint: their names, units and dimensions, and what each is in every minute.

Rates, latencies and bytes come from the traffic rows. CPU is the share of the time that the workers were busy, the same
for each instance, and memory a constant: the local endpoint measures neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from localazure.telemetry.builtin_rows import instance_of
from localazure.telemetry.records import Load
from localazure.telemetry.settings import Settings

_MEMORY_PERCENT = 40.0
_TRAFFIC = "stored.AmlOnlineEndpointTrafficLog"
_MINUTE = "epoch_us(time_bucket(INTERVAL 1 MINUTE, timestamp))"
_DIMENSION_SQL = {
    "deployment": "'{deployment}'",
    "statusCode": "CAST(ResponseCode AS VARCHAR)",
    "statusCodeClass": "CAST(ResponseCode // 100 AS VARCHAR) || 'xx'",
    "modelStatusCode": "coalesce(CAST(ModelStatusCode AS VARCHAR), '')",
}

Values = Mapping[tuple[str, ...], Mapping[int, float]]
"""Combination of the dimensions → start of the minute in microseconds → value."""


class Rows(Protocol):
    """What the values are made from."""

    loads: list[Load]

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of one endpoint, and its settings."""

    store: Rows
    settings: Settings


Compute = Callable[[Source, Sequence[str], int, int], Values]


@dataclass(frozen=True, slots=True)
class Metric:
    """`values(source, dimensions, start_us, end_us)` are those of each minute that has one."""

    name: str
    unit: str
    description: str
    dimensions: tuple[str, ...]
    values: Compute


def _traffic(aggregate: str) -> Compute:
    def values(source: Source, dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
        deployment = source.settings.names.deployment
        keys = [_DIMENSION_SQL[name].format(deployment=deployment) for name in dimensions]
        sql = (
            f"SELECT {', '.join([*keys, _MINUTE, aggregate])} FROM {_TRAFFIC} "  # noqa: S608
            "WHERE timestamp >= make_timestamp(?) AND timestamp < make_timestamp(?) GROUP BY ALL"
        )
        found: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
        for *combination, minute_us, value in source.store.rows(sql, (start_us, end_us)):
            if value is not None:
                found[tuple(combination)][minute_us] = float(value)
        return found if found or dimensions else {(): {}}

    return values


def _per_minute(source: Source, start_us: int, end_us: int) -> dict[int, list[Load]]:
    found: dict[int, list[Load]] = defaultdict(list)
    source.store.rows("SELECT 1")  # asking takes in all that has arrived, loads included
    for load in source.store.loads:
        at_us = load.at_ns // 1000
        if start_us <= at_us < end_us:
            found[at_us // 60_000_000 * 60_000_000].append(load)
    return found


def _connections(source: Source, _dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
    minutes = _per_minute(source, start_us, end_us)
    return {(): {at: sum(one.connection_count for one in loads) / len(loads) for at, loads in minutes.items()}}


def _opened(source: Source, _dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
    minutes = _per_minute(source, start_us, end_us)
    return {(): {at: sum(one.opened_count for one in loads) / 60 for at, loads in minutes.items()}}


def _split(source: Source, dimensions: Sequence[str], minutes: Mapping[int, float]) -> Values:
    """The same value for every instance, or one series without the dimension."""
    if "instanceId" not in dimensions:
        return {tuple("Ready" for _ in dimensions): minutes}
    count = source.settings.instances
    names = {"State": "Ready"}
    return {
        tuple(names.get(name) or instance_of(source.settings, number) for name in dimensions): minutes
        for number in range(count)
    }


def _cpu(source: Source, dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
    busy = _traffic("sum(ResponseDurationMs) FILTER (ModelStatusCode IS NOT NULL)")
    workers = source.settings.instances * source.settings.max_concurrent
    idle = dict.fromkeys(_per_minute(source, start_us, end_us), 0.0)
    used = {at: min(100.0, ms / 600 / workers) for at, ms in _whole(busy, source, start_us, end_us).items()}
    return _split(source, dimensions, idle | used)


def _whole(compute: Compute, source: Source, start_us: int, end_us: int) -> Mapping[int, float]:
    return compute(source, (), start_us, end_us).get((), {})


def _memory(source: Source, dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
    return _split(source, dimensions, dict.fromkeys(_per_minute(source, start_us, end_us), _MEMORY_PERCENT))


def _capacity(source: Source, dimensions: Sequence[str], start_us: int, end_us: int) -> Values:
    minutes = _per_minute(source, start_us, end_us)
    if "instanceId" in dimensions:
        return _split(source, dimensions, dict.fromkeys(minutes, 1.0))
    ready = {at: float(max(one.ready_count for one in loads)) for at, loads in minutes.items()}
    return _split(source, dimensions, ready)


_BY_CODE = ("deployment", "statusCode", "statusCodeClass", "modelStatusCode")
_BY_DEPLOYMENT = ("deployment",)
_LATENCY = "the complete interval of time taken for a request to be responded"
_BYTES = "sum(RequestPayloadSize + ResponsePayloadSize) / 60.0"

ENDPOINT_METRICS = (
    Metric("RequestsPerMinute", "Count", "The number of requests sent within a minute", _BY_CODE, _traffic("count(*)")),
    Metric(
        "RequestLatency", "MilliSeconds", f"Average of {_LATENCY}", _BY_DEPLOYMENT, _traffic("avg(TotalDurationMs)")
    ),
    *(
        Metric(
            f"RequestLatency_P{percent}",
            "MilliSeconds",
            f"P{percent} of {_LATENCY}",
            _BY_DEPLOYMENT,
            _traffic(f"quantile_disc(TotalDurationMs, {percent / 100})"),
        )
        for percent in (50, 90, 95, 99)
    ),
    Metric("ConnectionsActive", "Count", "The number of concurrent connections", (), _connections),
    Metric("NewConnectionsPerSecond", "CountPerSecond", "Connections opened per second", (), _opened),
    Metric("NetworkBytes", "BytesPerSecond", "Bytes per second of requests and answers", (), _traffic(_BYTES)),
)
_BY_INSTANCE = ("instanceId",)
DEPLOYMENT_METRICS = (
    Metric("CpuUtilizationPercentage", "Percent", "Share of the time that workers were busy", _BY_INSTANCE, _cpu),
    Metric("CpuMemoryUtilizationPercentage", "Percent", "Memory in use, a constant here", _BY_INSTANCE, _memory),
    Metric("DeploymentCapacity", "Count", "Instances of the deployment", ("instanceId", "State"), _capacity),
)
