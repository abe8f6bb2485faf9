"""What changed against an earlier report: codes, durations and groups, each with whether chance explains it.

The earlier report is a file: whatever in it is not what a report holds counts as not told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.errors_counts import Latency, Quantile, Success
from scoring.account import is_good
from scoring.told import Group

MAX_GROUPS = 50
MORE, FEWER, UNCLEAR = "more", "fewer", "no clear change"
SLOWER, FASTER, UNKNOWN = "slower", "faster", "not known"


@dataclass(frozen=True, slots=True)
class CodeChange:
    """One outcome in both reports. `rate_ratio`: its share of all requests over its earlier share."""

    label: str
    earlier_count: int
    count: int
    rate_ratio: float | None  # None where the earlier count is 0
    low_ratio: float | None
    high_ratio: float | None  # None: no upper bound
    word: str


@dataclass(frozen=True, slots=True)
class TimeChange:
    """One percentile in both reports."""

    name: str
    earlier_ms: float | None
    ms: float | None
    word: str


@dataclass(frozen=True, slots=True)
class Change:
    """Against the earlier report, made at `earlier_at`, of `earlier_count` requests."""

    earlier_at: str | None
    earlier_count: int | None
    earlier_failed_count: int | None
    failed: CodeChange | None
    codes: tuple[CodeChange, ...]
    times: tuple[TimeChange, ...]
    new_groups: tuple[Group, ...]
    known_groups: int
    gone_groups: tuple[tuple[str, str, int | None], ...]  # fingerprint, cause, earlier count
    more_gone: int = 0


def change(
    earlier: Mapping[str, Any], by_label: Mapping[str, int], done: Success, times: Latency, groups: tuple[Group, ...]
) -> Change:
    """The comparison of an earlier report's JSON with what was counted."""
    before = _counts(earlier.get("by_status"))
    total = sum(before.values())
    failed = sum(count for label, count in before.items() if not is_good(label))
    labels = sorted({*before, *by_label}, key=lambda label: (not label.isdigit(), label))
    comparable = total > 0 and done.total_count > 0
    fingerprints = {group.fingerprint for group in groups}
    known = _groups(earlier.get("groups"))
    more = earlier.get("more_fingerprints")
    gone = [one for one in known if one[0] not in fingerprints]
    said = {one[0] for one in known} | {one for one in (more if isinstance(more, list) else ()) if isinstance(one, str)}
    return Change(
        earlier_at=_text(earlier.get("made_at")),
        earlier_count=total if before else None,
        earlier_failed_count=failed if before else None,
        failed=code_change("failed", failed, total, done.failed_count, done.total_count) if comparable else None,
        codes=tuple(
            code_change(label, before.get(label, 0), total, by_label.get(label, 0), done.total_count)
            for label in labels
            if comparable
        ),
        times=_times(earlier, times),
        new_groups=tuple(group for group in groups if group.fingerprint not in said),
        known_groups=len(fingerprints & said),
        gone_groups=tuple(gone[:MAX_GROUPS]),
        more_gone=max(0, len(gone) - MAX_GROUPS),
    )


def code_change(label: str, earlier_count: int, earlier_total: int, count: int, total: int) -> CodeChange:
    """The ratio of two rates with its exact 95 % interval, and the plain word for it."""
    low, high = rate_ratio_interval(earlier_count, earlier_total, count, total)
    ratio = (count / total) / (earlier_count / earlier_total) if earlier_count else None
    word = MORE if low > 1 else FEWER if high < 1 else UNCLEAR
    return CodeChange(label, earlier_count, count, ratio, low, high if math.isfinite(high) else None, word)


def rate_ratio_interval(
    earlier_count: int, earlier_total: int, count: int, total: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Two-sided interval of the ratio of two Poisson rates, exact given their sum (Przyborowski and Wilenski 1940).

    Of earlier_count + count events, `count` is binomial with p = r total / (r total + earlier_total); the
    Clopper-Pearson bounds of p, turned back into r = p / (1 - p) * earlier_total / total.

    >>> [round(one, 3) for one in rate_ratio_interval(10, 1000, 30, 1000)]
    [1.427, 6.879]
    """
    from scipy.special import betaincinv  # takes half a second to load: only a comparison waits

    tail = (1.0 - confidence) / 2.0
    low = float(betaincinv(count, earlier_count + 1.0, tail)) if count else 0.0
    high = float(betaincinv(count + 1.0, earlier_count, 1.0 - tail)) if earlier_count else 1.0
    scale = earlier_total / total
    return (_odds(low) * scale, _odds(high) * scale)


def _odds(p: float) -> float:
    return p / (1.0 - p) if p < 1.0 else math.inf


def _times(earlier: Mapping[str, Any], times: Latency) -> tuple[TimeChange, ...]:
    before, intervals = earlier.get("duration_ms"), earlier.get("duration_interval_ms")
    if not isinstance(before, Mapping):
        return ()
    spans = intervals if isinstance(intervals, Mapping) else {}
    rows = [(one, _number(before.get(one.name)), _interval(spans.get(one.name))) for one in times.quantiles]
    return tuple(TimeChange(one.name, ms, one.ms, _time_word(one, span)) for one, ms, span in rows if ms is not None)


def _time_word(one: Quantile, earlier: tuple[float, float] | None) -> str:
    """Slower or faster where the two intervals do not meet: chance alone does so in far less than 5 of 100 cases."""
    if earlier is None or one.low_ms is None or one.high_ms is None:
        return UNKNOWN
    return SLOWER if one.low_ms > earlier[1] else FASTER if one.high_ms < earlier[0] else UNCLEAR


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping):
        return {}
    return {str(label): count for label, count in value.items() if _is_count(count)}


def _groups(value: Any) -> list[tuple[str, str, int | None]]:
    rows = [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
    return [
        (one["fingerprint"], str(one.get("cause", "")), one["count"] if _is_count(one.get("count")) else None)
        for one in rows
        if isinstance(one.get("fingerprint"), str)
    ]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if usable else None


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = (_number(one) for one in value)
    return None if low is None or high is None else (low, high)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
