"""Edge: questions to Azure Monitor Logs through azure-monitor-query. Each answer has an outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitor.kql import Query
from monitor.outcomes import (
    Outcome,
    outcome_of_answer,
    outcome_of_columns,
    outcome_of_fault,
    outcome_of_machine,
    outcome_of_partial,
)
from monitor.rows import Row, rows_of
from monitor.slices import Slice
from scoring.controlplane.clouds import cloud_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.query import LogsQueryClient

    from scoring.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited: for one query, for the next byte, and between tries. The defaults are those of a report."""

    server_s: int = 60  # a report asks a query that takes longer for a shorter time instead
    connect_s: float = 300.0
    read_s: float = 300.0
    tries: int = 4
    longest_pause_s: float = 30.0  # a service that asks for a longer pause is not waited for


OF_REPORTS = Patience()


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one query, typed; `outcome` says why they are not all, or None."""

    rows: list[Row]
    outcome: Outcome | None = None


class Workspace:
    """Where one endpoint's telemetry is asked for: a Log Analytics workspace, else the resources' own logs."""

    def __init__(
        self,
        endpoint: Endpoint,
        credential: TokenCredential,
        sleep: Callable[[float], None] | None = None,
        patience: Patience = OF_REPORTS,
    ) -> None:
        from azure.monitor.query import LogsQueryClient

        cloud = cloud_of(endpoint.azure, os.environ)
        options: dict[str, Any] = {"audience": cloud.logs_scope.removesuffix("/.default"), "retry_total": 0}
        options |= {"connection_timeout": patience.connect_s, "read_timeout": patience.read_s}
        if endpoint.logs_url is not None or cloud.name in ("china", "usgov"):
            options["endpoint"] = endpoint.logs_url or cloud.logs_url
        if endpoint.ca_file is not None:
            options["connection_verify"] = endpoint.ca_file
        self._client: LogsQueryClient = LogsQueryClient(credential, **options)
        self._options: dict[str, Any] = {"server_timeout": patience.server_s, **plain_http(endpoint.logs_url)}
        self._workspace_id = endpoint.workspace_id
        self._resources = (endpoint.app_insights_id, endpoint.arm_id)
        self._sleep = sleep or time.sleep
        self._patience = patience

    def ask(self, query: Query, part: Slice) -> Answer:
        """The answer for that part of time; what passes by itself is tried again, with growing pauses."""
        pause_s = 1.0
        for number in range(1, self._patience.tries + 1):
            answer = self._once(query, part)
            outcome = answer.outcome
            if outcome is None or not outcome.is_passing or number == self._patience.tries:
                break
            wanted_s = outcome.retry_after_s or pause_s
            if wanted_s > self._patience.longest_pause_s:
                break
            self._sleep(wanted_s)
            pause_s *= 2
        return answer

    def close(self) -> None:
        self._client.close()

    def _once(self, query: Query, part: Slice) -> Answer:
        from azure.core.exceptions import AzureError

        # Rows are filtered by the query itself; the service's own time span only has to be no narrower.
        span = (part.from_at - timedelta(days=1), part.until_at + timedelta(days=1))
        try:
            result: Any = self._sent(query, span)
            partial = getattr(result, "partial_error", None)
            tables = getattr(result, "tables", None) or getattr(result, "partial_data", None) or []
            table = next((one for one in tables if one.name in (None, "", "PrimaryResult")), None)
            columns = [] if table is None else table.columns
            rows = [] if table is None else rows_of(columns, table.columns_types, table.rows)
        except AzureError as error:
            return Answer([], outcome_of_fault(error))
        except OSError as error:
            return Answer([], outcome_of_machine(error))
        except (ValueError, AttributeError, KeyError, TypeError) as error:  # 204, empty 200, a page, another JSON
            return Answer([], outcome_of_answer(error))
        if partial is not None:
            return Answer(rows, outcome_of_partial(partial))
        return Answer(rows, outcome_of_columns(columns, query.columns))

    def _sent(self, query: Query, span: tuple[Any, Any]) -> Any:
        if self._workspace_id is not None:
            return self._client.query_workspace(self._workspace_id, query.text, timespan=span, **self._options)
        resource_id = self._resources[query.is_of_endpoint] or ""
        return self._client.query_resource(resource_id, query.text, timespan=span, **self._options)


def plain_http(url: str | None) -> dict[str, Any]:
    """The option that lets a token travel unencrypted, for this machine's own addresses alone."""
    split = urlsplit(url or "")
    is_here = split.hostname in ("127.0.0.1", "::1", "localhost")
    return {"enforce_https": False} if split.scheme == "http" and is_here else {}
