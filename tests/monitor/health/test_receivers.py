"""Receivers of notices that are down, busy or silent for hours of virtual time: what is tried, what arrives when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan
from scoring.health import Health
from scoring.units import MIN
from tests.monitor.health.faultlist import FAULTS, PLAN
from tests.monitor.health.faulty import faulty
from tests.monitor.health.test_faults import subject_of
from tests.monitor.health.watched import Told
from tests.monitor.health.worlds import World

STEP_S = 5
HOURS_6_S = 6 * 3_600
OUTAGES_MIN = ((0, 10), (60, 75), (300, 10_000))
SEND_S = 30.0
SECOND_S = 3_660  # the second incident
NEWS_COUNT = 8  # attempts by which the pauses of another incident reach those of the first


@pytest.fixture
def hours(tmp_path: Path) -> Iterator[Hours]:
    """A story that has not begun."""
    found = Hours(tmp_path / "state")
    yield found
    found.world.stop()


class Hours:
    """One endpoint checked every minute through two outages and into a third, and the seconds of every attempt."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, {"churn": CheckPlan(every_ns=MIN)}, AlertPlan())
        self.world.check("churn", Health.FAILED, 0)
        self.began_s = self.world.now_s + 60  # the second check tells
        self.attempts_s: list[float] = []

    def pass_until(self, at_s: float, *, last: bool = False) -> None:
        """Time passes to so many seconds after the first notice; `last`: all is well from now on."""
        world = self.world
        while world.now_s - self.began_s < at_s:
            world.now_s += STEP_S
            since_s = world.now_s - self.began_s
            if since_s % 60 == 0:
                fails = not last and any(from_ * 60 <= since_s < until * 60 for from_, until in OUTAGES_MIN)
                world.check("churn", Health.FAILED if fails else Health.OK, 0)
            if world.send():
                self.attempts_s.append(since_s)


def doubling() -> list[float]:
    """5, 10, 20 … 640 s between attempts, then 900 s, for six hours."""
    found, pause_s = [0.0], 5.0
    while found[-1] + pause_s <= HOURS_6_S:
        found.append(found[-1] + pause_s)
        pause_s = min(2 * pause_s, 900.0)
    return found


def test_a_receiver_that_was_down_for_six_hours_hears_once_of_all_that_happened(hours: Hours) -> None:
    """Tried after pauses that double, up to 15 min, and at once for another incident; then each notice comes once."""
    world = hours.world
    world.receiver.is_up = False
    hours.pass_until(HOURS_6_S)
    assert [at_s for at_s in hours.attempts_s if at_s < SECOND_S] == [at_s for at_s in doubling() if at_s < SECOND_S]
    assert SECOND_S in hours.attempts_s
    assert max(after - before for before, after in pairwise(hours.attempts_s)) == 900
    assert len(hours.attempts_s) <= len(doubling()) + 2 * NEWS_COUNT
    world.receiver.is_up = True
    hours.pass_until(HOURS_6_S + 900)
    assert sorted(world.receiver.got) == sorted((one.key, one.number) for one in world.notices())
    assert [one.kind for one in world.notices()] == ["fire", "resolve", "fire", "resolve", "fire"]
    assert world.receiver.message_count == 1


def test_after_the_outage_of_a_receiver_news_comes_at_once_again(hours: Hours) -> None:
    """The end of the third outage is told at the check that proves it, alone."""
    hours.world.receiver.is_up = False
    hours.pass_until(HOURS_6_S)
    hours.world.receiver.is_up = True
    hours.pass_until(HOURS_6_S + 900)
    hours.pass_until(HOURS_6_S + 1_200, last=True)
    resolve = hours.world.notices()[-1]
    assert (resolve.kind, hours.world.receiver.got[-1]) == ("resolve", (resolve.key, resolve.number))
    assert hours.began_s + hours.attempts_s[-1] == resolve.at_s
    assert hours.world.receiver.message_count == 2


@pytest.mark.parametrize(("wish_s", "pause_s"), [(1_800.0, 1_800.0), (86_400.0, 3_600.0)])
def test_a_receiver_that_is_busy_for_six_hours_is_asked_as_seldom_as_it_wants(
    wish_s: float, pause_s: float, hours: Hours
) -> None:
    """429 with Retry-After: half an hour is kept, a day is cut to an hour; afterwards everything comes once."""
    hours.world.receiver.wish_s = wish_s
    hours.pass_until(HOURS_6_S)
    assert hours.attempts_s == [pause_s * count for count in range(int(HOURS_6_S / pause_s) + 1)]
    hours.world.receiver.wish_s = None
    hours.pass_until(HOURS_6_S + 3_600)
    assert hours.world.receiver.got == [(one.key, one.number) for one in hours.world.notices()]


def test_a_delivery_that_hangs_is_given_up_after_half_a_minute_and_made_again(tmp_path: Path) -> None:
    """Over real sockets: the webhook takes it and answers nothing; the checks go on, and the next try arrives."""
    with ExitStack() as stack:
        server = stack.enter_context(faulty())
        world = Told(tmp_path / "state", subject_of(server, FAULTS[0], tmp_path), stack)
        world.check()
        FAULTS[0].switch(server)
        world.hook.goes_on.clear()
        world.check_alone()
        world.check_alone()
        world.turn_until(lambda: world.hook.count == 1, "the delivery that hangs")
        world.check_alone()
        assert world.count() == 4
        world.hook.goes_on.set()
        world.pass_time(SEND_S + 5.0)
        world.until_told()
    assert PLAN.fail_after == 2
    assert {(one["kind"], one["number"]) for one in world.hook.notices} == {("fire", 1)}
    assert len({one["key"] for one in world.hook.notices}) == 1
