"""Everything that Azure Monitor tells of an endpoint in one period, as values; what it refuses is a problem.

An Application Insights component is shared by the endpoints of its Azure ML workspace, and its rows do not name the
endpoint: `Cell.deployment` holds the service name that the server was given, which tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor import problems
from monitor.accounts import MOST_ROWS, account_of, distinct, served_of
from monitor.asking import Ask, Progress, Replies, ask_all
from monitor.exceptions import thrown_of
from monitor.kql import CLASSIC, TABLES, WORKSPACE, Value, is_id, question
from monitor.loglines import console_events, deployment_events, templates_of
from monitor.metrics import metrics_url, series_of_rows, series_told
from monitor.slices import Slice
from monitor.workspace import Workspace
from scoring.account import Account
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, Source
from scoring.told import Told

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

IDS_AT_ONCE = 1_000
MOST_BUCKETS = 120
BUCKETS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800)
SOURCES = {"requests": Source.APP_INSIGHTS, "traffic": Source.TRAFFIC_LOG}
_FIGURES = ("dependencies_failed", "availability", "custom_metrics", "performance_counters")
_BESIDE = {
    "requests": ("requests_other", "exceptions_newest", "traces_troubled", *_FIGURES),
    "traffic": ("traffic_other", "console_events", "deployment_events"),
}
"""What is asked beside the requests themselves, where the component or the endpoint has it."""


def tell(
    endpoint: Endpoint,
    since_at: datetime,
    until_at: datetime,
    *,
    credential: TokenCredential,
    lookup_ids: Sequence[str] = (),
    on_progress: Progress | None = None,
    sleep: Callable[[float], None] | None = None,
) -> Told:
    """What the logs and metrics tell of [since_at, until_at). Nothing that Azure answers raises."""
    told = Told(endpoint, since_at, until_at)
    period = Slice(since_at, until_at)
    if kinds_of(endpoint):
        workspace = Workspace(endpoint, credential, sleep)
        try:
            told = _logs(workspace, endpoint, period, tuple(dict.fromkeys(lookup_ids)), on_progress)
        finally:
            workspace.close()
    if endpoint.arm_id is not None and metrics_url(endpoint) is not None:
        traffic = told.account(Source.TRAFFIC_LOG)
        seen = {cell.deployment for cell in traffic.cells if cell.deployment} if traffic is not None else set()
        named = {endpoint.deployment} if endpoint.deployment else seen
        series, trouble = series_told(endpoint, credential, period, sorted(named))
        told = replace(
            told,
            metrics=told.metrics + series,
            problems=told.problems + trouble,
            asked=(*told.asked, Source.METRICS),
        )
    return told


def bucket_for(period: Slice) -> timedelta:
    """The shortest bucket of BUCKETS_S that divides the period into at most MOST_BUCKETS."""
    seconds = period.length.total_seconds()
    return timedelta(seconds=next((one for one in BUCKETS_S if seconds / one <= MOST_BUCKETS), BUCKETS_S[-1]))


def kinds_of(endpoint: Endpoint) -> tuple[str, ...]:
    """Which accounts can be asked for: by the workspace that holds both, or by the id of the resource that owns one."""
    has_front_end = endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES, None)
    found = ["requests"] if endpoint.workspace_id or endpoint.app_insights_id else []
    if has_front_end and (endpoint.workspace_id or endpoint.arm_id):
        found.append("traffic")
    return tuple(found)


@dataclass(frozen=True)
class _Asked:
    """What is asked, of whom, and what came so far."""

    workspace: Workspace
    endpoint: Endpoint
    period: Slice
    family: str
    values: Mapping[str, Value]
    replies: dict[str, Replies]
    on_progress: Progress | None

    def ask(self, *names: str) -> None:
        """The replies to these questions are among `replies`."""
        self._ask([Ask(name, name, self.family, self.values, self._period(name)) for name in names])

    def look_up(self, name: str, ids: Sequence[str]) -> None:
        """The same for one question, with so many ids at a time."""
        batches = [tuple(ids[start : start + IDS_AT_ONCE]) for start in range(0, len(ids), IDS_AT_ONCE)]
        self._ask(
            [
                Ask(f"{name} {number}", name, self.family, {**self.values, "wanted_ids": batch}, self._period(name))
                for number, batch in enumerate(batches)
            ]
        )

    def _ask(self, asks: list[Ask]) -> None:
        self.replies.update(ask_all(self.workspace, asks, self.on_progress))

    def _period(self, name: str) -> Slice:
        """For single rows the time in which the table has rows, where that is known: less to slice and to read."""
        known = self.replies.get(f"{name.partition('_')[0]}_watermark", Replies())
        if known.outcome is not None or name.endswith(("_counts", "_watermark")):
            return self.period
        firsts = [row["first_at"] for row in known.rows if row.get("first_at") is not None]
        lasts = [row["last_at"] for row in known.rows if row.get("last_at") is not None]
        if not firsts or not lasts:
            return self.period
        last_at = max(lasts) + timedelta(milliseconds=1)  # times have more digits than Python keeps
        return Slice(max(self.period.from_at, min(firsts)), min(self.period.until_at, last_at))

    def table(self, name: str) -> str:
        return TABLES[question(name).source][self.family == WORKSPACE]


def _logs(
    workspace: Workspace, endpoint: Endpoint, period: Slice, ids: tuple[str, ...], on_progress: Progress | None
) -> Told:
    kinds, ids = kinds_of(endpoint), tuple(one for one in ids if is_id(one))
    values = _values(endpoint, period)
    asked = _Asked(workspace, endpoint, period, WORKSPACE, values, {}, on_progress)
    if endpoint.workspace_id is None and "requests" in kinds:
        asked = replace(asked, family=_family(asked))
    asked.ask(*(f"{kind}_{part}" for kind in kinds for part in ("counts", "watermark")))
    _ask_on(asked, [kind for kind in kinds if not problems.is_final(asked.replies[f"{kind}_counts"])], ids)
    accounts = tuple(one for kind in kinds if (one := _account(kind, asked, ids)) is not None)
    rows = {name: reply.rows for name, reply in asked.replies.items()}
    thrown = thrown_of(rows.get("exceptions_newest", ()), asked.table("exceptions_newest"))
    return Told(
        endpoint,
        period.from_at,
        period.until_at,
        accounts=tuple(account for account in accounts if account.requests or account.other_count),
        problems=problems.found(kinds, asked.replies, accounts, endpoint, asked.table, period, len(ids), thrown),
        thrown=thrown,
        events=_events(rows),
        templates=templates_of(rows.get("traces_troubled", ())),
        metrics=series_of_rows(row for name in _FIGURES for row in rows.get(name, ())),
        asked=(
            *(SOURCES[kind] for kind in kinds),
            *((Source.EVENT_LOG, Source.CONSOLE_LOG) if "console_events" in rows else ()),
        ),
    )


def _ask_on(asked: _Asked, kinds: Sequence[str], ids: tuple[str, ...]) -> None:
    """Single rows: all of them where they are few. And everything beside."""
    names = [name for kind in kinds for name in _BESIDE[kind]]
    many = []
    for kind in kinds:
        counts = asked.replies[f"{kind}_counts"]
        total = _total(counts)
        if total > MOST_ROWS or counts.outcome is not None:
            many.append(kind)
            names += [f"{kind}_failed", f"{kind}_slowest"]
        elif total:
            names.append(f"{kind}_all")
    if names:
        asked.ask(*names)
    for kind in many:
        asked.look_up(f"{kind}_by_id", ids)
    newest = asked.replies.get("exceptions_newest", Replies())
    if newest.outcome is not None or len(newest.rows) >= problems.MOST_EXCEPTIONS:
        asked.ask("exceptions_counts")


def _total(counts: Replies) -> int:
    return sum(row.get("n") or 0 for row in counts.rows)


def _values(endpoint: Endpoint, period: Slice) -> dict[str, Value]:
    path = endpoint.path.partition("?")[0].rstrip("/")
    is_managed = endpoint.host.endswith(".inference.ml.azure.com") and endpoint.arm_id is None
    return {
        "bucket": bucket_for(period),
        "component": endpoint.app_insights_id or "",
        "endpoint_id": endpoint.arm_id or "",
        "endpoint_name": endpoint.host.partition(".")[0] if is_managed else "",
        "scoring_end": "/" + (path.rpartition("/")[2] or "score"),
    }


def _family(asked: _Asked) -> str:
    """The names under which a component's own logs show its tables."""
    probe = replace(asked, family=CLASSIC, replies={})
    probe.ask("requests_watermark")
    outcome = probe.replies["requests_watermark"].outcome
    return WORKSPACE if outcome is not None and outcome.word == "missing_table" else CLASSIC


def _account(kind: str, asked: _Asked, ids: tuple[str, ...]) -> Account | None:
    """The account of one source; None where its counts could not be read."""
    replies = asked.replies
    counts, every = replies[f"{kind}_counts"], replies.get(f"{kind}_all")
    if not counts.was_read:
        return None
    other = replies.get(f"{kind}_other", Replies())
    account = account_of(
        SOURCES[kind], counts.rows, other.rows, replies[f"{kind}_watermark"].rows, bucket_for(asked.period)
    )
    served = served_of(SOURCES[kind], asked.table(f"{kind}_counts"))
    by_id = [reply for key, reply in replies.items() if key.startswith(f"{kind}_by_id ")]
    first = [every] if every is not None else by_id
    then = [replies[name] for name in (f"{kind}_failed", f"{kind}_slowest") if name in replies]
    has_none = counts.outcome is None and not _total(counts)
    has_all = has_none or (every is not None and every.outcome is None)
    was_looked_up = has_all or (bool(by_id) and all(reply.outcome is None for reply in by_id))
    is_kept = not account.is_sampled  # of a sampled source a missing row says nothing
    return replace(
        account,
        is_partial=counts.outcome is not None,
        rows=distinct(served(row) for reply in (*first, *then) for row in reply.rows),
        rows_are_all=has_all and is_kept and counts.outcome is None,
        looked_up=frozenset(ids) if was_looked_up and is_kept else frozenset(),
    )


def _events(rows: Mapping[str, Sequence[dict[str, object]]]) -> tuple[Event, ...]:
    told = [
        *console_events(rows.get("console_events", ())),
        *deployment_events(rows.get("deployment_events", ())),
    ]
    return tuple(sorted(told, key=lambda one: (one.at is None, one.at)))
