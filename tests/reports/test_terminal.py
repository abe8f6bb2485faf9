"""The plain-text reports."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.terminal import limit_text
from reports.texttable import Column, bar, columns_of, hung, table, wrapped
from tests.reports import samples

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_the_verdict_is_the_first_line() -> None:
    """A person reads the answer without scrolling."""
    lines = limit_text(samples.cliff(), color=False, width=80).splitlines()
    assert lines[0] == "FOUND  churn-prod takes 8 concurrent requests; the first 503 came at 9."
    assert lines[1] == "GO     carries 392 requests/s, needs 250: 1.6×"


@pytest.mark.parametrize("name", samples.ALL)
def test_without_colour_there_is_no_escape_sequence(name: str) -> None:
    """Plain means plain: files, pipes and mails get words only."""
    assert "\x1b" not in limit_text(samples.ALL[name](), color=False, width=100)


@pytest.mark.parametrize("name", samples.ALL)
def test_colour_adds_no_information(name: str) -> None:
    """With its colours taken out the text is the plain one."""
    painted = limit_text(samples.ALL[name](), color=True, width=100)
    assert "\x1b[" in painted
    assert ANSI.sub("", painted) == limit_text(samples.ALL[name](), color=False, width=100)


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    """Lines do not break in the middle of a table from 80 columns on, text to paste apart."""
    text = limit_text(samples.ALL[name](), color=False, width=width)
    assert [line for line in text.splitlines() if columns_of(line) > width] == []


def test_the_chart_needs_room() -> None:
    """Bars stand in wide terminals only; the numbers are always there."""
    wide = limit_text(samples.cliff(), color=False, width=110)
    medium = limit_text(samples.cliff(), color=False, width=80)
    narrow = limit_text(samples.cliff(), color=False, width=60)
    assert (wide.count("████████████████████"), medium.count("████████████████████")) == (
        7,
        3,
    )  # 12 and 16 users were held too short for a rate
    assert "█" not in narrow
    assert "392" in narrow


def test_every_code_comes_with_its_meaning_and_a_next_step() -> None:
    """A 503 is never left alone with its number."""
    text = limit_text(samples.cliff(), color=False, width=100)
    assert "503  overloaded, first at 9 users" in text
    assert "Next: raise autoscale_min_replicas" in text


def test_conditions_that_are_not_met_are_listed() -> None:
    """The certificate counts what is met and names the rest."""
    text = limit_text(samples.client_limited(), color=False, width=100)
    assert "7 of 13 conditions are met:" in text
    assert "  fail     Client CPU: 97 % of a core at most, fair below 85 %" in text
    assert "13 of 13 conditions are met." in limit_text(samples.cliff(), color=False, width=100)


def test_text_to_paste_keeps_its_lines() -> None:
    """Settings can be copied out of a terminal."""
    text = limit_text(samples.cliff(), color=False, width=60)
    assert "        replica_max_concurrent_requests=2,\n" in text


def test_a_run_that_measured_nothing_has_no_empty_tables() -> None:
    """A wrong key gives an answer, not a report full of zeros."""
    text = limit_text(samples.not_a_load_problem(), color=False, width=80)
    assert "requests/s" not in text
    assert text.startswith("NOT A LOAD PROBLEM  churn-prod answered 401 to a key: not a matter of load.\n")


@given(st.text(max_size=300), st.integers(8, 120))
def test_wrapped_text_keeps_its_words(text: str, width: int) -> None:
    """Wrapping loses no character but blanks, and always gives a line."""
    lines = wrapped(text, width)
    assert lines
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.one_of(st.none(), st.floats(0, 1e9)), st.floats(0, 1e9), st.integers(1, 40))
def test_a_bar_is_never_longer_than_its_cells(value: float | None, top: float, cells: int) -> None:
    """Some is never shown as none, and all of it fits."""
    drawn = bar(value, top, cells)
    assert len(drawn) <= cells
    assert bool(drawn) == (value is not None and value > 0 and top > 0)


def test_columns_line_up_with_wide_characters() -> None:
    """A name in another script takes the columns that it takes on the screen."""
    lines = table((Column("goal"), Column("n", right=True), Column("")), [("負荷", "8", "x"), ("p95", "16", "y")], 60)
    assert len({columns_of(line.rstrip("xy")) for line in lines.splitlines()[1:]}) == 1


def test_a_long_text_hangs_under_its_first_word() -> None:
    """Lines after the first are indented by the width of the head."""
    assert hung("  - ", "one two three four", 14) == ["  - one two", "    three four"]
