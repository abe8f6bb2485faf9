"""`redline size`."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from reports.size import size_answer, size_json, size_text
from scoring.errors import RedlineError
from tests.cli.terminal import ROOT


def test_one_erlang_needs_more_than_the_formulas_two_replicas() -> None:
    """At 1 Erlang the formula gives 2 replicas, of which B(2, 1) = (1/2) / (1 + 1 + 1/2) = 20 % is rejected."""
    answer = json.loads(size_json(size_answer(25, "40ms", 1, "0.1%", None)))
    assert answer["formula_replicas"] == 2
    assert answer["formula_rejected_ratio"] == pytest.approx(0.2)
    assert answer["replicas"] == 6  # B(5, 1) = 1/326 > 0.1 %, B(6, 1) = 1/1957 < 0.1 %
    assert answer["rejected_ratio"] == pytest.approx(1 / 1957)


def test_a_managed_endpoint_has_as_many_places_to_wait_as_to_serve() -> None:
    """Twice max_concurrent is admitted per instance."""
    assert size_answer(25, "40ms", 4, "0.1%", "managed").queue_places == 4
    assert size_answer(25, "40ms", 4, "0.1%", "aks").queue_places == 0


@pytest.mark.parametrize("hosting", [None, "managed"])
def test_the_json_fits_its_committed_schema(hosting: str | None) -> None:
    """Programs may rely on docs/schemas/size.schema.json, which allows nothing that is not a sizing."""
    schema = Draft202012Validator(json.loads((ROOT / "docs/schemas/size.schema.json").read_text()))
    document = json.loads(size_json(size_answer(25, "40ms", 4, "0.1%", hosting)))
    assert list(schema.iter_errors(document)) == []
    assert list(schema.iter_errors({**document, "replicas": 0})) != []


def test_the_text_shows_both_methods_side_by_side() -> None:
    """Replicas and rejected share of each stand in one table."""
    text = size_text(size_answer(25, "40ms", 1, "0.1%", None))
    assert "queueing model" in text
    assert "Microsoft's formula" in text
    assert "6 replicas" in text
    assert "20 %" in text


@pytest.mark.parametrize(
    ("rps", "time", "reject", "hosting"),
    [
        (25, "0ms", "0.1%", None),
        (25, "soon", "0.1%", None),
        (25, "1s", "0", None),
        (25, "1s", "2", None),
        (25, "1s", "1%", "x"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(rps: float, time: str, reject: str, hosting: str | None) -> None:
    """No time, no ratio or no such hosting is one line with a hint."""
    with pytest.raises(RedlineError) as told:
        size_answer(rps, time, 1, reject, hosting)
    assert told.value.hint
