"""What lines end in: few shapes, alike but for their digits, each looked at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from monitor.servicelog.columns import Columns, Ints
from monitor.servicelog.findleaks import MARKS, may_tell

_MOST_SHAPES = 24
_MOST_BYTES = 300
_TOKEN = re.compile(rb"[A-Za-z0-9+/_=~%-]{24,}")
_AS_DIGITS = bytes(0x30 if 0x30 <= one <= 0x39 else one for one in range(256))


def as_pattern(text: bytes) -> bytes:
    """The text with every digit as `0`, for any digit."""
    return text.translate(_AS_DIGITS)


_NUMBERED = tuple(as_pattern(one).lower() for one in MARKS if as_pattern(one) != one)
"""Marks of secrets that have digits."""


def shapes(columns: Columns, padded: bytes, tails: Ints, ends: Ints) -> Iterator[tuple[bytes, Ints]]:
    """Each shape as one of its lines has it, and which lines have it. What has none of the first shapes is left out."""
    rest = np.flatnonzero((ends > tails) & (ends - tails <= _MOST_BYTES))
    for _ in range(_MOST_SHAPES):
        if not len(rest):
            return
        text = padded[tails[rest[0]] : ends[rest[0]]]
        if b"?" in text or not text.isascii():
            rest = rest[1:]
            continue
        alike = ends[rest] - tails[rest] == len(text)
        same = np.flatnonzero(alike)
        same = same[columns.has(tails[rest[same]], as_pattern(text))]
        yield text, rest[same]
        alike[:] = False
        alike[same] = True
        rest = rest[~alike]


def may_hide(text: bytes) -> bool:
    """Whether a secret or payload data may stand in a line of that shape, with whatever digits."""
    return _may_hide(as_pattern(text))


@lru_cache(maxsize=4096)
def _may_hide(pattern: bytes) -> bool:
    lowered = pattern.lower()
    return _TOKEN.search(pattern) is not None or may_tell(pattern) or any(one in lowered for one in _NUMBERED)
