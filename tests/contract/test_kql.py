"""Every shipped query is KQL to Microsoft's parser, and returns the columns that it promises, there and here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from localazure.telemetry.queries import Span
from localazure.telemetry.settings import Names, Settings
from localazure.telemetry.store import Store
from monitor.kql import FAMILIES, TABLES, question, question_names, written

ROOT = Path(__file__).parents[2]
CHECKER = Path(__file__).with_name("validate_kql.js")
SCHEMA: dict[str, dict[str, str]] = json.loads((ROOT / "tests" / "data" / "kql" / "schema.json").read_text())
NODE_MODULES = [
    *filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep)),
    str(ROOT / ".node" / "node_modules"),
]
HAS_PARSER = shutil.which("node") is not None and any(
    (Path(folder) / "@kusto" / "language-service-next").is_dir() for folder in NODE_MODULES
)
needs_parser = pytest.mark.skipif(not HAS_PARSER, reason="needs node, and npm @kusto/language-service-next in .node/")

UNTIL_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
VALUES = {
    "from_at": UNTIL_AT - timedelta(hours=24),
    "until_at": UNTIL_AT,
    "bucket": timedelta(minutes=15),
    "component": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/components/c",
    "endpoint_id": "",
    "endpoint_name": "churn",
    "scoring_end": "/score",
    "wanted_ids": ("a1", "b2"),
    "only_role": "churn",
}
SHIPPED = [
    (name, family)
    for name in question_names()
    for family in FAMILIES
    if family == FAMILIES[0] or len(set(TABLES[question(name).source])) == 2
]
QUERIES = {f"{name} {family}": written(name, family, VALUES).text for name, family in SHIPPED}


def parsed(queries: Mapping[str, str]) -> dict[str, Any]:
    """What the parser says of each query."""
    done = subprocess.run(
        ["node", str(CHECKER)],
        input=json.dumps({"schema": SCHEMA, "queries": queries}),
        env={**os.environ, "NODE_PATH": os.pathsep.join(NODE_MODULES)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Any]:
    return parsed(QUERIES)


@pytest.fixture(scope="module")
def store() -> Store:
    """The local engine with empty tables."""
    ids = (str(UUID(int=number)) for number in range(1, 5))
    return Store(Settings(Names("churn", "blue", *ids)))


@needs_parser
@pytest.mark.parametrize("query", QUERIES)
def test_a_shipped_query_is_kql(query: str, verdicts: dict[str, Any]) -> None:
    """Microsoft's parser finds no error in it against the tables' documented columns."""
    assert verdicts[query]["errors"] == []


@needs_parser
@pytest.mark.parametrize("query", QUERIES)
def test_a_shipped_query_returns_what_it_promises(query: str, verdicts: dict[str, Any]) -> None:
    """The parser derives the columns and types of the header, in its order."""
    assert verdicts[query]["columns"] == [list(pair) for pair in question(query.split()[0]).columns]


@pytest.mark.parametrize("query", QUERIES)
def test_the_local_engine_returns_the_same_columns(query: str, store: Store) -> None:
    """The stand-in answers the same text with the same columns and types."""
    result = store.query(QUERIES[query], Span(None, None, time.time_ns() // 1000), 30.0)
    assert result.columns == list(question(query.split()[0]).columns)


@needs_parser
def test_the_check_can_fail() -> None:
    """A column that no table has, a table that does not exist and a wrong argument count are refused."""
    wrong = {
        "column": "requests | where resultcode == '0'",
        "table": "AppRequest | take 1",
        "arity": "AppRequests | extend ms = totimespan() / 1ms",
        "right": "AppRequests | take 1",
    }
    verdicts = parsed(wrong)
    assert [bool(verdicts[name]["errors"]) for name in wrong] == [True, True, True, False]


def test_each_family_asks_its_own_tables_only() -> None:
    """A query names the tables of its own family, so that no row is counted under both names."""
    for name, family in SHIPPED:
        mine = TABLES[question(name).source][FAMILIES.index(family)]
        body = [line for line in QUERIES[f"{name} {family}"].splitlines() if not line.startswith("//")]
        words = {word.strip(";") for line in body for word in line.split()}
        assert words & set(SCHEMA) == {mine}
