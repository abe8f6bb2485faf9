"""The short table: every rule over all scenarios, beside the goals."""

from __future__ import annotations

from statistics import mean, median

from bench.limits.score import Row

HEADER = (
    "| rule | cliffs exact | worst mean error, closed / open | > 5 % too high, all / worst | covered, worst |"
    " closed s / requests | open s | rejected at a cliff |",
    "|---|---|---|---|---|---|---|---|",
)


def line(rule: str, rows: dict[str, tuple[str, str, Row]]) -> str:
    """One rule; `rows` is scenario → (group, mode, scores)."""
    cliffs = [row for group, _, row in rows.values() if group == "cliff"]
    smooth = {mode: [r for g, m, r in rows.values() if g == "smooth" and m == mode] for mode in ("closed", "open")}
    scored = [row for group, _, row in rows.values() if group in ("cliff", "smooth")]
    errors = " / ".join(_share(max((row.error_ratio or 0.0 for row in smooth[mode]), default=None)) for mode in smooth)
    unsafe = [row.unsafe_ratio or 0.0 for row in scored]
    covered = [row.covered_ratio for row in scored if row.covered_ratio is not None]
    closed = cliffs + smooth["closed"]
    cells = [
        rule,
        _share(mean(row.exact_ratio or 0.0 for row in cliffs) if cliffs else None),
        errors,
        f"{_share(mean(unsafe) if unsafe else None)} / {_share(max(unsafe, default=None))}",
        _share(min(covered, default=None)),
        f"{median(r.seconds for r in closed):.0f} / {median(r.sent for r in closed):.0f}" if closed else "",
        f"{median(row.seconds for row in smooth['open']):.0f}" if smooth["open"] else "",
        f"{max(row.rejected for row in cliffs):.0f}" if cliffs else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
