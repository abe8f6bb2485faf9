"""What to set and what to decide, from a verdict: every number says what it rests on, what is unknown is said to be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from capacity import advice
from capacity.paste import texts_to_paste
from capacity.verdict import Kind, Level, Limit, Recommended, Verdict
from scoring.endpoint import Endpoint

SAFE_SHARE = 0.75
"""Of what the limit's interval vouches for: a burst a third above the safe operating point still fits."""
COMFORTABLE_MARGIN = 1.2
"""A limit so far above the need is trusted without waiting for its confirmation."""


class Word(StrEnum):
    """Decisions, the better ones first."""

    GO = "GO"
    GO_WITH_WARNINGS = "GO WITH WARNINGS"
    NOT_ENOUGH_DATA = "NOT ENOUGH DATA"
    NO_GO = "NO-GO"


@dataclass(frozen=True, slots=True)
class Decision:
    """Does the endpoint carry what it must? `margin_ratio` is what it carries over what is needed; None: not known."""

    word: Word
    sentence: str
    margin_ratio: float | None


@dataclass(frozen=True, slots=True)
class Carried:
    """What the endpoint carries in the unit of the need; None: not known. `low` and `high` end the 95 % interval."""

    need: float
    unit: str
    low: float | None
    best: float | None
    high: float | None


def decide(verdict: Verdict, need_rps: float | None, need_users: int | None) -> Decision | None:
    """The decision for a need, the worse one of two needs, None without a need.

    GO: the low end of the limit's interval carries it, and the limit is confirmed or 1.2 times the need.
    NO-GO: not even the high end does (for a rate: what was completed at the limit), or the endpoint fails at any load.
    GO WITH WARNINGS: it is carried, but not as surely. NOT ENOUGH DATA: the run does not tell.
    """
    needs = [_in_rps(verdict, need_rps)] if need_rps is not None else []
    needs += [_in_users(verdict, need_users)] if need_users is not None else []
    if not needs:
        return None
    known_before = _regardless_of_need(verdict)
    if known_before is not None:
        return known_before
    return max((_judged(verdict, carried) for carried in needs), key=lambda found: list(Word).index(found.word))


def good_rps_at(levels: Sequence[Level], users: float) -> float | None:
    """Good answers per second at so many users, straight between the levels measured; None beyond the highest."""
    points = [(0.0, 0.0), *sorted((float(row.users), row.timed_rps) for row in levels if row.timed_rps is not None)]
    if len(points) == 1 or users > points[-1][0]:
        return None
    loads, rates = zip(*points, strict=True)
    return float(np.interp(users, loads, rates))


def _best_rps_within(verdict: Verdict, users: int | None) -> float | None:
    """The highest good rate that can be had with at most so many users."""
    rate = None if users is None else good_rps_at(verdict.levels, users)
    if users is None or rate is None:
        return None
    return max(rate, 0.0, *(level.timed_rps or 0.0 for level in verdict.levels if level.users <= users))


def _in_rps(verdict: Verdict, need_rps: float) -> Carried:
    limit = verdict.binding
    if limit is None or limit.level is None:
        return Carried(need_rps, "requests/s", None, None, None)
    unit = verdict.unit
    if unit.is_open:
        high_rps = None if limit.high is None else unit.amount(limit.high)
        return Carried(need_rps, "requests/s", unit.amount(limit.low), unit.amount(limit.level), high_rps)
    best = _best_rps_within(verdict, limit.level)
    high = best if verdict.kind is Kind.FOUND else _best_rps_within(verdict, limit.high)
    return Carried(need_rps, "requests/s", _best_rps_within(verdict, limit.low), best, high)


def _in_users(verdict: Verdict, need_users: int) -> Carried:
    limit = verdict.binding
    if limit is None or limit.level is None or verdict.unit.is_open:
        return Carried(need_users, "users", None, None, None)
    return Carried(need_users, "users", limit.low, limit.level, limit.high)


def _regardless_of_need(verdict: Verdict) -> Decision | None:
    if verdict.kind is Kind.NOT_A_LOAD_PROBLEM:
        return Decision(Word.NO_GO, f"fails at any load: {verdict.reason}", None)
    if not verdict.client.valid and verdict.kind is not Kind.CLIENT_LIMITED:
        reasons = "; ".join(verdict.client.reasons) or "the client was not valid"
        return Decision(Word.NOT_ENOUGH_DATA, f"no fair measurement: {reasons}", None)
    if verdict.kind is Kind.MISSED_AT_ZERO_LOAD:
        return Decision(Word.NO_GO, f"{verdict.binding_goal or 'a goal'} is missed at the lowest load", None)
    return None


def _judged(verdict: Verdict, carried: Carried) -> Decision:
    if carried.low is None or carried.best is None:
        return Decision(Word.NOT_ENOUGH_DATA, f"what it carries in {carried.unit} was not measured", None)
    margin = carried.best / carried.need
    words = f"carries {_number(carried.best)} {carried.unit}, needs {_number(carried.need)}: {_times(margin)}"
    settled = verdict.kind in (Kind.FOUND, Kind.AT_LEAST)
    if carried.low >= carried.need:
        doubts = _doubts(verdict, margin)
        return Decision(Word.GO_WITH_WARNINGS if doubts else Word.GO, "; ".join([words, *doubts]), margin)
    if carried.high is not None and carried.high < carried.need and (settled or verdict.kind is Kind.BUDGET_SPENT):
        return Decision(Word.NO_GO, words, margin)
    if settled and carried.best >= carried.need:
        why = f"the 95 % interval starts at {_number(carried.low)}"
        return Decision(Word.GO_WITH_WARNINGS, f"{words}; {why}", margin)
    return Decision(Word.NOT_ENOUGH_DATA, f"{words}; {_why_unknown(verdict, carried, settled)}", margin)


def _why_unknown(verdict: Verdict, carried: Carried, settled: bool) -> str:
    if not settled:
        return verdict.reason
    if carried.high is None or carried.low is None:
        return "more was not measured"
    return f"the 95 % interval is {_number(carried.low)} to {_number(carried.high)}"


def _doubts(verdict: Verdict, margin: float) -> list[str]:
    """Why a need that is carried is not carried for sure."""
    doubts = []
    if verdict.kind not in (Kind.FOUND, Kind.AT_LEAST):
        doubts.append(verdict.reason)
    if verdict.interrupted:
        doubts.append("the run was interrupted")
    limit = verdict.binding
    if limit is not None and not limit.confirmed and margin < COMFORTABLE_MARGIN:
        bound = (
            "" if limit.bound_ratio is None else f": {advice.percent_words(limit.bound_ratio)} bad answers are possible"
        )
        doubts.append(f"the limit is not confirmed{bound}")
    return doubts


def recommend(
    verdict: Verdict,
    endpoint: Endpoint,
    need_rps: float | None = None,
    need_users: int | None = None,
    *,
    spacing: str = "poisson",
) -> Recommended:
    """Settings for the endpoint as measured, and replicas for the need where one is given.

    Without a limit to rest on there is no advice but the reason. `spacing`: how the requests of an open loop came.
    """
    limit = verdict.binding
    if limit is None or limit.low < 1 or not _fair(verdict):
        return Recommended(safe_users=None, safe_rps=None, why=(f"no settings are advised: {_obstacle(verdict)}",))
    safe_users, safe_rps = _safe_load(verdict, limit)
    slots = advice.slots(verdict, limit, endpoint)
    found = advice.joined(
        [
            _safe(limit, safe_users, safe_rps),
            advice.context(verdict, limit, endpoint),
            advice.in_flight(verdict, limit, endpoint, spacing),
            slots,
            advice.replicas(verdict, limit, endpoint, advice.slots_of(slots), need_rps, need_users),
            advice.timeout(verdict, limit, endpoint),
            advice.retries(verdict, endpoint),
        ]
    )
    paste = texts_to_paste(endpoint, found.settings)
    return Recommended(safe_users, safe_rps, found.settings, paste, found.why, found.sizing)


def _safe_load(verdict: Verdict, limit: Limit) -> tuple[int | None, float | None]:
    """Users, and requests per second at them; of an open loop the rate alone."""
    if verdict.unit.is_open:
        return None, verdict.unit.amount(math.floor(SAFE_SHARE * limit.low))
    safe_users = max(1, math.floor(SAFE_SHARE * limit.low))
    return safe_users, good_rps_at(verdict.levels, safe_users)


def _safe(limit: Limit, safe_users: int | None, safe_rps: float | None) -> advice.Advice:
    if safe_users is None:
        rate = (
            f"plan with {_number(safe_rps or 0.0)} requests/s: three quarters of the low end of the interval of "
            f"`{limit.goal}`, so that a burst a third above still fits"
        )
        return advice.Advice(why=(rate,))
    users = (
        f"plan with {advice.users_words(safe_users)}: three quarters of {limit.low}, the low end of the interval of "
        f"`{limit.goal}`, so that a burst a third above still fits"
    )
    if limit.low == 1:
        users = f"plan with 1 user: `{limit.goal}` holds there, and less load than that there is not"
    if safe_rps is None:
        return advice.Advice(why=(users,))
    return advice.Advice(
        why=(users, f"{_number(safe_rps)} requests/s: good answers at that load, read between the levels measured")
    )


def _fair(verdict: Verdict) -> bool:
    """May settings be built on it? A client at its end measured the levels below fairly."""
    if verdict.kind in (Kind.NOT_A_LOAD_PROBLEM, Kind.MISSED_AT_ZERO_LOAD, Kind.NOT_STEADY):
        return False
    return verdict.client.valid or verdict.kind is Kind.CLIENT_LIMITED


def _obstacle(verdict: Verdict) -> str:
    if not verdict.client.valid and verdict.client.reasons:
        return f"no fair measurement: {'; '.join(verdict.client.reasons)}"
    return verdict.reason


def _number(value: float) -> str:
    """Three significant digits, and all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(ratio: float) -> str:
    """Rounded down, so that 0.999 times the need does not read as all of it."""
    return f"{math.floor(100 * ratio + 1e-9) / 100:g}×"
