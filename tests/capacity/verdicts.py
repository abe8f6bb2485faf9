"""Verdicts and endpoints for tests: a cliff at 8 users, 10 requests/s each."""

from __future__ import annotations

from typing import Any

from capacity.verdict import Client, Cost, Kind, Level, Limit, Verdict
from scoring.endpoint import Endpoint, Hosting


def level(users: int, rps: float, p50_ms: float = 22.0, **values: Any) -> Level:
    """1,000 good answers in 10 s; `values` replaces any field."""
    plain = {
        "users": users,
        "attempt_count": 1000,
        "good_count": 1000,
        "seconds": 10.0,
        "completed_rps": rps,
        "status_count": {"200": 1000},
        "p50_ms": p50_ms,
        "p90_ms": 2 * p50_ms,
        "p95_ms": 2 * p50_ms,
        "p99_ms": 3 * p50_ms,
        "p999_ms": 4 * p50_ms,
        "max_ms": 5 * p50_ms,
        "server_p50_ms": None,
        "in_flight_mean": None,
        "trial_count": 1,
        "discarded_count": 0,
    }
    return Level(**{**plain, **values})


LEVELS = (level(1, 10.0), level(4, 40.0), level(8, 80.0), level(9, 81.0))


def limit(goal: str = "rejected<=0.1%", at: int | None = 8, low: int = 8, high: int | None = 8, **values: Any) -> Limit:
    """A confirmed limit of 8 users; `values` replaces any other field."""
    plain = {"confirmed": True, "bound_ratio": 0.0009, "bad_count": 0, "attempt_count": 4000}
    return Limit(goal=goal, level=at, low=low, high=high, **{**plain, **values})


CLIFF = limit()


def verdict(kind: Kind = Kind.FOUND, limits: tuple[Limit, ...] = (CLIFF,), **values: Any) -> Verdict:
    """Rejections from 9 users on; `values` replaces any other field."""
    plain = {
        "reason": "because",
        "binding_goal": limits[0].goal if limits else None,
        "first_rejected_users": 9,
        "knee_users": None,
        "peak_rps": 81.0,
        "levels": LEVELS,
        "rejected_count": 3,
        "client": Client(True, ()),
        "cost": Cost(60.0, 4000),
    }
    return Verdict(kind=kind, limits=limits, **{**plain, **values})


def endpoint(hosting: Hosting | None = Hosting.MANAGED, **values: Any) -> Endpoint:
    """Two instances of two slots each; `values` replaces any field but name and URI."""
    plain = {"instances": 2, "max_concurrent": 2, "deployment": "blue"}
    uri = "https://churn-prod.westeurope.inference.ml.azure.com/score"
    return Endpoint("churn", uri, hosting=hosting, **{**plain, **values})


UNSURE = limit(confirmed=False, bound_ratio=0.003)
WIDE = limit(at=8, low=6, high=10)
OPEN = limit(at=8, low=8, high=None)
UNFAIR = Client(False, ("hub lag 41 ms",))
