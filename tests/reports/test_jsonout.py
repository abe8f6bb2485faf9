"""The JSON documents that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.jsonout import limit_json, load_json
from reports.load import LoadReport
from tests.reports import load_samples, samples

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
CONTRACT = [
    "schema",
    "verdict",
    "decision",
    "binding_goal",
    "limits",
    "first_rejected_users",
    "knee_users",
    "peak_rps",
    "levels",
    "harm",
    "client",
    "recommended",
    "cost",
    "run",
]


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def assert_valid(document: Any, name: str) -> None:
    """Raises ValidationError, which says where, unless the document fits the schema."""
    jsonschema.validate(document, schema(name), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", samples.ALL)
def test_every_kind_of_verdict_validates_against_the_committed_schema(name: str) -> None:
    """The schema under docs/schemas describes what is printed."""
    assert_valid(json.loads(limit_json(samples.ALL[name]())), "limit")


@pytest.mark.parametrize("sample", [load_samples.load, load_samples.open_load], ids=["closed", "open"])
def test_the_load_document_validates_against_its_schema(sample: Callable[[], LoadReport]) -> None:
    """`redline load --json` has a schema too."""
    assert_valid(json.loads(load_json(sample())), "load")


def test_the_level_of_an_open_load_is_a_rate() -> None:
    """No users, and the latency from when due beside that from sending."""
    (level,) = json.loads(load_json(load_samples.open_load()))["levels"]
    assert (level["users"], level["rps"], level["due_count"], level["late_count"]) == (None, 300, 9012, 9)
    assert level["p99_from_due_ms"] == 1892


@pytest.mark.parametrize("name", ["limit", "load"])
def test_the_schemas_are_schemas(name: str) -> None:
    """A typing error in a keyword is found here."""
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("field", CONTRACT)
def test_the_schema_rejects_a_document_without_a_promised_field(field: str) -> None:
    """Every field of the contract is required."""
    document = json.loads(limit_json(samples.cliff()))
    del document[field]
    with pytest.raises(jsonschema.ValidationError):
        assert_valid(document, "limit")


def test_the_schema_rejects_a_verdict_that_does_not_exist() -> None:
    """The verdicts are a closed list."""
    document = json.loads(limit_json(samples.cliff())) | {"verdict": "GREAT"}
    with pytest.raises(jsonschema.ValidationError):
        assert_valid(document, "limit")


def test_the_schema_lets_fields_be_added() -> None:
    """A newer version may say more."""
    assert_valid(json.loads(limit_json(samples.cliff())) | {"weather": {"rain_ratio": 0.9}}, "limit")


def test_the_promised_fields_come_first_and_in_their_order() -> None:
    """A person who reads the JSON finds the verdict at its top."""
    assert list(json.loads(limit_json(samples.cliff())))[: len(CONTRACT)] == CONTRACT


@pytest.mark.parametrize("name", samples.ALL)
def test_the_codes_of_a_level_add_up_to_its_attempts(name: str) -> None:
    """status_count holds failure classes too, so nothing is missing from the sum."""
    for level in json.loads(limit_json(samples.ALL[name]()))["levels"]:
        assert sum(level["status_count"].values()) == level["attempt_count"]


def test_a_limit_is_said_as_the_contract_has_it() -> None:
    """Goal, users, closed interval, confirmed, bound."""
    first = json.loads(limit_json(samples.cliff()))["limits"][0]
    assert list(first)[:5] == ["goal", "users", "interval", "confirmed", "bound_ratio"]
    assert first["interval"] == [8, 8]
    assert json.loads(limit_json(samples.at_least()))["limits"][0]["interval"] == [512, None]


def test_absent_knowledge_is_null() -> None:
    """What was not measured is null, never 0 and never left out."""
    document = json.loads(limit_json(samples.latency_goal()))
    assert document["first_rejected_users"] is None
    assert document["decision"] is None
    assert json.loads(limit_json(samples.missed_at_zero_load()))["limits"][0]["users"] is None


def test_what_json_cannot_say_is_null() -> None:
    """NaN and infinity would be refused by every other reader."""
    verdict = replace(samples.cliff_verdict(), peak_rps=float("nan"), warm_up_s=float("inf"))
    document = json.loads(limit_json(samples.report(verdict)), parse_constant=pytest.fail)
    assert (document["peak_rps"], document["warm_up_s"]) == (None, None)


def test_every_rejection_is_counted_as_harm() -> None:
    """harm.rejected_count is that of the whole run, not that of the kept levels."""
    assert json.loads(limit_json(samples.cliff()))["harm"] == {"rejected_count": 144, "beyond_rejected_count": 0}


def test_the_document_does_not_say_where_secrets_are_kept() -> None:
    """Names of variables and files that hold keys stay on the machine."""
    report = replace(samples.cliff(), endpoint=replace(samples.ENDPOINT, key_file="secrets/churn.key"))
    text = limit_json(report)
    assert "CHURN_KEY" not in text
    assert "churn.key" not in text


def test_the_load_document_has_one_level_and_its_thresholds() -> None:
    """Each threshold says pass or fail."""
    document = json.loads(load_json(load_samples.load()))
    assert len(document["levels"]) == 1
    assert [(one["goal"], one["outcome"]) for one in document["thresholds"]] == [
        ("rejected<=0.1%", "pass"),
        ("p95<=20ms", "fail"),
    ]


def test_the_same_report_gives_the_same_bytes() -> None:
    """Nothing of the moment of writing is in the document."""
    assert limit_json(samples.cliff()) == limit_json(samples.cliff())
