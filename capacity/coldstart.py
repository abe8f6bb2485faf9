"""How long an endpoint took to get going: its first answers beside those it gives once it is warm. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity.evidence import WARM_UP
from capacity.summary import Rows
from capacity.verdict import Verdict
from scoring.attempt import FLAG_NEW_CONNECTION
from scoring.units import MS, S

FIRST, STEADY_RUN = 5, 10
SLOW, SLOW_MS = 2.0, 10.0
"""The first answers are slow when they take so many times the steady ones, and so much more."""
NEAR = 1.3


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What the light load at the start of a run showed. None: not measured."""

    seen: bool
    first_ms: float | None  # median of the first good answers, connecting left out where others tell
    steady_ms: float | None  # median at the end of the warm-up
    steady_after_s: float | None  # from the first request until answers came as fast as later
    failed_count: int  # attempts that failed before that


def cold_start(rows: Rows, verdict: Verdict) -> ColdStart | None:
    """The start of a search, from the attempts of its warm-up; None when there are none.

    The single requests sent before any load are not among them: what they alone woke up is not seen here.
    """
    numbers = [trial.number for trial in verdict.trials if trial.purpose == WARM_UP]
    early = rows[np.isin(rows["trial"], numbers)]
    if not len(early):
        return None
    early = early[np.argsort(early["sent_ns"], kind="stable")]
    good = early[early["failure"] == 0]
    last = good[good["trial"] == numbers[-1]]
    if len(last) < FIRST:
        return ColdStart(False, None, None, None, int((early["failure"] != 0).sum()))
    steady_ms = float(np.median(last["done_ns"] - last["sent_ns"])) / MS
    kept = good[(good["flags"] & FLAG_NEW_CONNECTION) == 0]
    first = kept if len(kept) >= FIRST else good
    first_ms = float(np.median((first["done_ns"] - first["sent_ns"])[:FIRST])) / MS
    at = _steady_from(early, steady_ms)
    failed = int((early["failure"][:at] != 0).sum())
    is_slow = first_ms > SLOW * steady_ms and first_ms > steady_ms + SLOW_MS
    after_s = float(early["sent_ns"][at] - early["sent_ns"][0]) / S
    return ColdStart(is_slow or failed > 0, first_ms, steady_ms, after_s, failed)


def _steady_from(early: Rows, steady_ms: float) -> int:
    """The place of the first attempt from which STEADY_RUN good ones in a row have a median near the steady one."""
    took_ms = (early["done_ns"] - early["sent_ns"]) / MS
    good = early["failure"] == 0
    run = min(STEADY_RUN, len(early))
    for at in range(len(early) - run + 1):
        if good[at : at + run].all() and np.median(took_ms[at : at + run]) <= NEAR * steady_ms:
            return at
    return len(early) - 1
