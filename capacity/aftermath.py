"""From the attempts of a phase beyond the limit to what it showed, and from the phases to how the endpoint behaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from capacity.goals import REJECTED_LABELS, TIMEOUT_LABELS, Counts, Goal, bad_count, evidence_count
from capacity.overload import Behaviour, PhaseKind, Shown
from capacity.stats import nearest_rank
from capacity.summary import Rows, is_bad, label_counts
from capacity.verdict import RATE_FROM_S
from scoring.attempt import FAILURE_NUMBER, FLAG_RENEWED, Failure
from scoring.status import REJECTED
from scoring.units import MS, S, show_ms, show_ratio

GOOD_WINDOWS = 3
"""So many windows in a row must keep every goal: one may do so by chance."""
CHANCE_Z = 2.0
"""Bad answers beyond the goal that chance may add to a window, in standard deviations."""
KEPT, HALVED = 0.9, 0.5
"""Of the highest rate: a graceful endpoint keeps the first share; one that keeps less than the second collapses."""
AT_ONCE_S, AT_ONCE_SERVICES = 10.0, 50.0
STUCK_S, STUCK_SERVICES = 5.0, 20.0
"""A load carried before that is bad for so long is no longer carried."""


def window_is_good(goal: Goal, bad: int, total: int) -> bool:
    """Whether the bad answers of a window are within the goal, as far as chance lets one see; none is no answer."""
    expected = goal.allowed_ratio * total
    return total > 0 and bad <= expected + CHANCE_Z * sqrt(expected)


@dataclass(slots=True)
class Settling:
    """Watches a phase for windows that keep every goal. `see` takes counts in the order of time, without transient."""

    goals: tuple[Goal, ...]
    window_s: float
    _windows: list[bool] = field(default_factory=list)
    _bad: list[int] = field(default_factory=list)
    _total: int = 0

    def see(self, counts: Counts) -> bool:
        """Whether it has been good for GOOD_WINDOWS, and one more in case their borders were hit inexactly."""
        if counts.elapsed_s >= (len(self._windows) + 1) * self.window_s:
            bad = [bad_count(goal, counts, self.goals) for goal in self.goals]
            before = self._bad or [0] * len(bad)
            total = evidence_count(counts)
            new = total - self._total
            pairs = zip(self.goals, bad, before, strict=True)
            self._windows.append(all(window_is_good(goal, now - then, new) for goal, now, then in pairs))
            self._bad, self._total = bad, total
        needed = GOOD_WINDOWS + 1
        return len(self._windows) >= needed and all(self._windows[-needed:])


def good_after_s(rows: Rows, goals: Sequence[Goal], window_s: float, seconds: float) -> float | None:
    """The start of the first window from which on all keep every goal, by when the answers came; GOOD_WINDOWS at least.

    A last window that the end cuts short is left out.
    """
    count = int(seconds / window_s + 1e-6)
    if count < GOOD_WINDOWS:
        return None
    place = (rows["done_ns"] / S / window_s).astype(np.int64)
    inside = (place >= 0) & (place < count)
    total = np.bincount(place[inside], minlength=count)
    good = np.ones(count, dtype=bool)
    for goal in goals:
        bad = np.bincount(place[inside & is_bad(goal, rows)], minlength=count)
        good &= [window_is_good(goal, int(b), int(n)) for b, n in zip(bad, total, strict=True)]
    last_bad = int(np.flatnonzero(~good)[-1]) if not good.all() else -1
    return (last_bad + 1) * window_s if count - 1 - last_bad >= GOOD_WINDOWS else None


def shown(
    rows: Rows,
    goals: Sequence[Goal],
    *,
    number: int,
    phase: PhaseKind,
    level: int,
    of_limit_ratio: float,
    started_s: float,
    seconds: float,
    settle_s: float,
    window_s: float,
    peak_rps: float,
    ended_by: str,
    invalid: tuple[str, ...] = (),
) -> Shown:
    """The phase from its rows, whose times count from its start; rates count from `settle_s` on."""
    rows = rows[(rows["flags"] & FLAG_RENEWED) == 0]
    rows = rows[rows["failure"] != FAILURE_NUMBER[Failure.ABORTED]]
    labels = label_counts(rows)
    good = rows[rows["failure"] == 0]
    refused = rows[np.isin(rows["status"], sorted(REJECTED)) & (rows["failure"] != 0)]
    good_rps = _rate(good, settle_s, seconds)
    return Shown(
        number=number,
        phase=phase,
        level=level,
        of_limit_ratio=of_limit_ratio,
        started_s=started_s,
        seconds=seconds,
        attempt_count=len(rows),
        good_count=len(good),
        rejected_count=sum(labels.get(label, 0) for label in REJECTED_LABELS),
        timed_out_count=sum(labels.get(label, 0) for label in TIMEOUT_LABELS),
        good_rps=good_rps,
        goodput_ratio=good_rps / peak_rps if good_rps is not None and peak_rps > 0 else None,
        p50_ms=_ms(good, 0.5),
        p99_ms=_ms(good, 0.99),
        rejection_p50_ms=_ms(refused, 0.5),
        rejection_p99_ms=_ms(refused, 0.99),
        good_after_s=good_after_s(rows, goals, window_s, seconds),
        resolution_s=window_s,
        ended_by=ended_by,
        invalid=invalid,
    )


def _rate(good: Rows, from_s: float, until_s: float) -> float | None:
    """Good answers per second that came in the time; None where it is too short for a rate."""
    if until_s - from_s < RATE_FROM_S:
        return None
    done_ns = good["done_ns"]
    return int(np.count_nonzero((done_ns >= from_s * S) & (done_ns <= until_s * S))) / (until_s - from_s)


def _ms(rows: Rows, q: float) -> float | None:
    took: NDArray[np.int64] = np.sort(rows["done_ns"] - rows["sent_ns"])
    return nearest_rank(took, q) / MS if len(took) else None


def behaviour(service_s: float, history: Sequence[Shown]) -> Behaviour | None:
    """How the endpoint took the overload; None where the phases do not tell."""
    recovery = _recovery(history)
    if recovery is None or (recovery.invalid and recovery.good_after_s is None):
        return None
    if recovery.good_after_s is None:
        is_stuck = recovery.ended_by == "time" or recovery.seconds >= max(STUCK_S, STUCK_SERVICES * service_s)
        return Behaviour.METASTABLE if is_stuck and recovery.ended_by in ("time", "allowance") else None
    kept = [phase.goodput_ratio for phase in _fair_overloads(history) if phase.goodput_ratio is not None]
    if not kept:
        return None
    if min(kept) < HALVED:
        return Behaviour.COLLAPSE
    slow = _back_s(history, recovery) > max(AT_ONCE_S, AT_ONCE_SERVICES * service_s)
    return Behaviour.DEGRADED if min(kept) < KEPT or slow else Behaviour.GRACEFUL


def _back_s(history: Sequence[Shown], recovery: Shown) -> float:
    """From the end of the overload until it was good again; what was in flight is waited for in between."""
    before = [phase for phase in history if phase.number < recovery.number]
    gap_s = recovery.started_s - (before[-1].started_s + before[-1].seconds) if before else 0.0
    return gap_s + (recovery.good_after_s or 0.0)


def evidence(history: Sequence[Shown]) -> tuple[str, ...]:
    """What the phases showed, a sentence each."""
    told = [_overload_words(phase) for phase in history if phase.phase is PhaseKind.OVERLOAD]
    recovery = _recovery(history)
    if recovery is not None:
        told.append(_recovery_words(history, recovery))
    steps = [phase for phase in history if phase.phase is PhaseKind.STEP_DOWN]
    if steps:
        hidden = hidden_level(history)
        told.append(
            f"not even {steps[-1].of_limit_ratio:.2g} times the limit was good again"
            if hidden is None
            else f"only at {steps[-1].of_limit_ratio:.2g} times the limit was it good again"
        )
    return tuple(told)


def _overload_words(phase: Shown) -> str:
    start = f"at {phase.of_limit_ratio:.2g} times the limit"
    if not is_fair(phase):
        return f"{start} the load generator was the wall: {'; '.join(phase.invalid)}"
    ratio = phase.goodput_ratio
    kept = "too short for a rate" if ratio is None else f"{100 * ratio:.0f} % of the highest rate was kept"
    said = [f"{start} {kept} over {phase.seconds:.1f} s"]
    if phase.rejected_count:
        fast, slow = show_ms(phase.rejection_p50_ms), show_ms(phase.rejection_p99_ms)
        rejected = show_ratio(phase.rejected_count, phase.attempt_count)
        said.append(f"{rejected} were rejected, half of them within {fast}, 99 % within {slow}")
    if phase.timed_out_count:
        said.append(f"{show_ratio(phase.timed_out_count, phase.attempt_count)} timed out")
    if phase.failed_count:
        said.append(f"{show_ratio(phase.failed_count, phase.attempt_count)} failed otherwise")
    if phase.p99_ms is not None:
        said.append(f"99 % of the good answers took up to {show_ms(phase.p99_ms)}")
    return "; ".join(said)


def _recovery_words(history: Sequence[Shown], recovery: Shown) -> str:
    start = f"back at {recovery.of_limit_ratio:.2g} times the limit"
    if recovery.good_after_s is None:
        return f"{start} it was not good again within {recovery.seconds:.1f} s"
    back_s = _back_s(history, recovery)
    return f"{start} it was good again after {back_s:.1f} s (to within {recovery.resolution_s:.1f} s)"


def hidden_level(history: Sequence[Shown]) -> int | None:
    """The most that was good again after a recovery that failed; None where none failed, or nothing was good."""
    steps = [phase for phase in history if phase.phase is PhaseKind.STEP_DOWN and phase.good_after_s is not None]
    return max((phase.level for phase in steps), default=None)


def _recovery(history: Sequence[Shown]) -> Shown | None:
    return next((phase for phase in history if phase.phase is PhaseKind.RECOVERY), None)


def _fair_overloads(history: Sequence[Shown]) -> list[Shown]:
    return [phase for phase in history if phase.phase is PhaseKind.OVERLOAD and is_fair(phase)]


def is_fair(phase: Shown) -> bool:
    """The phase speaks of the endpoint: a generator in trouble only makes goodput smaller, so that what was kept was
    kept all the same."""
    return not phase.invalid or (phase.goodput_ratio or 0.0) >= KEPT
