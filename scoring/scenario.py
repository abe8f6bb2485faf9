"""What to send and what a good answer looks like. One scenario serves load test, health check and golden test.

`judge` is the only place that decides whether a complete answer is good. What it holds an answer to:

* the expected status;
* with `json`: RFC 8259 JSON in UTF-8. NaN and Infinity, which Python writes for a failed sum, are no JSON: other
  languages' clients cannot read them;
* no top-level `error` other than null, false or 0, neither in an object nor in the JSON text of one, as a score.py that
  returns `json.dumps({"error": str(e)})` sends it; a schema or golden answer that has `error` itself allows it;
* the schema, and the golden answer with its tolerance. Either may describe the answer or the JSON text inside it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scoring.attempt import Failure
from scoring.errors import RedlineError
from scoring.units import S

OURS = frozenset(
    {
        "accept-encoding",
        "azureml-model-deployment",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-ms-client-request-id",
    }
)
"""Headers that a scenario may not set: the transport, the endpoint or the scenario's own fields decide them."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MEMO_BODIES = 256
_MEMO_BYTES = 4096


@dataclass(frozen=True)
class Payload:
    """One request body, and the answer it should get where that is known."""

    name: str
    body: bytes
    golden: object | None = None  # a JSON value; None is one too, hence:
    has_golden: bool = False


@dataclass(frozen=True)
class Expectation:
    """What a good answer is, whatever the payload."""

    status: int = 200
    json: bool = True
    schema: dict[str, Any] | None = None  # JSON Schema
    tolerance: float = 1e-6  # of numbers against the golden answer, relative or absolute, whichever is wider
    max_bytes: int = 10_000_000  # a longer body is not read to its end

    @cached_property
    def judged_good(self) -> set[bytes]:
        """Bodies already judged good for any payload without a golden answer; at most `_MEMO_BODIES` small ones."""
        return set()

    @cached_property
    def fits_schema(self) -> Callable[[Any], bool]:
        """Whether a JSON value fits the schema, which is compiled once. Nothing outside the schema is fetched."""
        from jsonschema.validators import validator_for
        from referencing import Registry

        schema = self.schema if self.schema is not None else {}
        registry: Registry[Any] = Registry()
        validator = validator_for(schema)(schema, registry=registry)
        return lambda value: bool(validator.is_valid(value))


@dataclass(frozen=True)
class Scenario:
    """What to send, in which order payloads come round, and until when an answer counts."""

    name: str
    payloads: tuple[Payload, ...]
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    method: str = "POST"
    expectation: Expectation = Expectation()
    deadline_ns: int = 30 * S  # total: from connecting to the last byte

    def __post_init__(self) -> None:
        mistakes = [
            *header_mistakes(self.headers),
            *header_mistakes([("Content-Type", self.content_type)], frozenset()),
        ]
        if not self.payloads:
            mistakes.append("the scenario has no payload")
        if self.deadline_ns <= 0:
            mistakes.append("the deadline is not longer than 0")
        if mistakes:
            raise RedlineError(f"scenario `{self.name}`: {'; '.join(mistakes)}", "see docs/scenario.md")


def judge(expectation: Expectation, payload: Payload, status: int, body: bytes) -> Failure | None:
    """None for a good answer, else why it is not. `body` is complete; the reading of it is the transport's affair."""
    if status != expectation.status:
        return Failure.UNEXPECTED_STATUS
    if not expectation.json or (body in expectation.judged_good and not payload.has_golden):
        return None
    try:
        answer = _strict_json(body)
    except (ValueError, RecursionError):
        return Failure.BODY_INVALID
    failure = _judged(expectation, payload, answer)
    if failure is None and not payload.has_golden and len(body) <= _MEMO_BYTES:
        _remember(expectation.judged_good, body)
    return failure


def why_not(expectation: Expectation, payload: Payload, status: int, body: bytes) -> str:
    """The judgement in words, with the place in the answer where one can be named; empty for a good answer.

    Holds parts of the answer: pass it through `scoring.text` and `scoring.redact` before showing it.
    """
    failure = judge(expectation, payload, status, body)
    if failure is None:
        return ""
    if failure is Failure.UNEXPECTED_STATUS:
        return f"answered {status}, expected {expectation.status}"
    if failure is Failure.BODY_INVALID:
        return _why_not_json(body)
    answer = _strict_json(body)
    if failure is Failure.ERROR_IN_BODY:
        return f"the body says error: {_short(_error_of(answer))}"
    if failure is Failure.SCHEMA_MISMATCH:
        return _why_not_schema(expectation, answer)
    return min((_difference(payload.golden, form, expectation.tolerance) for form in _forms(answer)), key=len)


def header_mistakes(headers: Any, ours: frozenset[str] = OURS) -> list[str]:
    """What is wrong with the scenario's own headers, one sentence each. Values may be secret and are never repeated."""
    mistakes, seen = [], set[str]()
    for name, value in headers:
        low = name.lower()
        if not _TOKEN.fullmatch(name):
            mistakes.append(f"header name {name[:60]!r} is not made of letters, digits and dashes")
        elif low == "authorization":
            mistakes.append(
                "a secret never stands in a file or command; use key_env or key_file, not the header Authorization"
            )
        elif low in ours:
            mistakes.append(f"header {name} is set by redline itself")
        elif low in seen:
            mistakes.append(f"header {name} is given twice")
        if not all(" " <= char <= "~" or char == "\t" for char in value) or value != value.strip():
            mistakes.append(f"the value of header {name[:60]!r} holds a line break, an outer space or no plain ASCII")
        seen.add(low)
    return mistakes


def _judged(expectation: Expectation, payload: Payload, answer: object) -> Failure | None:
    if _error_of(answer) is not None and not _error_allowed(expectation, payload):
        return Failure.ERROR_IN_BODY
    if expectation.schema is not None and not any(map(expectation.fits_schema, _forms(answer))):
        return Failure.SCHEMA_MISMATCH
    if payload.has_golden and all(_difference(payload.golden, form, expectation.tolerance) for form in _forms(answer)):
        return Failure.GOLDEN_MISMATCH
    return None


def _remember(bodies: set[bytes], body: bytes) -> None:
    if len(bodies) >= _MEMO_BODIES:
        bodies.clear()
    bodies.add(body)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refused)


def _strict_json(body: bytes) -> Any:
    return _DECODER.decode(body.decode())


def _forms(answer: Any) -> Iterator[Any]:
    """The answer, then the object or list whose JSON text it is, if it is one."""
    yield answer
    if isinstance(answer, str) and answer.lstrip()[:1] in ("{", "["):
        try:
            yield _DECODER.decode(answer)
        except (ValueError, RecursionError):
            return


def _error_of(answer: object) -> object:
    """The top-level `error` of the answer or of the text inside it; None where it is absent, null, false or 0."""
    if isinstance(answer, list):
        return None
    for form in _forms(answer):
        if isinstance(form, dict) and form.get("error") not in (None, False):
            found: object = form["error"]
            return found
    return None


def _error_allowed(expectation: Expectation, payload: Payload) -> bool:
    golden_has_it = payload.has_golden and any(isinstance(f, dict) and "error" in f for f in _forms(payload.golden))
    properties = (expectation.schema or {}).get("properties")
    return golden_has_it or (isinstance(properties, dict) and "error" in properties)


def _difference(golden: object, answer: object, tolerance: float) -> str:
    """Where the answer first leaves the golden one, as text; empty when it does not."""
    open_pairs: list[tuple[str, object, object]] = [("answer", golden, answer)]
    while open_pairs:
        place, want, got = open_pairs.pop()
        if isinstance(want, dict) and isinstance(got, dict):
            if want.keys() != got.keys():
                return f"{place} has other keys: {_short(sorted(want.keys() ^ got.keys()))}"
            open_pairs += [(f"{place}.{key}", want[key], got[key]) for key in reversed(want)]
        elif isinstance(want, list) and isinstance(got, list):
            if len(want) != len(got):
                return f"{place} holds {len(got)} values instead of {len(want)}"
            open_pairs += [(f"{place}[{i}]", want[i], got[i]) for i in reversed(range(len(want)))]
        elif not _equal(want, got, tolerance):
            return f"{place} is {_short(got)} instead of {_short(want)}"
    return ""


def _equal(want: object, got: object, tolerance: float) -> bool:
    if _is_number(want) and _is_number(got):
        try:
            return want == got or math.isclose(want, got, rel_tol=tolerance, abs_tol=tolerance)  # type: ignore[arg-type]
        except OverflowError:
            return False
    return type(want) is type(got) and want == got


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _why_not_json(body: bytes) -> str:
    if not body:
        return "the body is empty, JSON was expected"
    try:
        _strict_json(body)
    except UnicodeDecodeError as error:
        return f"the body is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return f"the body is no JSON at character {error.pos} of {len(error.doc)}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return f"the body is no JSON: {str(error) or 'nested too deeply'}"
    return ""


def _why_not_schema(expectation: Expectation, answer: object) -> str:
    from jsonschema.validators import validator_for
    from referencing import Registry

    schema = expectation.schema or {}
    registry: Registry[Any] = Registry()
    form = list(_forms(answer))[-1]
    first = next(iter(validator_for(schema)(schema, registry=registry).iter_errors(form)), None)
    return "the schema does not fit" if first is None else f"{first.json_path}: {_short(first.message)}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:200] + "…"
