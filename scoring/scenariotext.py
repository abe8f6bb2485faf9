"""A scenario as files that stand beside each other in one folder: what `read_scenario` reads back as the same."""

from __future__ import annotations

import json
from typing import Any

from scoring.errors import RedlineError
from scoring.scenario import Payload, Scenario
from scoring.units import MS

SCENARIO, SCHEMA, ONE, MANY = "scenario.toml", "answer.schema.json", "payload.json", "payloads.jsonl"


def scenario_files(scenario: Scenario) -> dict[str, bytes]:
    """Contents by file name. A body over several lines is written on one where others stand beside it.

    RedlineError for bodies that no such file can hold: several that are no JSON and have line breaks.
    """
    name, bodies = _payloads(scenario.payloads)
    expect = scenario.expectation
    lines = [
        f"name = {_text(scenario.name)}",
        f'deadline = "{scenario.deadline_ns / MS:.15g}ms"',
        f"method = {_text(scenario.method)}",
        f"content_type = {_text(scenario.content_type)}",
        f"[payload]\npath = {_text(name)}",
        "[headers]",
        *(f"{_text(header)} = {_text(value)}" for header, value in scenario.headers),
        "[expect]",
        f"status = {expect.status}",
        f"json = {_text(expect.json)}",
        f"tolerance = {float(expect.tolerance)!r}",
        f"max_bytes = {expect.max_bytes}",
    ]
    files = {name: bodies}
    if expect.schema is not None:
        lines.append(f"schema = {_text(SCHEMA)}")
        files[SCHEMA] = json.dumps(expect.schema).encode() + b"\n"
    return {SCENARIO: ("\n".join(lines) + "\n").encode(), **files}


def _payloads(payloads: tuple[Payload, ...]) -> tuple[str, bytes]:
    """The name and the content of the file of all payloads."""
    if len(payloads) == 1 and not payloads[0].has_golden:
        return ONE, payloads[0].body
    return MANY, b"".join(_line(payload) + b"\n" for payload in payloads)


def _line(payload: Payload) -> bytes:
    if payload.has_golden:
        return json.dumps({"payload": _json_of(payload), "golden": payload.golden}).encode()
    if b"\n" not in payload.body and b"\r" not in payload.body and payload.body.strip():
        return payload.body
    return json.dumps(_json_of(payload)).encode()


def _json_of(payload: Payload) -> Any:
    try:
        return json.loads(payload.body)
    except (ValueError, RecursionError) as error:
        message = f"payload `{payload.name}` is no JSON and cannot stand on a line beside others"
        raise RedlineError(message, "a scenario with this payload alone, or with a body a line") from error


def _text(value: object) -> str:
    """A TOML string or truth value; their escapes are those of JSON."""
    return json.dumps(value)
