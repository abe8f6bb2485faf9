"""Scoring payloads in a text: where they stand, and their shape in place of their data.

A service that logs what it is sent logs its users' data. `Received input: {'data': [{'instant': 1}]}` becomes
`Received input: {data: list[1] of {instant: int}}`. A payload is what follows a word that announces one and opens a
bracket, what follows `Received input:` whatever it is, and an object that begins with a name of scoring requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scoring.payloadshape import end_of_shape, shape_at
from scoring.secretspans import lowered

_AFTER = r"[\"']?\s{0,4}(?:is\s{1,4})?[:=]\s{0,4}"
_OPENS = r"(?=[bB]?[\"']?\s{0,4}(?:[\[{(]|\w{1,20}\())"
_ANNOUNCED = re.compile(
    rf"(?:received (?:input|data|payload|request)(?: (?:body|data|payload))?s?{_AFTER}(?=\S)"
    rf"|(?:raw[ _]?data|request[ _.](?:body|data|payload|json)|payload|inputs?(?:_data)?|body){_AFTER}{_OPENS})",
    re.ASCII | re.IGNORECASE,
)
_REST = re.compile(r"\s*(?:\n|\r|\\[nr]|\Z)")
_WORD = re.compile(r"[\w.]", re.ASCII)
_NEXT = re.compile(r"[ \t,]{0,4}(?=[\[{(])")
_NAMES = ("data", "inputs", "instances", "dataframe_split", "dataframe_records", "columns", "globalparameters")
_BEFORE_NAME = re.compile(r"(?:_tupni)?[\"']\\{0,3}\s{0,8}\{", re.ASCII | re.IGNORECASE)
_AFTER_NAME = re.compile(r"\\{0,3}[\"']\s{0,8}:\s{0,8}[\[{]", re.ASCII)
_ANNOUNCING = (
    *(f"received {word}" for word in ("input", "data", "payload", "request")),
    *(f"request{sign}{word}" for sign in " _." for word in ("body", "data", "payload", "json")),
    *("raw data", "raw_data", "rawdata", "payload", "input", "body"),
)
MARKERS: tuple[bytes, ...] = (
    *(word.encode() for word in _ANNOUNCING),
    *(f"{name}{sign}".encode() for name in _NAMES for sign in ("'", '"', "\\")),
)
"""Bytes at least one of which stands in any text that holds a payload, once that text is in lower case."""


def payload_shape(text: str) -> str:
    """The shape of one payload in JSON or Python notation: `{data: list[1] of {instant: int}}`. Nothing of its values.

    >>> payload_shape("{'data': [{'instant': 1, 'temp': 0.34}]}")
    '{data: list[1] of {instant: int, temp: float}}'
    """
    return shape_at(text, 0)[0]


def redact_payloads(text: str) -> str:
    """The text with the shape of each payload in place of it; applied twice it gives the same."""
    pieces: list[str] = []
    done = 0
    for start, end, shape in payloads_in(text):
        gap = " " if shape[-1:].isalnum() and _WORD.match(text, end) else ""
        pieces += (text[done:start], shape, gap)
        done = end
    return "".join((*pieces, text[done:]))


def payloads_in(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each payload stands, `[start, end)`, and its shape, in order; none where only a shape is left."""
    done = 0
    for start, is_any in _starts(text):
        if start < done or _is_told(text, start, is_any=is_any):
            continue
        shape, done = _shape(text, start, is_any=is_any)
        if is_any or shape[:1] in "{l":
            yield start, done, shape


def _is_told(text: str, start: int, *, is_any: bool) -> bool:
    """Whether a shape stands there already; where anything is a payload, a type alone must be all of the line."""
    end = end_of_shape(text, start)
    return end is not None and (not is_any or text[start] in "{l" or _REST.match(text, end) is not None)


def _shape(text: str, start: int, *, is_any: bool) -> tuple[str, int]:
    """The shape of the payload, and of those that follow it on the line, and where they end."""
    shape, end = shape_at(text, start)
    while is_any and (found := _NEXT.match(text, end)):
        other, end = shape_at(text, found.end())
        shape = f"{shape} {other}"
    return shape, end


def _starts(text: str) -> list[tuple[int, bool]]:
    """Where payloads may start, in order, and whether anything there is one."""
    low = lowered(text)
    announced = (found for word in _ANNOUNCING for found in _tried(_ANNOUNCED, text, low, word))
    alone = (
        _opening(text, at) for name in _NAMES for at in _places(low, name) if _AFTER_NAME.match(text, at + len(name))
    )
    starts = {at: False for at in alone if at is not None}
    for found in announced:
        starts[found.end()] = starts.get(found.end(), False) or found.group()[:8].lower() == "received"
    return sorted(starts.items())


def _tried(pattern: re.Pattern[str], text: str, low: str, word: str) -> Iterator[re.Match[str]]:
    return (found for at in _places(low, word) if (found := pattern.match(text, at)))


def _places(low: str, word: str) -> Iterator[int]:
    at = low.find(word)
    while at >= 0:
        yield at
        at = low.find(word, at + len(word))


def _opening(text: str, at: int) -> int | None:
    """Where the object opens whose first name is at `at`."""
    found = _BEFORE_NAME.match(text[max(0, at - 32) : at][::-1])
    return at - found.end() if found else None
