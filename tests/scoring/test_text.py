"""Foreign bytes made harmless: printable, neutral in a terminal, cut with a count."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.text import harmless

FOREIGN = (
    st.binary(max_size=200) | st.text(max_size=200) | st.text(st.sampled_from("\x1b]8;[m\x9b\u202e… 1morechats\n\\"))
)


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        pytest.param("plain ü 模型", "plain ü 模型", id="ordinary text stays"),
        pytest.param(b"caf\xc3\xa9 \xff", "café \\xff", id="a byte that is no UTF-8 is shown"),
        pytest.param("\x1b[31mred\x1b[0m", "␛red␛", id="a colour is neutral"),
        pytest.param("\x1b[2J\x1b[H", "␛␛", id="clearing the screen is neutral"),
        pytest.param("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "␛link␛", id="a terminal link loses its target"),
        pytest.param("\x1b]0;title\x07after", "␛after", id="a window title is neutral"),
        pytest.param("\x1bPpayload\x1b\\x", "␛x", id="a device control string is neutral"),
        pytest.param("\x9b31mred", "␛red", id="a C1 sequence is neutral"),
        pytest.param("a\x00b\x08c\x7f", "a\\x00b\\x08c\\x7f", id="controls are shown"),
        pytest.param("a\nb\tc\r", "a\\nb\\tc\\r", id="newlines and tabs are shown"),
        pytest.param("user\u202egnp.exe", "user\\u202egnp.exe", id="a bidi override is shown"),
        pytest.param("a\u200bb\ufeffc", "a\\u200bb\\ufeffc", id="zero-width characters are shown"),
        pytest.param("a\u2028b", "a\\u2028b", id="a line separator is shown"),
        pytest.param("\ud800", "\\ud800", id="a lone surrogate is shown"),
        pytest.param("\U000e0041", "\\U000e0041", id="a tag character is shown"),
    ],
)
def test_what_could_act_is_only_shown(foreign: bytes | str, shown: str) -> None:
    """Every character that a screen would obey is shown as text."""
    assert harmless(foreign) == shown


@given(FOREIGN)
def test_no_output_holds_a_control_character(foreign: bytes | str) -> None:
    """For any input the output can be encoded and holds no control, format or separator character."""
    shown = harmless(foreign)
    shown.encode()
    assert {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


@given(FOREIGN, st.integers(0, 50), st.booleans())
def test_harmless_text_stays_as_it_is(foreign: bytes | str, max_chars: int, keep_newlines: bool) -> None:
    """Applied twice it gives the same text, cut or not."""
    once = harmless(foreign, max_chars=max_chars, keep_newlines=keep_newlines)
    assert harmless(once, max_chars=max_chars, keep_newlines=keep_newlines) == once


def test_a_cut_says_how_much_is_missing() -> None:
    """5,000 characters become 4,096 and the number of the others."""
    assert harmless("a" * 5000) == "a" * 4096 + "… [904 more characters]"


def test_newlines_and_tabs_can_be_kept() -> None:
    """keep_newlines keeps both; a carriage return stays visible."""
    assert harmless("a\n\tb\r\n", keep_newlines=True) == "a\n\tb\\r\n"
