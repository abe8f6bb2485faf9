"""What a good answer is: status, JSON, no error inside, schema, golden answer."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.attempt import Failure
from scoring.errors import RedlineError
from scoring.scenario import Expectation, Payload, Scenario, header_mistakes, judge, why_not

PAYLOAD = Payload("one", b"{}")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        pytest.param(b'{"result": [1, 2]}', None, id="an object is good"),
        pytest.param(b"[1.5]", None, id="a list is good"),
        pytest.param(b'"text"', None, id="a text is good"),
        pytest.param(b"null", None, id="null is good"),
        pytest.param(b" {} \n", None, id="white space around it is good"),
        pytest.param(b"", Failure.BODY_INVALID, id="nothing is no JSON"),
        pytest.param(b'{"result": [1', Failure.BODY_INVALID, id="cut JSON is no JSON"),
        pytest.param(b"{} {}", Failure.BODY_INVALID, id="two values are no JSON"),
        pytest.param(b"<html>", Failure.BODY_INVALID, id="a page is no JSON"),
        pytest.param(b"\xef\xbb\xbf{}", Failure.BODY_INVALID, id="a byte-order mark is no JSON"),
        pytest.param('{"a": "ü"}'.encode("latin-1"), Failure.BODY_INVALID, id="Latin-1 is no UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), Failure.BODY_INVALID, id="UTF-16 is no UTF-8"),
        pytest.param(b'{"result": [NaN]}', Failure.BODY_INVALID, id="NaN is no JSON"),
        pytest.param(b"[-Infinity]", Failure.BODY_INVALID, id="Infinity is no JSON"),
        pytest.param(b"[" * 100_000, Failure.BODY_INVALID, id="a tower of brackets is no JSON"),
        pytest.param(b"[" + b"1" * 5000 + b"]", Failure.BODY_INVALID, id="a number past Python's digits is not read"),
        pytest.param(b'{"error": "x"}', Failure.ERROR_IN_BODY, id="an error is no answer"),
        pytest.param(b'{"error": ""}', Failure.ERROR_IN_BODY, id="an exception without text is an error"),
        pytest.param(b'{"error": {}}', Failure.ERROR_IN_BODY, id="an empty error object is an error"),
        pytest.param(b'{"error": null, "result": 1}', None, id="a null error is none"),
        pytest.param(b'{"error": false}', None, id="a false error is none"),
        pytest.param(b'{"result": {"error": "x"}}', None, id="an error further down is data"),
        pytest.param(b'[{"error": "x"}]', None, id="an error inside a list is data"),
        pytest.param(b'"{\\"error\\": \\"division by zero\\"}"', Failure.ERROR_IN_BODY, id="an error encoded twice"),
        pytest.param(b'"{\\"result\\": [1]}"', None, id="an answer encoded twice is good"),
        pytest.param(b'"{not json"', None, id="a text that begins like an object is a text"),
    ],
)
def test_a_body_is_judged_by_what_it_holds(body: bytes, failure: Failure | None) -> None:
    """JSON in UTF-8 without a top-level error is good, everything else has its failure, and twice the same."""
    expectation = Expectation()
    assert judge(expectation, PAYLOAD, 200, body) is failure
    assert judge(expectation, PAYLOAD, 200, body) is failure
    assert bool(why_not(expectation, PAYLOAD, 200, body)) is (failure is not None)


def test_the_status_is_judged_before_the_body() -> None:
    """A 503 with a good body is a 503; an expected 400 with JSON is good."""
    assert judge(Expectation(), PAYLOAD, 503, b"{}") is Failure.UNEXPECTED_STATUS
    assert judge(Expectation(status=400), PAYLOAD, 400, b"{}") is None


def test_without_json_only_the_status_counts() -> None:
    """json = false takes any body with the expected status."""
    assert judge(Expectation(json=False), PAYLOAD, 200, b"\xff<") is None
    assert judge(Expectation(json=False), PAYLOAD, 500, b"{}") is Failure.UNEXPECTED_STATUS


SCHEMA = {"type": "object", "required": ["result"], "properties": {"result": {"type": "array", "minItems": 1}}}


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"result": [1]}', None),
        (b'"{\\"result\\": [1]}"', None),
        (b'{"result": []}', Failure.SCHEMA_MISMATCH),
        (b"{}", Failure.SCHEMA_MISMATCH),
        (b'{"error": "x"}', Failure.ERROR_IN_BODY),
    ],
)
def test_a_schema_holds_for_the_answer_or_the_text_inside_it(body: bytes, failure: Failure | None) -> None:
    """The schema decides after the error; an answer encoded twice is held to it by its content."""
    assert judge(Expectation(schema=SCHEMA), PAYLOAD, 200, body) is failure


def test_a_schema_or_golden_answer_with_error_allows_it() -> None:
    """Where `error` belongs to the answer by schema or golden answer, it is no failure."""
    schema = {"properties": {"error": {"type": "string"}}}
    assert judge(Expectation(schema=schema), PAYLOAD, 200, b'{"error": "x"}') is None
    golden = Payload("g", b"{}", {"error": "x"}, True)
    assert judge(Expectation(), golden, 200, b'{"error": "x"}') is None
    assert judge(Expectation(), golden, 200, b'{"error": "y"}') is Failure.GOLDEN_MISMATCH


@pytest.mark.parametrize(
    ("golden", "answer", "same"),
    [
        pytest.param([1.0, 2.0], [1.0000005, 2.0], True, id="within the absolute tolerance"),
        pytest.param([1e9], [1e9 + 100], True, id="within the relative tolerance"),
        pytest.param([1.0], [1.001], False, id="beyond both tolerances"),
        pytest.param([1], [1.0], True, id="an integer equals its float"),
        pytest.param([1], [True], False, id="true is no number"),
        pytest.param([10**400], [10**400], True, id="numbers past floats are equal when they are"),
        pytest.param([10**400], [1.0], False, id="a number past floats equals no float"),
        pytest.param({"a": {"b": [1]}}, {"a": {"b": [1]}}, True, id="nested values are compared"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="a key too many"),
        pytest.param([1], [1, 2], False, id="a value too many"),
        pytest.param("1", 1, False, id="text is no number"),
        pytest.param(None, None, True, id="null is a golden answer too"),
        pytest.param(None, 0, False, id="null is not 0"),
        pytest.param({"r": [1]}, '{"r": [1.0000001]}', True, id="the text inside an answer is compared"),
        pytest.param('{"r": [1]}', '{"r": [1]}', True, id="a golden text equals the same text"),
    ],
)
def test_a_golden_answer_is_met_within_its_tolerance(golden: object, answer: object, same: bool) -> None:
    """Numbers may differ by 1e-6, relative or absolute, whichever is wider; everything else is equal or not."""
    payload = Payload("g", b"{}", golden, True)
    failure = judge(Expectation(), payload, 200, json.dumps(answer).encode())
    assert failure is (None if same else Failure.GOLDEN_MISMATCH)


def exactly_same(golden: Any, answer: Any) -> bool:
    """The slow twin: recursive, one rule a line."""
    if isinstance(golden, bool) or isinstance(answer, bool):
        return golden is answer
    if isinstance(golden, int | float) and isinstance(answer, int | float):
        return bool(abs(golden - answer) <= max(1e-6, 1e-6 * max(abs(golden), abs(answer))))
    if isinstance(golden, dict) and isinstance(answer, dict):
        return set(golden) == set(answer) and all(exactly_same(golden[key], answer[key]) for key in golden)
    if isinstance(golden, list) and isinstance(answer, list):
        return len(golden) == len(answer) and all(map(exactly_same, golden, answer))
    return type(golden) is type(answer) and golden == answer


@given(ANY_JSON, ANY_JSON)
def test_the_comparison_agrees_with_its_slow_twin(golden: Any, answer: Any) -> None:
    """For any two JSON values the judgement is the recursive definition's, and a value equals itself."""
    body = json.dumps(answer).encode()
    meets = judge(Expectation(schema={"properties": {"error": {}}}), Payload("g", b"", golden, True), 200, body) is None
    if not isinstance(answer, str):
        assert meets == exactly_same(golden, answer)
    assert judge(Expectation(), Payload("g", b"", answer, True), 200, body) in (None, Failure.ERROR_IN_BODY)


def _is_strict_json(body: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(body.decode("utf-8"), parse_constant=refuse)
    except ValueError:
        return False
    return True


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"1", b"NaN", b"[-Infinity]", b'"\xff"', b"\xef\xbb\xbf{}", b"{} {}", b"[]"])
)
def test_any_bytes_are_judged_without_an_exception(body: bytes) -> None:
    """Whatever comes is judged, and what is no JSON to a strict parser, and nothing else, is called invalid."""
    failure = judge(Expectation(), PAYLOAD, 200, body)
    assert bool(why_not(Expectation(), PAYLOAD, 200, body)) is (failure is not None)
    assert (failure is Failure.BODY_INVALID) is not _is_strict_json(body)


def test_many_different_answers_keep_the_memory_of_good_ones_small() -> None:
    """Ten thousand different good answers leave at most 256 remembered, and long ones none."""
    expectation = Expectation()
    for number in range(10_000):
        assert judge(expectation, PAYLOAD, 200, b"[%d]" % number) is None
    assert judge(expectation, PAYLOAD, 200, b'"' + b"a" * 5000 + b'"') is None
    assert len(expectation.judged_good) <= 256
    assert max(map(len, expectation.judged_good)) < 5000


def test_a_body_good_for_one_payload_is_not_good_for_another_with_a_golden_answer() -> None:
    """The memory of good bodies never answers for a payload that has a golden answer."""
    expectation = Expectation()
    assert judge(expectation, PAYLOAD, 200, b"[1]") is None
    assert judge(expectation, Payload("g", b"", [2], True), 200, b"[1]") is Failure.GOLDEN_MISMATCH


@pytest.mark.parametrize(
    ("expectation", "payload", "status", "body", "words"),
    [
        (Expectation(), PAYLOAD, 503, b"", "answered 503, expected 200"),
        (Expectation(), PAYLOAD, 200, b"", "the body is empty, JSON was expected"),
        (Expectation(), PAYLOAD, 200, b"\xff", "the body is not UTF-8 at byte 0"),
        (Expectation(), PAYLOAD, 200, b"[NaN]", "the body is no JSON: NaN is no JSON"),
        (Expectation(), PAYLOAD, 200, b'{"error": "no model"}', "the body says error: no model"),
        (Expectation(schema=SCHEMA), PAYLOAD, 200, b'{"result": 3}', "$.result: 3 is not of type 'array'"),
        (
            Expectation(),
            Payload("g", b"", {"r": [1, 2]}, True),
            200,
            b'{"r": [1, 3]}',
            "answer.r[1] is 3 instead of 2",
        ),
    ],
)
def test_why_an_answer_is_not_good_is_said_with_its_place(
    expectation: Expectation, payload: Payload, status: int, body: bytes, words: str
) -> None:
    """The words name the place in the answer and the value seen there."""
    assert why_not(expectation, payload, status, body) == words


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([("Authorization", "Bearer s3cret-s3cret")], "use key_env or key_file"),
        ([("X-A", "1"), ("x-a", "2")], "header x-a is given twice"),
        ([("X-A", "1\r\nX-B: s3cret-s3cret")], "holds a line break"),
        ([("X A", "1")], "is not made of letters, digits and dashes"),
        ([("Content-Length", "3")], "is set by redline itself"),
        ([("x-ms-client-request-id", "me")], "is set by redline itself"),
        ([("X-A", "ü")], "no plain ASCII"),
    ],
)
def test_a_header_that_would_do_harm_is_refused(headers: list[tuple[str, str]], words: str) -> None:
    """Each bad header is named, and a scenario with it cannot be made; values are never repeated."""
    (mistake,) = header_mistakes(headers)
    assert words in mistake
    assert "s3cret" not in mistake
    with pytest.raises(RedlineError):
        Scenario("s", (PAYLOAD,), headers=tuple(headers))


def test_a_scenario_needs_a_payload_and_a_deadline() -> None:
    """No payload and a deadline of 0 are both told."""
    with pytest.raises(RedlineError, match="has no payload; the deadline is not longer than 0"):
        Scenario("s", (), deadline_ns=0)


def test_nan_as_tolerance_partner_never_passes() -> None:
    """A golden answer that holds NaN, which JSON files cannot, is met by nothing."""
    assert judge(Expectation(), Payload("g", b"", [math.nan], True), 200, b"[1]") is Failure.GOLDEN_MISMATCH
