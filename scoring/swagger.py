"""A payload for the scoring request, out of the service's own description: Swagger 2.0, OpenAPI 3.0 or 3.1."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from scoring.errors import RedlineError
from scoring.swaggerexample import Endless, Schemas, example_of

GIVEN = "the example in its swagger"
MADE = "made from the schema in its swagger"
MAX_SAMPLE_BYTES = 1_000_000
_JSON = ("application/json", "text/json", "*/*", "application/*")
_PLACEHOLDER = {
    "type": "object",
    "properties": {"param": {"type": "object", "additionalProperties": {"type": "object"}}},
}
"""What Azure ML's inference server says of a scoring script that carries no schema."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One payload. `fits` tells whether it is valid by the schema beside it."""

    value: Any
    origin: str  # GIVEN or MADE
    fits: bool

    @property
    def body(self) -> bytes:
        return json.dumps(self.value, ensure_ascii=False).encode() + b"\n"


def sample_of(document: Any, scoring_uri: str) -> Sample | None:
    """The payload that the description gives or implies; None where the script carries no schema of its input.

    An example of the author comes first, one that fits the schema before one that does not: Azure ML writes the schema
    of rows of mixed types from one of their values, so a good example need not fit it. Without an example of the right
    kind one is made from the schema. RedlineError for a document that describes no such request.
    """
    schemas = Schemas(document if isinstance(document, dict) else {})
    media = _scoring_input(schemas, urlsplit(scoring_uri).path)
    schema = media.get("schema", {})
    followed = schemas.followed(schema)
    if isinstance(followed, dict) and all(followed.get(key) == value for key, value in _PLACEHOLDER.items()):
        return None
    given = [value for value in _given(schemas, media) if _is_small(value)]
    fitting = [value for value in given if schemas.fits(value, schema)]
    alike = [value for value in given if _is_alike(value, followed)]
    if fitting or alike:
        return Sample((fitting or alike)[0], GIVEN, bool(fitting))
    try:
        made = example_of(schemas, schema)
    except Endless as endless:
        raise RedlineError(f"its swagger describes no payload that ends: {endless}", "--payload FILE") from endless
    return Sample(made, MADE, _is_small(made) and schemas.fits(made, schema))


def _is_alike(value: Any, schema: Any) -> bool:
    """Whether an example that does not fit is at least the list, or the table with what it needs, that is wanted."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "object":
        required = schema.get("required")
        return isinstance(value, dict) and value.keys() >= set(
            filter(_is_text, required if isinstance(required, list) else ())
        )
    return kind == "array" and isinstance(value, list)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _scoring_input(schemas: Schemas, path: str) -> dict[str, Any]:
    """`schema`, and `example` or `examples` beside it, of the body that a scoring request carries."""
    paths = schemas.document.get("paths")
    paths = paths if isinstance(paths, dict) else {}
    operations = [(name, schemas.followed(item)) for name, item in paths.items()]
    posts = [(name, item["post"]) for name, item in operations if isinstance(item, dict) and _is_table(item, "post")]
    bodies = [(name, body) for name, post in posts if (body := _body_of(schemas, post)) is not None]
    wanted = unquote(path).rstrip("/")
    ranked = sorted(bodies, key=lambda one: _distance(one[0].rstrip("/"), wanted, _base(schemas.document)))
    if not ranked:
        raise RedlineError("its swagger describes no POST with a JSON body", "--payload FILE")
    return ranked[0][1]


def _distance(name: str, wanted: str, base: str) -> int:
    """0 for the path of the scoring URI, 1 for one that ends it, 2 for any `…/score`, 3 for another."""
    if base + name == wanted or name == wanted:
        return 0
    return 1 if name and wanted.endswith(name) else 2 if name.endswith("/score") else 3


def _base(document: dict[str, Any]) -> str:
    base = document.get("basePath")
    return base.rstrip("/") if isinstance(base, str) else ""


def _body_of(schemas: Schemas, operation: dict[str, Any]) -> dict[str, Any] | None:
    body = schemas.followed(operation.get("requestBody"))
    if isinstance(body, dict) and _is_table(body, "content"):
        content = {name.partition(";")[0].strip().lower(): media for name, media in body["content"].items()}
        names = [name for name in (*_JSON, *content) if name in content and (name in _JSON or name.endswith("+json"))]
        return content[names[0]] if names and isinstance(content[names[0]], dict) else None
    parameters = operation.get("parameters")
    for parameter in parameters if isinstance(parameters, list) else []:
        found = schemas.followed(parameter)
        if isinstance(found, dict) and found.get("in") == "body":
            return found
    return None


def _given(schemas: Schemas, media: dict[str, Any]) -> Iterator[Any]:
    """Examples that stand beside the schema, then those in it; one that is written as JSON text is read too."""
    for value in (*_beside(schemas, media), *schemas.examples_in(schemas.followed(media.get("schema")))):
        yield value
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            with contextlib.suppress(ValueError, RecursionError):
                yield json.loads(value)


def _beside(schemas: Schemas, media: dict[str, Any]) -> Iterator[Any]:
    for key in ("example", "x-example"):
        if key in media:
            yield media[key]
    for key in ("examples", "x-examples"):
        named = schemas.followed(media.get(key))
        for one in named.values() if isinstance(named, dict) else named if isinstance(named, list) else []:
            inner = schemas.followed(one)
            yield inner["value"] if isinstance(inner, dict) and "value" in inner else inner


def _is_table(value: dict[str, Any], key: str) -> bool:
    return isinstance(value.get(key), dict)


def _is_small(value: Any) -> bool:
    return len(json.dumps(value)) <= MAX_SAMPLE_BYTES
