"""The built-in model's draws, its standstills and its answers."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.model import MS, Fault, ServiceTimes, Truth, answer_of, end_ns, prediction, refusal


def test_service_times_have_the_mean_and_spread_asked_for():
    """50,000 seeded draws: mean within 1 % of 20 ms, coefficient of variation within 3 % of 0.3."""
    times = ServiceTimes(Truth(service_ns=20 * MS, spread=0.3), seed=7)
    draws = [times.draw_ns(0, is_over_workers=False) for _ in range(50_000)]
    mean_ns = statistics.fmean(draws)
    assert math.isclose(mean_ns, 20 * MS, rel_tol=0.01)
    assert math.isclose(statistics.stdev(draws) / mean_ns, 0.3, rel_tol=0.03)


def test_no_spread_is_a_constant():
    """Spread 0 draws exactly the service time."""
    times = ServiceTimes(Truth(service_ns=20 * MS), seed=1)
    assert {times.draw_ns(0, is_over_workers=False) for _ in range(10)} == {20 * MS}


def test_the_same_seed_draws_the_same_times():
    """Two models of one seed agree draw by draw."""
    one, other = (ServiceTimes(Truth(spread=0.5), seed=3) for _ in range(2))
    assert [one.draw_ns(0, is_over_workers=False) for _ in range(5)] == [
        other.draw_ns(0, is_over_workers=False) for _ in range(5)
    ]


def test_a_leak_slows_each_request_by_a_thousandth_of_it():
    """A leak of 3 ms per 1,000 requests: request number k (from 0) takes 20 ms + k · 3 µs."""
    times = ServiceTimes(Truth(leak_ns_per_request=3_000), seed=1)
    assert [times.draw_ns(0, is_over_workers=False) for _ in range(3)] == [20_000_000, 20_003_000, 20_006_000]


def test_cold_and_thrash_multiply():
    """Within the cold time and over the workers: 20 ms × 5 × 2; after it: 20 ms × 2."""
    times = ServiceTimes(Truth(cold_factor=5, cold_ns=100, thrash_factor=2), seed=1)
    assert times.draw_ns(99, is_over_workers=True) == 200 * MS
    assert times.draw_ns(100, is_over_workers=True) == 40 * MS


def test_faults_come_in_the_ratios_asked_for():
    """10,000 seeded draws: each fault within half a percentage point of its ratio."""
    times = ServiceTimes(Truth(crash_ratio=0.01, error_ratio=0.02, wrong_ratio=0.03, rubbish_ratio=0.04), seed=5)
    draws = [times.draw_fault() for _ in range(10_000)]
    wanted = {Fault.CRASH: 0.01, Fault.ERROR: 0.02, Fault.WRONG: 0.03, Fault.RUBBISH: 0.04}
    for fault, ratio in wanted.items():
        assert abs(draws.count(fault) / 10_000 - ratio) < 0.005


def end_by_steps(start: int, work: int, every: int, stall: int) -> int:
    """The exact slow twin: one unit of time after the other."""
    now = start
    while work:
        is_still = now >= every and now % every < stall
        work -= not is_still
        now += 1
    return now


@given(st.integers(0, 60), st.integers(1, 60), st.integers(2, 12), st.integers(1, 11))
def test_work_stands_still_during_stalls(start: int, work: int, every: int, stall: int):
    """The closed form ends where the step-by-step twin ends."""
    if stall < every:
        assert end_ns(start, work, every, stall) == end_by_steps(start, work, every, stall)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"data": [[1, 2, 3]]}', b'{"result": [3.0]}'),  # 1/1 + 2/2 + 3/3
        (b'{"data": []}', b'{"result": []}'),
        (b'{"data": [4, {"a": 2, "b": null}, true]}', b'{"result": [4.0, 2.0, 1.0]}'),
        (b"{", None),
        (b'{"data": 1}', None),
        (b"[1]", None),
        (b'{"data": [NaN]}', None),
        (b"\xff", None),
    ],
)
def test_the_prediction_is_a_function_of_the_body(body: bytes, answer: bytes | None):
    """One number per row; None for what is not JSON with rows."""
    assert prediction(body) == answer


def test_a_body_without_json_content_type_is_refused_as_the_schema_script_does():
    """415 for another type, 400 for a body that cannot be read, None for a good one."""
    refusals = [
        refusal(b'{"data": []}', "text/plain"),
        refusal(b"{", "application/json"),
        refusal(b'{"data": []}', "application/json; charset=utf-8"),
    ]
    assert [None if one is None else one.status for one in refusals] == [415, 400, None]


def test_rubbish_is_cut_json_with_status_200():
    """The cut answer is the first half of the good one."""
    answer = answer_of(b'{"data": [[1]]}', Fault.RUBBISH, 0)
    assert (answer.status, answer.body) == (200, b'{"result')
