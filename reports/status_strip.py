"""Ninety days as one small drawing: a bar a day. Pure.

Runs of like days are one line that dashes cut into bars; what hangs from the top is drawn over them, day by day.

Colour alone tells nothing: the part of a bar that failed hangs from the top, the longer the more of the day's checks
failed, with a gap below it; a degraded part is a thin piece there; a day without data is a line at the foot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from scoring.health import Day, Gap
from scoring.units import DAY, S, show_ratio

DAY_S = DAY / S
FEW_RATIO, MANY_RATIO, LOST_RATIO = 0.01, 0.1, 0.1
GREEN, RED, AMBER, GREY = "#2e8b57", "#a5201a", "#b06f00", "#8a949e"


@dataclass(frozen=True, slots=True)
class Line:
    """Bars of one kind: its class, the colour without a style sheet, how thick its line is, and where."""

    kind: str
    color: str | None
    thick: int | None  # None: as thick as a bar is wide
    path: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The drawing, and what it shows in words for who cannot see it."""

    lines: tuple[Line, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Look:
    """A bar: whether its foot is well, and the kind and depth of what hangs from its top."""

    is_well: bool = True
    kind: str = ""
    depth: int = 0


COLORS = {"well": GREEN, "bad": RED, "warn": AMBER, "dim": GREY}
"""Without a style sheet; gaps, days without data and marks of maintenance are not drawn then."""
_LOOKS = {
    "well": Look(),
    "degraded": Look(kind="warn", depth=2),
    "partly": Look(kind="dim", depth=2),
    "few": Look(kind="bad", depth=4),
    "some": Look(kind="bad", depth=7),
    "many": Look(is_well=False, kind="bad", depth=12),
    "unknown": Look(is_well=False, kind="dim", depth=6),
}
LEGEND = (
    ("well", "every check well"),
    ("degraded", "some degraded, none failed"),
    ("few", "up to 1 % failed"),
    ("some", "up to 10 % failed"),
    ("many", "more failed"),
    ("partly", "partly not known"),
    ("unknown", "not known"),
    ("none", "no data"),
    ("quiet", "maintenance on that day"),
    ("lost", "not watched for a part of it"),
)


def kind_of(day: Day) -> str:
    """What the bar of a day looks like; one in maintenance alone has no data."""
    known = day.known_count
    if not known:
        return "unknown" if day.unknown_count else "none"
    if not day.failed_count:
        is_partly = day.unknown_count > MANY_RATIO * known
        return "degraded" if day.degraded_count else "partly" if is_partly else "well"
    ratio = day.failed_count / known
    return "few" if ratio <= FEW_RATIO else "some" if ratio <= MANY_RATIO else "many"


def lost_days(gaps: Iterable[Gap]) -> set[int]:
    """Days of which more than LOST_RATIO was not watched."""
    lost_s: dict[int, float] = {}
    for gap in gaps:
        for number in range(int(gap.from_s // DAY_S), int(gap.until_s // DAY_S) + 1):
            inside_s = min(gap.until_s, (number + 1) * DAY_S) - max(gap.from_s, number * DAY_S)
            lost_s[number] = lost_s.get(number, 0.0) + inside_s
    return {number for number, seconds in lost_s.items() if seconds > LOST_RATIO * DAY_S}


def strip(days: Sequence[Day], first: int, count: int, lost: Collection[int] = ()) -> Strip:
    """The strip of `count` days from day number `first` on; `lost` days were not watched for a part."""
    shown = {day.number: (day, kind_of(day)) for day in days if first <= day.number < first + count}
    kinds = [shown[number][1] if number in shown else "none" for number in range(first, first + count)]
    partly = sorted(number - first for number in shown if number in lost)
    quiet = sorted(day.number - first for day, _ in shown.values() if day.quiet_count and day.number not in lost)
    lines = (*_lines(kinds), _runs("quiet", 13.5, 1, quiet), _runs("lost", 13.5, 1, partly))
    words = _words(list(shown.values()), count) + (f"; {len(partly)} not watched for a part" if partly else "")
    return Strip(tuple(line for line in lines if line.path), f"{count} days: {words}")


def sample(kind: str) -> tuple[Line, ...]:
    """One bar of the kind, for the legend."""
    return (_runs(kind, 13.5, 1, [0]),) if kind in ("quiet", "lost") else tuple(_lines([kind]))


def _lines(kinds: Sequence[str]) -> list[Line]:
    """Feet that are well and days without data as runs; over them, day by day, what hangs from the top."""
    looks = [(place, _LOOKS[kind]) for place, kind in enumerate(kinds) if kind != "none"]
    well = [place for place, look in looks if look.is_well]
    none = [place for place, kind in enumerate(kinds) if kind == "none"]
    over = {
        kind: [(place, look.depth) for place, look in looks if look.kind == kind] for kind in ("bad", "warn", "dim")
    }
    gaps = [(place, look.depth + 1) for place, look in looks if look.is_well and look.depth]
    lines = [_runs("well", 6, 12, well), _runs("none", 11.5, 1, none), _bars("gap", gaps)]
    lines += [_bars(kind, bars) for kind, bars in over.items()]
    return [line for line in lines if line.path]


def _words(shown: Sequence[tuple[Day, str]], count: int) -> str:
    kinds = Counter(kind for _, kind in shown)
    failed = [day for day, kind in shown if kind in ("few", "some", "many")]
    parts = [f"{kinds[kind]} {word}" for kind, word in (("well", "well"), ("degraded", "degraded")) if kinds[kind]]
    if failed:
        worst = max(failed, key=lambda day: day.failed_count / day.known_count)
        most = show_ratio(worst.failed_count, worst.known_count)
        parts.append(f"{len(failed)} with failures, at most {most} on {worst.date}")
    parts += [f"{kinds['partly']} partly not known"] if kinds["partly"] else []
    parts += [f"{kinds['unknown']} not known"] if kinds["unknown"] else []
    silent = count - kinds.total() + kinds["none"]
    return "; ".join([*parts, f"{silent} without data"] if silent else parts)


def _runs(kind: str, middle: float, thick: int, places: Sequence[int]) -> Line:
    """One `M x y h length` for each run of neighbours."""
    parts, at = [], 0
    while at < len(places):
        end = at
        while end + 1 < len(places) and places[end + 1] == places[end] + 1:
            end += 1
        parts.append(f"M{places[at]} {middle:g}h{end - at + 1}")
        at = end + 1
    return Line(kind, COLORS.get(kind), thick, "".join(parts))


def _bars(kind: str, bars: Sequence[tuple[int, int]]) -> Line:
    """One `M x 0 v depth` for each day; the drawing moves them to the middle of their bars."""
    return Line(kind, COLORS.get(kind), None, "".join(f"M{place} 0v{depth}" for place, depth in bars))
