"""Two runs side by side: what changed, by how much, how probable it is that the change is real."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from capacity.compare import FAILED, LIMIT, PERCENTILE, Change, Comparison
from capacity.standing import Measured, Standing
from capacity.unit import Unit
from reports.clean import harmless_copy
from reports.document import document_text
from reports.markdown import escaped, section
from reports.markdown import table as markdown_table
from reports.rendered import Rendered
from reports.texttable import MIN_WIDTH, Column, columns_of, headed, pairs_of, table, whole
from reports.words import instant_words, rate_number, show_rps
from scoring.errors import Exit, RedlineError
from scoring.units import show_ms

SCHEMA = 1
_TONES = {"FALLEN": "bad", "NOT FAIR": "warn", "CHANGED": "warn", "SAME": "good"}
_EXITS = {"FALLEN": Exit.MISSED, "NOT FAIR": Exit.UNFAIR}


def rendered_comparison(comparison: Comparison, *, color: bool, width: int) -> Rendered:
    """The comparison in every form. RedlineError (exit 3) when the runs have nothing in common to compare."""
    if not comparison.changes:
        raise RedlineError(
            f"{comparison.before.where} and {comparison.after.where} share no goal and no level",
            "compare runs of the same command with the same goals or users",
            Exit.UNFAIR,
        )
    clean = harmless_copy(comparison)
    document = comparison_json(clean)
    return Rendered(
        text=comparison_text(clean, color=color, width=width),
        json=document,
        files={"comparison.json": document, "comparison.md": comparison_markdown(clean)},
        exit_code=_EXITS.get(word(comparison), Exit.FINE),
    )


def word(comparison: Comparison) -> str:
    """FALLEN where the gate closes, NOT FAIR where a client was the wall, CHANGED where a change is real, else SAME."""
    if not (comparison.before.is_fair and comparison.after.is_fair):
        return "NOT FAIR"
    if comparison.failed:
        return "FALLEN"
    return "CHANGED" if any(one.is_real for one in comparison.changes) else "SAME"


def headline(comparison: Comparison) -> str:
    """One sentence: the change that matters most."""
    name = comparison.after.name
    if word(comparison) == "NOT FAIR":
        unfair = comparison.before if not comparison.before.is_fair else comparison.after
        return f"{name}: in {unfair.where} the client was the wall, so a change says nothing of the endpoint."
    found = comparison.failed or [one for one in comparison.changes if one.is_real]
    if not found:
        return f"{name}: no figure changed by more than chance explains."
    one = max(found, key=_weight)
    way = "fell" if one.after.value < one.before.value else "rose"
    sure = f"{_step(one)}, real with probability {probability_words(one)}"
    unit = comparison.after.unit
    before, after = (_value(one, measured, unit) for measured in (one.before, one.after))
    return f"{name}: {_figure(one, unit)} {way} from {before} to {after} ({sure})."


def _weight(change: Change) -> tuple[bool, bool, bool, float]:
    """A limit matters more than a percentile, the worse more than the better, p95 more than the tail."""
    return change.kind == LIMIT, change.is_worse, change.name == "p95", abs(change.change_ratio or 0.0)


def comparison_text(comparison: Comparison, *, color: bool, width: int) -> str:
    """The comparison for a terminal, at most `width` columns wide where its words allow it."""
    width, title = max(width, MIN_WIDTH), word(comparison)
    columns = (
        Column("figure"),
        Column("before", right=True),
        Column("after", right=True),
        Column("change", right=True),
        Column("real", right=True),
        Column(""),
    )
    rows = [(*_cells(one, comparison.after.unit), _mark(comparison, one)) for one in comparison.changes]
    note = "  real: probability that the figure went this way; intervals in --json, 95 %"
    blocks = (
        "\n".join(headed(title, columns_of(title), headline(comparison), _TONES[title], color, width)),
        f"{table(columns, rows, width)}\n{note}",
        pairs_of(_about(comparison), width),
    )
    return whole(blocks)


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison for a job summary or a pull request."""
    names = ("Figure", "Before:", "After:", "Change:", "Real:", "")
    rows = [(*_cells(one, comparison.after.unit), _mark(comparison, one)) for one in comparison.changes]
    about = "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in _about(comparison))
    head = f"## {escaped(word(comparison))}: {escaped(headline(comparison))}"
    return "\n\n".join([head, section("Figures", markdown_table(names, rows)), about]) + "\n"


def comparison_json(comparison: Comparison) -> str:
    """The comparison as one JSON document (docs/schemas/compare.schema.json)."""
    return document_text(
        {
            "schema": SCHEMA,
            "verdict": word(comparison),
            "headline": headline(comparison),
            "changes": [_change_json(one, comparison.after.unit) for one in comparison.changes],
            "differences": comparison.differences,
            "tolerance": asdict(comparison.tolerance),
            "before": _run_json(comparison.before),
            "after": _run_json(comparison.after),
        }
    )


def probability_words(change: Change) -> str:
    """Never 100 %: nothing measured is certain."""
    if change.probability is None:
        return "unknown"
    return "> 99.9 %" if change.probability > 0.999 else f"{100 * change.probability:.3g} %"


def _cells(change: Change, unit: Unit) -> tuple[str, ...]:
    said = probability_words(change) if change.before.value != change.after.value else "–"
    values = (_value(change, one, unit) for one in (change.before, change.after))
    return _figure(change, unit), *values, _step(change), said


def _mark(comparison: Comparison, change: Change) -> str:
    if change in comparison.failed:
        return "beyond the gate"
    return ("worse" if change.is_worse else "better") if change.is_real else ""


def _figure(change: Change, unit: Unit) -> str:
    if change.kind == LIMIT:
        return f"limit of {change.name}"
    completed = "answered" if unit.is_open else "requests/s"
    label = {"completed_rps": completed, "failed_ratio": "failed"}.get(change.name, change.name)
    return label if change.users is None else f"{label} at {unit.in_full(change.users)}"


def _value(change: Change, measured: Measured, unit: Unit) -> str:
    if change.kind == LIMIT:
        shown = show_rps(measured.value) if unit.is_open else unit.words(measured.value)
        return ("at least " if measured.high is None else "") + shown
    if change.kind == PERCENTILE:
        return show_ms(measured.value)
    return f"{100 * measured.value:.3g} %" if change.kind == FAILED else f"{rate_number(measured.value)}/s"


def _step(change: Change) -> str:
    if change.change_ratio is None:
        return "from none"
    return "same" if not change.change_ratio else f"{100 * change.change_ratio:+.3g} %".replace("-", "−")


def _about(comparison: Comparison) -> list[tuple[str, str]]:
    runs = [
        (name, f"{one.where}, {instant_words(one.made_at)}, configuration {one.configuration_hash}")
        for name, one in (("before", comparison.before), ("after", comparison.after))
    ]
    gate = comparison.tolerance
    parts = [f"limits may fall by {100 * gate.drop_ratio:g} %"] if gate.drop_ratio is not None else []
    parts += [f"percentiles may rise by {100 * gate.slower_ratio:g} %"] if gate.slower_ratio is not None else []
    parts = [*parts, f"a change beyond that counts from a probability of {100 * gate.sure_ratio:g} % on"]
    asked = [("not alike", text) for text in comparison.differences]
    return [*runs, ("gate", "; ".join(parts) if len(parts) > 1 else "none"), *asked]


def _change_json(change: Change, unit: Unit) -> dict[str, Any]:
    of_limit = "rps" if unit.is_open else "users"
    name = {LIMIT: of_limit, PERCENTILE: "ms", FAILED: "ratio"}.get(change.kind, "rps")
    values = {**asdict(change), "unit": name, "is_real": change.is_real}
    if not unit.is_open:
        return values
    return {**values, "users": None, "rps": None if change.users is None else unit.amount(change.users)}


def _run_json(standing: Standing) -> dict[str, Any]:
    return {
        "name": standing.name,
        "run": standing.where,
        "made_at": standing.made_at,
        "configuration_hash": standing.configuration_hash,
        "is_fair": standing.is_fair,
        "attempt_count": sum(level.attempt_count for level in standing.levels),
    }
