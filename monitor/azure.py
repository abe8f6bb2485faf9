"""Edge: everything that Azure Monitor tells of an endpoint in one period, as values; what it refuses is a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor import problems
from monitor.accounts import MOST_ROWS, account_of, distinct, served_of
from monitor.asking import Ask, Progress, Replies, ask_all
from monitor.exceptions import thrown_of
from monitor.kql import CLASSIC, TABLES, WORKSPACE, Value
from monitor.loglines import console_events, deployment_events, templates_of
from monitor.metrics import series_of_rows, series_told
from monitor.slices import Slice
from monitor.workspace import Workspace
from scoring.account import Account, Problem
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, Source
from scoring.told import Told

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

IDS_AT_ONCE = 1_000
MOST_BUCKETS = 120
BUCKETS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_REQUESTS = ("counts", "other", "watermark", "failed", "slowest")
_BESIDE = (
    "exceptions_counts",
    "exceptions_newest",
    "traces_troubled",
    "dependencies_failed",
    "availability",
    "custom_metrics",
    "performance_counters",
)
_ENDPOINT = ("console_events", "deployment_events")
_FIGURES = ("dependencies_failed", "availability", "custom_metrics", "performance_counters")


def tell(
    endpoint: Endpoint,
    since_at: datetime,
    until_at: datetime,
    *,
    credential: TokenCredential,
    lookup_ids: Sequence[str] = (),
    on_progress: Progress | None = None,
) -> Told:
    """What the logs and metrics tell of [since_at, until_at). Nothing that Azure answers raises."""
    told = Told(endpoint, since_at, until_at)
    period = Slice(since_at, until_at)
    if endpoint.workspace_id is not None or endpoint.app_insights_id is not None:
        workspace = Workspace(endpoint, credential)
        try:
            told = _logs(workspace, endpoint, period, tuple(lookup_ids), on_progress)
        finally:
            workspace.close()
    if endpoint.metrics_url is not None and endpoint.arm_id is not None:
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
    seconds = (period.until_at - period.from_at).total_seconds()
    return timedelta(seconds=next((one for one in BUCKETS_S if seconds / one <= MOST_BUCKETS), BUCKETS_S[-1]))


def _logs(
    workspace: Workspace, endpoint: Endpoint, period: Slice, ids: tuple[str, ...], on_progress: Progress | None
) -> Told:
    values = _values(endpoint, period)
    has_front_end = endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES, None)
    family = _family(workspace, endpoint, values, period)
    kinds = ["requests", *(["traffic"] if has_front_end else [])]
    asks = [_ask(f"{kind}_{part}", family, values) for kind in kinds for part in _REQUESTS]
    asks += [_ask(name, family, values) for name in (*_BESIDE, *(_ENDPOINT if has_front_end else ()))]
    for start in range(0, len(ids), IDS_AT_ONCE):
        wanted = {**values, "wanted_ids": ids[start : start + IDS_AT_ONCE]}
        asks += [Ask(f"{kind}_by_id {start}", f"{kind}_by_id", family, wanted) for kind in kinds]
    replies = ask_all(workspace, asks, period, on_progress)
    few = [kind for kind in kinds if 0 < _total(replies[f"{kind}_counts"]) <= MOST_ROWS]
    replies |= ask_all(workspace, [_ask(f"{kind}_all", family, values) for kind in few], period, on_progress)
    sources = {"requests": Source.APP_INSIGHTS, "traffic": Source.TRAFFIC_LOG}
    accounts = [_account(kind, sources[kind], family, replies, bucket_for(period), ids) for kind in kinds]
    read = tuple(account for account in accounts if account is not None)
    told = Told(
        endpoint,
        period.from_at,
        period.until_at,
        accounts=tuple(account for account in read if account.requests or account.other_count),
        thrown=thrown_of(replies["exceptions_newest"].rows),
        events=_events(replies),
        templates=templates_of(replies["traces_troubled"].rows),
        metrics=series_of_rows(row for name in _FIGURES for row in replies[name].rows),
        asked=tuple(sources[kind] for kind in kinds),
    )
    return replace(told, problems=_problems(told, read, kinds, family, replies, endpoint, ids))


def _ask(name: str, family: str, values: Mapping[str, Value]) -> Ask:
    return Ask(name, name, family, values)


def _values(endpoint: Endpoint, period: Slice) -> dict[str, Value]:
    path = endpoint.path.partition("?")[0]
    is_managed = endpoint.host.endswith(".inference.ml.azure.com") and endpoint.arm_id is None
    return {
        "bucket": bucket_for(period),
        "component": endpoint.app_insights_id or "",
        "endpoint_id": endpoint.arm_id or "",
        "endpoint_name": endpoint.host.partition(".")[0] if is_managed else "",
        "scoring_end": "/" + (path.rpartition("/")[2] or "score"),
    }


def _family(workspace: Workspace, endpoint: Endpoint, values: Mapping[str, Value], period: Slice) -> str:
    """The names under which the tables are found: a workspace's, or those of the component's own logs."""
    if endpoint.workspace_id is not None:
        return WORKSPACE
    probe = ask_all(workspace, [_ask("requests_watermark", CLASSIC, values)], period)["requests_watermark"]
    return WORKSPACE if probe.outcome is not None and probe.outcome.word == "missing_table" else CLASSIC


def _total(replies: Replies) -> int:
    return sum(row.get("n") or 0 for row in replies.rows)


def _account(
    kind: str,
    source: Source,
    family: str,
    replies: Mapping[str, Replies],
    bucket: timedelta,
    ids: tuple[str, ...],
) -> Account | None:
    """The account of one source; None where its counts could not be read."""
    counts = replies[f"{kind}_counts"]
    if not counts.was_read:
        return None
    account = account_of(source, counts.rows, replies[f"{kind}_other"].rows, replies[f"{kind}_watermark"].rows, bucket)
    served = served_of(source, TABLES[kind][family == WORKSPACE])
    by_id = [reply for key, reply in replies.items() if key.startswith(f"{kind}_by_id")]
    every = replies.get(f"{kind}_all")
    parts = [replies[f"{kind}_failed"], replies[f"{kind}_slowest"], *by_id, *([every] if every is not None else [])]
    rows = distinct(served(row) for reply in parts for row in reply.rows)
    return replace(
        account,
        is_partial=counts.outcome is not None,
        rows=rows,
        rows_are_all=every is not None and every.outcome is None and counts.outcome is None,
        looked_up=frozenset(ids) if all(reply.outcome is None for reply in by_id) else frozenset(),
    )


def _events(replies: Mapping[str, Replies]) -> tuple[Event, ...]:
    console = replies.get("console_events", Replies()).rows
    deployment = replies.get("deployment_events", Replies()).rows
    return (*console_events(console), *deployment_events(deployment))


def _problems(
    told: Told,
    read: Iterable[Account],
    kinds: Sequence[str],
    family: str,
    replies: Mapping[str, Replies],
    endpoint: Endpoint,
    ids: Sequence[str],
) -> tuple[Problem, ...]:
    """One problem per source that was not read, not read whole, or told nothing."""
    found = []
    by_source = {account.source: account for account in read}
    recent = any(account.last_at is not None for account in told.accounts)
    for kind, source in (("requests", Source.APP_INSIGHTS), ("traffic", Source.TRAFFIC_LOG)):
        if kind not in kinds:
            continue
        table = TABLES[kind][family == WORKSPACE]
        account = by_source.get(source)
        outcome = replies[f"{kind}_counts"].outcome
        if outcome is not None:
            found.append(problems.refused(source, table, outcome, endpoint, replies[f"{kind}_counts"].missing))
        elif account is not None and not account.requests:
            others_tell = recent or bool(ids)
            found.append(problems.empty(source, table, endpoint, others_tell=others_tell))
    exceptions = replies["exceptions_counts"]
    table = TABLES["exceptions"][family == WORKSPACE]
    if exceptions.outcome is not None and Source.APP_INSIGHTS in by_source:
        found.append(problems.refused(Source.APP_INSIGHTS, table, exceptions.outcome, endpoint, exceptions.missing))
    elif _total(exceptions) > sum(one.count for one in told.thrown):
        found.append(problems.not_all_exceptions(len(told.thrown), _total(exceptions), table))
    return tuple(found)
