"""The timeline as one figure: strips over one time axis for rate, users, outcomes, latency and events."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports.axes import (
    BLUE,
    CLASSES,
    END_LABELS,
    MARGIN,
    NARROW,
    ORANGE,
    POINTS,
    PURPLE,
    SKY,
    STYLE,
    VERMILION,
    WIDE,
    Frame,
    end_labels,
    latency_axis,
    legend,
    named,
)
from reports.plots import GOOD_LOOK, Plot
from reports.svg import INK, svg_of
from reports.timeline import BUCKETS_S, Timeline
from reports.words import rate_number
from scoring.account import is_good
from scoring.units import show_count, show_ms, show_ratio

Strip = tuple[int, int, Callable[[Axes, Frame], None]]
"""Points kept free above, points high, and what fills it."""
BELOW = 46  # points under the last strip: ticks and the name of the axis
NAN = float("nan")
LOOKS = ((VERMILION, "///"), (ORANGE, "\\\\\\"), (PURPLE, "xxx"), (SKY, "|||"), (BLUE, "---"))
"""The most frequent failures, by colour and by a pattern of straight lines, which takes few bytes."""
MAX_LABEL = 20
OTHER_FAILURES = "other failures"


def timeline_plot(course: Timeline, complete_until: datetime | None) -> Plot:
    """The figure in both sizes, with what it shows as a sentence and as a table."""
    title, caption = _title(course), _caption(course)
    drawn = {
        frame.name: strips("timeline", title, caption, _strips(course, frame), course, complete_until, frame)
        for frame in (WIDE, NARROW)
    }
    columns, rows = _data(course)
    return Plot("timeline", title, caption, drawn["wide"], drawn["narrow"], columns, rows)


def strips(
    key: str,
    title: str,
    caption: str,
    filled: Sequence[Strip],
    course: Timeline,
    complete_until: datetime | None,
    frame: Frame,
) -> Markup:
    """Strips one above the other over the buckets of the course; what came after the watermark is shaded."""
    high = sum(above + height for above, height, _ in filled) + BELOW
    right = END_LABELS if frame is WIDE else MARGIN
    with rc_context(STYLE):
        figure = Figure(figsize=(frame.width / POINTS, high / POINTS), dpi=POINTS, facecolor="none")
        top = 0
        for above, height, draw in filled:
            top += above + height
            box = (frame.left / frame.width, 1 - top / high, (frame.width - frame.left - right) / frame.width)
            axes = figure.add_axes((*box, height / high))
            _plain(axes, course, complete_until)
            draw(axes, frame)
            axes.set_xlim(0, course.length)
        time_axis(axes, course, frame)
        return svg_of(figure, key=f"{key}-{frame.name}", title=title, description=caption, classes=CLASSES)


def _plain(axes: Axes, course: Timeline, complete_until: datetime | None) -> None:
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=INK, alpha=0.14, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(NullLocator())
    if complete_until is not None and course.start_at < complete_until < course.end_at:
        since = (complete_until - course.start_at).total_seconds() / course.bucket_s
        axes.axvspan(since, course.length, facecolor=INK, alpha=0.08, lw=0, zorder=0)


def time_axis(axes: Axes, course: Timeline, frame: Frame) -> None:
    """Ticks at round instants in UTC, the date where more than a day is shown."""
    whole_s = course.length * course.bucket_s
    most = 9 if frame is WIDE else 4
    step_s = next((one for one in BUCKETS_S if whole_s / one <= most), math.ceil(whole_s / most / 86400) * 86400)
    first_s = math.ceil(course.start_at.timestamp() / step_s) * step_s - course.start_at.timestamp()
    places = [first_s + i * step_s for i in range(most + 1) if first_s + i * step_s <= whole_s]
    axes.xaxis.set_major_locator(FixedLocator([place / course.bucket_s for place in places]))
    axes.set_xticklabels([_tick(course.start_at, place, step_s, whole_s) for place in places])
    each = "" if frame is NARROW else f"; each step is {step_words(course.bucket_s)}"
    axes.set_xlabel(f"{course.start_at.date().isoformat()}, UTC{each}")


def _tick(start: datetime, after_s: float, step_s: int, whole_s: int) -> str:
    at = (start + timedelta(seconds=after_s)).astimezone(UTC)
    clock = f"{at:%H:%M:%S}" if step_s < 60 else f"{at:%H:%M}"
    return f"{at:%m-%d}" if step_s >= 86400 else f"{at:%m-%d} {clock}" if whole_s > 86400 else clock


def _strips(course: Timeline, frame: Frame) -> list[Strip]:
    """The strips that the course has data for."""
    found: list[Strip] = [(30, 84, lambda axes, frame: _rate(axes, course, frame))]
    if course.stretches:
        found.append((34, 54, lambda axes, frame: _users(axes, course, frame)))
    found.append((36 if frame is WIDE else 84, 104, lambda axes, frame: _codes(axes, course, frame)))
    if any(bucket.p50_ms is not None for bucket in course.buckets):
        found.append((36 if frame is WIDE else 44, 120, lambda axes, frame: _latency(axes, course, frame)))
    if course.events:
        found.append((34, 26, lambda axes, frame: _events(axes, course, frame)))
    return found


def _along(course: Timeline, value: Callable[[int], float | None]) -> list[float]:
    """A value for every bucket of the whole period, NaN where there is none: `value` takes a position in `buckets`."""
    found = [NAN] * course.length
    for position, bucket in enumerate(course.buckets):
        one = value(position)
        found[course.place(bucket.at)] = NAN if one is None else one
    return found


def _rate(axes: Axes, course: Timeline, frame: Frame) -> None:
    rates = _along(course, lambda i: course.buckets[i].count / course.bucket_s)
    axes.stairs(rates, list(range(course.length + 1)), color=BLUE, lw=1.6, baseline=None)
    axes.set_ylim(0, 1.15 * max(rate for rate in rates if not math.isnan(rate)))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    named(axes, "requests per second", frame)


def _users(axes: Axes, course: Timeline, frame: Frame) -> None:
    for one in course.stretches:
        places = [(at - course.start_at).total_seconds() / course.bucket_s for at in (one.from_at, one.until_at)]
        axes.plot(places, [one.users, one.users], color=PURPLE, lw=2.4, solid_capstyle="butt")
    axes.set_ylim(0, 1.2 * max(one.users for one in course.stretches))
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    named(axes, "users: requests that the client holds in flight", frame)


def _codes(axes: Axes, course: Timeline, frame: Frame) -> None:
    below = _along(course, lambda _: 0.0)
    edges, drawn, names = list(range(course.length + 1)), [], []
    for name, labels, look in stacks(course, 5 if frame is WIDE else 3):
        share = _along(course, lambda i, labels=labels: _share(course, i, labels))  # type: ignore[misc]
        top = [a + b for a, b in zip(below, share, strict=True)]
        drawn.append(axes.stairs(top, edges, baseline=below, fill=True, linewidth=0, **look))
        names.append(_drawable(name))
        below = top
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    if frame is WIDE:
        axes.legend(drawn, names, loc="lower right", bbox_to_anchor=(1, 1), ncols=7, frameon=False, handlelength=1.6)
    else:
        anchor = {"loc": "lower left", "bbox_to_anchor": (-0.14, 1.2)}
        axes.legend(drawn, names, **anchor, ncols=2, frameon=False, handlelength=1.6, borderaxespad=0.0)
    named(axes, "share of outcomes" if frame is WIDE else "outcomes", frame)


def _drawable(name: str) -> str:
    """A name for a legend: short, and of letters that the font has."""
    known = "".join(char if char.isascii() else "?" for char in name)
    return known if len(known) <= MAX_LABEL else f"{known[: MAX_LABEL - 1]}…"


def _share(course: Timeline, position: int, labels: frozenset[str]) -> float:
    bucket = course.buckets[position]
    return 100 * sum(bucket.by_label.get(label, 0) for label in labels) / max(bucket.count, 1)


def stacks(course: Timeline, most: int) -> list[tuple[str, frozenset[str], dict[str, Any]]]:
    """Answers, then the `most` commonest failures, then all others together: name, outcomes, look."""
    counts: Counter[str] = Counter()
    for bucket in course.buckets:
        counts.update(bucket.by_label)
    good = frozenset(label for label in counts if is_good(label))
    bad = sorted((label for label in counts if label not in good), key=lambda label: (-counts[label], label))
    shown, rest = bad[:most], frozenset(bad[most:])
    found: list[tuple[str, frozenset[str], dict[str, Any]]] = [
        (label, frozenset((label,)), {"color": color, "hatch": hatch})
        for label, (color, hatch) in zip(shown, LOOKS, strict=False)
    ]
    if good:
        found.insert(0, ("answered" if len(good) > 1 else next(iter(good)), good, dict(GOOD_LOOK)))
    return [*found, (OTHER_FAILURES, rest, {"color": INK, "alpha": 0.7})] if rest else found


def _latency(axes: Axes, course: Timeline, frame: Frame) -> None:
    looks = (("p50", BLUE, "-"), ("p95", VERMILION, "--"), ("p99", PURPLE, ":"))
    middles, known, ends = [i + 0.5 for i in range(course.length)], [], []
    for name, color, dash in looks:
        values = _along(course, lambda i, name=name: getattr(course.buckets[i], f"{name}_ms"))  # type: ignore[misc]
        axes.plot(middles, values, color=color, ls=dash, lw=1.6)
        alone = _alone(values)
        axes.plot([middles[i] for i in alone], [values[i] for i in alone], color=color, ls="none", marker="o", ms=3)
        known += [value for value in values if not math.isnan(value)]
        ends.append((name, values[-1] if not math.isnan(values[-1]) else None))
    positive = [value for value in known if value > 0] or [1.0]
    latency_axis(axes, positive)
    axes.yaxis.set_major_locator(FixedLocator(list(axes.get_yticks())[:: max(1, len(axes.get_yticks()) // 5)]))
    axes.set_xlim(0, course.length)
    if frame is WIDE:
        end_labels(axes, ends, course.length, frame)
    else:
        legend(axes, axes.get_lines()[::2], [name for name, *_ in looks])
    named(axes, "latency", frame)


def _alone(values: Sequence[float]) -> list[int]:
    """Positions of values between two gaps, which no line would show."""
    around = [NAN, *values, NAN]
    return [
        i
        for i, value in enumerate(values)
        if not math.isnan(value) and math.isnan(around[i]) and math.isnan(around[i + 2])
    ]


def _events(axes: Axes, course: Timeline, frame: Frame) -> None:
    places = [(one.at - course.start_at).total_seconds() / course.bucket_s for one in course.events if one.at]
    axes.plot(places, [0.5] * len(places), ls="none", marker="D", markersize=6, color=VERMILION, clip_on=False)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_locator(NullLocator())
    axes.grid(visible=False)
    named(axes, "events: listed under this figure" if frame is WIDE else "events", frame)


def _title(course: Timeline) -> str:
    worst = max(course.buckets, key=lambda bucket: bucket.failed_count / bucket.count if bucket.count else 0.0)
    if not worst.failed_count:
        return f"No request failed from {_clock(course.start_at)} to {_clock(course.end_at)} UTC."
    said = f"Failures were worst at {_clock(worst.at)} UTC: {show_ratio(worst.failed_count, worst.count)} there"
    bad = [bucket for bucket in course.buckets if bucket.failed_count]
    return f"{said}; requests failed in {len(bad)} of {len(course.buckets)} steps."


def _caption(course: Timeline) -> str:
    missing = course.length - len(course.buckets)
    said = f"Time in UTC, in steps of {step_words(course.bucket_s)}."
    if missing:
        said += f" In {missing} steps no source told of a request: they are left blank, not drawn as 0."
    if course.untimed_count:
        said += f" {show_count(course.untimed_count)} requests without a time are not drawn."
    return f"{said} What lies after the watermark is shaded: rows may still arrive."


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _data(course: Timeline) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    named_stacks = [(name, labels) for name, labels, _ in stacks(course, 5)]
    rows = [
        (
            _clock(bucket.at),
            rate_number(bucket.count / course.bucket_s),
            *(show_count(sum(bucket.by_label.get(label, 0) for label in labels)) for _, labels in named_stacks),
            *(show_ms(ms) for ms in (bucket.p50_ms, bucket.p95_ms, bucket.p99_ms)),
        )
        for bucket in course.buckets
    ]
    return ("from, UTC", "requests/s", *(name for name, _ in named_stacks), "p50", "p95", "p99"), tuple(rows)


def step_words(seconds: int) -> str:
    """The length of a step in its largest whole unit.

    >>> step_words(15), step_words(60), step_words(5400), step_words(7200), step_words(86_400)
    ('15 s', '1 min', '90 min', '2 h', '1 d')
    """
    units = ((86_400, "d"), (3600, "h"), (60, "min"))
    return next((f"{seconds // size} {unit}" for size, unit in units if seconds % size == 0), f"{seconds} s")
