"""The Logs query API: workspace, resource and batch queries, answered from the store."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable
from threading import Semaphore
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from localazure.http1 import Request
from localazure.identity.audiences import LOGS
from localazure.telemetry.kqltext import rendering
from localazure.telemetry.kustojson import rows_text
from localazure.telemetry.queries import QueryError, QueryTimeoutError, Result, Span
from localazure.telemetry.replies import JSON, ApiError, Reply, bad_argument, json_reply
from localazure.telemetry.rights import READ_LOGS, check
from localazure.telemetry.settings import Settings
from localazure.telemetry.spans import BadSpanError, bounds_us

_WORKSPACE = re.compile(r"/v1/(workspaces|apps)/([^/]+)/query")
_RESOURCE = re.compile(r"/v1(/subscriptions/.+)/query", re.IGNORECASE)
_SPACES = re.compile(r"/{2,}")
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*(\d+)", re.IGNORECASE)
_DEFAULT_WAIT_S, _MAX_WAIT_S = 180.0, 600.0
_AT_ONCE = 5
_TOO_MANY = "exceed the set limit of {limit}, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, {code})"


Ask = Callable[[str, Span, float], Result]
"""A query, its span and how many seconds it may take. Raises QueryError and QueryTimeoutError."""


class LogsApi:
    """Owns the faults that wait for the next queries. Five queries run at a time, the rest wait."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        names = settings.names
        self._settings = settings
        self._ask = ask
        self._guids = {"workspaces": names.workspace_id.lower(), "apps": names.app_id.lower()}
        self._names = {names.workspace_id.lower(), names.workspace_name.lower()}
        resources = [*names.endpoint_ids, names.deployment_id, names.component_id]
        resources += [names.log_workspace_id, names.ml_workspace_id]
        self._resources = {resource.lower() for resource in resources}
        self._running = Semaphore(_AT_ONCE)
        self._faults: deque[dict[str, Any]] = deque()

    def add_faults(self, request: Request) -> Reply:
        """The faults in the body befall the next queries, in this order."""
        try:
            faults = json.loads(request.body)
            for fault in faults:
                self._faults.extend([dict(fault)] * int(fault.get("count", 1)))
        except (ValueError, TypeError, AttributeError):
            return json_reply({"error": {"code": "BadArgumentError", "message": "a JSON list of objects"}}, 400)
        return json_reply({"waiting": len(self._faults)})

    def answer(self, request: Request) -> Reply:
        """The answer to a path below /v1/."""
        correlation_id = request.headers.get("x-ms-client-request-id") or str(uuid4())
        try:
            check(request, self._settings, self._audiences(request), READ_LOGS, time.time())
            path = _SPACES.sub("/", unquote(request.path))
            if path == "/v1/$batch":
                return self._faulty(lambda _: self._batch(request))
            self._check_target(path)
            query, prefer = _query_in(request), request.headers.get("prefer", "")
            return self._faulty(lambda is_partial: self._query(query, prefer, is_partial=is_partial))
        except ApiError as error:
            headers = (("WWW-Authenticate", "Bearer"),) if error.status == 401 else ()
            return json_reply(error.document(correlation_id), error.status, headers)

    @staticmethod
    def _audiences(request: Request) -> frozenset[str]:
        """Azure's names of the API, and the address under which this one was called."""
        return LOGS | {f"https://{request.headers.get('host', '')}"}

    def _faulty(self, answer: Callable[[bool], Reply]) -> Reply:
        try:
            fault = self._faults.popleft()
        except IndexError:
            return answer(False)
        wait_s, hangs = float(fault.get("delay_s", 0)), bool(fault.get("hang", False))
        if hangs:
            return Reply(200, hangs=True)
        if "status" not in fault:
            found = answer(bool(fault.get("partial", False)))
            return Reply(found.status, found.body, found.content_type, found.headers, wait_s)
        body = fault.get("body", "")
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {str(name): str(value) for name, value in dict(fault.get("headers", {})).items()}
        kind = next((headers.pop(name) for name in list(headers) if name.lower() == "content-type"), JSON)
        return Reply(int(fault["status"]), data, kind, tuple(headers.items()), wait_s)

    def _check_target(self, path: str) -> None:
        """Raises ApiError where the path leads nowhere, or to a workspace or resource that is not this one."""
        workspace, resource = _WORKSPACE.fullmatch(path), _RESOURCE.fullmatch(path)
        if workspace:
            own = self._guids[workspace[1]]
            if workspace[2].lower() != own:
                raise _unresolved(workspace[2])
        elif resource:
            if resource[1].rstrip("/").lower() not in self._resources:
                raise ApiError(404, "ResourceNotFoundError", f"The resource {resource[1]} could not be found")
        else:
            raise ApiError(404, "PathNotFoundError", f"The requested path {path} does not exist")

    def _check_workspace(self, name: str) -> None:
        """Raises ApiError for a workspace that is not this one: its GUID, its name and the ids of resources are."""
        known = self._names | self._resources
        if name.strip("/").lower() not in known and f"/{name.strip('/')}".lower() not in known:
            raise _unresolved(name)

    def _query(self, query: dict[str, Any], prefer: str, *, is_partial: bool = False) -> Reply:
        kql, span = self._checked(query)
        wait = _WAIT.search(prefer)
        wait_s = min(float(wait[1]), _MAX_WAIT_S) if wait else _DEFAULT_WAIT_S
        with self._running:
            start_s = time.monotonic()
            result = self._asked(kql, span, wait_s)
        columns, rows = result.columns, result.rows[: (len(result.rows) + 1) // 2] if is_partial else result.rows
        inside, count = rows_text(columns, rows, self._settings.max_answer_bytes)
        head = json.dumps([{"name": name, "type": kind} for name, kind in columns])
        parts = [f'"tables":[{{"name":"PrimaryResult","columns":{head},"rows":[{inside}]}}]']
        if "include-statistics=true" in prefer.lower():
            parts.append(f'"statistics":{json.dumps(_statistics(time.monotonic() - start_s, count, len(inside)))}')
        if "include-render=true" in prefer.lower():
            parts.append(f'"render":{json.dumps(_render(kql))}')
        problem = self._cut(result, count < len(rows))
        if is_partial:
            problem = _partial("A part of the data could not be read")
        if problem:
            parts.append(f'"error":{json.dumps(problem)}')
        return Reply(200, f"{{{','.join(parts)}}}".encode())

    def _checked(self, query: dict[str, Any]) -> tuple[str, Span]:
        kql, span = query.get("query"), query.get("timespan")
        if not isinstance(kql, str) or not kql.strip():
            raise bad_argument({"code": "QueryValidationError", "message": "The query is missing or empty"})
        workspaces = query.get("workspaces") or ()
        if not isinstance(workspaces, list | tuple):
            raise bad_argument({"code": "InvalidWorkspaces", "message": "workspaces is not a list"})
        for workspace in workspaces:
            self._check_workspace(str(workspace))
        now_us = time.time_ns() // 1000
        try:
            return kql, Span(*bounds_us(span if isinstance(span, str) else None, now_us), now_us)
        except BadSpanError as error:
            raise bad_argument({"code": "InvalidTimespan", "message": f"The timespan {error}"}) from error

    def _asked(self, kql: str, span: Span, wait_s: float) -> Result:
        try:
            return self._ask(kql, span, wait_s)
        except QueryTimeoutError as error:
            raise ApiError(504, "GatewayTimeout", f"The query was stopped: {error}") from error
        except QueryError as error:
            raise bad_argument(*_causes(error)) from error

    def _cut(self, result: Result, is_too_large: bool) -> dict[str, Any] | None:
        if is_too_large:
            limit = f"{self._settings.max_answer_bytes} bytes"
            return _partial("The results of this query " + _TOO_MANY.format(limit=limit, code="0x80DA0003"))
        if result.is_cut:
            limit = f"{self._settings.max_rows} records"
            return _partial("The results of this query " + _TOO_MANY.format(limit=limit, code="0x80DA0001"))
        return None

    def _batch(self, request: Request) -> Reply:
        """One answer per item, each with its own status."""
        if request.method != "POST":
            raise ApiError(405, "MethodNotAllowedError", f"{request.method} is not taken here")
        items = _document(request).get("requests")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise bad_argument({"code": "InvalidBatch", "message": "requests is not a list of objects"})
        return json_reply({"responses": [self._item(item) for item in items]})

    def _item(self, item: dict[str, Any]) -> dict[str, Any]:
        prefer = next((str(v) for n, v in (item.get("headers") or {}).items() if n.lower() == "prefer"), "")
        try:
            self._check_workspace(str(item.get("workspace", "")))
            body = item.get("body")
            reply = self._query(body if isinstance(body, dict) else {}, prefer)
            status, document = reply.status, json.loads(reply.body)
        except ApiError as error:
            status, document = error.status, error.document(str(item.get("id")))
        return {"id": item.get("id"), "status": status, "headers": {"Content-Type": JSON}, "body": document}


def _causes(error: QueryError) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two inner errors of a query that Kusto refuses."""
    is_syntax = error.code.startswith("SYN")
    outer = {
        "code": "SyntaxError" if is_syntax else "SemanticError",
        "message": "A recognition error occurred in the query." if is_syntax else "A semantic error occurred.",
    }
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.line is not None:
        inner |= {"line": error.line, "pos": error.position}
    return outer, inner


def _unresolved(name: str) -> ApiError:
    inner = {"code": "FailedToResolveResource", "message": f"The resource '{name}' could not be resolved"}
    return ApiError(400, "FailedToResolveResource", f"Failed to resolve workspace '{name}'", inner)


def _query_in(request: Request) -> dict[str, Any]:
    if request.method == "POST":
        return _document(request)
    if request.method == "GET":
        values = dict(parse_qsl(request.query, keep_blank_values=True))
        return {"query": values.get("query"), "timespan": values.get("timespan")}
    raise ApiError(405, "MethodNotAllowedError", f"{request.method} is not taken here")


def _document(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise bad_argument({"code": "InvalidJsonBody", "message": "The request body is not a JSON object"})
    return document


def _statistics(spent_s: float, row_count: int, size_bytes: int) -> dict[str, Any]:
    size = {"tableRowCount": row_count, "tableSize": size_bytes}
    return {"query": {"executionTime": round(spent_s, 7), "datasetStatistics": [size]}}


def _render(kql: str) -> dict[str, Any]:
    return {"visualization": rendering(kql), "title": None, "isQuerySorted": False}


def _partial(message: str) -> dict[str, Any]:
    inner = {"code": "-2133196797", "message": message, "severity": 2, "severityName": "Error"}
    detail = {"code": "EngineError", "message": message, "innererror": inner}
    text = "There were some errors when processing your query."
    return {"code": "PartialError", "message": text, "details": [detail]}
