"""Redaction settles on any text, in a time that grows with the text, and leaves clean logs as they are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.leaks import leaks_in
from scoring.payloads import redact_payloads
from scoring.redact import redact
from scoring.secretspans import FORMS as SHAPES
from tests.scoring.secret_forms import FORMS, HELD

LOGS = Path(__file__).parents[1] / "data" / "logs"
PIECES = (
    *(anchor for form in SHAPES for anchor in form.anchors),
    *"=:;,\"'\\ \n\r\t{}[]()<>&@/%+-_.~|`",
    *("\\n", '\\"', "%20", "%3D", "&quot;", "://", "Bearer ", "Basic ", "value", "[redacted]", "[redac", "ted]"),
    *("é", "\u0130", "\ud800", "\u202e", "\u212a", "null", '"data": [', "Received input: ", "int", "list[3] of int"),
)
FRAGMENTS = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(PIECES).map(str.upper),
    st.sampled_from([text for _, text, _ in FORMS]),
    st.text(alphabet="abcXYZ019+/_-=", max_size=60),
    st.text(max_size=8),
)
TEXTS = st.lists(FRAGMENTS, max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_settles_and_holds_no_secret_any_more(text: str) -> None:
    """Applied twice it gives the same, and what it leaves has no leak in it."""
    left = redact(text)
    assert redact(left) == left
    assert leaks_in(left) == []


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_settles_with_a_held_secret_too(text: str) -> None:
    """With a secret that we hold in the middle the same is true, and the secret is gone."""
    left = redact(text + HELD + text, [HELD])
    assert HELD not in left
    assert redact(left, [HELD]) == left


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_any_text_settles_without_payloads(text: str) -> None:
    """A shape is not taken for a payload."""
    left = redact_payloads(text)
    assert redact_payloads(left) == left


def test_three_thousand_texts_by_chance_settle() -> None:
    """The same over many texts of planted forms, cut and glued together."""
    chance = random.Random(7)
    whole = [text for _, text, _ in FORMS]
    for _ in range(3_000):
        text = "".join(_piece(chance, whole) for _ in range(chance.randint(1, 10)))
        left = redact(text)
        assert redact(left) == left, text
        assert leaks_in(left) == [], text


def _piece(chance: random.Random, whole: list[str]) -> str:
    if chance.random() < 0.6:
        return chance.choice(PIECES)
    text = chance.choice(whole)
    start = chance.randrange(len(text))
    return text[start : start + chance.randint(1, 80)]


REPEATED = (
    *(
        "a",
        '"',
        "\\",
        "\\n",
        "@",
        "://",
        "a://b:",
        "eyJ",
        "eyJ-",
        "-eyJaaaaaaaa",
        "sk-",
        "sk-a",
        "xoxp-",
        "key=",
        "key: ",
    ),
    *(
        "cookie: ",
        "authorization: ",
        'authorization: ="',
        "-pat=",
        "password:",
        'password:"',
        "<key>",
        "secret ",
        "bearer a",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----\n",
        "-----END PRIVATE KEY-----\n",
        "A" * 64 + "\n",
        "token, value: ",
        "password=[redacted],",
    ),
    *(
        "Received input: {",
        '{"data": [',
        "body: [1,",
        "[",
        '{"data":"',
        "1",
        "\u0130",
        "2a" * 26 + " ",
        "Private-Lines: 1\n",
    ),
)


@pytest.mark.parametrize("piece", REPEATED)
def test_a_piece_repeated_through_a_quarter_of_a_megabyte_takes_linear_time(piece: str) -> None:
    """A quadratic pattern would run into the time limit of the test run: it takes minutes where this takes a second."""
    text = (piece * 250_000)[:250_000]
    left = redact(text)
    assert redact_payloads(left) is not None
    assert leaks_in(left) == []


@pytest.mark.parametrize("log", sorted(LOGS.rglob("*.log")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_captured_logs_are_hardly_touched(log: Path) -> None:
    """At most one line in a hundred of a captured log changes; of the lesson's extract, the Authorization line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    changed = [line for line in lines if redact(line) != line]
    assert len(changed) <= max(len(lines) // 100, 1)
    assert all("Authorization" in line for line in changed)


def test_a_longer_value_than_is_looked_into_is_taken_out_whole() -> None:
    """Under a name that secrets have, five thousand characters of words are no prose."""
    assert redact("api_key=" + "word" * 1250) == "api_key=[redacted]"
