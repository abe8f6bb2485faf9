"""What one core of the generator can send, measured against a real server that does nothing else."""

from __future__ import annotations

import pytest

from capacity.validity import Health, reasons
from locustfiles._ceiling import Ceiling, is_wanted
from scoring.scenariofile import read_scenario


def ceiling() -> Ceiling:
    return Ceiling(read_scenario(None, payload=None, headers=(), expect_json=None, deadline_ns=None))


@pytest.mark.parametrize(
    ("rps", "cpu_ratio", "wanted"),
    [
        # far from any end
        (999.0, 0.49, False),
        (10.0, None, False),
        # many requests, or few that cost much
        (1_000.0, 0.1, True),
        (10.0, 0.5, True),
    ],
)
def test_a_process_near_its_end_is_measured(rps: float, cpu_ratio: float | None, *, wanted: bool) -> None:
    """From 1,000 requests/s or half a core."""
    assert is_wanted(rps, cpu_ratio) is wanted


def test_the_rate_is_told_beside_the_ceiling() -> None:
    """Once measured, the ceiling stands beside every hold, also a slow one; before that nothing is said."""
    own = ceiling()
    assert own.beside(Health(), 10.0, 4, b"{}") == Health()
    fast = own.beside(Health(), 1_000.0, 4, b"{}")
    assert fast.ceiling_rps is not None
    assert fast.ceiling_ratio == pytest.approx(1_000.0 / fast.ceiling_rps)
    slow = own.beside(Health(), 10.0, 4, b"{}")
    assert slow.ceiling_rps == fast.ceiling_rps


def test_a_rate_near_the_ceiling_is_no_fair_measurement() -> None:
    """More than 70 % of it."""
    assert reasons(Health(ceiling_rps=2_000.0, ceiling_ratio=0.7), (), {}) == ()
    (reason,) = reasons(Health(ceiling_rps=2_000.0, ceiling_ratio=0.71), (), {})
    assert reason == "the generator sent 71 % of the 2,000 requests/s that it can (fair up to 70 %)"
