"""The secrets we hold, out of a text: whole in any common encoding, and cut ones by their beginning or end."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

from scoring.secretnames import MARK

_MIN_SECRET = 6  # a shorter value would take ordinary words out of every text
_MIN_CUT_SECRET = 12  # of a shorter secret, a piece says too little to be told from a word
_CUT, _WORD_CUT, _CODED_CUT = 8, 12, 12  # how much of a secret, of a word, of an encoded secret is still recognised
_WORD = re.compile(r"[A-Za-z]?[a-z]+|[A-Z]+")
_HEX_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def without_held(text: str, secrets: Iterable[str]) -> str:
    """The text with a mark in place of each secret of six characters or more, and of a beginning or end of one."""
    held = frozenset(secret for secret in secrets if len(secret) >= _MIN_SECRET)
    if not held:
        return text
    forms, cuts = _recognised(held)
    for form in forms:
        text = text.replace(form, MARK)
    return without(text, (piece for form, least in cuts for piece in _pieces(text, form, least)))


def without(text: str, stretches: Iterable[tuple[int, int]]) -> str:
    """The text with one mark in place of each stretch `[start, end)`, and of those that overlap together."""
    pieces: list[str] = []
    done, marked = 0, 0
    for start, end in sorted(stretches):
        if start >= marked:
            pieces += (text[done:start], MARK)
        done = marked = max(marked, end)
    return "".join((*pieces, text[done:]))


def _pieces(text: str, form: str, least: int) -> Iterator[tuple[int, int]]:
    """Where the beginning or the end of the form stands, at least `least` long."""
    if form[:least] in text:
        yield from _beginnings(text, form, least)
    if form[-least:] in text:
        size = len(text)
        yield from ((size - end, size - start) for start, end in _beginnings(text[::-1], form[::-1], least))


def _beginnings(text: str, form: str, least: int) -> Iterator[tuple[int, int]]:
    at = text.find(form[:least])
    while at >= 0:
        end = at + _shared_length(text[at : at + len(form)], form)
        yield at, end
        at = text.find(form[:least], end)


def _shared_length(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@lru_cache(maxsize=64)
def _recognised(secrets: frozenset[str]) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Every form of every secret, longest first so that none leaves a piece of a longer one, and those to look for cut.

    A form that is part of the mark is left out: taking it out would never end.
    """
    coded = {secret: {form for form in _forms(secret) if form not in MARK} for secret in secrets}
    forms = sorted({form for some in coded.values() for form in some}, key=lambda form: (-len(form), form))
    cuts = {
        (form, _least(form) if form == secret else _CODED_CUT)
        for secret, some in coded.items()
        if len(secret) >= _MIN_CUT_SECRET
        for form in some
    }
    return tuple(forms), tuple(
        (form, least)
        for form, least in sorted(cuts)
        if len(form) > least and form[:least] not in MARK and form[-least:] not in MARK
    )


def _least(secret: str) -> int:
    """How long a piece of the secret must be; longer where a piece could be an ordinary word."""
    is_wordy = any(_WORD.fullmatch(piece) for piece in (secret[:_CUT], secret[-_CUT:]))
    return _WORD_CUT if is_wordy else _CUT


def _forms(secret: str) -> Iterable[str]:
    """The secret plain, URL-encoded, escaped for JSON, Python or HTML, in hex, and in base64 wherever it starts."""
    raw = secret.encode("utf-8", "surrogatepass")
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw), quote(quote(raw, safe=""))):
        yield from (encoded, _HEX_ESCAPE.sub(lambda found: found.group().lower(), encoded))
    escaped = json.dumps(secret)
    yield from (secret, html.escape(secret), secret.replace("/", "\\/"))
    yield from (escaped[1:-1], json.dumps(escaped)[3:-3], repr(secret)[1:-1])
    yield from (raw.hex(), raw.hex().upper())
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = coded[(shift * 8 + 5) // 6 : len(coded.rstrip("=")) - 1]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
