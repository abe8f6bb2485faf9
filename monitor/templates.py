"""Log lines that no rule knows, grouped by what they have in common: as Drain does, but in whatever order they come.

Distinct masked lines are counted; alike ones are merged when the templates are asked for. Up to `MOST_FORMS` distinct
lines the result does not depend on the order; beyond that, the rarest are counted as "other" so that memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.masking import MASK, masked
from scoring.redact import redact
from scoring.served import LogTemplate
from scoring.text import harmless

MOST_FORMS = 1_000
OTHER = "(other lines)"
_MOST_CHARS = 500  # of a line: what follows rarely tells two kinds apart
_MOST_COMPARED = 50  # templates that a line is compared with
_MERGED_FROM_WORDS = 4  # shorter lines differ only in what carries a digit
_EQUAL_SHARE = 0.75


@dataclass(slots=True)
class _Form:
    """Lines alike so far. `used` counts up with each line, so that the least recently seen can be told."""

    words: tuple[str, ...]
    level: str | None
    sample: str
    count: int
    used: int
    first_at: datetime | None
    last_at: datetime | None


class Templates:
    """Counts of alike lines, in bounded memory. The counts of `found` add up to what was added."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str | None, str], _Form] = {}
        self._other = _Form((OTHER,), None, "", 0, 0, None, None)
        self._used = 0

    def add(self, text: str, *, at: datetime | None = None, level: str | None = None, count: int = 1) -> None:
        """One more line, or `count` of them, seen at an instant."""
        self._used += 1
        key = (level, masked(text[:_MOST_CHARS]))
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= MOST_FORMS:
                self._make_room()
            form = self._forms[key] = _Form(_safe_words(text), level, _safe(text), 0, 0, None, None)
        _count(form, count, at, at)
        form.used = self._used

    def found(self, limit: int = 50) -> tuple[LogTemplate, ...]:
        """The most frequent templates, at most `limit` of them; what is left over is the last, as `OTHER`."""
        forms = sorted(merged(self._forms.values()), key=lambda form: (-form.count, form.words, form.level or ""))
        kept = forms if len(forms) + bool(self._other.count) <= limit else forms[: max(0, limit - 1)]
        other = replace(self._other)
        for form in forms[len(kept) :]:
            _count(other, form.count, form.first_at, form.last_at)
        shown = [*kept, other] if other.count and limit > 0 else kept
        return tuple(_template(form) for form in shown)

    def _make_room(self) -> None:
        """At most half of the forms are left: alike ones as one, the rarest and longest unseen as other."""
        forms = sorted(merged(self._forms.values()), key=lambda form: (form.count, form.used), reverse=True)
        kept = forms[: MOST_FORMS // 2]
        for form in forms[len(kept) :]:
            _count(self._other, form.count, form.first_at, form.last_at)
        self._forms = {(form.level, " ".join(form.words)): form for form in kept}


def merged(forms: Iterable[_Form]) -> list[_Form]:
    """Forms alike as one, the same whatever order they come in."""
    templates: dict[tuple[str | None, int, str], list[_Form]] = {}
    for form in sorted(forms, key=lambda form: (-form.count, form.words, form.sample)):
        first = form.words[0] if form.words and not _is_value(form.words[0]) else ""
        same = templates.setdefault((form.level, len(form.words), first), [])
        alike = next((one for one in same[:_MOST_COMPARED] if _is_alike(one.words, form.words)), None)
        if alike is None:
            same.append(replace(form))
        else:
            alike.words = tuple(a if a == b else MASK for a, b in zip(alike.words, form.words, strict=True))
            alike.used = max(alike.used, form.used)
            _count(alike, form.count, form.first_at, form.last_at)
    return [form for same in templates.values() for form in same]


def _is_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """True when three quarters of the words are equal, or only words that hold values differ."""
    allowed_count = int(len(one) * (1 - _EQUAL_SHARE)) if len(one) >= _MERGED_FROM_WORDS else 0
    kept_count = 0
    for a, b in zip(one, other, strict=True):
        if a == b:
            kept_count += a != MASK
        elif not (_is_value(a) and _is_value(b)):
            allowed_count -= 1
            if allowed_count < 0:
                return False
    return kept_count > 0 or one == other


def _is_value(word: str) -> bool:
    return MASK in word or any(char.isdigit() for char in word)


def _count(form: _Form, count: int, first_at: datetime | None, last_at: datetime | None) -> None:
    form.count += count
    if first_at is not None:
        form.first_at = first_at if form.first_at is None else min(form.first_at, first_at)
    if last_at is not None:
        form.last_at = last_at if form.last_at is None else max(form.last_at, last_at)


def _safe(text: str) -> str:
    return harmless(redact(text[: 4 * _MOST_CHARS]), max_chars=_MOST_CHARS)


def _safe_words(text: str) -> tuple[str, ...]:
    """Words of the line without secrets; redaction sees more of the line than is kept, so that no cut secret stays."""
    return tuple(masked(redact(text[: 4 * _MOST_CHARS])[:_MOST_CHARS]).split()[:60]) or ("",)


def _template(form: _Form) -> LogTemplate:
    text = harmless(" ".join(form.words))
    return LogTemplate(text, form.count, form.level, form.sample, form.first_at, form.last_at)
