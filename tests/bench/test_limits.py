"""The bench of limits: its endpoint against formulas, its scores against hand-made results."""

from __future__ import annotations

import math

import pytest

from bench.limits.endpoint import Endpoint, Row, Service, bad_ratio
from bench.limits.score import Found, row_of
from bench.limits.truth import parsed


def erlang_b(servers: int, offered: float) -> float:
    """The share of Poisson arrivals that find all servers busy (Erlang 1917)."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def answered(service: Service, level: float, count: int, *, open_loop: bool = False) -> list[Row]:
    """The first `count` answers, without the first tenth."""
    left = iter(range(count, 0, -1))
    rows = Endpoint(service, 3, open_loop=open_loop).run(level, 1e9, lambda _: next(left) <= 1)
    return rows[count // 10 :]


@pytest.mark.parametrize(
    ("servers", "rps", "shape"), [(1, 10.0, "gamma"), (4, 60.0, "lognormal"), (8, 150.0, "constant")]
)
def test_an_open_loop_without_a_queue_loses_what_erlang_says(servers: int, rps: float, shape: str) -> None:
    """Whatever the distribution of service times with a mean of 50 ms."""
    rows = answered(Service(servers=servers, room=servers, shape=shape, spread=1.0), rps, 60_000, open_loop=True)
    assert bad_ratio(rows, None, (503,)) == pytest.approx(erlang_b(servers, 0.05 * rps), rel=0.06)


def test_an_open_loop_with_a_queue_waits_as_erlang_says() -> None:
    """M/M/4 at 80 %: the share slower than t of waiting is C exp(-(1 - rho) 4 t / s), C from Erlang B."""
    servers, offered, service_s, slow_s = 4, 3.2, 0.05, 0.1
    lost = erlang_b(servers, offered)
    waits = lost / (1 - 0.8 * (1 - lost))
    expected = waits * math.exp(-(servers - offered) * slow_s / service_s)
    rows = answered(Service(servers=servers, shape="gamma", spread=1.0), offered / service_s, 150_000, open_loop=True)
    waited = sum(row[2] > slow_s for row in rows) / len(rows)
    service_only = math.exp(-slow_s / service_s)
    assert waited == pytest.approx(convolved(expected, waits, servers - offered, service_s, slow_s), rel=0.1)
    assert waited > service_only


def convolved(late: float, waits: float, spare: float, service_s: float, slow_s: float) -> float:
    """P(wait + service > t): service alone, or a wait of rate spare / s and then a service of rate 1 / s."""
    fast, slow = 1 / service_s, spare / service_s
    both = (fast * math.exp(-slow * slow_s) - slow * math.exp(-fast * slow_s)) / (fast - slow)
    assert late == pytest.approx(waits * math.exp(-slow * slow_s))
    return (1 - waits) * math.exp(-fast * slow_s) + waits * both


@pytest.mark.parametrize("users", [8, 9])
def test_users_that_a_closed_loop_admits_are_never_rejected(users: int) -> None:
    """Eight of eight: none; one more: some."""
    rejected = bad_ratio(answered(Service(servers=8, room=8), users, 4000), None, (503,))
    assert (rejected > 0) is (users > 8)


def test_a_quota_lets_through_what_it_says() -> None:
    """40 requests/s of 100 that are sent: 60 % are told 429."""
    rows = answered(Service(servers=50, quota_rps=40.0), 100.0, 20_000, open_loop=True)
    assert bad_ratio(rows, None, (429,)) == pytest.approx(0.6, abs=0.02)


def test_stalls_add_their_time_to_the_work_that_they_interrupt() -> None:
    """One user, work of 50 ms, a stall of 200 ms each second: four services of five take 50 ms, one 250 ms."""
    rows = answered(Service(shape="constant", stall_every_s=1.0, stall_fixed=True, stall_s=0.2), 1, 400)
    slow = [row[2] for row in rows if row[2] > 0.06]
    assert len(slow) == pytest.approx(len(rows) / 20, rel=0.2)
    assert max(slow) == pytest.approx(0.25)


def test_a_busy_generator_says_so() -> None:
    """It reads 500 answers a second of the 2,000 that an endpoint of 100 users would give."""
    endpoint = Endpoint(Service(servers=100, client_rps=500.0), 1)
    endpoint.run(100, 5.0)
    told = endpoint.client()
    assert told is not None
    assert told["cpu_ratio"] > 0.95
    assert told["lag_p99_s"] > 0.05


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("rejected<=0.1%", (0.001, None, (429, 503))),
        ("errors<=1%", (0.01, None, None)),
        ("p95<=300ms", (0.05, 0.3, None)),
        ("p99<=1s", (0.01, 1.0, None)),
    ],
)
def test_goals_are_read_apart_from_the_search(goal: str, expected: tuple[float, float | None, object]) -> None:
    """The truth shares no code with what it judges."""
    allowed, slow_s, kinds = parsed(goal)
    assert (pytest.approx(allowed), slow_s, kinds) == expected


def test_scores_of_four_runs() -> None:
    """True limit 20 in a band of 20 to 21: found 20, 21, 23 and 18 by hand."""
    found = [
        Found("FOUND", level, level - 1, level + 1, seconds, 1000, 0, (covered,))
        for level, seconds, covered in ((20, 10.0, True), (21, 20.0, True), (23, 30.0, False), (18, 40.0, False))
    ]
    row = row_of(found, (20.0, 20.0, 21.0), ("FOUND",))
    assert row.error_ratio == pytest.approx((0 + 0 + 2 + 2) / 20 / 4)
    assert row.bias_ratio == pytest.approx((0 + 1 + 3 - 2) / 20 / 4)
    assert (row.unsafe_ratio, row.covered_ratio, row.width_ratio) == (0.25, 0.5, pytest.approx(0.1))
    assert (row.right_ratio, row.exact_ratio, row.seconds) == (1.0, 0.25, 25.0)
