"""A payload out of a Swagger or OpenAPI document."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localazure.swagger import swagger_document
from scoring.errors import RedlineError
from scoring.swagger import GIVEN, MADE, Sample, sample_of
from scoring.swaggerexample import Endless, Schemas, example_of

URI = "https://churn.westeurope.inference.ml.azure.com/score"
NODE = {"$ref": "#/components/schemas/Node"}


def openapi(schema: Any, version: str = "3.1.0", components: Any = None, **beside: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, **beside}}
    paths = {"/score": {"post": {"requestBody": {"content": content}, "responses": {}}}}
    return {"openapi": version, "paths": paths, "components": {"schemas": components or {}}}


def swagger2(schema: Any, path: str = "/score", definitions: Any = None, **beside: Any) -> dict[str, Any]:
    body = {"name": "serviceInputPayload", "in": "body", "schema": schema, **beside}
    return {"swagger": "2.0", "paths": {path: {"post": {"parameters": [body]}}}, "definitions": definitions or {}}


def sampled(document: Any, uri: str = URI) -> Sample:
    sample = sample_of(document, uri)
    assert sample is not None
    return sample


_NUMBERS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.integers(-50, 0), "maximum": st.integers(1, 50)},
    ),
    st.fixed_dictionaries(
        {"type": st.just("integer"), "minimum": st.integers(-20, 20)}, optional={"multipleOf": st.integers(1, 9)}
    ),
    st.fixed_dictionaries({"type": st.just("number"), "exclusiveMinimum": st.integers(-9, 9)}),
    st.fixed_dictionaries({"type": st.just("number"), "exclusiveMaximum": st.integers(-9, 9)}),
    st.integers(-9, 9).map(lambda n: {"type": "number", "exclusiveMinimum": n, "exclusiveMaximum": n + 1}),
)
_TEXTS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 9), "maxLength": st.integers(9, 20)}
    ),
    st.sampled_from(["date-time", "uuid", "email", "timedelta", "unheard"]).map(
        lambda name: {"type": "string", "format": name}
    ),
)
_LEAVES = st.one_of(
    _NUMBERS,
    _TEXTS,
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["null", "integer"]}),
    st.just({}),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    st.integers().map(lambda value: {"const": value}),
    st.tuples(_NUMBERS, st.integers(-99, 99)).map(lambda pair: {**pair[0], "default": pair[1]}),
)


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.text("abcdef", min_size=1, max_size=3)
    tables = st.dictionaries(names, inner, max_size=4)
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 3), "maxItems": st.integers(3, 5)},
    )
    objects = st.tuples(tables, st.booleans()).map(
        lambda pair: {"type": "object", "properties": pair[0], "required": sorted(pair[0])[:2] if pair[1] else []}
    )
    return st.one_of(
        arrays,
        objects,
        st.tuples(objects, objects).map(lambda pair: {"allOf": [pair[0], {"type": "object"}]}),
        inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
        inner.map(lambda schema: {"oneOf": [{"type": "array", "items": schema}, {"type": "string"}]}),
        inner.map(lambda schema: {"type": "object", "additionalProperties": schema, "minProperties": 2}),
        st.lists(inner, min_size=1, max_size=3).map(lambda schemas: {"type": "array", "prefixItems": schemas}),
        st.tuples(tables, inner).map(
            lambda pair: {
                "type": "object",
                "properties": {**pair[0], "again": NODE, "more": {"type": "array", "items": NODE}},
            }
        ),
    )


SCHEMAS = st.recursive(_LEAVES, _around, max_leaves=8)


@given(SCHEMAS, SCHEMAS)
@settings(max_examples=200, deadline=None)
def test_what_is_made_fits_its_own_schema(schema: Any, node: Any) -> None:
    """The value made of a schema is valid by it, says jsonschema; definitions may hold themselves."""
    document = openapi(schema, components={"Node": node})
    try:
        made = example_of(Schemas(document), schema)
    except Endless:
        return
    Draft202012Validator({"components": document["components"], "allOf": [schema]}).validate(made)
    assert json.loads(json.dumps(made)) == made


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(
                    [
                        "$ref",
                        "type",
                        "properties",
                        "items",
                        "allOf",
                        "oneOf",
                        "enum",
                        "required",
                        "minItems",
                        "schema",
                        "post",
                        "paths",
                        "/score",
                        "content",
                        "in",
                        "body",
                        "requestBody",
                        "parameters",
                        "application/json",
                        "minimum",
                        "pattern",
                    ]
                ),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=20,
    )
)
@settings(max_examples=200, deadline=None)
def test_a_document_of_any_shape_is_a_payload_or_one_clear_line(document: Any) -> None:
    """Whatever a service sends as its swagger, there is a payload, none, or a RedlineError."""
    for given_document in (document, openapi(document), swagger2(document)):
        with contextlib.suppress(RedlineError):
            sample = sample_of(given_document, URI)
            assert sample is None or json.loads(sample.body) == sample.value


NUMPY = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number", "format": "double"}},
    "example": [[1.5, 2.5]],
    "format": "numpy.array",
}
PANDAS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "format": "int64"},
            "since": {"type": "string", "format": "date-time"},
            "waited": {"type": "string", "format": "timedelta"},
        },
    },
    "example": [{"age": 40, "since": "2026-01-01T00:00:00.000", "waited": "P0DT0H5M0S"}],
    "format": "pandas.DataFrame:records",
}


def service_input(**parts: Any) -> dict[str, Any]:
    """The input of a decorated scoring script, as Azure ML's inference server describes it."""
    examples = {name: part["example"] for name, part in parts.items()}
    return {"type": "object", "properties": parts, "example": examples}


@pytest.mark.parametrize(
    ("parts", "payload"),
    [
        ({"data": NUMPY}, {"data": [[1.5, 2.5]]}),
        ({"data": PANDAS}, {"data": PANDAS["example"]}),
        (
            {"Inputs": service_input(data=NUMPY), "GlobalParameters": {"type": "number", "example": 1.0}},
            {"Inputs": {"data": [[1.5, 2.5]]}, "GlobalParameters": 1.0},
        ),
    ],
    ids=["numpy", "pandas", "nested"],
)
def test_the_example_of_a_decorated_script_is_the_payload(parts: dict[str, Any], payload: Any) -> None:
    """The sample that the author gave to the decorator is what is sent."""
    document = swagger2({"$ref": "#/definitions/ServiceInput"}, definitions={"ServiceInput": service_input(**parts)})
    assert sampled(document) == Sample(payload, GIVEN, True)


def test_a_good_example_need_not_fit_the_schema_that_azure_ml_writes() -> None:
    """Rows of mixed types: the schema is that of their last value, and the author's example is still the payload."""
    values = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}, "example": [[40, "a"]]}
    assert sampled(swagger2(service_input(data=values))) == Sample({"data": [[40, "a"]]}, GIVEN, False)


@pytest.mark.parametrize("example", ["string", 7, [], {"other": 1}, None])
def test_an_example_of_another_kind_is_no_payload(example: Any) -> None:
    """What is not even the table that is wanted gives way to one made from the schema."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "example": example}
    assert sampled(openapi(schema)) == Sample({"a": 0}, MADE, True)


def test_an_example_written_as_json_text_is_read() -> None:
    """Some authors paste the payload as a text."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "example": '{"a": 3}'}
    assert sampled(openapi(schema)) == Sample({"a": 3}, GIVEN, True)


def test_a_script_without_a_schema_has_no_payload() -> None:
    """What the inference server writes for it is a placeholder, not a description."""
    placeholder = {
        "type": "object",
        "properties": {"param": {"type": "object", "additionalProperties": {"type": "object"}}},
    }
    assert sample_of(swagger2(placeholder), URI) is None


@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_the_local_endpoint_describes_its_payload_in_every_version(version: str) -> None:
    """Swagger 2.0, OpenAPI 3.0 and 3.1 of the built-in model give the same payload."""
    document = json.loads(swagger_document(version, name="local", scoring_path="/score", has_key=True) or b"")
    assert sampled(document).value == {"data": [[1.0, 2.0, 3.0]]}


@pytest.mark.parametrize(
    ("document", "value"),
    [
        pytest.param(openapi({}, example={"a": 1}), {"a": 1}, id="an example beside the schema"),
        pytest.param(openapi({}, examples={"one": {"value": [1]}}), [1], id="a named example"),
        pytest.param(
            openapi({"type": "integer"}, examples={"bad": {"value": "x"}, "good": {"value": 7}}),
            7,
            id="the first example that fits",
        ),
        pytest.param(openapi({"type": "array", "examples": [[3]]}), [3], id="examples in the schema of 3.1"),
        pytest.param(openapi({"type": "integer", "default": 4}), 4, id="a default"),
        pytest.param(
            openapi({"type": "integer", "nullable": True, "example": None}, "3.0.3"),
            None,
            id="null where 3.0 allows it",
        ),
    ],
)
def test_what_the_author_wrote_comes_first(document: Any, value: Any) -> None:
    """An example or default that fits its schema is the payload, wherever it stands."""
    assert sampled(document) == Sample(value, GIVEN, True)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(
            {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "boolean"}}},
            {"b": 0, "a": False},
            id="every property, in the author's order",
        ),
        pytest.param(
            {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}},
            {},
            id="no property that only answers have",
        ),
        pytest.param(
            {"type": "array", "minItems": 2, "items": {"enum": ["x", "y"]}, "uniqueItems": True},
            ["x", "y"],
            id="different values where they must differ",
        ),
        pytest.param(
            {"type": "number", "minimum": 1, "exclusiveMinimum": True}, 2.0, id="an open bound as 3.0 writes it"
        ),
        pytest.param({"type": "string", "pattern": "^[a-z][0-9]$"}, "a1", id="a pattern that a common text fits"),
        pytest.param(
            {"oneOf": [{"type": "string", "minLength": 3}, {"type": "integer"}]}, "string", id="the first choice"
        ),
        pytest.param(
            {"allOf": [{"properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
            {"a": 0},
            id="all parts together",
        ),
    ],
)
def test_without_an_example_one_is_made(schema: Any, value: Any) -> None:
    """The value is full, plain, and the same every time."""
    assert sampled(openapi(schema, "3.0.3")) == Sample(value, MADE, True)


def test_a_schema_that_holds_itself_ends_where_it_may() -> None:
    """An optional child of the same kind is left out; a list of children is empty."""
    node = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": NODE, "children": {"type": "array", "items": NODE}},
    }
    assert sampled(openapi(NODE, components={"Node": node})).value == {"name": "string", "children": []}


def test_a_schema_that_never_ends_is_told() -> None:
    """A child that must be there, without end, is one line and the way out."""
    node = {"type": "object", "properties": {"child": NODE}, "required": ["child"]}
    with pytest.raises(RedlineError, match="no payload that ends") as told:
        sample_of(openapi(NODE, components={"Node": node}), URI)
    assert told.value.hint == "--payload FILE"


def test_a_value_that_cannot_fit_is_marked() -> None:
    """A pattern that nothing common fits gives a payload that is known not to fit."""
    assert sampled(openapi({"type": "string", "pattern": "^QX-[0-9]{7}$"})).fits is False


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/score", URI),
        ("/api/v1/service/churn/score", "http://10.0.0.4/api/v1/service/churn/score"),
        ("/score", "http://10.0.0.4/api/v1/service/churn/score"),
    ],
)
def test_the_operation_is_the_one_that_is_scored(path: str, uri: str) -> None:
    """Of several POST operations the one at the scoring URI's path is described."""
    document = swagger2({"type": "integer", "default": 1}, path)
    document["paths"]["/other"] = {"post": {"parameters": [{"in": "body", "schema": {"type": "string"}}]}}
    document["paths"] = dict(reversed(document["paths"].items()))
    assert sampled(document, uri).value == 1


@pytest.mark.parametrize(
    "document", [None, [], {}, {"paths": {"/score": {"get": {}}}}, {"paths": {"/score": {"post": {"parameters": []}}}}]
)
def test_a_document_that_describes_no_request_is_told(document: Any) -> None:
    """No POST with a body is one line and the way out."""
    with pytest.raises(RedlineError, match="describes no POST") as told:
        sample_of(document, URI)
    assert told.value.hint == "--payload FILE"
