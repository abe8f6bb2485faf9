"""Edge: questions to Azure Monitor Logs through azure-monitor-query. Each answer has an outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.outcomes import Outcome, outcome_of_answer, outcome_of_fault
from monitor.rows import Row, rows_of
from monitor.slices import Slice

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.query import LogsQueryClient

    from scoring.endpoint import Endpoint

AUDIENCE = "https://api.loganalytics.io"
SERVER_TIMEOUT_S = 180
TRIES = 4
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one query, typed; `outcome` says why they are not all, or None."""

    rows: list[Row]
    outcome: Outcome | None = None


class Workspace:
    """Where one endpoint's telemetry is asked for: a Log Analytics workspace, or a resource by its id."""

    def __init__(
        self, endpoint: Endpoint, credential: TokenCredential, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        from azure.monitor.query import LogsQueryClient

        options: dict[str, Any] = {"audience": AUDIENCE, "retry_total": 0}
        if endpoint.logs_url is not None:
            options["endpoint"] = endpoint.logs_url
        if endpoint.ca_file is not None:
            options["connection_verify"] = endpoint.ca_file
        self._client: LogsQueryClient = LogsQueryClient(credential, **options)
        self._workspace_id = endpoint.workspace_id
        self._resource_id = endpoint.app_insights_id or endpoint.arm_id
        self._sleep = sleep

    def ask(self, kql: str, part: Slice) -> Answer:
        """The answer for that part of time; what passes by itself is tried again, with growing pauses."""
        pause_s = 1.0
        for number in range(1, TRIES + 1):
            answer = self._once(kql, part)
            outcome = answer.outcome
            if outcome is None or not outcome.is_passing or number == TRIES:
                break
            self._sleep(min(outcome.retry_after_s or pause_s, LONGEST_PAUSE_S))
            pause_s *= 2
        return answer

    def close(self) -> None:
        self._client.close()

    def _once(self, kql: str, part: Slice) -> Answer:
        from azure.core.exceptions import AzureError

        # Rows are filtered by the query itself; the service's own time span only has to be no narrower.
        span = (part.from_at - timedelta(days=1), part.until_at + timedelta(days=1))
        try:
            if self._workspace_id is not None:
                result = self._client.query_workspace(
                    self._workspace_id, kql, timespan=span, server_timeout=SERVER_TIMEOUT_S
                )
            else:
                result = self._client.query_resource(
                    self._resource_id or "", kql, timespan=span, server_timeout=SERVER_TIMEOUT_S
                )
        except AzureError as error:
            return Answer([], outcome_of_fault(error))
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:  # 204, empty 200, an HTML page
            return Answer([], outcome_of_answer(error))
        partial = getattr(result, "partial_error", None)
        tables = getattr(result, "tables", None) or getattr(result, "partial_data", None) or []
        rows = [row for table in tables[:1] for row in rows_of(table.columns, table.columns_types, table.rows)]
        return Answer(rows, None if partial is None else Outcome("partial", str(partial)[:300], asks_for_less=True))
