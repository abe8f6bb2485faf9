"""Two plots of durations: how they are distributed by source, and how they lie in time."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports.axes import BLUE, GREEN, ORANGE, PURPLE, WIDE, Frame, latency_axis, legend, named
from reports.errors_sources import NAMES
from reports.latency_curves import Curve
from reports.plots import Plot, drawn_plot
from reports.timeline import Heat, Timeline
from reports.timeline_plot import step_words, time_axis
from scoring.units import show_count, show_ms

_LOOKS = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":"))
SHADES = (0.14, 0.3, 0.5, 0.74, 1.0)
MAX_ROWS = 40


def distribution_plot(curves: tuple[Curve, ...]) -> Plot | None:
    """The share of requests at or below each duration, a curve per source; None where none was told."""
    if not curves:
        return None
    first = curves[0]
    title = f"Half the requests took up to {show_ms(first.p50_ms)}, 95 % up to {show_ms(first.p95_ms)}"
    title += f" ({NAMES[first.source]})."

    def draw(axes: Axes, frame: Frame) -> None:
        lines = []
        for curve, (color, dash) in zip(curves, _LOOKS, strict=False):
            xs = [ms for ms, _ in curve.points]
            shares = [100 * share for _, share in curve.points]
            lines += axes.step([xs[0], *xs], [0.0, *shares], where="post", color=color, ls=dash)
        _duration_axis(axes, [ms for curve in curves for ms, _ in curve.points], frame)
        axes.set_ylim(0, 103)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
        if len(curves) > 1 and frame is WIDE:
            legend(axes, lines, [NAMES[curve.source] for curve in curves])
        elif len(curves) > 1:
            axes.legend(lines, [NAMES[curve.source] for curve in curves], loc="upper left", frameon=False)
        named(axes, "share at or below" if frame is WIDE else "share", frame)

    rows = [
        (NAMES[curve.source], f"{100 * share:.2f} %", show_ms(ms)) for curve in curves for share, ms in _picked(curve)
    ]
    caption = "Cumulative share of requests by duration; the client's time holds the way there and back."
    return drawn_plot("distribution", title, caption, draw, ("source", "share", "at or below"), rows)


def _at_share(curve: Curve, share: float) -> float:
    return next((ms for ms, reached in curve.points if reached >= share), curve.points[-1][0])


def _picked(curve: Curve) -> list[tuple[float, float]]:
    """A few steps of the curve for the table: shares as a person asks for them."""
    wanted = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
    return [(share, _at_share(curve, share)) for share in wanted]


def _duration_axis(axes: Axes, values: list[float], frame: Frame) -> None:
    """Durations along the x axis, as `latency_axis` has them along the y axis."""
    low, high = max(min(values), 0.01), max(*values, 0.02)
    if high > 8 * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.2, high * 1.2)
        ticks = [step * 10.0**power for power in range(-2, 8) for step in (1, 2, 5)]
        inside = [tick for tick in ticks if low / 1.2 <= tick <= high * 1.2]
        axes.xaxis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // (9 if frame is WIDE else 4)) or 1]))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0.9 * min(values), 1.05 * high)
        axes.xaxis.set_major_locator(MaxNLocator(8 if frame is WIDE else 4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: show_ms(ms).replace(".00", "").replace(".0 ", " ")))
    axes.set_xlabel("duration")


def heat_plot(course: Timeline) -> Plot | None:
    """Requests by time and duration, the darker the more; None where no duration was told."""
    heat = course.heat
    if heat is None:
        return None
    (_, row), count = max(heat.counts.items(), key=lambda item: (item[1], item[0]))
    low, high = _edges(heat, row)
    title = f"Most requests at one time took {show_ms(low)} to {show_ms(high)}: {show_count(count)} of them."
    shades = _shades(heat)

    def draw(axes: Axes, frame: Frame) -> None:
        latency_axis(axes, [heat.low_ms, heat.low_ms * heat.row_ratio**heat.rows])
        axes.set_ylim(heat.low_ms, heat.low_ms * heat.row_ratio**heat.rows)
        step = heat.bucket_s / course.bucket_s
        for shade, fields in shades.items():
            path = Path.make_compound_path(*(_field(heat, *field, step) for field in fields))
            axes.add_patch(PathPatch(path, facecolor=BLUE, alpha=SHADES[shade], lw=0))
        axes.set_xlim(0, heat.columns * step)
        time_axis(axes, course, frame)
        axes.grid(visible=False)
        named(axes, "duration", frame)

    caption = (
        f"Each field is {step_words(heat.bucket_s)} wide and a factor of {heat.row_ratio:.2f} high; the darkest hold "
        f"up to {show_count(max(heat.counts.values()))} requests, each lighter shade a quarter of the one before."
    )
    return drawn_plot("heat", title, caption, draw, ("duration", "requests", "share"), _heat_rows(heat))


def _edges(heat: Heat, row: int) -> tuple[float, float]:
    return heat.low_ms * heat.row_ratio**row, heat.low_ms * heat.row_ratio ** (row + 1)


def _shades(heat: Heat) -> dict[int, list[tuple[int, int]]]:
    """Fields by shade: the darkest within a factor of 4 of the highest count, each next one within a further 4."""
    most = max(heat.counts.values())
    found: dict[int, list[tuple[int, int]]] = {}
    for field, count in sorted(heat.counts.items()):
        shade = len(SHADES) - 1 - min(math.floor(math.log(most / count, 4)), len(SHADES) - 1)
        found.setdefault(shade, []).append(field)
    return found


def _field(heat: Heat, column: int, row: int, step: float) -> Path:
    low, high = _edges(heat, row)
    left, right = column * step, (column + 1) * step
    return Path([(left, low), (right, low), (right, high), (left, high), (left, low)], closed=True)


def _heat_rows(heat: Heat) -> list[tuple[str, str, str]]:
    total = sum(heat.counts.values())
    rows = []
    for row in range(heat.rows):
        count = sum(n for (_, at), n in heat.counts.items() if at == row)
        low, high = _edges(heat, row)
        rows.append((f"{show_ms(low)} to {show_ms(high)}", show_count(count), f"{100 * count / total:.2f} %"))
    return rows[:MAX_ROWS]
