"""How the axes of every plot look: two sizes, few ticks, names level with the eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from capacity.unit import Unit
from reports.svg import INK, svg_of
from scoring.units import show_ms

BLUE = "#0072b2"
ORANGE = "#e69f00"
GREEN = "#009e73"
VERMILION = "#d55e00"
PURPLE = "#cc79a7"
SKY = "#56b4e9"
GREY = "#8a9299"
"""Okabe and Ito's colours, told apart by people who see fewer; grey for what is fine."""
CLASSES = {
    BLUE: "blue",
    ORANGE: "orange",
    GREEN: "green",
    VERMILION: "vermilion",
    PURPLE: "purple",
    SKY: "sky",
    GREY: "grey",
}
LOG_FROM = 24.0  # highest over lowest load from which on the axis is logarithmic
LOG_LATENCY_FROM = 8.0  # the same for latency
LABEL_GAP = 15.0  # points between two names at the ends of curves
STYLE = {
    "font.size": 12.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": INK,
    "hatch.linewidth": 0.8,
    "axes.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of one rendering in CSS pixels, and where its axes stand."""

    name: str
    width: int
    height: int
    left: int


POINTS = 72  # per inch: one point is one CSS pixel of the SVG
WIDE = Frame("wide", 880, 300, 64)
NARROW = Frame("narrow", 340, 280, 48)
MARGIN = 16  # right of the axes
END_LABELS = 92  # right of the axes, where curves are named at their end


def rendered(
    key: str, title: str, caption: str, draw: Callable[[Axes, Frame], None], frame: Frame, right: int
) -> Markup:
    """One plot in one size; `draw` fills the axes, `right` points are kept free beside them."""
    with rc_context(STYLE):
        figure = Figure(figsize=(frame.width / POINTS, frame.height / POINTS), dpi=POINTS, facecolor="none")
        width = frame.width - frame.left - right
        axes = figure.add_axes(
            (frame.left / frame.width, 46 / frame.height, width / frame.width, 1 - 84 / frame.height)
        )
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=INK, alpha=0.14, linewidth=0.8)
        axes.set_axisbelow(True)
        draw(axes, frame)
        return svg_of(figure, key=f"{key}-{frame.name}", title=title, description=caption, classes=CLASSES)


def load_axis(axes: Axes, loads: Sequence[float], frame: Frame, unit: Unit) -> None:
    """Linear for a narrow range of loads, else logarithmic with ticks at powers of two."""
    at_most = 10 if frame is WIDE else 5
    if _is_wide_range(loads):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(_spread(loads, at_most)))
    else:
        axes.set_xlim(min(0, min(loads)), max(loads) + max(0.6, 0.03 * max(loads)))
        axes.xaxis.set_major_locator(MaxNLocator(at_most, integer=True))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel(_load_name(frame, unit))


def _load_name(frame: Frame, unit: Unit) -> str:
    if unit.is_open:
        return "requests due per second" if frame is WIDE else unit.name
    return "users, each with one request in flight" if frame is WIDE else unit.name


def rate_axis(axes: Axes, loads: Sequence[float], rps: Sequence[float]) -> None:
    """From zero beside a linear axis of loads; logarithmic beside a logarithmic one: even scaling is straight."""
    if _is_wide_range(loads) and min(rps) > 0:
        low, high = min(rps) / 1.5, max(rps) * 2.2
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(FixedLocator(_thinned(_nice(low, high), 6)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.22 * max(*rps, 1e-9))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _is_wide_range(loads: Sequence[float]) -> bool:
    return max(loads) > LOG_FROM * max(min(loads), 1)


def _thinned(ticks: Sequence[float], at_most: int) -> Sequence[float]:
    return ticks[:: -(-len(ticks) // at_most)] if ticks else ticks


def _spread(loads: Sequence[float], at_most: int) -> Sequence[float]:
    """Powers of two within the range, thinned to `at_most`."""
    powers: Sequence[float] = [1 << i for i in range(31) if min(loads) <= 1 << i <= max(loads)] or [
        min(loads),
        max(loads),
    ]
    return _thinned(powers, at_most)


def categories(axes: Axes, levels: Sequence[int], frame: Frame, unit: Unit) -> None:
    """Bars stand at 0, 1, 2 …, named by their level, as many names as fit."""
    step = -(-len(levels) // (20 if frame is WIDE else 8))
    axes.xaxis.set_major_locator(FixedLocator(range(0, len(levels), step)))
    axes.set_xticklabels([unit.number(one) for one in levels[::step]])
    axes.set_xlabel(_load_name(frame, unit))


def latency_axis(axes: Axes, known_ms: Sequence[float]) -> None:
    """From zero for a narrow range of latencies, else logarithmic with ticks at 1, 2, 5."""
    low, high = min(known_ms), max(known_ms)
    if low > 0 and high > LOG_LATENCY_FROM * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.6)
        axes.yaxis.set_major_locator(FixedLocator(_thinned(_nice(low / 1.3, high * 1.6), 8)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.22 * max(high, 1e-9))
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick_ms(value)))


def _nice(low: float, high: float) -> list[float]:
    ticks = [step * 10.0**power for power in range(-4, 8) for step in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def _tick_ms(ms: float) -> str:
    return f"{ms / 1000:,.10g} s" if ms >= 1000 else f"{ms:.10g} ms"


def end_labels(axes: Axes, ends: Sequence[tuple[str, float | None]], x: float, frame: Frame) -> None:
    """Each curve's name at its right end, pushed apart where they would touch; a legend where there is no room."""
    if frame is NARROW:
        legend(axes, axes.get_lines()[: len(ends)], [name for name, _ in ends])
        return
    last = float("-inf")
    for value, name in sorted((value, name) for name, value in ends if value is not None):
        height = float(axes.transData.transform((x, value))[1])
        shift = max(0.0, last + LABEL_GAP - height)
        last = height + shift
        axes.annotate(
            f"{name}  {show_ms(value)}",
            (x, value),
            xytext=(12, shift - 4),
            textcoords="offset points",
            annotation_clip=False,
        )


def legend(axes: Axes, drawn: Sequence[Any], names: Sequence[str]) -> None:
    """Names above the axes, to the right."""
    axes.legend(
        list(drawn),
        list(names),
        loc="lower right",
        bbox_to_anchor=(1, 1.0),
        ncols=3,
        frameon=False,
        borderaxespad=0.2,
        handlelength=2.2,
    )


def named(axes: Axes, name: str, frame: Frame) -> None:
    """The quantity above its axis, level with the eye, instead of turned on its side."""
    axes.annotate(
        name, (0, 1), xycoords="axes fraction", xytext=(12 - frame.left, 12), textcoords="offset points", size=11
    )
