"""Payloads in logs: their shape stays, their data goes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.leaks import may_hold_payload, payloads_in
from scoring.payloads import payload_shape, redact_payloads

SHAPES = (
    ('{"data": [[1, 2.5], [3, 4]]}', "{data: list[2] of list[2] of float}", "whole numbers among others are numbers"),
    ("{'data': [{'instant': 1, 'date': '2011-01-01'}]}", "{data: list[1] of {instant: int, date: str}}", "Python"),
    ('{"a": null, "b": true, "c": {}, "d": []}', "{a: null, b: bool, c: {}, d: list[0]}", "each kind"),
    ("{'a': None, 'b': False, 'c': (1, 2)}", "{a: null, b: bool, c: list[2] of int}", "Python's words and tuples"),
    ("[1, null, 3]", "list[3] of int", "a missing value has the type of the others"),
    ('[1, "a", {"b": 2}]', "list[3] of mixed", "unlike values"),
    ("{'data': [{'a': 1, 'b'", "{data: list[1+] of {a: int}}", "cut: the counts are of what is there"),
    ('"{\\"data\\": [[1]]}"', "{data: list[1] of list[1] of int}", "a payload in a string"),
    ('{"john@example.com": 1}', "{other: int}", "a name that is data"),
    ("array([[1. 2.]\n [3. 4.]])", "list[1] of list[2] of list[2] of float", "numpy's print"),
    ("{data: [1, 2]}", "{data: list[2] of int}", "names without quotes"),
    ("[-1.5e-3, 7]", "list[2] of float", "exponents"),
    ("hello", "str", "no structure"),
    ("", "str", "nothing"),
)


@pytest.mark.parametrize(("text", "shape", "why"), SHAPES, ids=[why for _, _, why in SHAPES])
def test_a_payload_is_told_by_its_shape(text: str, shape: str, why: str) -> None:
    """Names and types stay, values go."""
    assert payload_shape(text) == shape


LINES = (
    ("Received input: {'data': [[5.1]]} done", "Received input: {data: list[1] of list[1] of float} done"),
    ("Received input: 5.1,3.5,John", "Received input: str"),
    ("Received input: {'a': 1} {'b': 2}", "Received input: {a: int} {b: int}"),
    ("payload = b'{\"data\": [[1]]}'", "payload = {data: list[1] of list[1] of int}"),
    ("request body: [1, 2]", "request body: list[2] of int"),
    ("raw_data: {'x': 'y'}", "raw_data: {x: str}"),
    (
        'got {"input_data": {"columns": ["a"], "data": [[1]]}}',
        "got {input_data: {columns: list[1] of str, data: list[1] of list[1] of int}}",
    ),
    ("{'instances': [{'x': 1}]}", "{instances: list[1] of {x: int}}"),
)


@pytest.mark.parametrize(("line", "left"), LINES)
def test_only_the_payload_of_a_line_is_replaced(line: str, left: str) -> None:
    """What announces it and what follows it stay, and a second pass changes nothing."""
    assert redact_payloads(line) == left
    assert redact_payloads(left) == left


@pytest.mark.parametrize(
    "line",
    [
        "KeyError: 'data'",
        "POST /score input: foo",
        "2026-01-01 10:00:00,304 I [24927] azmlinfsrv.trace - model_data_collection",
        '{"result": [1, 2], "data": 3}',
        "Validation Request Content-Type",
        "body was empty",
    ],
)
def test_lines_without_a_payload_stay(line: str) -> None:
    """A word alone announces nothing."""
    assert redact_payloads(line) == line
    assert payloads_in(line) == []


def test_a_payload_is_counted_once_per_value() -> None:
    """Doubled prints are one leak, counted twice; bytes give bytes' places."""
    line = "ü Received input: {'data': [1]}\n"
    [found] = payloads_in((line * 2).encode())
    assert (found.type, found.value, found.count) == ("payload_data", "{'data': [1]}", 2)
    assert found.start == len("ü Received input: ".encode())
    assert "data': [1]" not in repr(found)


def test_brackets_nested_a_hundred_thousand_deep_are_read() -> None:
    """Depth is bounded, not the text."""
    assert payload_shape("[" * 100_000).endswith("deeper")


NAMES = st.sampled_from(["data", "instant", "temp", "weathersit"])
PAYLOADS = st.recursive(
    st.one_of(st.integers(10**6, 10**9), st.text(alphabet="QXZ", min_size=3), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.just("data"), st.lists(PAYLOADS, min_size=1, max_size=4), min_size=1), st.booleans())
def test_no_value_of_any_payload_is_left(payload: dict[str, object], is_json: bool) -> None:
    """Neither texts nor numbers of it survive, in JSON or as Python prints it, alone or announced."""
    text = json.dumps(payload) if is_json else str(payload)
    for line in (text, f"Received input: {text}"):
        left = redact_payloads(line)
        assert not any(word in left for word in ("Q", "X", "Z"))
        assert not any(len(word) >= 7 for word in "".join(c if c.isdigit() else " " for c in left).split())
        assert may_hold_payload(line.encode())
