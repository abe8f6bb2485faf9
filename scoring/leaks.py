"""Secrets that stand in a text, as findings: of what type, how often, and what to rotate. Never shown, only hashed.

Whatever is found here `scoring.redact` takes out, and in what it leaves nothing is found.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from scoring import payloads, secretspans
from scoring.markers import MarkerTable
from scoring.rotation import ROTATE, rotate_anything
from scoring.secretnames import NOT_REPORTED
from scoring.secretspans import Span, clusters, spans

MARKERS: tuple[bytes, ...] = tuple(marker.lower().encode() for marker in (*secretspans.ANY_CASE, *secretspans.EXACT))
"""Bytes at least one of which stands in any text that `leaks_in` finds something in, once that text is in lower case.

They are in lower case, as names of headers and fields come in any case: look for them in `chunk.lower()`. `may_leak`
is stricter, as prefixes of tokens come in one case only, and faster.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a text. `start` is where it first stands: bytes of bytes, characters of a str."""

    type: str  # "bearer_token", "storage_account_key" …
    value: str = field(repr=False)
    rotate: str  # what to do: a sentence with something to type
    start: int
    count: int = 1  # how often the value stands in the text


_TABLE = MarkerTable([one.encode() for one in secretspans.ANY_CASE], [one.encode() for one in secretspans.EXACT])

_PAYLOAD_TABLE = MarkerTable(payloads.MARKERS, [])
_PAYLOAD = "payload_data"


def may_leak(chunk: bytes) -> bool:
    """Whether a marker stands in the chunk: where it is false, `leaks_in` finds nothing."""
    return _TABLE.any_in(chunk)


def leaks_in(text: str | bytes) -> list[Found]:
    """Every secret in the text, each value once with its most specific type, in the order they first appear."""
    if isinstance(text, str):
        return _once(spans(text), text)
    present = {marker.decode() for marker in _TABLE.all_in(text)}
    if not present:
        return []
    whole = text.decode("latin-1")  # a character a byte: places stay
    return [replace(one, value=_utf8(one.value)) for one in _once(spans(whole, present), whole)]


def may_hold_payload(chunk: bytes) -> bool:
    """Whether a word that announces a payload stands in the chunk: where it is false, `payloads_in` finds none."""
    return _PAYLOAD_TABLE.any_in(chunk)


def payloads_in(text: str | bytes) -> list[Found]:
    """Every scoring payload in the text as a leak of type `payload_data`, each value once; `redact` leaves them.

    `scoring.payloads.redact_payloads` puts their shape in their place.
    """
    if isinstance(text, bytes):
        if not may_hold_payload(text):
            return []
        return [replace(one, value=_utf8(one.value)) for one in payloads_in(text.decode("latin-1"))]
    found: dict[str, Found] = {}
    for start, end, _ in payloads.payloads_in(text):
        one = found.get(text[start:end]) or Found(_PAYLOAD, text[start:end], ROTATE[_PAYLOAD], start, 0)
        found[one.value] = replace(one, count=one.count + 1)
    return list(found.values())


def sha256_prefix(value: str) -> str:
    """The first 12 hex digits of the SHA-256 of the value in UTF-8: tells two secrets apart, gives neither away."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _utf8(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "backslashreplace")


def _once(found: list[Span], text: str) -> list[Found]:
    """One per value: the type that says most, the first place, the number of places."""
    by_value: dict[str, list[Span]] = {}
    for _, _, best in clusters([span for span in found if span.type not in NOT_REPORTED]):
        by_value.setdefault(text[best.start : best.end].strip(), []).append(best)
    return [_of_places(value, places) for value, places in by_value.items()]


def _of_places(value: str, places: list[Span]) -> Found:
    type_ = min(places, key=lambda span: span.rank).type
    return Found(type_, value, ROTATE.get(type_, rotate_anything(type_)), places[0].start, len(places))
