"""The text of redline.toml: written, added to, replaced in."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import RedlineError
from scoring.settings import read_settings
from scoring.starting.settingstext import Draft, Line, key_text, merged, settings_text, value_text

URI = Line("scoring_uri", "http://127.0.0.1/score")
CHURN = Draft("churn", (URI, Line("instances", 2, "at present")))
OTHERS = """\
# my endpoints, carefully kept
[endpoints.prod]   # do not touch
scoring_uri = "https://prod.example/score"
goals = [
    "p95<=300ms",  # agreed in March
]

[endpoints.prod.checks]
every = "5m"
[alerts]
"""


def test_a_first_file_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    """read_settings takes it, comments and all."""
    file = tmp_path / "redline.toml"
    file.write_text(settings_text(CHURN))
    assert read_settings(file).endpoints["churn"].instances == 2


def test_an_endpoint_is_added_and_the_rest_stays_to_the_letter() -> None:
    """Comments and layout of what is there are kept."""
    text = merged(OTHERS, CHURN, force=False)
    assert text.startswith(OTHERS)
    assert tomllib.loads(text)["endpoints"].keys() == {"prod", "churn"}


def test_an_endpoint_that_is_there_is_not_overwritten() -> None:
    """Without force the name is taken."""
    with pytest.raises(RedlineError, match="`prod` is already there") as told:
        merged(OTHERS, Draft("prod", (URI,)), force=False)
    assert "--force" in str(told.value.hint)


def test_force_replaces_the_one_table_and_keeps_its_checks() -> None:
    """What hangs below the endpoint and beside it stays, and so do the goals, which nobody else knows."""
    found = tomllib.loads(merged(OTHERS, Draft("prod", (URI,)), force=True))
    assert found["endpoints"]["prod"] == {
        "scoring_uri": URI.value,
        "goals": ["p95<=300ms"],
        "checks": {"every": "5m"},
    }
    assert "alerts" in found


def test_azure_is_added_once() -> None:
    """An [azure] that is there stays as it is."""
    with_azure = Draft("churn", (URI,), (Line("cloud", "usgov"),))
    once = merged(OTHERS, with_azure, force=False)
    assert tomllib.loads(once)["azure"] == {"cloud": "usgov"}
    twice = merged(once, Draft("two", (URI,), (Line("cloud", "china"),)), force=False)
    assert tomllib.loads(twice)["azure"] == {"cloud": "usgov"}


@pytest.mark.parametrize(
    "text",
    [
        'endpoints = {prod = {scoring_uri = "http://h"}}\n',
        'endpoints.prod.scoring_uri = "http://h"\n',
        "[endpoints\n",
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(text: str) -> None:
    """Where the text cannot be extended or is no TOML, one line says so."""
    with pytest.raises(RedlineError, match=r"cannot be added to|already there"):
        merged(text, Draft("prod", (URI,)), force=True)


def test_a_text_that_looks_like_a_table_is_no_table() -> None:
    """A header inside a long text does not end or begin a table."""
    text = OTHERS + 'note = """\n[endpoints.churn]\n"""\n'
    assert tomllib.loads(merged(text, CHURN, force=False))["alerts"]["note"] == "[endpoints.churn]\n"


@given(st.text(max_size=40), st.text(min_size=1, max_size=20))
def test_any_text_is_written_so_that_it_is_read_back(value: str, key: str) -> None:
    """Quotes, line breaks and every character survive."""
    value, key = (text.encode("utf-8", "replace").decode() for text in (value, key))
    assert tomllib.loads(f"{key_text(key)} = {value_text(value)}") == {key: value}


@given(st.lists(st.from_regex(r"[a-z][a-z0-9.-]{0,6}", fullmatch=True), unique=True, max_size=5), st.booleans())
def test_endpoints_added_one_after_another_are_all_there(names: list[str], force: bool) -> None:
    """Each addition keeps those before it."""
    text = ""
    for name in names:
        text = merged(text, Draft(name, (URI,), (Line("cloud", "usgov"),)), force=force)
    assert list(tomllib.loads(text).get("endpoints", {})) == names
