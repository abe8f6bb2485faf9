"""A run as it is compared: 8 users within the goal, two levels."""

from __future__ import annotations

from dataclasses import replace

from capacity.standing import LevelStanding, Measured, Standing


def level(users: int = 4, p95_ms: float = 40.0, failed_ratio: float = 0.0, rps: float = 200.0) -> LevelStanding:
    """Its percentiles are known to 5 % on both sides, its rate to 2 %."""
    return LevelStanding(
        users=users,
        attempt_count=4_000,
        percentiles_ms={"p95": Measured(p95_ms, p95_ms / 1.05, p95_ms * 1.05), "p99": Measured(2 * p95_ms, None, None)},
        failed_ratio=Measured(failed_ratio, failed_ratio / 2, failed_ratio * 2 + 0.001),
        completed_rps=Measured(rps, rps * 0.98, rps * 1.02),
    )


STANDING = Standing(
    name="churn-prod",
    made_at="2026-11-22T21:00:00Z",
    configuration_hash="0123456789ab",
    where="runs/before",
    is_fair=True,
    limits={"rejected<=0.1%": Measured(8, 7.5, 8.5)},
    levels=(level(), level(8)),
    asked={"payload": None, "instances": 2},
)


def with_limit(users: int, low: float | None = None, high: float | None = 0.0, **changed: object) -> Standing:
    """The same run with another limit, known exactly unless bounds are given; `high` None: at least."""
    limit = Measured(users, users - 0.5 if low is None else low, users + 0.5 if high == 0.0 else high)
    return replace(STANDING, limits={"rejected<=0.1%": limit}, **changed)  # type: ignore[arg-type]
