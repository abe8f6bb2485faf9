"""The fields `overload`, `burst`, `wall`, `usl` and `cold_start` of the machine-readable limit report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from capacity.overload import Beyond, PhaseKind, Shown
from capacity.unit import Unit
from capacity.verdict import Verdict
from reports.limit import LimitReport


def beyond_fields(clean: LimitReport) -> dict[str, Any]:
    """What the run says beside its limits. `overload` and `burst` are null without --beyond."""
    beyond, scaling = clean.verdict.beyond, clean.scaling
    law = None if scaling is None else scaling.law
    return {
        "overload": None if beyond is None else _overload(beyond),
        "burst": None if beyond is None else _burst(beyond),
        "wall": None if clean.wall is None else {**asdict(clean.wall), "kind": str(clean.wall.kind)},
        "usl": None
        if law is None
        else {
            "sigma": law.sigma,
            "kappa": law.kappa,
            "lambda": law.lambda_,
            "peak_users": law.peak_users,
            "extrapolated": law.extrapolated,
            "point_count": len(scaling.points) if scaling else 0,
        },
        "usl_reason": None if scaling is None else scaling.why_not,
        "cold_start": None if clean.cold_start is None else asdict(clean.cold_start),
    }


def harm_json(verdict: Verdict) -> dict[str, int]:
    """Every 429 and 503 that the run caused, and how many of them lie beyond the limit on purpose."""
    beyond = verdict.beyond.rejected_count if verdict.beyond else 0
    return {"rejected_count": verdict.rejected_count + beyond, "beyond_rejected_count": beyond}


def cost_json(verdict: Verdict) -> dict[str, float]:
    """Time and attempts of the whole run."""
    beyond = verdict.beyond or Beyond(0)
    return {
        "seconds": verdict.cost.seconds + beyond.seconds,
        "attempt_count": verdict.cost.attempt_count + beyond.attempt_count,
    }


def _overload(beyond: Beyond) -> dict[str, Any]:
    unit, recovery = Unit(beyond.per_second), beyond.recovery
    return {
        "class": beyond.behaviour,
        "evidence": list(beyond.evidence),
        "steps": [_phase(one, unit) for one in beyond.of(PhaseKind.OVERLOAD)],
        "recovery": None if recovery is None else _phase(recovery, unit),
        "steps_down": [_phase(one, unit) for one in beyond.of(PhaseKind.STEP_DOWN)],
        "hidden_capacity": None if beyond.hidden_level is None else _at(beyond.hidden_level, unit),
        "harm": {"rejected_count": beyond.rejected_count, "budget": beyond.harm_budget},
        "left_out": list(beyond.left_out),
        "interrupted": beyond.interrupted,
    }


def _burst(beyond: Beyond) -> dict[str, Any]:
    unit = Unit(beyond.per_second)
    quiet = beyond.of(PhaseKind.QUIET)
    return {
        "from": _at(quiet[0].level, unit) if quiet else None,
        "steps": [_phase(one, unit) for one in beyond.of(PhaseKind.BURST)],
        "left_out": list(beyond.left_out),
    }


def _at(level: int, unit: Unit) -> dict[str, Any]:
    return {"rps" if unit.is_open else "users": unit.amount(level)}


def _phase(one: Shown, unit: Unit) -> dict[str, Any]:
    """Seconds until good again are null when it was not."""
    attempts = one.attempt_count
    left = ("number", "phase", "level", "of_limit_ratio")
    return {
        **_at(one.level, unit),
        "of_limit_ratio": one.of_limit_ratio,
        **{name: value for name, value in asdict(one).items() if name not in left},
        "rejected_ratio": one.rejected_count / attempts if attempts else None,
        "timed_out_ratio": one.timed_out_count / attempts if attempts else None,
        "failed_count": one.failed_count,
    }
