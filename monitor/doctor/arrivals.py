"""Edge: looks for one request of our own in the telemetry until it is there, or the wait is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitor.doctor.facts import Arrival, Gap, Known, NotSeen, Seen
from monitor.kql import CLASSIC, TABLES, WORKSPACE, Value, written
from monitor.outcomes import Outcome
from monitor.problems import refused
from monitor.rows import Row
from monitor.slices import Slice
from monitor.workspace import Workspace
from scoring.endpoint import Endpoint
from scoring.served import Source

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ASK_AGAIN_S = 2.0
MOST_TROUBLES = 3
"""Refusals in a row after which asking on is of no use."""
MARGIN = timedelta(minutes=10)
"""Rows are looked for so much earlier and later than the request: clocks differ."""
_NOT_YET = frozenset(("missing_table", "partial"))
_PASSING = frozenset(("throttled", "timed_out", "bad_answer", "failed", "unreachable"))


def arrived(
    endpoint: Endpoint,
    sent: Seen,
    credential: TokenCredential,
    *,
    wait_s: float,
    say: Callable[[str], None],
) -> Known[Arrival | NotSeen]:
    """The row of the request, or how long it was looked for; a gap where the telemetry cannot be asked."""
    began_s = time.monotonic()
    family = WORKSPACE if endpoint.workspace_id else CLASSIC
    troubles = 0
    workspace = Workspace(endpoint, credential)
    try:
        while True:
            rows, outcome = _asked(workspace, family, sent)
            spent_s = time.monotonic() - began_s
            if rows:
                return _arrival(rows[0])
            if outcome is not None and outcome.word == "missing_table" and not endpoint.workspace_id:
                family = WORKSPACE if family == CLASSIC else CLASSIC
            elif outcome is not None and outcome.word not in _NOT_YET:
                troubles += 1
                if outcome.word not in _PASSING or troubles >= MOST_TROUBLES:
                    return _refusal(endpoint, family, outcome)
            if spent_s >= wait_s:
                return NotSeen(spent_s, TABLES["requests"][family == WORKSPACE])
            say(f"looking for our own request in the telemetry: {spent_s:.0f} of at most {wait_s:.0f} s")
            time.sleep(min(ASK_AGAIN_S, max(0.0, wait_s - spent_s)))
    finally:
        workspace.close()


def _asked(workspace: Workspace, family: str, sent: Seen) -> tuple[list[Row], Outcome | None]:
    sent_at = datetime.fromtimestamp(sent.sent_at_s, UTC)
    part = Slice(sent_at - MARGIN, datetime.now(UTC) + MARGIN)
    values: dict[str, Value] = {
        "from_at": part.from_at,
        "until_at": part.until_at,
        "component": "",
        "wanted_ids": (sent.request_id,),
    }
    answer = workspace.ask(written("own_probe", family, values), part)
    return answer.rows, answer.outcome


def _arrival(row: Row) -> Arrival:
    stored_at, at = row.get("received_at"), row.get("at")
    delay_s = None if stored_at is None or at is None else max(0.0, (stored_at - at).total_seconds())
    code = str(row.get("code") or "")
    return Arrival(delay_s, code if code.isdigit() and len(code) == 3 else None)


def _refusal(endpoint: Endpoint, family: str, outcome: Outcome) -> Gap:
    table = TABLES["requests"][family == WORKSPACE]
    problem = refused(Source.APP_INSIGHTS, table, outcome, endpoint, ())
    return Gap(problem.sentence, problem.next_step, is_error=True)
