"""The same search on rates, against endpoints whose limit is known."""

from __future__ import annotations

import pytest

from bench.limits.endpoint import Endpoint, Service
from capacity.evidence import ABOVE
from capacity.goals import parse_goal
from capacity.offline import find_limit
from capacity.trial import Asked, trial_of
from capacity.unit import PER_SECOND
from capacity.verdict import Kind, RateVerdict
from tests.capacity.histories import shown


def searched(service: Service, *goals: str, **settings: float) -> tuple[RateVerdict, Endpoint]:
    """The verdict in an open loop, and the endpoint with its own counts."""
    endpoint = Endpoint(service, 5, open_loop=True)
    verdict = find_limit(endpoint, goals, mode="open", max_level=1000, **settings)  # type: ignore[arg-type]
    assert isinstance(verdict, RateVerdict)
    return verdict, endpoint


def test_a_rate_that_a_quota_allows_is_found() -> None:
    """A quota of 60 requests/s, 1 % may be rejected: near 60, the interval holds it, and the budget of harm is kept."""
    verdict, endpoint = searched(Service(servers=50, quota_rps=60.0), "rejected<=1%")
    limit = verdict.binding
    assert limit is not None
    assert limit.level == pytest.approx(60, rel=0.08)
    assert limit.low <= 61
    assert limit.high is not None
    assert limit.high >= 59
    assert endpoint.rejected_count <= 300


@pytest.mark.parametrize("seed", [6, 22])
def test_saved_up_tokens_do_not_let_a_higher_rate_pass(seed: int) -> None:
    """A quota of 150/s lets 190/s through for two seconds: something well above the limit must fail for longer."""
    endpoint = Endpoint(Service(servers=50, quota_rps=150.0), seed, open_loop=True)
    limit = find_limit(endpoint, ["rejected<=1%"], mode="open", max_level=2000, seed=seed).binding
    assert limit is not None
    assert limit.level == pytest.approx(150.6, rel=0.05)


@pytest.mark.parametrize(("per_second", "least_s"), [(PER_SECOND, 25.0), (0, 1.0)])
def test_something_well_above_a_rate_is_tried_for_as_long_as_a_close_look(per_second: int, least_s: float) -> None:
    """A user too many shows within a service time; a rate too high only when what was saved up is gone."""
    asked = Asked((parse_goal("p95<=200ms"),), max_level=50_000, per_second=per_second)
    assert trial_of(asked, (shown(100, total=4000),), 120, ABOVE).rule.min_s >= least_s


def test_a_queue_is_found_by_what_arrivals_wait() -> None:
    """Eight servers of 50 ms carry 160/s; p95 within 200 ms holds up to about 149/s (bench/limits, long runs)."""
    verdict, _ = searched(Service(servers=8), "p95<=200ms")
    limit = verdict.binding
    assert limit is not None
    assert verdict.kind is Kind.FOUND
    assert limit.level == pytest.approx(149.4, rel=0.05)
    assert limit.low <= 151
    assert limit.high is not None
    assert limit.high >= 147
    assert verdict.cost.seconds <= 601


def test_a_rate_is_told_with_its_unit() -> None:
    """No users are spoken of where none were asked for."""
    verdict, _ = searched(Service(servers=2, service_s=0.02), "p95<=300ms", max_s=40.0)
    assert "requests/s" in verdict.reason or "budget" in verdict.reason
    assert "users" not in verdict.reason


def test_an_endpoint_too_slow_for_its_goal_misses_it_at_the_lowest_rate() -> None:
    """One request takes 50 ms, 20 ms are asked for."""
    verdict, _ = searched(Service(), "p95<=20ms")
    assert verdict.kind is Kind.MISSED_AT_ZERO_LOAD
    assert verdict.reason == "p95<=20ms is missed at the lowest rate: not a matter of load"


def test_an_endpoint_that_carries_every_rate_is_told_as_at_least() -> None:
    """A cap of 50/s, forty servers of 20 ms."""
    endpoint = Endpoint(Service(servers=40, service_s=0.02), 1, open_loop=True)
    verdict = find_limit(endpoint, ["p95<=300ms"], mode="open", max_level=50)
    assert verdict.kind is Kind.AT_LEAST
    assert verdict.limits[0].level == 50
    assert verdict.limits[0].high is None
