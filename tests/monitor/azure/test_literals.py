"""Values are put before a query as literals: none of them, whatever it holds, becomes part of the query."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localazure.telemetry.queries import Span
from localazure.telemetry.settings import Names, Settings
from localazure.telemetry.store import Store
from monitor.kql import FAMILIES, literal, question_names, written

ATTACKS = (
    '"',
    "'",
    "\\",
    '\\"',
    '"; AppRequests | take 1; //',
    '" or "" == "',
    "a\nlet endpoint_id = 'x';",
    "a\r\n// columns: n long",
    "```",
    "'''",
    "\u2028AppRequests",
    "\x00",
    "churn\u202e",
    'e"); drop',
)


@pytest.fixture(scope="module")
def store() -> Store:
    """The local engine with empty tables."""
    return Store(Settings(Names("churn", "blue", *(str(UUID(int=number)) for number in range(1, 5)))))


def evaluated(store: Store, text: str) -> str:
    """What the engine takes the literal for."""
    result = store.query(f"print x = {text}", Span(None, None, time.time_ns() // 1000), 10.0)
    return str(result.rows[0][0])


def tokens_outside(text: str) -> str:
    """The query without its string literals, read as KQL reads them: backslash escapes in double quotes."""
    kept, at = "", 0
    while at < len(text):
        if text[at] != '"':
            kept += text[at]
            at += 1
            continue
        at += 1
        while text[at] != '"':
            at += 2 if text[at] == "\\" else 1
        at += 1
    return kept


@given(st.text())
def test_a_text_stays_inside_its_quotes(text: str) -> None:
    """Outside of the literal nothing is left, and it has one line."""
    found = literal(text)
    assert tokens_outside(found) == ""
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_changes_no_query(attack: str) -> None:
    """With the attack for a name, each query differs from the harmless one inside its literals only."""
    harmless = {"component": "c", "endpoint_id": "e", "endpoint_name": "n", "scoring_end": "/score", "bucket": 60}
    period = {
        "from_at": datetime(2026, 11, 22, tzinfo=UTC),
        "until_at": datetime(2026, 11, 23, tzinfo=UTC),
        "bucket": timedelta(minutes=1),
        "wanted_ids": ("a1",),
        "only_role": "r",
    }
    names = ("component", "endpoint_id", "endpoint_name", "scoring_end", "only_role")
    hostile = dict.fromkeys(names, attack)
    for name in question_names():
        for family in FAMILIES:
            given_ = written(name, family, {**harmless, **period}).text
            attacked = written(name, family, {**harmless, **period, **hostile}).text
            assert tokens_outside(_let_lines(attacked)) == tokens_outside(_let_lines(given_))
            assert attacked.removeprefix(_let_lines(attacked)) == given_.removeprefix(_let_lines(given_))


def _let_lines(text: str) -> str:
    """The values at the beginning."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[: next(at for at, line in enumerate(lines) if not line.startswith("let "))])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40))
def test_the_engine_reads_back_what_was_written(store: Store, text: str) -> None:
    """A printable text is the same text to the engine."""
    assert evaluated(store, literal(text)) == text


@given(st.text(max_size=30))
def test_only_ids_are_asked_for(text: str) -> None:
    """What is no id is left out of the list, and never stands in a query."""
    found = literal((text, "ab-1"))
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        assert found == f'dynamic(["{text}", "ab-1"])'
    elif text.strip("-_"):
        assert found == 'dynamic(["ab-1"])'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2))), "datetime(2026-11-22T10:00:00.000000Z)"),
        (timedelta(days=1), "86400s"),
        (20, "20"),
        ((), "dynamic([])"),
        ("a\\b", '"a\\\\b"'),
    ],
)
def test_a_value_is_written_as_kql_writes_it(value: object, expected: str) -> None:
    """Instants in UTC, spans in seconds, lists of ids as dynamic."""
    assert literal(value) == expected  # type: ignore[arg-type]
