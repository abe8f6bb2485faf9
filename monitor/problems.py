"""Sentences and next steps for sources that refuse, are empty, or are not there yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from monitor.asking import Replies
from monitor.outcomes import Outcome
from monitor.slices import Slice
from scoring.account import Account, Problem
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Source, Thrown

MOST_EXCEPTIONS = 2_000
"""Exceptions that one query tells one by one."""
FIRST_ROWS = timedelta(hours=1)
"""How long the rows of a diagnostic setting may take to appear after it was made."""
_FINAL = frozenset(
    ("no_credential", "wrong_workspace", "throttled", "timed_out", "unreachable", "bad_answer", "failed")
)
_QUIET = ("availability", "custom_metrics", "performance_counters", "dependencies_failed", "traces_troubled")
"""Questions whose table many workspaces never had."""
_OF = {"console_events": Source.CONSOLE_LOG, "deployment_events": Source.EVENT_LOG}

_DIAGNOSTICS = (
    "az monitor diagnostic-settings create --name redline --resource ENDPOINT_ID --workspace WORKSPACE_ID"
    ' --logs \'[{"category": "TABLE", "enabled": true}]\''
)
_STEPS = {
    "missing_column": "report the table's columns to redline's authors: TABLE | getschema",
    "wrong_workspace": "az monitor log-analytics workspace show -g GROUP -n NAME --query customerId -o tsv",
    "forbidden": (
        "az role assignment create --role 'Log Analytics Reader' --assignee YOU --scope WORKSPACE_ID"
        " (a new role may take an hour)"
    ),
    "no_credential": "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
    "throttled": "ask again in a minute, or for a shorter time: --since 1h",
    "timed_out": "ask for a shorter time: --since 1h",
    "partial": "ask for a shorter time: --since 1h",
    "unreachable": "check that the host can be reached: curl -I LOGS_URL",
    "bad_answer": "ask again; a proxy between here and Azure Monitor may have answered",
    "refused_query": "run it in the portal to see what it refuses; the queries are the files of monitor/queries",
    "failed": "ask again in a minute",
}
_SENTENCES = {
    "missing_table": "{place} has no table {table}",
    "missing_column": "{table} of {place} lacks a column",
    "wrong_workspace": "{place} is not known to Azure Monitor, asked for {table}",
    "forbidden": "the credential may not read {table} of {place}",
    "no_credential": "no credential was accepted for {table} of {place}",
    "throttled": "too many queries were under way for {table} to be read",
    "timed_out": "{table} did not answer in time",
    "partial": "{table} gave only a part of its rows",
    "unreachable": "{table} of {place} could not be reached",
    "bad_answer": "{place} answered the query on {table} with something that is no result",
    "refused_query": "{place} refused the query on {table}",
    "failed": "{place} failed to answer the query on {table}",
}


def is_final(reply: Replies) -> bool:
    """Whether the same would come of every further question: nobody listens, answers in time, or lets us in."""
    return reply.outcome is not None and not reply.was_read and reply.outcome.word in _FINAL


def found(
    kinds: Sequence[str],
    replies: Mapping[str, Replies],
    accounts: Sequence[Account],
    endpoint: Endpoint,
    table: Callable[[str], str],
    period: Slice,
    id_count: int,
    thrown: Sequence[Thrown],
) -> tuple[Problem, ...]:
    """One problem for each source that was not read, not read whole, or told nothing; one of a word at most."""
    evidence = _Evidence(replies, accounts, period, id_count)
    told = [one for kind in kinds for one in _of_counts(kind, replies, accounts, endpoint, table, evidence, kinds)]
    told += _of_others(replies, endpoint, table)
    told += _of_exceptions(replies, thrown, endpoint, table)
    first: dict[tuple[Source, str], Problem] = {}
    for one in told:
        first.setdefault((one.source, one.outcome), one)
    return tuple(first.values())


class _Evidence:
    """What is known of the time in which requests came, beside the table that is looked at."""

    def __init__(
        self, replies: Mapping[str, Replies], accounts: Sequence[Account], period: Slice, id_count: int
    ) -> None:
        clocks = [row.get("asked_at") for name, one in replies.items() if "watermark" in name for row in one.rows]
        self._now = max((one for one in clocks if one is not None), default=period.until_at)
        self._accounts = accounts
        self._id_count = id_count
        self._until_at = min(period.until_at, self._now)

    def last_at(self, source: Source) -> datetime | None:
        """When the last request came that others than the source tell of."""
        times = [one.last_at for one in self._accounts if one.source is not source and one.last_at is not None]
        return max([*times, *([self._until_at] if self._id_count else [])], default=None)

    def is_recent(self, at: datetime) -> bool:
        return self._now - at < FIRST_ROWS


def _of_counts(
    kind: str,
    replies: Mapping[str, Replies],
    accounts: Sequence[Account],
    endpoint: Endpoint,
    table: Callable[[str], str],
    evidence: _Evidence,
    kinds: Sequence[str],
) -> Iterator[Problem]:
    source = Source.TRAFFIC_LOG if kind == "traffic" else Source.APP_INSIGHTS
    counts, name = replies[f"{kind}_counts"], table(f"{kind}_counts")
    account = next((one for one in accounts if one.source is source), None)
    # Only managed endpoints write a traffic log for certain: elsewhere its absence says nothing.
    may_lack = kind == "traffic" and endpoint.hosting is not Hosting.MANAGED and len(kinds) > 1
    outcome = counts.outcome
    is_missing = outcome is not None and outcome.word == "missing_table"
    came_at = evidence.last_at(source)
    if is_missing and kind == "traffic" and not may_lack and came_at is not None and evidence.is_recent(came_at):
        yield _empty(source, name, endpoint, evidence, has_others=False)
    elif outcome is not None and not (may_lack and is_missing):
        yield refused(source, name, outcome, endpoint, counts.missing)
    elif account is not None and not account.requests and not may_lack:
        yield _empty(source, name, endpoint, evidence, has_others=bool(account.other_count))


def _of_others(replies: Mapping[str, Replies], endpoint: Endpoint, table: Callable[[str], str]) -> Iterator[Problem]:
    for key, reply in replies.items():
        name, outcome = key.partition(" ")[0], reply.outcome
        if outcome is None or name.endswith("_counts"):
            continue
        of_counts = replies.get(f"{name.partition('_')[0]}_counts")
        if outcome.word == "missing_table" and of_counts is not None and of_counts.outcome is not None:
            continue  # its counts tell the same
        source = _OF.get(name, Source.TRAFFIC_LOG if name.startswith("traffic") else Source.APP_INSIGHTS)
        may_lack = name in _QUIET or (source is not Source.APP_INSIGHTS and endpoint.hosting is not Hosting.MANAGED)
        is_known = outcome.word == "missing_table" and may_lack
        if not is_known:
            yield refused(source, table(name), outcome, endpoint, reply.missing)


def _of_exceptions(
    replies: Mapping[str, Replies], thrown: Sequence[Thrown], endpoint: Endpoint, table: Callable[[str], str]
) -> Iterator[Problem]:
    counts = replies.get("exceptions_counts")
    read = sum(one.count for one in thrown)
    total = 0 if counts is None else sum(row.get("n") or 0 for row in counts.rows)
    if total > read:
        sentence = f"the newest {read:,} of {total:,} exceptions in {table('exceptions_newest')} were read one by one"
        yield Problem(Source.APP_INSIGHTS, "partial", sentence, _filled(_STEPS["partial"], endpoint, ""))


def refused(source: Source, table: str, outcome: Outcome, endpoint: Endpoint, missing: Sequence[Slice]) -> Problem:
    """Why a table could not be read, or not whole."""
    sentence = _SENTENCES[outcome.word].format(table=table, place=_place(endpoint, source))
    if missing and outcome.word in ("partial", "timed_out"):
        lost_s = sum(part.length.total_seconds() for part in missing)
        shown = f"{lost_s:,.0f}" if lost_s >= 1 else f"{lost_s:.2f}"
        sentence += f"; {shown} s of the period are not told whole"
    step = _STEPS.get(outcome.word, "")
    if outcome.word == "missing_table":
        step = _DIAGNOSTICS if source is not Source.APP_INSIGHTS else _switch_on(endpoint)
    return Problem(source, outcome.word, f"{sentence}: {outcome.said}", _filled(step, endpoint, table))


def _empty(source: Source, table: str, endpoint: Endpoint, evidence: _Evidence, *, has_others: bool) -> Problem:
    """A table that was read whole and holds no scoring request of the period."""
    came_at = evidence.last_at(source)
    if came_at is None:
        paths = ", only other paths: is the scoring URI the right one?" if has_others else ""
        step = "look further back: --since 7d"
        return Problem(source, "no_data", f"{table} holds no scoring request of the period{paths}", step)
    sentence = f"requests came up to {came_at:%Y-%m-%d %H:%M:%S} UTC, but {table} has none of them"
    if source is Source.TRAFFIC_LOG:
        step, why = _DIAGNOSTICS, "it may take an hour after it was switched on"
    else:
        step, why = _switch_on(endpoint), "rows take some minutes to arrive"
    if evidence.is_recent(came_at):
        return Problem(
            source, "not_yet", f"{sentence}; {why}", f"wait; if nothing comes: {_filled(step, endpoint, table)}"
        )
    return Problem(source, "no_data", f"{sentence}: is it switched on?", _filled(step, endpoint, table))


def _switch_on(endpoint: Endpoint) -> str:
    return f"az ml online-deployment update -e {endpoint.name} -n DEPLOYMENT --set app_insights_enabled=true"


def _place(endpoint: Endpoint, source: Source) -> str:
    if endpoint.workspace_id:
        return f"workspace {endpoint.workspace_id}"
    return "the component" if source is Source.APP_INSIGHTS else "the endpoint"


def _filled(step: str, endpoint: Endpoint, table: str) -> str:
    url = endpoint.logs_url or "https://api.loganalytics.io"
    return (
        step.replace("TABLE", table).replace("LOGS_URL", url).replace("ENDPOINT_ID", endpoint.arm_id or "ENDPOINT_ID")
    )
