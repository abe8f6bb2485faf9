"""Two runs side by side, in words, as a document and as a job summary."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from capacity.compare import Tolerance, compared
from capacity.standing import Measured, Standing
from reports.compare import rendered_comparison, word
from scoring.errors import Exit, RedlineError
from tests.capacity.standings import STANDING, level, with_limit
from tests.reports.test_jsonout import assert_valid

MARK = "<b>::error::\x1b[31m|`"


def said(after: Standing, tolerance: Tolerance | None = None, before: Standing = STANDING) -> str:
    """The text on a terminal of 100 columns."""
    return rendered_comparison(compared(before, after, tolerance or Tolerance()), color=False, width=100).text


@pytest.mark.parametrize(
    ("after", "title", "code"),
    [
        (STANDING, "SAME", Exit.FINE),
        (with_limit(12), "CHANGED", Exit.FINE),
        (with_limit(4), "FALLEN", Exit.MISSED),
        (with_limit(4, is_fair=False), "NOT FAIR", Exit.UNFAIR),
    ],
)
def test_each_outcome_has_its_word_and_exit_code(after: Standing, title: str, code: Exit) -> None:
    """A fall beyond the gate exits 1; where a client was the wall nothing is said of the endpoint."""
    comparison = compared(STANDING, after, Tolerance())
    assert word(comparison) == title
    assert rendered_comparison(comparison, color=False, width=80).exit_code is code


def test_the_headline_names_the_limit_that_fell() -> None:
    """From, to, by how much and how surely."""
    text = " ".join(said(with_limit(4)).split())
    assert "limit of rejected<=0.1% fell from 8 users to 4 users (−50 %, real with probability > 99.9 %)" in text
    assert "beyond the gate" in text


def test_where_too_little_was_seen_the_text_says_unknown() -> None:
    """A percentile without an interval has no probability."""
    assert "unknown" in said(replace(STANDING, levels=(level(4, 60.0), level(8))))


def test_what_was_not_asked_alike_is_shown() -> None:
    """A comparison of different settings says so."""
    assert "instances: 2 and 3" in said(replace(STANDING, asked={"payload": None, "instances": 3}))


def test_runs_without_a_common_figure_are_refused() -> None:
    """Nothing is compared with nothing, and the exit code says that no fair measurement was possible."""
    alone = replace(STANDING, limits={}, levels=(level(2),))
    with pytest.raises(RedlineError, match="share no goal and no level") as caught:
        said(alone, before=replace(STANDING, limits={}))
    assert caught.value.exit_code is Exit.UNFAIR


@pytest.mark.parametrize("after", [STANDING, with_limit(4), with_limit(12, 3, None)])
def test_the_document_fits_its_schema(after: Standing) -> None:
    """Every outcome validates; absent knowledge is null."""
    document = json.loads(rendered_comparison(compared(STANDING, after, Tolerance()), color=False, width=80).json)
    assert_valid(document, "compare")
    assert {one["unit"] for one in document["changes"]} >= {"users", "ms", "rps"}


def test_foreign_names_are_inert() -> None:
    """A name with markup, a workflow command and terminal codes stands escaped in every form."""
    after = replace(with_limit(4), name=MARK, where=MARK)
    found = rendered_comparison(compared(STANDING, after, Tolerance()), color=False, width=80)
    for text in (found.text, found.json, *found.files.values()):
        assert "\x1b" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    assert "<b>" not in found.files["comparison.md"]


def test_rates_are_compared_as_rates() -> None:
    """Of an open loop: limits and levels in requests per second, users nowhere."""
    before = replace(STANDING, per_second=100, limits={"p95<=300ms": Measured(120.5, 117.0, 124.0)})
    after = replace(before, limits={"p95<=300ms": Measured(80.0, 78.0, 82.0)})
    found = rendered_comparison(compared(before, after, Tolerance()), color=False, width=100)
    assert "limit of p95<=300ms fell from 120 requests/s to 80.0 requests/s (−33.6 %" in " ".join(found.text.split())
    assert "p95 at 0.04 requests/s" in found.text
    assert "user" not in found.text + found.files["comparison.md"]
    told = json.loads(found.json)
    assert_valid(told, "compare")
    assert [one["unit"] for one in told["changes"]][:2] == ["rps", "ms"]
    assert (told["changes"][1]["users"], told["changes"][1]["rps"]) == (None, 0.04)
