"""capacity.sizing against balance equations in fractions, sums by log-gamma, and queues simulated one by one."""

import heapq
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity import sizing


def states(servers: int, erlangs: Fraction, queue_places: int) -> list[Fraction]:
    """Probabilities of 0 .. K requests in an M/M/c/K system, from the balance of each pair of neighbours."""
    weights = [Fraction(1)]
    for number in range(1, servers + queue_places + 1):
        weights.append(weights[-1] * erlangs / min(number, servers))
    return [weight / sum(weights) for weight in weights]


SYSTEMS = st.tuples(st.integers(1, 30), st.integers(1, 400).map(lambda n: Fraction(n, 10)), st.integers(0, 30))


# Erlang's formulas


@pytest.mark.parametrize(
    ("servers", "erlangs", "queue_places", "expected", "why"),
    [
        (0, 1.0, 0, 1.0, "no server, no answer"),
        (1, 0.0, 0, 0.0, "no load, no rejection"),
        (1, 1.0, 0, 1 / 2, "one server at 1 erlang is busy half of the time"),
        (2, 1.0, 0, 1 / 5, "(1/2) / (1 + 1 + 1/2): Microsoft's two replicas lose a fifth"),
        (1, 1.0, 1, 1 / 3, "three equally likely states, the last of which rejects"),
        (2, 2.0, 2, 2 / 9, "weights 1 2 2 2 2: the last of them"),
        (1, 3.0, 1, 9 / 13, "weights 1 3 9"),
    ],
)
def test_rejected_ratio_by_hand(servers, erlangs, queue_places, expected, why):
    """Rows small enough to write down the weight of each state."""
    assert sizing.rejected_ratio(servers, erlangs, queue_places) == pytest.approx(expected), why


@given(SYSTEMS)
def test_rejected_ratio_is_the_probability_of_the_full_state(system):
    """The recursion and the balance equations in fractions agree to rounding."""
    servers, erlangs, queue_places = system
    expected = states(servers, erlangs, queue_places)[-1]
    assert sizing.rejected_ratio(servers, float(erlangs), queue_places) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("erlangs", "servers"), [(0.5, 5), (1, 6), (20, 33), (200, 238), (1000, 1041), (10_000, 10_170), (10_000, 9_000)]
)
def test_erlang_b_is_right_from_half_an_erlang_to_ten_thousand(erlangs, servers):
    """Poisson probabilities by log-gamma: B = p(c) / sum of p(0..c), which shares no step with the recursion."""
    logs = [n * math.log(erlangs) - math.lgamma(n + 1) for n in range(servers + 1)]
    highest = max(logs)
    expected = math.exp(logs[-1] - highest) / math.fsum(math.exp(value - highest) for value in logs)
    assert sizing.erlang_b(servers, erlangs) == pytest.approx(expected, rel=1e-6)


@given(SYSTEMS)
def test_more_servers_more_places_and_less_load_reject_less(system):
    """The ratio moves the way one expects in each argument, up to the last digits of floats."""
    servers, erlangs, queue_places = system
    ratio = sizing.rejected_ratio(servers, float(erlangs), queue_places)
    assert sizing.rejected_ratio(servers + 1, float(erlangs), queue_places) <= ratio + 1e-12
    assert sizing.rejected_ratio(servers, float(erlangs), queue_places + 1) <= ratio + 1e-12
    assert sizing.rejected_ratio(servers, float(erlangs) * 0.9, queue_places) <= ratio + 1e-12


@pytest.mark.parametrize(
    ("servers", "erlangs", "expected", "why"),
    [
        (1, 0.5, 0.5, "one server: the wait probability is the utilisation"),
        (2, 1.0, 1 / 3, "2 B / (2 - (1 - B)) with B = 1/5: 0.4 / 1.2"),
        (2, 2.0, 1.0, "at full load everyone waits"),
        (2, 5.0, 1.0, "beyond it too"),
        (0, 1.0, 1.0, "and without servers"),
    ],
)
def test_erlang_c_by_hand(servers, erlangs, expected, why):
    """Rows with their fraction written out."""
    assert sizing.erlang_c(servers, erlangs) == pytest.approx(expected), why


@given(st.integers(1, 20), st.integers(1, 99))
def test_erlang_c_is_the_share_that_finds_all_servers_busy(servers, percent):
    """A queue of 3,000 places, long enough that none is rejected at up to 99 % load, has the same share waiting."""
    erlangs = servers * percent / 100
    ratio = 1.0  # state probabilities relative to "all servers busy", downwards and upwards
    below = [ratio := ratio * number / erlangs for number in range(servers, 0, -1)]
    above = [(percent / 100) ** number for number in range(3000)]
    assert sizing.erlang_c(servers, erlangs) == pytest.approx(sum(above) / (sum(above) + sum(below)))


def simulated_rejections(servers: int, erlangs: float, service_s: np.ndarray, seed: int) -> float:
    """The rejected share of Poisson arrivals at `servers` without a queue, one request after the other."""
    gaps = np.random.default_rng(seed).exponential(1.0 / erlangs, len(service_s))
    busy_until: list[float] = []
    rejected, now = 0, 0.0
    for gap, duration in zip(gaps.tolist(), service_s.tolist(), strict=True):
        now += gap
        while busy_until and busy_until[0] <= now:
            heapq.heappop(busy_until)
        if len(busy_until) == servers:
            rejected += 1
        else:
            heapq.heappush(busy_until, now + duration)
    return rejected / len(service_s)


@pytest.mark.parametrize("spread", ["constant", "exponential", "erratic"])
def test_the_loss_formula_does_not_care_how_service_times_are_spread(spread):
    """At 1 erlang and two servers a fifth is rejected for constant, exponential and very uneven service times."""
    count = 100_000
    random = np.random.default_rng(7)
    service_s = {
        "constant": np.ones(count),
        "exponential": random.exponential(1.0, count),
        "erratic": random.choice([0.5, 5.5], count, p=[0.9, 0.1]),
    }[spread]
    assert simulated_rejections(2, 1.0, service_s, seed=11) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(("servers", "erlangs", "places"), [(-1, 1.0, 0), (1, -1.0, 0), (1, math.nan, 0), (1, 1.0, -1)])
def test_impossible_systems_are_refused(servers, erlangs, places):
    """Less than nothing names the values seen."""
    with pytest.raises(ValueError, match="nothing may be below 0"):
        sizing.rejected_ratio(servers, erlangs, places)


# replicas


@pytest.mark.parametrize("erlangs", [0.5, 1, 2, 5, 10, 20, 50, 100, 200])
@pytest.mark.parametrize(("concurrency", "queue_places"), [(1, 0), (1, 1), (4, 0), (4, 4)])
@pytest.mark.parametrize("random_routing", [False, True])
def test_replicas_meet_the_goal_and_one_fewer_does_not(erlangs, concurrency, queue_places, random_routing):
    """The smallest sufficient number, told by the neighbours on both sides."""

    def rejected(replicas: int) -> float:
        if replicas == 0:
            return 1.0
        if random_routing:
            return sizing.rejected_ratio(concurrency, erlangs / replicas, queue_places)
        return sizing.rejected_ratio(replicas * concurrency, erlangs, replicas * queue_places)

    replicas = sizing.replicas_for(erlangs * 50, 0.02, concurrency, 0.001, queue_places, random_routing)
    assert rejected(replicas) <= 0.001 < rejected(replicas - 1)


def test_blind_routing_to_single_slots_needs_a_thousand_replicas_per_erlang():
    """a/r / (1 + a/r) <= 1/1000 asks for r >= 999 a: a front end that sees free slots is worth a factor of 166."""
    assert sizing.replicas_for(1.0, 1.0, 1, 0.001, random_routing=True) == 999
    assert sizing.replicas_for(1.0, 1.0, 1, 0.001) == 6


@pytest.mark.parametrize(
    ("rps", "service_s", "concurrency", "utilisation", "expected", "why"),
    [
        (20, 10, 1, 0.7, 286, "the example of Microsoft's page"),
        (1, 1, 1, 0.7, 2, "1 erlang"),
        (7, 1, 1, 0.7, 10, "exactly 10, which floats make 10.000000000000002"),
        (0.1, 0.01, 4, 0.7, 1, "there is always one"),
        (200, 1, 2, 1.0, 100, "no head-room at all"),
        (25, 0.02, 1, 0.7, 1, "half an erlang"),
    ],
)
def test_microsofts_formula(rps, service_s, concurrency, utilisation, expected, why):
    """ceil(rps x seconds / utilisation / concurrency)."""
    assert sizing.formula_replicas(rps, service_s, concurrency, utilisation) == expected, why


def test_a_sizing_shows_both_answers_with_what_they_reject():
    """At 1 erlang the formula's 2 replicas reject 20 %; 0.1 % takes 6, which reject (1/720) / 1957/720 = 1/1957."""
    found = sizing.sizing(1.0, 1.0, 1, 0.001)
    assert (found.replicas, found.formula_replicas) == (6, 2)
    assert found.rejected_ratio == pytest.approx(1 / 1957)
    assert found.formula_rejected_ratio == pytest.approx(1 / 5)
    assert (found.target_rps, found.service_s, found.concurrency) == (1.0, 1.0, 1)


def test_at_200_erlangs_the_formula_buys_a_fifth_to_two_fifths_too_much():
    """286 replicas where 238 do without a queue, and 203 with one place to wait per replica."""
    without = sizing.sizing(200.0, 1.0, 1, 0.001)
    waiting = sizing.sizing(200.0, 1.0, 1, 0.001, queue_places=1)
    assert (without.formula_replicas, without.replicas, waiting.replicas) == (286, 238, 203)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 1, 0.001), "a rate and a service time above 0, got 0.0"),
        ((1.0, -1.0, 1, 0.001), "got 1.0 requests/s of -1.0 s"),
        ((math.inf, 1.0, 1, 0.001), "got inf"),
        ((1.0, 1.0, 0, 0.001), "at least 1 request at once, got 0"),
        ((1.0, 1.0, 1, 0.0), "0 < ratio < 1, got 0.0"),
        ((1.0, 1.0, 1, 1.0), "0 < ratio < 1, got 1.0"),
    ],
)
def test_what_cannot_be_sized_is_refused_with_the_value_seen(arguments, message):
    """Each mistake has its sentence."""
    with pytest.raises(ValueError, match=message):
        sizing.sizing(*arguments)


def test_a_utilisation_above_one_is_refused():
    """70 given as a percentage would buy a hundredth of the replicas."""
    with pytest.raises(ValueError, match="0 < ratio <= 1, got 70"):
        sizing.formula_replicas(20, 10, 1, 70)
