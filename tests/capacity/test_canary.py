"""Is time lost in the client? The canary's waits beside the users'."""

from __future__ import annotations

import numpy as np
import pytest

from capacity.canary import Compared, Times, Waits, at_least, compared, lost_s
from scoring.units import MS

NOTHING = np.zeros(0, dtype=np.int64)


def waits(latency_ms: list[float], server_ms: float = 0.0) -> Waits:
    latency_ns = np.array([round(each * MS) for each in latency_ms], dtype=np.int64)
    return Waits(latency_ns, np.full(len(latency_ms), round(server_ms * MS), dtype=np.int64))


@pytest.mark.parametrize(
    ("users", "canary", "faster"),
    [
        # a fair client: the bar is (20 - 3) / 1.3 = 13.1 ms
        (waits([20.0] * 5), waits([20.0, 14.0, 13.0]), 1),
        # the model's own 18 ms set aside, the bar is 40 - 18 - 1 - 0.13 × 40 = 15.8 ms outside it, 33.8 ms in all
        (waits([40.0] * 5, 18.0), waits([20.0, 33.0, 34.0], 18.0), 2),
        # the endpoint's own time is not told to both: whole latencies are compared
        (waits([20.0] * 5, 18.0), waits([20.0, 14.0, 13.0]), 1),
    ],
)
def test_a_canary_answer_speaks_against_the_client_below_a_bar(users: Waits, canary: Waits, faster: int) -> None:
    """Below it the users' median would be unfairly later than the canary's."""
    told = compared(8, users, canary)
    assert told is not None
    assert (told.answer_count, told.faster_count) == (3, faster)


def test_nothing_is_compared_without_answers_on_both_sides() -> None:
    """No canary, no comparison."""
    nobody = Waits(NOTHING, NOTHING)
    assert compared(8, waits([20.0]), nobody) is None
    assert compared(8, nobody, waits([20.0])) is None


@pytest.mark.parametrize(
    ("history", "gap_s"),
    [
        ([], None),
        # eight in a row happen once in 256 fair clients, nine once in 512
        ([Compared(8, 8, 8, 0.03)], None),
        ([Compared(8, 9, 9, 0.03)], 0.03),
        # nearby loads speak together
        ([Compared(8, 5, 5, 0.03), Compared(9, 4, 4, 0.02)], 0.02),
        # loads far apart do not
        ([Compared(8, 5, 5, 0.03), Compared(16, 4, 4, 0.02)], None),
        # a hold that speaks for the client is not accused for an earlier one
        ([Compared(8, 30, 30, 0.03), Compared(8, 4, 1, 0.0)], None),
        # half of the answers below the bar is what a client just fair enough shows
        ([Compared(8, 40, 20, 0.03)], None),
    ],
)
def test_the_client_is_accused_beyond_chance_only(history: list[Compared], gap_s: float | None) -> None:
    """A sign test over the holds at loads near the latest, which has to speak against the client itself."""
    assert lost_s(history) == gap_s


def test_the_chance_of_heads_is_that_of_a_fair_coin() -> None:
    """3 of 4: (4 + 1) / 16; none or more: 1."""
    assert at_least(3, 4) == 5 / 16
    assert at_least(0, 7) == 1.0


def simulated(inflation: float, *, tells_server: bool, seed: int, holds: int = 3) -> float | None:
    """What three holds at one load show, each with 12 canary answers; the endpoint takes 60 ± 18 ms, the way 2 ms."""
    chance = np.random.default_rng(seed)
    history: list[Compared] = []
    for _ in range(holds):
        users = _waits(chance, 2_000, inflation, tells_server=tells_server)
        told = compared(20, users, _waits(chance, 12, 1.0, tells_server=tells_server))
        assert told is not None
        history.append(told)
        found = lost_s(history)
        if found is not None:
            return found
    return None


def _waits(chance: np.random.Generator, count: int, inflation: float, *, tells_server: bool) -> Waits:
    server_ns: Times = (chance.lognormal(np.log(60.0), 0.3, count) * MS).astype(np.int64)
    way_ns = (chance.gamma(4.0, 0.5, count) * MS).astype(np.int64)
    latency_ns = ((server_ns + way_ns) * inflation).astype(np.int64)
    return Waits(latency_ns, server_ns if tells_server else np.zeros(count, dtype=np.int64))


@pytest.mark.parametrize("tells_server", [True, False])
def test_a_fair_client_is_accused_in_less_than_one_search_of_a_hundred(*, tells_server: bool) -> None:
    """1,000 seeds, three looks each, no inflation."""
    accused = sum(simulated(1.0, tells_server=tells_server, seed=seed) is not None for seed in range(1_000))
    assert accused <= 10


@pytest.mark.parametrize(("inflation", "tells_server"), [(1.25, True), (1.9, False)])
def test_a_client_that_loses_time_is_found_in_ninety_nine_of_a_hundred(inflation: float, *, tells_server: bool) -> None:
    """A quarter on top where the endpoint tells its own time; much more has to be lost where it does not."""
    found = sum(simulated(inflation, tells_server=tells_server, seed=seed) is not None for seed in range(300))
    assert found >= 297
