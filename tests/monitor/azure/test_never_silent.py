"""Whichever one question is refused, empty or full of nulls, the rest is told, and nothing turns into a zero."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from monitor.kql import TABLES, question, question_names
from scoring.served import Source
from tests.monitor.azure.canned import Reply, counts, error, serving, table

BOTH = {Source.APP_INSIGHTS, Source.TRAFFIC_LOG}
OF_REQUESTS = ("requests", "arrivals", "traffic", "watermark")
GONE = "Failed to resolve table or column expression named 'x'"
REFUSALS = {
    "forbidden": error(403, "InsufficientAccessError"),
    "missing table": error(400, "BadArgumentError", "SEM0100", message=GONE),
    "bad answer": Reply(204),
    "late": error(504, "GatewayTimeout"),
}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
EVIL = f"\x1b[31m\u202eAuthorization: Bearer {JWT}"
AT = "2026-11-22T11:30:00Z"
ASKED = [name for name in question_names() if name != "console_lines"]
"""`redline logs` asks for the console's lines; a report does not."""


def good(requests: int) -> dict[str, Reply]:
    """Requests in both sources."""
    return {name: counts(name, ("200", requests)) for name in ("requests_counts", "traffic_counts")}


@pytest.mark.parametrize("requests", [3, 30_000])
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", ASKED)
def test_no_single_refusal_is_silent(name: str, refusal: str, requests: int) -> None:
    """A problem names the table, and every count that did not depend on it stands."""
    with serving({**good(requests), name: REFUSALS[refusal]}) as azure:
        told = azure.tell(["a1"])
    was_asked = name in azure.asked
    is_beside = refusal == "missing table" and question(name).source not in OF_REQUESTS
    table_name = TABLES[question(name).source][1]
    assert not was_asked or is_beside or any(table_name in one.sentence for one in told.problems)
    stands = BOTH - ({Source(told_by(name))} if name.endswith("_counts") else set())
    assert {one.source: one.requests for one in told.accounts if one.source in stands} == dict.fromkeys(
        stands, requests
    )


def told_by(name: str) -> Source:
    return Source.TRAFFIC_LOG if name.startswith("traffic") else Source.APP_INSIGHTS


def foreign_row(name: str) -> list[object]:
    """One row of the question, with hostile text in each text column."""
    values: Mapping[str, object] = {"string": EVIL, "datetime": AT, "bool": True}
    return [values.get(kind, 1) for _, kind in question(name).columns]


def test_foreign_texts_are_made_harmless() -> None:
    """What rows hold is redacted and loses its controls, in every field that is told."""
    with serving({name: table(name, foreign_row(name)) for name in question_names()}) as azure:
        told = azure.tell(["a1"])
    text = repr((told.accounts, told.problems, told.thrown, told.events, told.templates, told.metrics))
    assert told.accounts
    assert told.templates
    assert JWT[:20] not in text
    assert re.search(r"(?<!\\)\\(x1b|u202e)", text) is None  # as `repr` writes a control that is still one


def test_rows_of_nulls_break_nothing() -> None:
    """Each question answered by one row without any value: nothing raises, and nothing is counted."""
    nulls = {name: table(name, [None] * len(question(name).columns)) for name in question_names()}
    with serving(nulls) as azure:
        told = azure.tell(["a1"])
    assert told.accounts == ()
    assert {problem.source for problem in told.problems} >= BOTH


def test_numbers_that_are_no_numbers_are_absent() -> None:
    """NaN and Infinity, which the service sends as texts, become no duration."""
    row = [AT, "blue", "200", None, 2, "NaN", AT, AT, 0, 0, 1]
    with serving({"requests_counts": table("requests_counts", row)}) as azure:
        told = azure.tell(workspace_id=None, app_insights_id="/subscriptions/s/c")
    account = told.account(Source.APP_INSIGHTS)
    assert account is not None
    assert [(cell.count, cell.bin, cell.max_ms) for cell in account.cells] == [(2, None, None)]


def test_an_endpoint_without_ids_is_asked_nothing() -> None:
    """Nothing to ask, nothing asked, nothing told."""
    with serving({}) as azure:
        told = azure.tell(workspace_id=None)
    assert (told.asked, told.accounts, told.problems, azure.asked) == ((), (), (), [])
