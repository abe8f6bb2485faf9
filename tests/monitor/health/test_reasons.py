"""The words that say why: each has a meaning and a first step, and is told in a test; here those of several checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.health.deciding import Standing
from monitor.health.reasons import reasons
from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan, parse_percentile
from scoring.health import Health
from scoring.units import MIN, MS
from tests.house.repository import ROOT
from tests.monitor.health.faultlist import FAULTS
from tests.monitor.health.worlds import World, health

QUIET = AlertPlan(remind_ns=None)
MOST_CHECKS = 1_000
AZURE_SAYS = ("telemetry_", "metric", "failed_ratio", "no_traffic", "no_status")
"""Reasons of checks that ask Azure Monitor instead of the endpoint, which have tests of their own."""


def checks_until_told(world: World, check: Callable[[int], None]) -> int:
    """How many checks it took until something was told."""
    known = len(world.notices())
    for count in range(1, MOST_CHECKS):
        check(count)
        if len(world.notices()) > known:
            return count
    raise AssertionError("nothing was told")


@pytest.mark.parametrize("word", [one.word for one in reasons() if not one.word.startswith(AZURE_SAYS)])
def test_every_reason_that_a_request_can_have_is_in_a_test(word: str) -> None:
    """A fault of the list makes it, or a test of this folder names it."""
    named = {fault.reason for fault in FAULTS}
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert word in named or any(f'"{word}"' in text for text in texts)


def test_the_table_of_the_docs_has_every_reason_and_no_other() -> None:
    """docs/checks.md is made from the same rows; a word stands there once."""
    text = (ROOT / "docs/checks.md").read_text(encoding="utf-8").partition("\n## Reasons\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [one.word for one in reasons()]


def test_an_endpoint_that_was_never_checked_is_not_ok() -> None:
    """UNKNOWN, for want of data."""
    standing = Standing("churn")
    assert (standing.state, standing.reason) == (Health.UNKNOWN, "no_data")


def test_a_slow_percentile_is_told_and_ends_when_the_slow_answers_have_left_the_window(tmp_path: Path) -> None:
    """Five answers make a percentile, and three such checks tell: one good and six late; then it lasts ten minutes."""
    plan = CheckPlan(every_ns=MIN, percentiles=(parse_percentile("p95(10m)<300ms"),))
    world = World(tmp_path / "state", {"churn": plan}, QUIET)

    def taking(latency_ms: int) -> Callable[[int], None]:
        def check(_: int) -> None:
            world.now_s += 60
            world.keeper.observe(health("churn", Health.OK, world.now_s, latency_ms * MS), world.now_s)

        return check

    taking(10)(0)
    assert checks_until_told(world, taking(500)) == 6
    assert world.keeper.standings["churn"].reason == "slow_percentile"
    assert checks_until_told(world, taking(10)) == 11
    assert [one.kind for one in world.notices()] == ["fire", "resolve"]
    world.stop()


@pytest.mark.parametrize(
    ("every", "told_at", "reason", "state"),
    [
        pytest.param(5, 6, "budget_burn_1h", Health.FAILED, id="2 of 12 in 1 h, 14.4 % allowed"),
        pytest.param(13, 53, "budget_burn_6h", Health.FAILED, id="5 of 72 in 6 h, 6 % allowed"),
        pytest.param(25, 201, "budget_burn_1d", Health.DEGRADED, id="9 of 288 in 1 d, 3 % allowed"),
        pytest.param(60, 481, "budget_burn_3d", Health.DEGRADED, id="9 of 864 in 3 d, 1 % allowed"),
    ],
)
def test_a_budget_that_burns_is_told_although_no_failure_follows_another(
    every: int, told_at: int, reason: str, state: Health, tmp_path: Path
) -> None:
    """One check in so many fails, every five minutes, with 99 %: told at the failure that is too much, and its end."""
    world = World(tmp_path / "state", {"churn": CheckPlan(every_ns=5 * MIN, slo_ratio=0.99)}, QUIET)

    def failing(count: int) -> None:
        world.check("churn", Health.FAILED if count % every == 1 else Health.OK, 300)

    assert checks_until_told(world, failing) == told_at
    standing = world.keeper.standings["churn:budget"]
    assert (standing.reason, standing.state) == (reason, state)
    checks_until_told(world, lambda _: world.check("churn", Health.OK, 300))
    assert [(one.kind, one.subject) for one in world.notices()] == [
        ("fire", "churn:budget"),
        ("resolve", "churn:budget"),
    ]
    world.stop()
