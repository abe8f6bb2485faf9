"""The advice on replicas over the whole range that it is meant for."""

from __future__ import annotations

from math import exp, lgamma, log

import pytest

from capacity.sizing import replicas_for

SERVICE_S = 0.04


def _rejected(servers: int, erlangs: float) -> float:
    """Erlang's loss formula as it is written: a^c / c! over the sum of a^k / k!, by logarithms."""
    weights = [k * log(erlangs) - lgamma(k + 1) for k in range(servers + 1)]
    top = max(weights)
    return exp(weights[-1] - top) / sum(exp(weight - top) for weight in weights)


@pytest.mark.parametrize("concurrency", [1, 2, 8])
@pytest.mark.parametrize("goal", [0.0001, 0.001, 0.05])
def test_from_half_an_erlang_to_200_the_advice_is_the_optimum(concurrency: int, goal: float) -> None:
    """As many replicas as it takes to stay within the goal, and not one more: counted up one by one."""
    for step in range(16):
        erlangs = 0.5 * 400 ** (step / 15)
        least = next(n for n in range(1, 400) if _rejected(n * concurrency, erlangs) <= goal)
        assert replicas_for(erlangs / SERVICE_S, SERVICE_S, concurrency, goal) == least
