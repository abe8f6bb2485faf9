"""Where the secrets of a text stand: the forms of `secretforms` and `secretnames` tried at their anchors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from scoring.secretforms import SHAPES, Form
from scoring.secretnames import MARK, NAMED, is_nothing

FORMS: tuple[Form, ...] = (*SHAPES, *NAMED)


def _markers_of(forms: list[Form]) -> tuple[str, ...]:
    """The markers of these forms, none of which holds another."""
    every = tuple(dict.fromkeys(marker for form in forms for marker in form.markers))
    return tuple(one for one in every if not any(other in one for other in every if other != one))


ANY_CASE: tuple[str, ...] = _markers_of([form for form in FORMS if form.is_any_case])
EXACT: tuple[str, ...] = tuple(
    marker
    for marker in _markers_of([form for form in FORMS if not form.is_any_case])
    if not any(other in marker.lower() for other in ANY_CASE)
)
"""One of these stands in every text with a secret: of `ANY_CASE` in any case, of `EXACT` as it is."""


@dataclass(frozen=True, slots=True)
class Span:
    """A secret at `[start, end)` of a text. The lower the rank, the more its form says of it."""

    start: int
    end: int
    type: str
    rank: int


def lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    return text.lower() if text.isascii() else text.replace("\u0130", "i").lower()


def spans(text: str, present: Collection[str] | None = None) -> list[Span]:
    """Every secret found; they may overlap. `present`: those of the markers that stand in the text, if known."""
    low = lowered(text)
    if present is None:
        present = [*(one for one in ANY_CASE if one in low), *(one for one in EXACT if one in text)]
    if not present:
        return []
    return [
        span
        for rank, form in enumerate(FORMS)
        for anchor in _standing(form, text, present)
        for span in _spans_at(form, rank, anchor, text, low)
    ]


def _standing(form: Form, text: str, present: Collection[str]) -> tuple[str, ...]:
    """The anchors of the form that may stand in the text."""
    if form.needs is not None:
        return form.anchors if form.needs in text else ()
    return tuple(anchor for anchor in form.anchors if any(one in anchor or one in anchor.lower() for one in present))


def _spans_at(form: Form, rank: int, anchor: str, text: str, low: str) -> Iterator[Span]:
    """The secrets of this form that hold on to this anchor; none begins within another."""
    searched = low if form.is_any_case else text
    at = searched.find(anchor)
    while at >= 0:
        span = _span_at(form, rank, text, at)
        yield from (span,) if span else ()
        at = searched.find(anchor, max(at + len(anchor), span.end if span else 0))


def _span_at(form: Form, rank: int, text: str, at: int) -> Span | None:
    """The secret of this form whose anchor stands at `at`."""
    found = form.pattern.match(text, at)
    if found is None:
        return None
    start, end = found.span("value")
    if form.left is not None:
        left = form.left.match(text[max(0, start - form.reach) : start][::-1])
        start -= left.end() if left else 0
    start, end = _with_whole_marks(text, start, end)
    type_ = form.judge(text, found) if form.judge else form.type
    if type_ is None or is_nothing(text[start:end]):
        return None
    return Span(start, end, type_, rank)


def _with_whole_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch with the whole of a mark that it begins or ends in, so that no mark is ever cut."""
    before = text.find(MARK, max(0, start - len(MARK) + 1), start + len(MARK) - 1)
    after = text.find(MARK, max(0, end - len(MARK) + 1), end + len(MARK) - 1)
    return (
        before if 0 <= before < start else start,
        after + len(MARK) if 0 <= after < end < after + len(MARK) else end,
    )


def clusters(found: list[Span]) -> Iterator[tuple[int, int, Span]]:
    """The stretches of text that overlapping secrets cover together, in order, each with the one that says most."""
    ordered = sorted(found, key=lambda span: (span.start, span.end))
    if not ordered:
        return
    start, end, best = ordered[0].start, ordered[0].end, ordered[0]
    for span in ordered[1:]:
        if span.start < end:
            end, best = max(end, span.end), min(best, span, key=lambda one: one.rank)
        else:
            yield start, end, best
            start, end, best = span.start, span.end, span
    yield start, end, best
