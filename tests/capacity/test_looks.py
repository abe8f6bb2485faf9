"""When a limit is known well enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.limits.endpoint import Endpoint, Service
from capacity.evidence import GUARD, REFINE, WARM_UP
from capacity.goals import parse_goal
from capacity.looks import binding_belief, next_look
from capacity.offline import find_limit
from capacity.search import Asked
from capacity.summary import Seen
from capacity.verdict import Kind
from tests.capacity.histories import in_order, shown


def looks(seconds: float, below: float, above: float, *levels: int) -> list[Seen]:
    """Close looks of that length at each level, with a rate of 1,000/s; shares of slow answers of the first half of
    the levels and of the second."""
    total = round(1000 * seconds)
    shares = [below] * (len(levels) // 2) + [above] * (len(levels) - len(levels) // 2)
    return [
        replace(
            shown(level, REFINE, ended_by="max_s", bad=round(share * total), total=total, seconds=seconds),
            measured_s=seconds,
        )
        for level, share in zip(levels, shares, strict=True)
    ]


def has_enough(goal: str, history: list[Seen]) -> bool:
    asked = Asked((parse_goal(goal),))
    told = binding_belief(asked, history)
    assert told is not None
    return next_look(asked, history, told) is None


@pytest.mark.parametrize(
    ("goal", "seconds", "enough"),
    [
        # four looks of 10 s fall between two stalls, 20 s apart, that decide a p99
        ("p99<=200ms", 10.0, False),
        # 104 s have seen five
        ("p99<=200ms", 26.0, True),
        # stalls that decide a p95 are longer or more often
        ("p95<=200ms", 10.0, True),
    ],
)
def test_a_strict_percentile_is_looked_at_for_long_enough_to_see_rare_stalls(
    goal: str, seconds: float, enough: bool
) -> None:
    """However sure the answers are by themselves: plainly within the goal at 100 users, plainly beyond it at 104."""
    assert has_enough(goal, in_order(*looks(seconds, 0.0001, 0.2, 100, 100, 104, 104))) == enough


def test_a_user_of_eleven_is_not_given_away_while_there_is_time() -> None:
    """An interval of 5 % of the limit is narrow enough of a hundred users; of eleven, caution would name ten."""
    sure, unsure = (in_order(*looks(6.0, share, 0.07, 11, 11, 12, 12)) for share in (0.045, 0.047))
    assert has_enough("p95<=200ms", sure)
    assert not has_enough("p95<=200ms", unsure)


@pytest.mark.parametrize(("slower", "enough"), [(1.0, True), (1.4, False)])
def test_looks_at_what_an_endpoint_was_do_not_count(slower: float, enough: bool) -> None:
    """Four close looks, a light load, two more: enough, unless the light load showed that all has become slower."""
    warm = shown(1, WARM_UP, total=100, latency_s=0.05)
    guard = shown(1, GUARD, total=100, latency_s=0.05 * slower)
    before = looks(10.0, 0.0001, 0.2, 96, 96, 102, 102)
    after = looks(10.0, 0.0001, 0.2, 96, 102)
    assert has_enough("p95<=200ms", in_order(warm, *before, guard, *after)) == enough


@pytest.mark.parametrize("seed", [6, 17])
def test_replicas_that_are_added_while_it_is_tested_count(seed: int) -> None:
    """Four, eight, then twelve servers, each after 20 s of high use: 64 users, not what failed in between."""
    growing = Service(servers=4, service_s=0.05, scale_to=3, scale_s=20.0)
    verdict = find_limit(Endpoint(growing, seed), ["p95<=300ms"], seed=seed)
    limit = verdict.binding
    assert limit is not None
    assert verdict.kind is Kind.FOUND
    assert limit.level == pytest.approx(64, abs=2)
