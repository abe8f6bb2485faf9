"""Three plots of a limit search: rate, latency and codes against users, each with its finding and its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from capacity.goals import parse_goal
from capacity.unit import Unit
from capacity.verdict import Level, Verdict
from reports.axes import (
    BLUE,
    END_LABELS,
    GREEN,
    GREY,
    MARGIN,
    NARROW,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDE,
    Frame,
    categories,
    end_labels,
    latency_axis,
    legend,
    load_axis,
    named,
    rate_axis,
    rendered,
)
from reports.codes import bad_count, codes_table, is_good
from reports.limit import LimitReport, judged, level_at, level_beside, peak_words, rejection_label
from reports.svg import INK
from reports.words import rate_number
from scoring.errors import RedlineError
from scoring.units import MS, show_count, show_ms, show_ratio

MAX_LEVELS = 200
GOOD_LOOK: dict[str, Any] = {"color": GREY, "alpha": 0.45}
BAD_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": VERMILION, "hatch": "///"},
    {"color": ORANGE, "hatch": "..."},
    {"color": PURPLE, "hatch": "xxx"},
    {"color": SKY, "hatch": "\\\\\\"},
    {"color": BLUE, "hatch": "+++"},
)
"""The most frequent failures, by colour and by pattern."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure in two widths. The title states the finding; columns and rows are the data behind it."""

    key: str
    title: str
    caption: str
    wide: Markup
    narrow: Markup
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(report: LimitReport) -> tuple[Plot, ...]:
    """The plots that the data allows: none without levels, no latency without good answers."""
    levels = thinned(report.verdict.levels)
    if not levels:
        return ()
    drawn = [_throughput(report, levels)]
    if any(level.p50_ms is not None for level in levels):
        drawn.append(_latency(report, levels))
    if any(_failed(level) for level in levels):
        drawn.append(_codes(report, levels))
    return tuple(drawn)


def thinned(levels: Sequence[Level], at_most: int = MAX_LEVELS) -> tuple[Level, ...]:
    """At most `at_most` levels, evenly picked, the first and the last among them."""
    if len(levels) <= at_most:
        return tuple(levels)
    step = (len(levels) - 1) / (at_most - 1)
    return tuple(levels[round(i * step)] for i in range(at_most))


def each_level(unit: Unit) -> str:
    """What the points of a plot stand for."""
    return "rate at which requests are due" if unit.is_open else "number of users"


def _throughput(report: LimitReport, levels: Sequence[Level]) -> Plot:
    verdict, unit = report.verdict, report.verdict.unit
    best = verdict.binding.level if verdict.binding else None
    title = f"The rate peaks at {peak_words(verdict)}"
    if best and verdict.binding and verdict.binding.high is not None:
        title += f"; {unit.in_full(best)} is the most within {verdict.binding_goal}"
    title += "."

    def draw(axes: Axes, frame: Frame) -> None:
        loads = [unit.amount(level.users) for level in levels]
        timed = [(unit.amount(level.users), level.timed_rps) for level in levels if level.timed_rps is not None]
        axes.plot([at for at, _ in timed], [rate for _, rate in timed], color=BLUE, marker="o", clip_on=False, zorder=3)
        _mark_limit(axes, verdict, loads, frame)
        _mark_first_rejection(axes, verdict, levels)
        _mark_knee(axes, verdict)
        rate_axis(axes, loads, [rate for _, rate in timed] or [0.0])
        load_axis(axes, loads, frame, unit)
        named(axes, "good answers per second", frame)

    rows = [(unit.number(one.users), rate_number(one.timed_rps), show_count(bad_count(one))) for one in levels]
    caption = f"Good answers per second at each {each_level(unit)}; the band is the limit's 95 % interval."
    return drawn_plot("throughput", title, caption, draw, (unit.name, "requests/s", "failed"), rows)


def _latency(report: LimitReport, levels: Sequence[Level]) -> Plot:
    verdict, unit = report.verdict, report.verdict.unit
    kept = [judged(level) for level in levels if level.p50_ms is not None]
    at = judged(level_beside(verdict, verdict.binding.level if verdict.binding else None) or kept[-1])
    title = f"At {unit.words(at.users)}, half the answers take up to {show_ms(at.p50_ms)}"
    title += f" and 95 % up to {show_ms(at.p95_ms)}."
    series = (
        ("p50", [level.p50_ms for level in kept], BLUE, "-", "o"),
        ("p95", [level.p95_ms for level in kept], VERMILION, "--", "s"),
        ("p99", [level.p99_ms for level in kept], PURPLE, ":", "^"),
    )
    goals = _latency_goals(report)

    def draw(axes: Axes, frame: Frame) -> None:
        loads = [unit.amount(level.users) for level in kept]
        for name, values, color, dash, marker in series:
            axes.plot(
                loads,
                [v if v is not None else float("nan") for v in values],
                color=color,
                ls=dash,
                marker=marker,
                clip_on=False,
                label=name,
            )
        known = [value for _, values, *_ in series for value in values if value is not None] + [ms for _, ms in goals]
        latency_axis(axes, known)
        for text, ms in goals:
            axes.axhline(ms, color=INK, lw=1, ls=(0, (6, 3)))
            axes.annotate(
                text, (0, ms), xycoords=axes.get_yaxis_transform(), xytext=(4, 4), textcoords="offset points", size=11
            )
        end_labels(axes, [(name, values[-1]) for name, values, *_ in series], loads[-1], frame)
        load_axis(axes, loads, frame, unit)
        named(axes, "latency of good answers" if frame is WIDE else "latency", frame)

    rows = [(unit.number(one.users), *(show_ms(ms) for ms in (one.p50_ms, one.p95_ms, one.p99_ms))) for one in kept]
    since = ", from when they were due" if unit.is_open else ""
    caption = f"Percentiles over good answers at each {each_level(unit)}{since}" + (
        "; the dashed line is the goal." if goals else "."
    )
    return drawn_plot("latency", title, caption, draw, (unit.name, "p50", "p95", "p99"), rows, right=END_LABELS)


def _codes(report: LimitReport, levels: Sequence[Level]) -> Plot:
    labels = [row.label for row in codes_table(report) if row.count]
    good = [label for label in labels if is_good(label)]
    bad = [label for label in labels if not is_good(label)]
    first = min((level for level in levels if _failed(level)), key=lambda level: level.users)
    unit = report.verdict.unit
    title = f"Answers fail from {unit.words(first.users)} on: {show_ratio(_failed(first), _counted(first))} there."

    def draw(axes: Axes, frame: Frame) -> None:
        below, bars = [0.0] * len(levels), []
        for label, look in zip([*good, *bad], [GOOD_LOOK] * len(good) + list(BAD_LOOKS), strict=False):
            share = [100 * level.status_count.get(label, 0) / max(_counted(level), 1) for level in levels]
            bars.append(axes.bar(range(len(levels)), share, bottom=below, width=0.72, linewidth=0, **look))
            below = [sum(pair) for pair in zip(below, share, strict=True)]
        categories(axes, [level.users for level in levels], frame, unit)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
        legend(axes, bars, [*good, *bad][: len(bars)])
        named(axes, "share of attempts", frame)

    rows = [(unit.number(one.users), *(show_count(one.status_count.get(name, 0)) for name in labels)) for one in levels]
    caption = f"Share of each code or failure among the attempts at each {each_level(unit)}."
    return drawn_plot("codes", title, caption, draw, (unit.name, *labels), rows)


def _failed(level: Level) -> int:
    return sum(count for label, count in level.status_count.items() if not is_good(label))


def _counted(level: Level) -> int:
    return sum(level.status_count.values())


def drawn_plot(
    key: str,
    title: str,
    caption: str,
    draw: Callable[[Axes, Frame], None],
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    right: int = MARGIN,
) -> Plot:
    """The plot in both sizes, with its data."""
    wide = rendered(key, title, caption, draw, WIDE, right)
    narrow = rendered(key, title, caption, draw, NARROW, MARGIN)
    return Plot(key, title, caption, wide, narrow, columns, tuple(rows))


def _mark_limit(axes: Axes, verdict: Verdict, loads: Sequence[float], frame: Frame) -> None:
    best, unit = verdict.binding, verdict.unit
    if best is None or best.level is None:
        return
    low, at, top = unit.amount(best.low), unit.amount(best.level), max(loads)
    top = unit.amount(best.high) if best.high is not None else top
    beside = 0.0 if unit.is_open else 0.4  # a number of users is as wide as its column
    axes.axvspan(max(low - beside, 0.5), top + beside, color=SKY, alpha=0.25, lw=0, zorder=1)
    axes.axvline(at, color=INK, lw=1.2, zorder=2)
    left = at > sum(loads) / len(loads) or frame is NARROW
    number = unit.number(best.level)
    axes.annotate(
        f"limit {number}" if best.high is not None else f"at least {number}",
        (at, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-8 if left else 8, -12),
        textcoords="offset points",
        ha="right" if left else "left",
        weight="bold",
    )


def _mark_first_rejection(axes: Axes, verdict: Verdict, levels: Sequence[Level]) -> None:
    at = level_at(verdict, verdict.first_rejected_users)
    if at is None:
        return
    height, load = _height(at, levels), verdict.unit.amount(at.users)
    axes.plot([load], [height], color=VERMILION, marker="X", markersize=11, ls="none", zorder=4)
    axes.annotate(
        f"first {rejection_label(verdict)} at {verdict.unit.number(at.users)}",
        (load, height),
        xytext=(10, -22),
        textcoords="offset points",
        ha="right" if at.users == levels[-1].users else "left",
    )


def _height(at: Level, levels: Sequence[Level]) -> float:
    """Where a mark stands that belongs to a level: at its rate, or at that of the nearest level with one."""
    timed = [level for level in levels if level.timed_rps is not None]
    nearest = min(timed, key=lambda level: abs(level.users - at.users), default=None)
    return (nearest.timed_rps or 0.0) if nearest else 0.0


def _mark_knee(axes: Axes, verdict: Verdict) -> None:
    at = level_at(verdict, verdict.knee_users)
    if at is None or (verdict.binding and verdict.binding.level == at.users):
        return
    load = verdict.unit.amount(at.users)
    axes.plot([load], [at.completed_rps], color=GREEN, marker="D", markersize=9, ls="none", zorder=4)
    word = f"knee {verdict.unit.number(at.users)}"
    axes.annotate(word, (load, at.completed_rps), xytext=(8, -20), textcoords="offset points")


def _latency_goals(report: LimitReport) -> list[tuple[str, float]]:
    goals = []
    for limit in report.verdict.limits:
        with suppress(RedlineError):
            slow_ns = parse_goal(limit.goal).slow_ns
            if slow_ns is not None:
                goals.append((limit.goal, slow_ns / MS))
    return goals
