"""Edge: what Azure Monitor tells of an endpoint, asked for its checks in threads that nobody waits for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from monitor.health.telemetry_judging import (
    METRIC_LAG,
    METRICS,
    TELEMETRY,
    Arrivals,
    Asked,
    age_check,
    arrivals_of,
    looked_back,
    metric_check,
    ratio_check,
    unread_check,
    window_of,
)
from monitor.kql import CLASSIC, WORKSPACE, Value, written
from monitor.metrics import metrics_url, series_named
from monitor.outcomes import Outcome
from monitor.slices import Slice
from monitor.workspace import Answer, Patience, Workspace
from scoring.access import AzureAccess
from scoring.azure_auth import azure_credential
from scoring.checkplan import CheckPlan
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.telemetrygoals import MetricGoal, TelemetryAgeGoal, TelemetryGoal
from scoring.told import MetricSeries
from scoring.units import S

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

LIMIT_S = 30.0
"""What has not answered by then has not answered."""
PATIENCE = Patience(server_s=20, connect_s=10.0, read_s=25.0, tries=2, longest_pause_s=5.0)
MARGIN = timedelta(minutes=5)
"""Rows may carry the time of a clock that is ahead of ours."""
LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A question under way about some goals, until a time on the monotonic clock."""

    source: str
    texts: tuple[str, ...]
    until_s: float
    done: SimpleQueue[Asked | None] | None  # None: not asked, as the last question is still out


class SignIns:
    """Owns the credentials for Azure Monitor, one for all endpoints that sign in alike. Nobody is ever asked."""

    def __init__(self) -> None:
        self._found: dict[tuple[AzureAccess, str | None], TokenCredential] = {}
        self._lock = Lock()

    def credential(self, endpoint: Endpoint) -> TokenCredential:
        """The one that serves, looked for once. RedlineError where nobody can sign in."""
        key = (endpoint.azure, endpoint.azure_token_file)
        with self._lock:
            if key not in self._found:
                self._found[key] = azure_credential(endpoint, say=lambda _: None, may_ask=False)
            return self._found[key]

    def forget(self, endpoint: Endpoint) -> None:
        """A credential that was refused is looked for anew the next time."""
        with self._lock:
            self._found.pop((endpoint.azure, endpoint.azure_token_file), None)


class Asker:
    """Asks about one endpoint, and sees to it that a question that hangs is the only one."""

    def __init__(
        self, endpoint: Endpoint, plan: CheckPlan, sign_ins: SignIns | None = None, limit_s: float = LIMIT_S
    ) -> None:
        self._endpoint = endpoint
        self._plan = plan
        self._sign_ins = sign_ins or SignIns()
        self._limit_s = limit_s
        self._family = WORKSPACE if endpoint.workspace_id else CLASSIC
        self._out: set[str] = set()  # sources whose last question has no answer yet

    def asked(self) -> Asked:
        """What the goals come to now; lasts `limit_s` at most and never raises RedlineError."""
        return self.ended(self.begun())

    def begun(self) -> list[Pending]:
        """The questions, on their way."""
        plan, until_s = self._plan, time.monotonic() + self._limit_s
        wanted = ((TELEMETRY, plan.telemetry, self._telemetry), (METRICS, plan.metrics, self._metrics))
        return [
            Pending(source, tuple(goal.text for goal in goals), until_s, self._started(source, step))
            for source, goals, step in wanted
            if goals
        ]

    def ended(self, begun: Sequence[Pending]) -> Asked:
        """What came of the questions, `limit_s` after they were begun at the latest."""
        return _together([self._ended(one) for one in begun])

    def _started(self, source: str, step: Callable[[], Asked]) -> SimpleQueue[Asked | None] | None:
        """Where the answer will come; None while the last question is still out."""
        if source in self._out:
            return None
        self._out.add(source)
        done: SimpleQueue[Asked | None] = SimpleQueue()
        Thread(target=self._into, args=(done, source, step), daemon=True).start()
        return done

    def _into(self, done: SimpleQueue[Asked | None], source: str, step: Callable[[], Asked]) -> None:
        found = None
        try:
            found = step()
        finally:
            self._out.discard(source)
            done.put(found)

    def _ended(self, begun: Pending) -> Asked:
        """The answer, or why there is none."""
        if begun.done is None:
            return _unread(begun.source, begun.texts, Outcome("timed_out", "the last question has no answer yet"))
        try:
            found = begun.done.get(timeout=max(0.0, begun.until_s - time.monotonic()))
        except Empty:
            return _unread(begun.source, begun.texts, Outcome("timed_out", f"no answer within {self._limit_s:g} s"))
        if found is None:
            return _unread(begun.source, begun.texts, Outcome("failed", "asking broke; the traceback stands above"))
        return found

    def _telemetry(self) -> Asked:
        goals = self._plan.telemetry
        texts, looked, now = [goal.text for goal in goals], looked_back(goals), datetime.now(UTC)
        try:
            workspace = Workspace(self._endpoint, self._sign_ins.credential(self._endpoint), patience=PATIENCE)
        except RedlineError as error:
            return _unread(TELEMETRY, texts, Outcome("no_credential", error.message))
        try:
            answer = self._rows(workspace, "telemetry_arrivals", Slice(now - looked - MARGIN, now + MARGIN))
            if answer.outcome is not None:
                return self._refused(TELEMETRY, texts, answer.outcome)
            arrivals = arrivals_of(answer.rows, now)
            parts = [self._goal(workspace, goal, arrivals, looked) for goal in goals]
        finally:
            workspace.close()
        return _together(parts)

    def _goal(self, workspace: Workspace, goal: TelemetryGoal, arrivals: Arrivals, looked: timedelta) -> Asked:
        if isinstance(goal, TelemetryAgeGoal):
            return Asked((age_check(goal, arrivals, looked),))
        window = window_of(goal, arrivals)
        if arrivals.last_at is None:  # nothing to count
            return Asked((ratio_check(goal, [], window, arrivals),))
        answer = self._rows(workspace, "telemetry_counts", window)
        if answer.outcome is not None:
            return self._refused(TELEMETRY, [goal.text], answer.outcome)
        return Asked((ratio_check(goal, answer.rows, window, arrivals),))

    def _rows(self, workspace: Workspace, name: str, part: Slice) -> Answer:
        """The answer, from the family of tables that the place knows."""
        answer = workspace.ask(written(name, self._family, self._values(part)), part)
        is_other = answer.outcome is not None and answer.outcome.word == "missing_table"
        if is_other and self._endpoint.workspace_id is None:
            self._family = WORKSPACE if self._family == CLASSIC else CLASSIC
            answer = workspace.ask(written(name, self._family, self._values(part)), part)
        return answer

    def _values(self, part: Slice) -> dict[str, Value]:
        path = self._endpoint.path.partition("?")[0].rstrip("/")
        return {
            "from_at": part.from_at,
            "until_at": part.until_at,
            "component": self._endpoint.app_insights_id or "",
            "scoring_end": "/" + (path.rpartition("/")[2] or "score"),
            "only_role": self._plan.telemetry_role or "",
        }

    def _refused(self, source: str, texts: Sequence[str], outcome: Outcome) -> Asked:
        if outcome.word == "no_credential":
            self._sign_ins.forget(self._endpoint)
        return _unread(source, texts, outcome)

    def _metrics(self) -> Asked:
        goals, now = self._plan.metrics, datetime.now(UTC)
        texts = [goal.text for goal in goals]
        if metrics_url(self._endpoint) is None:
            said = f"it is not known where the metrics of {self._endpoint.host} are; metrics_url says so"
            return _unread(METRICS, texts, Outcome("unreachable", said))
        try:
            credential = self._sign_ins.credential(self._endpoint)
        except RedlineError as error:
            return _unread(METRICS, texts, Outcome("no_credential", error.message))
        longest = timedelta(seconds=max(goal.window_ns for goal in goals) / S)
        from_at = (now - longest - METRIC_LAG).replace(second=0, microsecond=0)
        named = dict.fromkeys((goal.name, self._deployment(goal)) for goal in goals)
        found = series_named(self._endpoint, credential, Slice(from_at, now), named, PATIENCE)
        parts = [self._metric(goal, found[goal.name, self._deployment(goal)], now) for goal in goals]
        return _together(parts)

    def _metric(self, goal: MetricGoal, told: tuple[MetricSeries, ...] | Outcome, now: datetime) -> Asked:
        if isinstance(told, Outcome):
            return self._refused(METRICS, [goal.text], told)
        return Asked((metric_check(goal, told, now),))

    def _deployment(self, goal: MetricGoal) -> str | None:
        return (goal.deployment or self._endpoint.deployment) if goal.is_of_deployment else None


def _unread(source: str, texts: Sequence[str], outcome: Outcome) -> Asked:
    return Asked(tuple(unread_check(text, source, outcome) for text in texts), outcome.retry_after_s)


def _together(parts: Sequence[Asked]) -> Asked:
    waits_s = [part.retry_after_s for part in parts if part.retry_after_s is not None]
    wait_s = min(max(waits_s), LONGEST_PAUSE_S) if waits_s else None
    return Asked(tuple(check for part in parts for check in part.checks), wait_s)
