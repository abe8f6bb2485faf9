"""What one run says of its endpoint, small enough to keep: limits, and percentiles, rates and failures per level.

Answers of one run resemble their neighbours in time, so every 95 % interval rests on the means of batches of
consecutive answers: the variance of a proportion p is taken from 24 batch means, never below the p(1-p)/n of
independent answers. A percentile's interval encloses the values at the ranks p ± t·s (Law and Kelton, Simulation
Modeling and Analysis, §9.5: batch means; the rank is turned into a value as for independent answers).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from capacity.plan import Plan, plan_as_json
from capacity.stats import nearest_rank
from capacity.summary import Rows, from_due
from capacity.unit import PER_SECOND, Unit
from capacity.verdict import Verdict
from scoring.attempt import FAILURE_NUMBER, FLAG_TRANSIENT, Failure
from scoring.errors import RedlineError
from scoring.units import MS, S

if TYPE_CHECKING:
    from capacity.recorded import Recorded

SCHEMA = 1
PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))
COUNTED = ("pass", "fail", "undecided")
"""Outcomes of trials that say something about their level: no warm-up, no unfair measurement."""
BATCHES, LEAST_BATCHES, LEAST_IN_BATCH = 24, 8, 5
MOST_LEVELS = 12
LEAST_ATTEMPTS = 100
"""A level of a search with fewer was left at once, mostly because it failed: its percentiles say little."""
_ABORTED = FAILURE_NUMBER[Failure.ABORTED]
_ASKED_OF_OPEN = ("spacing", "replay", "speed")
_ASKED = ("command", "scenario_path", "payload", "headers", "deadline_ns", "expect_json", "users", "thresholds")
_ASKED_OF_ENDPOINT = ("scoring_uri", "hosting", "deployment", "instances", "max_concurrent")


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its 95 % interval; a bound is None where too little was seen to give one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LevelStanding:
    """One level: good answers' percentiles by name, the share of attempts that failed, and good answers a second."""

    users: int  # the level, in the unit of the standing
    attempt_count: int
    percentiles_ms: Mapping[str, Measured]
    failed_ratio: Measured
    completed_rps: Measured | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One run. `asked` is what two runs must share to be fairly compared, as plain values."""

    name: str  # of the endpoint
    made_at: str  # RFC 3339, UTC
    configuration_hash: str
    where: str  # run folder, or the file it was kept in
    is_fair: bool  # the client was not the wall
    limits: Mapping[str, Measured]  # by goal, in users, or of an open loop in requests per second
    levels: tuple[LevelStanding, ...]
    asked: Mapping[str, Any]
    per_second: int = 0  # of an open loop: levels are requests per second in this fraction

    @property
    def unit(self) -> Unit:
        """What its levels count."""
        return Unit(self.per_second)


def standing_of(found: Recorded, verdict: Verdict | None, *, is_fair: bool) -> Standing:
    """What the run says. `verdict` is None for a fixed load. RedlineError when no attempt says anything."""
    plan = found.run.plan
    levels = tuple(_levels(plan, verdict, found.rows))
    unit = Unit(PER_SECOND if plan.is_open else 0)
    limits = {} if verdict is None else {one.goal: _limit(one.level, one.low, one.high, unit) for one in verdict.limits}
    if not levels and not limits:
        raise RedlineError(f"{found.run.folder} holds no level to compare", f"redline report limit {found.run.folder}")
    return Standing(
        name=plan.endpoint.name,
        made_at=found.run.anchor.started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        configuration_hash=found.run.configuration_hash,
        where=str(found.run.folder),
        is_fair=is_fair,
        limits={goal: limit for goal, limit in limits.items() if limit is not None},
        levels=levels,
        asked=_asked(plan),
        per_second=unit.per_second,
    )


def standing_as_json(standing: Standing) -> dict[str, Any]:
    """Plain values; `standing_from` reads them back."""
    return {"schema": SCHEMA, "kind": "redline baseline", **asdict(standing)}


def standing_from(document: Any, where: str) -> Standing:
    """The standing that `standing_as_json` wrote. RedlineError when it is something else."""
    try:
        if document["kind"] != "redline baseline" or document["schema"] != SCHEMA:
            raise ValueError("another kind of document")
        known = {one.name: document[one.name] for one in fields(Standing) if one.name != "per_second"}
        known |= {"where": where, "per_second": int(document.get("per_second", 0))}
        known["limits"] = {str(goal): _measured(one) for goal, one in document["limits"].items()}
        known["levels"] = tuple(_level_from(one) for one in document["levels"])
        return Standing(**known)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RedlineError(
            f"{where} is no baseline", "a run folder, or what redline compare --save-baseline FILE RUN wrote"
        ) from error


def proportion(flags: NDArray[np.bool_]) -> Measured:
    """The share of true values, in the order of time, with the interval that batch means allow."""
    count = len(flags)
    share = float(flags.mean())
    error = _error(flags)
    if error is None:
        return Measured(share, None, None)
    if share in (0.0, 1.0):  # batch means of equal values say nothing; the rule of three does
        rare = 1.0 - 0.025 ** (1.0 / count)
        return Measured(share, 0.0, rare) if share == 0.0 else Measured(share, 1.0 - rare, 1.0)
    return Measured(share, max(share - error, 0.0), min(share + error, 1.0))


def percentile(values_ns: NDArray[np.int64], q: float) -> Measured:
    """The q-quantile of latencies in the order of time, in milliseconds; an open side where the tail is too thin."""
    ascending = np.sort(values_ns)
    value = nearest_rank(ascending, q)
    error = _error(values_ns <= value)
    if error is None:
        return Measured(value / MS, None, None)
    count = len(ascending)
    low = nearest_rank(ascending, round(q - error, 9)) / MS if (q - error) * count >= 1 else None
    high = nearest_rank(ascending, round(q + error, 9)) / MS if (1 - q - error) * count >= 1 else None
    return Measured(value / MS, low, high)


def rate(done_s: NDArray[np.float64], seconds: float) -> Measured | None:
    """Events a second over `seconds`, at the given instants since its start; None without time."""
    if seconds <= 0:
        return None
    counts, _ = np.histogram(done_s, bins=BATCHES, range=(0.0, seconds))
    mean = float(counts.mean()) * BATCHES / seconds
    error = _t(BATCHES) * float(counts.std(ddof=1)) / math.sqrt(BATCHES) * BATCHES / seconds
    return Measured(mean, max(mean - error, 0.0), mean + error)


def _error(flags: NDArray[np.bool_]) -> float | None:
    """Half of the 95 % interval of a share; None for too few values."""
    batches = min(BATCHES, len(flags) // LEAST_IN_BATCH)
    if batches < LEAST_BATCHES:
        return None
    share = float(flags.mean())
    means = np.array([float(part.mean()) for part in np.array_split(flags, batches)])
    variance = max(float(means.var(ddof=1)) / batches, share * (1 - share) / len(flags))
    return _t(batches) * math.sqrt(variance)


def _t(batches: int) -> float:
    return float(stdtrit(batches - 1, 0.975))


def _levels(plan: Plan, verdict: Verdict | None, rows: Rows) -> list[LevelStanding]:
    """The levels with the most attempts, ascending by users."""
    kept = rows[((rows["flags"] & FLAG_TRANSIENT) == 0) & (rows["failure"] != _ABORTED)]
    if verdict is None:
        found = [(_level_of_load(plan), kept)]
    else:
        by_users: dict[int, list[int]] = {}
        for one in verdict.trials:
            if one.outcome in COUNTED:
                by_users.setdefault(one.users, []).append(one.number)
        found = [(users, kept[np.isin(kept["trial"], numbers)]) for users, numbers in by_users.items()]
    least = 1 if verdict is None else LEAST_ATTEMPTS
    most = sorted(((users, own) for users, own in found if len(own) >= least), key=lambda one: -len(one[1]))[
        :MOST_LEVELS
    ]
    return [
        _level(users, from_due(own) if plan.is_open else own) for users, own in sorted(most, key=lambda one: one[0])
    ]


def _level_of_load(plan: Plan) -> int:
    """The fixed level of a load; a replay has no rate of its own, and is level 0."""
    return round((plan.most_rps or 0.0) * PER_SECOND) if plan.is_open else plan.most_users


def _level(users: int, rows: Rows) -> LevelStanding:
    rows = rows[np.argsort(rows["done_ns"], kind="stable")]
    good = rows[rows["failure"] == 0]
    latency_ns = good["done_ns"] - good["sent_ns"]
    done_s, seconds = _in_trials(good, rows)
    return LevelStanding(
        users=users,
        attempt_count=len(rows),
        percentiles_ms={name: percentile(latency_ns, q) for name, q in PERCENTILES} if len(good) else {},
        failed_ratio=proportion(rows["failure"] != 0),
        completed_rps=rate(done_s, seconds),
    )


def _in_trials(good: Rows, rows: Rows) -> tuple[NDArray[np.float64], float]:
    """Instants of the good answers with the time between trials cut out, and the seconds of all trials together."""
    parts, seconds = [np.empty(0)], 0.0
    for number in np.unique(rows["trial"]):
        done_ns = rows["done_ns"][rows["trial"] == number]
        start_ns = int(done_ns.min())
        parts.append((good["done_ns"][good["trial"] == number] - start_ns) / S + seconds)
        seconds += (int(done_ns.max()) - start_ns) / S
    return np.concatenate(parts), seconds


def _limit(level: int | None, low: int, high: int | None, unit: Unit) -> Measured | None:
    """A limit is a whole number of its unit's fractions: its interval reaches half of one further on both sides."""
    if level is None:
        return None
    ends = (max(low - 0.5, 0.0), None if high is None else high + 0.5)
    return Measured(unit.amount(level), unit.amount(ends[0]), None if ends[1] is None else unit.amount(ends[1]))


def _asked(plan: Plan) -> dict[str, Any]:
    document = plan_as_json(plan)
    endpoint = document["endpoint"]
    names = (*_ASKED, *(_ASKED_OF_OPEN if plan.is_open else ()))
    asked = {name: document[name] for name in names} | {name: endpoint[name] for name in _ASKED_OF_ENDPOINT}
    asked["scenario_path"] = None if plan.scenario_path is None else plan.scenario_path.rpartition("/")[2]
    return {**asked, "headers": [list(one) for one in plan.headers], "thresholds": list(plan.thresholds)}


def _level_from(document: Mapping[str, Any]) -> LevelStanding:
    rps = document["completed_rps"]
    return LevelStanding(
        users=int(document["users"]),
        attempt_count=int(document["attempt_count"]),
        percentiles_ms={str(name): _measured(one) for name, one in document["percentiles_ms"].items()},
        failed_ratio=_measured(document["failed_ratio"]),
        completed_rps=None if rps is None else _measured(rps),
    )


def _measured(document: Mapping[str, Any]) -> Measured:
    low, high = document["low"], document["high"]
    return Measured(
        float(document["value"]), None if low is None else float(low), None if high is None else float(high)
    )
