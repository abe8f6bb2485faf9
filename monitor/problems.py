"""Sentences and next steps for sources that refuse, are empty, or are not there yet. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.outcomes import Outcome
from monitor.slices import Slice
from scoring.account import Problem
from scoring.endpoint import Endpoint
from scoring.served import Source

_DIAGNOSTICS = (
    "az monitor diagnostic-settings create --name redline --resource ENDPOINT_ID --workspace WORKSPACE_ID"
    ' --logs \'[{"category": "AmlOnlineEndpointTrafficLog", "enabled": true}]\''
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
    "refused_query": "run the query from the report's appendix in the portal to see what it refuses",
    "failed": "ask again in a minute",
}
_SENTENCES = {
    "missing_table": "{place} has no table {table}",
    "missing_column": "{table} of {place} lacks a column",
    "wrong_workspace": "{place} is not known to Azure Monitor",
    "forbidden": "the credential may not read {table} of {place}",
    "no_credential": "no credential was accepted for {place}",
    "throttled": "Azure Monitor let too many queries wait",
    "timed_out": "{table} did not answer in time",
    "partial": "{table} gave only a part of its rows",
    "unreachable": "{place} could not be reached",
    "bad_answer": "{place} answered with something that is no result",
    "refused_query": "{place} refused the query on {table}",
    "failed": "{place} failed to answer",
}


def refused(source: Source, table: str, outcome: Outcome, endpoint: Endpoint, missing: Sequence[Slice]) -> Problem:
    """Why a table could not be read, or not whole."""
    sentence = _SENTENCES[outcome.word].format(table=table, place=_place(endpoint))
    if missing and outcome.word in ("partial", "timed_out"):
        lost_s = sum((part.until_at - part.from_at).total_seconds() for part in missing)
        sentence += f"; {lost_s:,.0f} s of the period are not told whole"
    step = _STEPS.get(outcome.word, "")
    if outcome.word == "missing_table":
        step = _DIAGNOSTICS if source is not Source.APP_INSIGHTS else _switch_on(endpoint)
    return Problem(source, outcome.word, f"{sentence}: {outcome.said}", _filled(step, endpoint, table))


def empty(source: Source, table: str, endpoint: Endpoint, *, others_tell: bool) -> Problem:
    """A table that was read whole and holds nothing of the period."""
    if not others_tell:
        return Problem(
            source, "no_data", f"{table} holds no scoring request of the period", "look further back: --since 7d"
        )
    if source is Source.TRAFFIC_LOG:
        sentence = f"requests came, but {table} holds none of them; it may take an hour after it was switched on"
        return Problem(source, "not_yet", sentence, _filled(_DIAGNOSTICS, endpoint, table))
    sentence = f"requests came, but {table} holds none of them; rows take some minutes to arrive"
    return Problem(source, "not_yet", sentence, f"wait with --wait 5m; if nothing comes: {_switch_on(endpoint)}")


def not_all_exceptions(read: int, total: int, table: str) -> Problem:
    """More exceptions than were read one by one."""
    sentence = f"the newest {read:,} of {total:,} exceptions in {table} were read one by one"
    return Problem(Source.APP_INSIGHTS, "partial", sentence, "ask for a shorter time: --since 1h")


def _switch_on(endpoint: Endpoint) -> str:
    return f"az ml online-deployment update -e {endpoint.name} -n DEPLOYMENT --set app_insights_enabled=true"


def _place(endpoint: Endpoint) -> str:
    return f"workspace {endpoint.workspace_id}" if endpoint.workspace_id else "the component"


def _filled(step: str, endpoint: Endpoint, table: str) -> str:
    url = endpoint.logs_url or "https://api.loganalytics.io"
    return (
        step.replace("TABLE", table).replace("LOGS_URL", url).replace("ENDPOINT_ID", endpoint.arm_id or "ENDPOINT_ID")
    )
