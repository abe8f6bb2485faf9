"""The plot of throughput against users: what was measured, and the scalability law through it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from capacity.scaling import Scaling
from capacity.unit import Unit
from reports.axes import BLUE, GREY, VERMILION, WIDE, Frame, legend, load_axis, named, rate_axis
from reports.plots import Plot, drawn_plot
from scoring.units import rate_number, show_count

STEPS = 120


def scaling_plots(scaling: Scaling | None) -> tuple[Plot, ...]:
    """The plot, where a law was fitted."""
    if scaling is None or scaling.law is None:
        return ()
    law, points = scaling.law, scaling.points
    users = [one for one, _ in points]
    title = "Throughput has no peak within reach of what was measured."
    if law.peak_users is not None:
        title = f"By the scalability law throughput peaks at {law.peak_users:.0f} users"
        title += ", beyond what was measured." if law.extrapolated else "."

    def draw(axes: Axes, frame: Frame) -> None:
        along = np.linspace(min(users), max(users), STEPS)
        rates = [law.rps_at(one) for one in along]
        straight = [law.lambda_ * one for one in along]
        top = 1.15 * max(rps for _, rps in points)
        (ideal,) = axes.plot(along, np.minimum(straight, top), color=GREY, ls=":")
        (fitted,) = axes.plot(along, rates, color=VERMILION, ls="--")
        (seen,) = axes.plot(users, [rps for _, rps in points], color=BLUE, marker="o", ls="none", clip_on=False)
        rate_axis(axes, users, [*rates, *(rps for _, rps in points)])
        load_axis(axes, users, frame, Unit())
        if frame is WIDE:
            legend(axes, [seen, fitted, ideal], ["measured", "law", "one user, times their number"])
        named(axes, "good answers per second" if frame is WIDE else "requests/s", frame)

    rows = [(show_count(one), rate_number(rps), rate_number(law.rps_at(one))) for one, rps in points]
    caption = "Measured levels, dots; the Universal Scalability Law fitted to them, dashed; no loss at all, dotted."
    return (drawn_plot("scaling", title, caption, draw, ("users", "requests/s", "by the law"), rows),)
