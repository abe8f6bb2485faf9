"""Secrets out of a text: the values we hold, what stands under a secret's name, and shapes that only a secret has.

Text without a secret comes back byte-identical. What is taken out becomes `[redacted]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from scoring.heldsecrets import without, without_held
from scoring.secretnames import LONG, MARK
from scoring.secretspans import Span, spans

__all__ = ["MARK", "redact"]

_ROUNDS = 8  # what a round leaves may be a secret by its new surroundings; after so many, nothing of the text is left
_MOST_VALUES = 64  # of so many secrets every other place is looked for; it bounds the time
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[^\s\"'\[\]]{12,}", re.ASCII)
# An old token of Azure DevOps has nothing that tells it but its letters and its length; it is never a finding.
_NAMELESS = re.compile(r"(?:(?<![\w-])|(?<=\\[nrt]))(?=[a-z]{0,51}[2-7])[2-7a-z]{52}(?![\w-])", re.ASCII)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without any given secret, in whichever form it travels, and without what looks like one."""
    text = without_held(text, secrets)
    if len(text) >= 52:
        text = _NAMELESS.sub(MARK, text)
    for _ in range(_ROUNDS):
        found = spans(text)
        if not found:
            return text
        again = _told_again(text, found)
        text = without(text, ((span.start, span.end) for span in found))
        for value in again:
            text = text.replace(value, MARK)
    return text if not spans(text) else MARK


def _told_again(text: str, found: list[Span]) -> list[str]:
    """Values that look random: what is a secret in one place of the text is one in every place."""
    values = {text[span.start : span.end].strip() for span in found if span.end - span.start <= LONG}
    random = [value for value in values if _RANDOM.fullmatch(value) and value not in MARK]
    return sorted(random, key=lambda value: (-len(value), value))[:_MOST_VALUES]
