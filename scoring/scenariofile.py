"""Edge: a scenario from its file, or from the payload and headers of a command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scoring.errors import RedlineError
from scoring.files import golden_at, json_at, payloads_at, toml_at
from scoring.scenario import Expectation, Payload, Scenario, header_mistakes
from scoring.tomlfile import Document, shown
from scoring.tomlvalues import as_duration_ns, as_flag, as_max_bytes, as_status, as_text, as_tolerance, one_of

_METHODS = ("POST", "GET", "PUT")


def read_scenario(
    path: str | os.PathLike[str] | None,
    *,
    payload: str | os.PathLike[str] | None = None,
    headers: Iterable[tuple[str, str]] = (),
    expect_json: bool | None = None,
    deadline_ns: int | None = None,
) -> Scenario:
    """The scenario of a file, or the plain one (body `{}`, 200, JSON, 30 s) for None; what is given beside it wins."""
    scenario = Scenario("plain", (Payload("empty object", b"{}"),)) if path is None else _scenario_of(Path(path))
    if payload is not None:
        name = scenario.name if path is not None else Path(payload).stem
        scenario = replace(scenario, name=name, payloads=payloads_at(_payload_path(payload, Path())))
    if expect_json is not None:
        scenario = replace(scenario, expectation=replace(scenario.expectation, json=expect_json))
    if deadline_ns is not None:
        scenario = replace(scenario, deadline_ns=deadline_ns)
    return _with_headers(scenario, list(headers))


def _with_headers(scenario: Scenario, given: list[tuple[str, str]]) -> Scenario:
    """The scenario with these headers in place of its own of the same names; Content-Type becomes its content_type."""
    types = [value for name, value in given if name.lower() == "content-type"]
    plain = [(name, value) for name, value in given if name.lower() != "content-type"]
    mistakes = header_mistakes(plain) + (["header Content-Type is given twice"] if len(types) > 1 else [])
    if mistakes:
        raise RedlineError("\n".join(mistakes), "write each header once: --header 'Name: value'")
    names = {name.lower() for name, _ in plain}
    kept = [header for header in scenario.headers if header[0].lower() not in names]
    return replace(scenario, headers=(*kept, *plain), content_type=types[0] if types else scenario.content_type)


def _scenario_of(path: Path) -> Scenario:
    document = toml_at(path)
    top = document.known(
        (), document.values, ("name", "deadline", "method", "content_type", "payload", "headers", "expect")
    )
    tables = {key: document.table((key,), top.get(key, {})) for key in ("payload", "headers", "expect")}
    name = document.checked(("name",), top.get("name", path.stem), as_text)
    deadline_ns = document.checked(("deadline",), top.get("deadline", "30s"), as_duration_ns)
    method = document.checked(("method",), top.get("method", "POST"), one_of(_METHODS))
    content_type = document.checked(("content_type",), top.get("content_type", "application/json"), _content_type)
    headers = _headers(document, tables["headers"])
    folder = path.resolve().parent
    payloads = document.checked(
        ("payload",), tables["payload"], lambda _: _payloads(document, tables["payload"], folder)
    )
    expectation, payloads = _expectation(document, tables["expect"], payloads or (), folder)
    document.raise_mistakes()
    return Scenario(name, payloads, headers, content_type, method, expectation, deadline_ns)


def _payloads(document: Document, table: dict[str, Any], folder: Path) -> tuple[Payload, ...]:
    known = document.known(("payload",), table, ("path", "inline"))
    if len(known) > 1:
        raise RedlineError("path and inline are both given", "one of them")
    if "path" in known:
        return payloads_at(_payload_path(as_text(known["path"]), folder))
    if "inline" in known:
        inline = known["inline"]
        text = inline if isinstance(inline, str) else json.dumps(inline, ensure_ascii=False, default=str)
        return (Payload("inline", text.encode()),)
    return (Payload("empty object", b"{}"),)


def _payload_path(given: str | os.PathLike[str], folder: Path) -> Path:
    if os.fspath(given) == "-":
        raise RedlineError(
            "the payload cannot come from standard input: it is read again by the load generator",
            "write it to a file and name that",
        )
    return folder / Path(given).expanduser()


def _headers(document: Document, table: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    kept: list[tuple[str, str]] = []
    for name, value in table.items():
        if not isinstance(value, str):
            document.mistake(("headers", name), f"{shown(value)} is no text; allowed: a text in quotes")
            continue
        known = len(header_mistakes(kept))
        for what in header_mistakes([*kept, (name, value)])[known:]:
            document.mistake(("headers", name), what)
        kept.append((name, value))
    return tuple(kept)


def _content_type(value: object) -> str:
    text = as_text(value)
    if header_mistakes([("Content-Type", text)], frozenset()) or "/" not in text:
        raise RedlineError(f"{shown(text)} is no content type", '"application/json", "text/csv"')
    return text


def _expectation(
    document: Document, table: dict[str, Any], payloads: tuple[Payload, ...], folder: Path
) -> tuple[Expectation, tuple[Payload, ...]]:
    known = document.known(("expect",), table, ("status", "json", "schema", "golden", "tolerance", "max_bytes"))
    values: dict[str, Any] = {}
    for key, check in _EXPECT_KEYS.items():
        if key in known:
            values[key] = document.checked(("expect", key), known[key], check)
    if "schema" in known:
        values["schema"] = document.checked(
            ("expect", "schema"), known["schema"], lambda v: _schema(folder / as_text(v))
        )
    if "golden" in known:
        at = ("expect", "golden")
        found = document.checked(at, known["golden"], lambda v: _with_goldens(folder / as_text(v), payloads))
        payloads = found or payloads
    if values.get("json") is False and ("schema" in known or any(payload.has_golden for payload in payloads)):
        document.mistake(("expect", "json"), "`false` although a schema or golden answer is given; allowed: true")
    return Expectation(**{key: value for key, value in values.items() if value is not None}), payloads


def _with_goldens(path: Path, payloads: tuple[Payload, ...]) -> tuple[Payload, ...]:
    found = tuple(golden_at(path, payload) for payload in payloads)
    if not any(payload.has_golden for payload in found):
        raise RedlineError(f"{path} holds no golden answer for any payload", "NAME.golden.json for a payload NAME.json")
    return found


def _schema(path: Path) -> dict[str, Any]:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    schema = json_at(path)
    if not isinstance(schema, dict):
        raise RedlineError(f"{path} holds no JSON Schema", "a JSON object")
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise RedlineError(f"{path} is no JSON Schema: {error.json_path}: {error.message[:200]}") from error
    foreign = next((ref for ref in _references(schema) if not ref.startswith("#")), None)
    if foreign is not None:
        raise RedlineError(f"{path} refers to {shown(foreign)}, which is never fetched", "references that start with #")
    return schema


def _references(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


_EXPECT_KEYS: dict[str, Callable[[object], Any]] = {
    "status": as_status,
    "json": as_flag,
    "tolerance": as_tolerance,
    "max_bytes": as_max_bytes,
}
