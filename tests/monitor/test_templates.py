"""monitor.templates and monitor.masking: lines alike are one template, in bounded memory, whatever their order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.masking import masked
from monitor.templates import MOST_FORMS, OTHER, Templates

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("took 12.5 ms", "took <*> ms"),
        ("took 12ms", "took <*>ms"),
        ("KeyError: 'age'", "KeyError: <*>"),
        ("don't split 'this one'", "don't split <*>"),
        ("<Model object at 0x7f3a12>", "<Model object at <*>>"),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e", "id <*>"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace <*>"),
        ("at 2026-01-01T10:00:00.123Z", "at <*>"),
        ("no file /var/azureml-app/models/3/churn.pkl", "no file churn.pkl"),
        ("no file C:\\models\\churn.pkl", "no file churn.pkl"),
        ("dtype float32 utf-8", "dtype float32 utf-<*>"),
        ("shape (10, 20)", "shape (<*>)"),
        ("", ""),
    ],
)
def test_what_differs_between_messages_is_masked(text: str, expected: str) -> None:
    """Numbers, ids, times, addresses, quoted values and folders go; words and their digits stay."""
    assert masked(text) == expected


@given(st.text(max_size=300))
def test_masking_takes_any_text_and_is_stable(text: str) -> None:
    """No text raises, and a masked text stays nearly as it is: a second pass only finds less to mask."""
    once = masked(text)
    assert masked(masked(once)) == masked(once)


def _lines(templates: Templates) -> dict[str, int]:
    return {one.text: one.count for one in templates.found()}


def test_lines_that_differ_in_values_are_one_template() -> None:
    """Addresses, numbers and paths make no template of their own."""
    templates = Templates()
    for i in range(20):
        templates.add(f"connection to 10.0.0.{i}:80 lost after {i} ms", level="E")
    assert _lines(templates) == {"connection to <*> lost after <*> ms": 20}


def test_a_word_that_differs_in_a_long_line_is_a_value() -> None:
    """Where three quarters of the words agree, the others are values."""
    templates = Templates()
    for name in ("churn", "fraud", "risk"):
        templates.add(f"model {name} loaded from disk in good time")
    assert _lines(templates) == {"model <*> loaded from disk in good time": 3}


def test_short_lines_that_differ_in_a_word_stay_apart() -> None:
    """`init failed` is not `init done`."""
    templates = Templates()
    templates.add("init failed")
    templates.add("init done")
    assert _lines(templates) == {"init done": 1, "init failed": 1}


def test_levels_are_kept_apart() -> None:
    """The same text as an error and as a warning are two templates."""
    templates = Templates()
    templates.add("disk is full", level="E", count=2)
    templates.add("disk is full", level="W")
    assert [(one.level, one.count) for one in templates.found()] == [("E", 2), ("W", 1)]


def test_first_and_last_time_are_those_of_all_its_lines() -> None:
    """A template spans from its earliest line to its latest, whichever came first."""
    templates = Templates()
    for seconds in (5, 1, 9):
        templates.add(f"retry {seconds}", at=T0 + timedelta(seconds=seconds))
    (only,) = templates.found()
    assert (only.first_at, only.last_at) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=9))


@given(st.lists(st.sampled_from([f"{a} {b} {c} x y" for a in "ab" for b in "cd" for c in "efg1"]), max_size=40))
def test_the_order_of_lines_changes_nothing(lines: list[str]) -> None:
    """Below the bound of distinct lines, any order gives the same templates and counts."""
    results = []
    for order in (lines, sorted(lines), lines[::-1]):
        templates = Templates()
        for line in order:
            templates.add(line)
        results.append(_lines(templates))
    assert results[0] == results[1] == results[2]


def test_memory_is_bounded_and_every_line_is_counted() -> None:
    """Far more distinct lines than are kept: the counts still add up, the frequent line is still first."""
    chance = random.Random(1)
    words = [a + b for a in "bcdfgh" for b in "aeiouy"]
    templates = Templates()
    for i in range(5 * MOST_FORMS):
        templates.add(" ".join(chance.choice(words) for _ in range(9)))
        if i % 10 == 0:
            templates.add("the one that matters")
    found = templates.found(20)
    assert sum(one.count for one in found) == 5 * MOST_FORMS + MOST_FORMS // 2
    assert len(found) == 20
    assert next(one for one in found if one.text != OTHER).text == "the one that matters"
    assert found[-1].text == OTHER


def test_a_secret_in_a_line_is_in_no_template() -> None:
    """Template and sample are redacted."""
    templates = Templates()
    templates.add("failed with Authorization: Bearer abcdefghijklmnop0123456789")
    assert "abcdefghijklmnop" not in repr(templates.found())


def test_no_lines_give_no_templates() -> None:
    """Nothing was added, nothing is found."""
    assert Templates().found() == ()
