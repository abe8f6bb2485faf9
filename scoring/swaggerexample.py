"""A value that a JSON Schema of a Swagger or OpenAPI document allows, full rather than minimal, the same every time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import unquote

Schema = Any
MOST_DEPTH = 12
MOST_VALUES = 5_000
MOST_REFS = 50
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1S",
    "timedelta": "P1DT0H0M0S",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "byte": "AAAA",
    "binary": "AAAA",
}
_TRIED = ("string", "a", "A", "aa", "AA", "0", "1", "00", "0000", "00000", "a1", "A1", "2026-01-02", "true", "1.0", "")
_OBJECT = ("properties", "additionalProperties", "required", "minProperties", "maxProperties", "patternProperties")


class Endless(Exception):
    """The schema asks for a value inside itself without end, for too many, or for none at all."""


class Schemas:
    """A document, and what its schemas mean: references followed, old spellings read as JSON Schema."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.is_3_1 = str(document.get("openapi", "")).startswith("3.1")

    def followed(self, value: Any) -> Any:
        """What a `$ref` of this document leads to; the value itself without one; an empty table where it is missing."""
        for _ in range(MOST_REFS):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value
            siblings = {key: inner for key, inner in value.items() if key != "$ref"} if self.is_3_1 else {}
            found = self._pointed(value["$ref"])
            value = {"allOf": [found, siblings]} if siblings and _says_something(siblings) else found
        return {}

    def fits(self, value: Any, schema: Schema) -> bool:
        """Whether the value is valid by the schema. A schema that is none itself fits nothing."""
        from jsonschema.exceptions import SchemaError, UnknownType
        from referencing.exceptions import Unresolvable

        try:
            return bool(self._validator(schema).is_valid(value))
        except (SchemaError, UnknownType, Unresolvable):
            return False
        except (RecursionError, TypeError, ValueError, AttributeError, ArithmeticError, re.error):
            return False  # keywords with values of the wrong type

    def examples_in(self, schema: Schema) -> Iterator[Any]:
        """Values that the author wrote into a schema, those meant as examples first."""
        if not isinstance(schema, dict):
            return
        for key in ("example", "x-example"):
            if key in schema:
                yield schema[key]
        if isinstance(schema.get("examples"), list):
            yield from schema["examples"]
        if "default" in schema:
            yield schema["default"]

    def _validator(self, schema: Schema) -> Any:
        from jsonschema import Draft4Validator, Draft202012Validator
        from referencing import Registry

        registry: Registry[Any] = Registry()
        kind = Draft202012Validator if self.is_3_1 else Draft4Validator
        return kind({**self._plain_document, "allOf": [self._plain(schema)]}, registry=registry)

    @cached_property
    def _plain_document(self) -> dict[str, Any]:
        kept = {key: self.document[key] for key in ("definitions", "components", "paths") if key in self.document}
        plain = self._plain(kept)
        return plain if isinstance(plain, dict) else {}

    def _plain(self, value: Any, depth: int = 0) -> Any:
        """The value with `nullable` of OpenAPI 3.0 as a type, and without formats, which are advice."""
        if depth > 200:
            return {}
        if isinstance(value, list):
            return [self._plain(inner, depth + 1) for inner in value]
        if not isinstance(value, dict):
            return value
        plain = {
            key: inner if key in ("enum", "example", "examples", "default", "const") else self._plain(inner, depth + 1)
            for key, inner in value.items()
        }
        if value.get("nullable") is True and not self.is_3_1:
            plain.pop("nullable")
            return {"anyOf": [{"type": "null"}, plain]} if "type" in plain else plain
        return plain

    def _pointed(self, reference: str) -> Any:
        if not reference.startswith("#"):
            return {}
        value: Any = self.document
        for part in filter(None, unquote(reference[1:]).split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                value = value.get(key) if isinstance(value, dict) else None
        return {} if value is None else value


def example_of(schemas: Schemas, schema: Schema) -> Any:
    """A value made from the schema, with every property that has an end. Raises Endless where a needed one has none."""
    return _Making(schemas).value(schema, (), 0)


class _Making:
    """One value in the making; counts what it has made, so that no schema makes it run away."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._made = 0

    def value(self, schema: Schema, inside: tuple[str, ...], nth: int) -> Any:
        """The `nth` value, different from the others where the schema leaves room. `inside`: references followed."""
        self._made += 1
        if self._made > MOST_VALUES or len(inside) > 4 * MOST_DEPTH:
            raise Endless(f"more than {MOST_VALUES:,} values")
        if schema is False:
            raise Endless("a schema that allows nothing")
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            if schema["$ref"] in inside:
                return self._null_or_endless(schema)
            inside = (*inside, schema["$ref"])
        schema = self._merged(schema, inside)
        for key in ("oneOf", "anyOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._one_of(schema, key, inside, nth)
        return self._plain_value(schema, inside, nth)

    def _plain_value(self, schema: dict[str, Any], inside: tuple[str, ...], nth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            fitting = [one for one in schema["enum"] if self._schemas.fits(one, schema)] or schema["enum"]
            named = [one for one in fitting if one is not None] or fitting
            return named[nth % len(named)]
        given = [one for one in self._schemas.examples_in(schema) if self._schemas.fits(one, schema)]
        if nth < len(given) or (given and not nth):
            return given[nth]
        return self._of_type(_type_of(schema), schema, inside, nth)

    def _of_type(self, kind: str, schema: dict[str, Any], inside: tuple[str, ...], nth: int) -> Any:
        try:
            if kind == "object":
                return self._object(schema, inside)
            if kind == "array":
                return self._array(schema, inside)
        except Endless:
            if _may_be_null(schema):
                return None
            raise
        if kind == "string":
            return _string(schema, nth)
        if kind in ("integer", "number"):
            return _number(schema, kind == "integer", nth)
        return nth % 2 == 1 if kind == "boolean" else None

    def _object(self, schema: dict[str, Any], inside: tuple[str, ...]) -> dict[str, Any]:
        properties = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
        required = [name for name in _list(schema.get("required")) if isinstance(name, str)]
        extra = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        most = _limit(schema, "maxProperties", math.inf)
        for name in [*required, *(name for name in properties or {} if name not in required)]:
            inner = (properties or {}).get(name, extra if isinstance(extra, dict) else {})
            is_needed = name in required
            seen = self._schemas.followed(inner)
            if not is_needed and (len(made) >= most or (isinstance(seen, dict) and seen.get("readOnly") is True)):
                continue
            try:
                made[name] = self.value(inner, (*inside, ""), 0)
            except Endless:
                if is_needed:
                    raise
        ordered = {name: made[name] for name in properties or {} if name in made} | made
        return self._filled(ordered, schema, extra, inside)

    def _filled(
        self, made: dict[str, Any], schema: dict[str, Any], extra: Schema, inside: tuple[str, ...]
    ) -> dict[str, Any]:
        """The object with as many more properties as the schema asks for."""
        least = _limit(schema, "minProperties", 0)
        number = 1
        while len(made) < least and extra is not False:
            made.setdefault(
                f"property{number}", self.value(extra if isinstance(extra, dict) else {}, (*inside, ""), number)
            )
            number += 1
        return made

    def _array(self, schema: dict[str, Any], inside: tuple[str, ...]) -> list[Any]:
        least, most = _limit(schema, "minItems", 0), _limit(schema, "maxItems", math.inf)
        first = _list(schema.get("prefixItems")) or _list(schema.get("items"))
        items = (
            schema.get("items", {}) if not isinstance(schema.get("items"), list) else schema.get("additionalItems", {})
        )
        count = int(min(max(least, len(first), 1), max(most, least)))
        if count > MOST_VALUES:
            raise Endless(f"an array of {count:,} values")
        made: list[Any] = []
        for place in range(count):
            inner = first[place] if place < len(first) else items
            try:
                made.append(self.value(inner, (*inside, ""), place if schema.get("uniqueItems") is True else 0))
            except Endless:
                if len(made) < least:
                    raise
                break
        return made

    def _one_of(self, schema: dict[str, Any], key: str, inside: tuple[str, ...], nth: int) -> Any:
        """A value of the first alternative that gives one which fits the whole."""
        rest = {name: inner for name, inner in schema.items() if name != key}
        ends: Endless | None = None
        tried: list[Any] = []
        for alternative in schema[key]:
            try:
                made = self.value({"allOf": [rest, alternative]}, inside, nth)
            except Endless as endless:
                ends = endless
                continue
            if self._schemas.fits(made, schema):
                return made
            tried.append(made)
        if not tried:
            raise ends or Endless("no alternative")
        return tried[0]

    def _merged(self, schema: Schema, inside: tuple[str, ...]) -> dict[str, Any]:
        """The schema with its reference and its allOf folded in."""
        schema = self._schemas.followed(schema)
        if not isinstance(schema, dict):
            return {}
        merged = {key: inner for key, inner in schema.items() if key != "allOf"}
        for part in _list(schema.get("allOf")):
            reference = part.get("$ref") if isinstance(part, dict) else None
            if isinstance(reference, str) and (reference in inside or len(inside) > 4 * MOST_DEPTH):
                raise Endless("a schema that is all of itself")
            merged = _both(merged, self._merged(part, (*inside, reference or "")))
        return merged

    def _null_or_endless(self, schema: Schema) -> None:
        if _may_be_null(self._schemas.followed(schema)):
            return
        raise Endless(f"{schema['$ref']} inside itself")


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A schema that says what both say, as far as one table can."""
    both = {**one, **other}
    for key in one.keys() & other.keys():
        a, b = one[key], other[key]
        if key == "properties" and isinstance(a, dict) and isinstance(b, dict):
            both[key] = {n: {"allOf": [a[n], b[n]]} if n in a and n in b else a.get(n, b.get(n)) for n in {**a, **b}}
        elif key == "required":
            both[key] = [*_list(a), *(name for name in _list(b) if name not in _list(a))]
        elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties") and _are_numbers(a, b):
            both[key] = max(a, b)
        elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties") and _are_numbers(a, b):
            both[key] = min(a, b)
        elif key == "enum":
            both[key] = [value for value in _list(a) if value in _list(b)]
        elif key == "type":
            both[key] = _both_types(a, b)
        elif key in ("oneOf", "anyOf"):
            both[key] = [{"allOf": [x, y]} for x in _list(a) for y in _list(b)]
    return both


def _both_types(a: Any, b: Any) -> Any:
    left, right = a if isinstance(a, list) else [a], b if isinstance(b, list) else [b]
    kinds = [kind for kind in left if kind in right or (kind == "integer" and "number" in right)]
    kinds += [kind for kind in right if kind == "integer" and "number" in left and kind not in kinds]
    return kinds or b


def _type_of(schema: dict[str, Any]) -> str:
    """The type that the schema names, one that is not null first; else the one that its keywords are about."""
    kinds = schema.get("type")
    named = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    if named:
        return next((kind for kind in named if kind != "null"), "null")
    if any(key in schema for key in _OBJECT):
        return "object"
    if any(key in schema for key in ("items", "prefixItems", "minItems", "maxItems")):
        return "array"
    if any(key in schema for key in ("pattern", "minLength", "maxLength", "format")):
        return "string"
    return "number" if any("inimum" in key or "aximum" in key or key == "multipleOf" for key in schema) else "object"


def _string(schema: dict[str, Any], nth: int) -> str:
    least, most = _limit(schema, "minLength", 0), _limit(schema, "maxLength", math.inf)
    if least > MOST_VALUES * 10:
        raise Endless(f"a text of {least:,} characters")
    shaped = _FORMATS.get(str(schema.get("format")))
    plain = [shaped] if shaped is not None and not nth else []
    plain += [text if not nth else f"{text}{nth}" for text in _TRIED]
    fitted = [text if least <= len(text) <= most else _fitted(text, int(least), most, nth) for text in plain]
    pattern = schema.get("pattern")
    try:
        matching = [text for text in fitted if not isinstance(pattern, str) or re.search(pattern, text)]
    except re.error:
        matching = fitted
    return (matching or fitted)[0]


def _fitted(text: str, least: int, most: float, nth: int) -> str:
    """The text, as long as it may be; of several, each with its number at its end."""
    longer = text.ljust(least, "a") if len(text) < least else text
    cut = longer if len(longer) <= most else longer[: int(most)]
    mark = str(nth) if nth else ""
    return cut if not mark or len(mark) > len(cut) else cut[: len(cut) - len(mark)] + mark


def _number(schema: dict[str, Any], is_whole: bool, nth: int) -> int | float:
    low, high = _limit(schema, "minimum", -math.inf), _limit(schema, "maximum", math.inf)
    above, below = schema.get("exclusiveMinimum", False), schema.get("exclusiveMaximum", False)
    given_step = _limit(schema, "multipleOf", 0)
    step = given_step if given_step > 0 else 1 if is_whole else None
    if _are_numbers(above):
        low, above = (above, True) if above >= low else (low, False)
    if _are_numbers(below):
        high, below = (below, True) if below <= high else (high, False)
    if is_whole and step is not None and step != int(step):
        step = 1
    if step is not None:
        return _stepped(low, high, above, step, nth)
    if low <= nth <= high and not (above and nth == low) and not (below and nth == high):
        return float(nth)
    if math.isinf(high):
        return float(low + nth + (1 if above else 0))
    if math.isinf(low):
        return float(high - nth - (1 if below else 0))
    return low + (high - low) * (nth + 1) / (nth + 2) if above or below else float(low + (high - low) * nth / (nth + 1))


def _stepped(low: float, high: float, above: bool, step: float, nth: int) -> int | float:
    """The multiple of `step` nearest to 0 that lies within, and `nth` steps on."""
    first = 0 if low < 0 or (low == 0 and not above) else math.ceil(low / step)
    first += 1 if above and first * step == low else 0
    if first * step > high:
        first = math.floor(high / step)
    found = (first + nth) * step if (first + nth) * step <= high else (first - nth) * step
    return int(found) if found == int(found) else found


def _may_be_null(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    return schema.get("nullable") is True or "null" in _list(schema.get("type"))


def _says_something(siblings: dict[str, Any]) -> bool:
    return bool(siblings.keys() - {"description", "title", "summary"})


def _limit(schema: dict[str, Any], key: str, otherwise: float) -> float:
    """The number that the schema names; `otherwise` where it names none."""
    found: Any = schema.get(key)
    return float(found) if _are_numbers(found) and abs(found) < 1e15 else otherwise


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
