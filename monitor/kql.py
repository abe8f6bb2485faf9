"""The shipped KQL: one file per question, put together with where its rows come from and what is asked for.

A query is text of ours alone: `let` lines carry instants, numbers, checked ids and quoted names, and nothing is pasted
into the body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources

CLASSIC, WORKSPACE = "classic", "workspace"
FAMILIES = (CLASSIC, WORKSPACE)
"""Names of the Application Insights tables: `requests` in the component's own logs, `AppRequests` in its workspace."""
TABLES = {
    "requests": ("requests", "AppRequests"),
    "arrivals": ("requests", "AppRequests"),
    "exceptions": ("exceptions", "AppExceptions"),
    "traces": ("traces", "AppTraces"),
    "dependencies": ("dependencies", "AppDependencies"),
    "availabilityResults": ("availabilityResults", "AppAvailabilityResults"),
    "customMetrics": ("customMetrics", "AppMetrics"),
    "performanceCounters": ("performanceCounters", "AppPerformanceCounters"),
    "traffic": ("AmlOnlineEndpointTrafficLog",) * 2,
    "watermark": ("AmlOnlineEndpointTrafficLog",) * 2,
    "console": ("AmlOnlineEndpointConsoleLog",) * 2,
    "events": ("AmlOnlineEndpointEventLog",) * 2,
}
"""The table that a source reads, by family."""
OF_ENDPOINT = frozenset(("traffic", "watermark", "console", "events"))
"""Sources that a diagnostic setting of the online endpoint writes; the others belong to the component."""

Value = datetime | timedelta | int | str | tuple[str, ...]
_HEADER = re.compile(r"^// (source|columns): (.*)$", re.MULTILINE)
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Query:
    """A question put together. `is_of_endpoint`: it asks for what belongs to the endpoint, not to the component."""

    text: str
    columns: tuple[str, ...]
    is_of_endpoint: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One file: what it promises, and the text that follows the `let` lines."""

    name: str
    source: str  # key of TABLES
    columns: tuple[tuple[str, str], ...]  # name and KQL type
    text: str


@cache
def question(name: str) -> Question:
    """The question of monitor/queries/NAME.kql."""
    text = _read(name)
    head = dict(_HEADER.findall(text))
    pairs = tuple((column, kind) for column, kind in (item.split() for item in head["columns"].split(", ")))
    return Question(name, head["source"], pairs, text)


@cache
def question_names() -> tuple[str, ...]:
    """Every question that is shipped."""
    files = (resources.files("monitor") / "queries").iterdir()
    names = (file.name.removesuffix(".kql") for file in files if file.name.endswith(".kql"))
    return tuple(sorted(name for name in names if "." not in name))


def written(name: str, family: str, values: Mapping[str, Value]) -> Query:
    """The whole query for one family of tables, with the values that it uses in front.

    >>> print(written("deployment_events", "workspace", {"endpoint_id": "/a/b", "unused": 1}).text.splitlines()[0])
    let endpoint_id = "/a/b";
    """
    asked = question(name)
    parts = [_read(part) for part in _parts(asked.source, family)] + [asked.text]
    body = "\n".join(parts)
    used = [f"let {key} = {literal(value)};" for key, value in values.items() if re.search(rf"\b{key}\b", body)]
    columns = tuple(column for column, _ in asked.columns)
    return Query("\n".join([*used, body]), columns, asked.source in OF_ENDPOINT)


def is_id(text: str) -> bool:
    """Whether the text can be a request id: anything else is never asked for.

    >>> is_id("7f3c-1"), is_id('x") | take 1')
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def literal(value: Value) -> str:
    """The value as KQL writes it.

    >>> literal('a "b" \\\\ c'), literal(timedelta(minutes=5)), literal(("ab-1", "cd"))
    ('"a \\\\"b\\\\" \\\\\\\\ c"', '300s', 'dynamic(["ab-1", "cd"])')
    """
    if isinstance(value, datetime):
        return f"datetime({value.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')})"
    if isinstance(value, timedelta):
        return f"{round(value.total_seconds())}s"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        ids = [f'"{one}"' for one in value if is_id(one)]
        return f"dynamic([{', '.join(ids)}])"
    kept = "".join(char for char in value if char.isprintable())
    escaped = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _parts(source: str, family: str) -> tuple[str, ...]:
    """The files that define `rows` and, where columns lie, `told` for a source."""
    if source in ("watermark", "console", "events"):
        return ()
    if source == "traffic":
        return ("rows.traffic",)
    rows = f"rows.{'requests' if source == 'arrivals' else source}.{family}"
    return (rows, f"truth.{source}") if source in ("requests", "exceptions") else (rows,)


def _read(name: str) -> str:
    return (resources.files("monitor") / "queries" / f"{name}.kql").read_text(encoding="utf-8")
