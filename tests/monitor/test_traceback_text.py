"""The innermost cause of a traceback: what Python raised is what its printed text gives back."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.traceback_text import Cause, innermost

TRACK = Path(__file__).parents[1] / "data/telemetry/azmlinfsrv-0.8.4.2.track.jsonl"
TYPES = (ValueError, KeyError, RuntimeError, ZeroDivisionError, MemoryError, json.JSONDecodeError)
LINKED = ("The above exception was the direct cause", "During handling of the above exception")


class ScoringFault(Exception):
    """An exception of the user's own."""


def raised(kind: type[Exception], message: str) -> Exception:
    return json.JSONDecodeError(message, "{", 1) if kind is json.JSONDecodeError else kind(message)


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@given(st.sampled_from(TYPES), st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80))
def test_a_plain_exception_gives_itself(kind: type[Exception], message: str) -> None:
    """Type, message and frame of an exception that was raised and caught here."""
    try:
        raise raised(kind, message)
    except TYPES as error:
        cause = innermost(printed(error))
        said = str(error)
    assert cause.type == kind.__name__
    assert cause.message == said.rstrip()
    assert cause.frame is not None
    assert cause.frame.startswith("test_traceback_text.py:")
    assert cause.frame.endswith(" in test_a_plain_exception_gives_itself")
    assert cause.outer_type is None


@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.booleans(), st.text("abc \n", max_size=30))
def test_the_first_of_a_chain_is_the_cause(
    inner: type[Exception], outer: type[Exception], explicit: bool, message: str
) -> None:
    """`raise … from` and an exception while handling another one both lead back to the first."""
    try:
        try:
            raise raised(inner, f"x{message}x")
        except TYPES as error:
            if explicit:
                raise ScoringFault("wrapped") from error
            raise ScoringFault("wrapped")  # noqa: B904
    except ScoringFault as error:
        cause = innermost(printed(error))
    assert (cause.type, cause.outer_type) == (inner.__name__, "ScoringFault")
    assert outer is not None


def test_a_message_may_have_lines_and_speak_of_tracebacks() -> None:
    """A message that quotes another traceback stays a message."""
    message = 'first line\n\nTraceback (most recent call last):\n  File "x.py", line 1\nboom'
    try:
        raise ScoringFault(message)
    except ScoringFault as error:
        cause = innermost(printed(error))
    assert (cause.type, cause.message) == ("ScoringFault", message)


def test_a_group_is_told_as_a_group() -> None:
    """The group's own message, not its drawing."""
    try:
        raise ExceptionGroup("two models failed", [ValueError("a"), KeyError("b")])
    except ExceptionGroup as error:
        cause = innermost(printed(error))
    assert (cause.type, cause.message) == ("ExceptionGroup", "two models failed (2 sub-exceptions)")


def test_a_syntax_error_keeps_its_message() -> None:
    """Caret lines are no part of the message."""
    with pytest.raises(SyntaxError) as seen:
        compile("def run(:\n", "score.py", "exec")
    cause = innermost(printed(seen.value))
    assert cause.type == "SyntaxError"
    assert cause.message == str(seen.value.msg)
    assert cause.frame is not None


def test_the_captured_exceptions_give_the_user_s_error() -> None:
    """What inference server 0.8.4.2 sent wraps the error of score.py; the wrapper is told as the outer type."""
    causes = [
        innermost(item["message"])
        for line in TRACK.read_text().splitlines()
        for envelope in json.loads(json.loads(line)["body"])
        if envelope["data"]["baseType"] == "ExceptionData"
        for item in envelope["data"]["baseData"]["exceptions"]
    ]
    assert {cause.outer_type for cause in causes} <= {"UserScriptException", "UserScriptTimeout", None}
    first = causes[0]
    assert first.type == "ValueError"
    assert first.frame == "score.py:11 in run"
    assert first.message == "Input contains NaN, infinity or a value too large for dtype('float64')."


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    """Anything has an answer."""
    assert isinstance(innermost(text), Cause)


@given(st.integers(0, 400))
def test_a_traceback_cut_anywhere_has_an_answer(length: int) -> None:
    """A cut text never gives a type that was not raised."""
    try:
        try:
            raise ValueError("Input contains NaN")
        except ValueError as error:
            raise ScoringFault("wrapped") from error
    except ScoringFault as error:
        text = printed(error)
    cause = innermost(text[: min(length, len(text))])
    assert cause.type == "unknown" or "ValueError".startswith(cause.type) or cause.type == "ScoringFault"
