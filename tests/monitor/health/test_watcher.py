"""The watcher's loop with a clock of the test: sleep, clocks that are set, and what is said of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from monitor.health import history
from monitor.health.checking import Subject
from monitor.health.lease import leased
from scoring.checkplan import CheckPlan
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.scenario import Payload, Scenario
from scoring.units import MIN
from tests.monitor.health.watched import Watched
from tests.scoring.fault_server import answering, good, serving


def watched(folder: Path, port: int, stack: ExitStack) -> Watched:
    """One endpoint that is well, watched every five minutes."""
    endpoint = Endpoint("one", f"http://127.0.0.1:{port}/score")
    subject = Subject(endpoint, Scenario("plain", (Payload("one", b"{}"),)), CheckPlan(every_ns=5 * MIN), {})
    return Watched(folder, subject, stack)


def test_a_night_asleep_is_said_noted_and_made_up_by_one_check(tmp_path: Path) -> None:
    """Eight hours: one check, 95 missed, a gap in the history; two more turns make no other check."""
    with serving(answering(good())) as port, ExitStack() as stack:
        world = watched(tmp_path, port, stack)
        world.until_checked(1)
        world.pass_time(8 * 3600.0)
        world.until_checked(2)
        world.watcher.turn()
        assert world.count() == 2
        assert world.watcher.schedules["one"].missed_count == 95
        assert [(until_s - from_s, cause) for from_s, until_s, cause in history.gaps(world.connection, 0)] == [
            (8 * 3600.0, "asleep")
        ]
        assert "nothing was watched for 8 h 0 min: the machine slept or stood still" in world.said
        assert "one: 95 checks missed" in world.said


def test_a_clock_that_is_set_is_said_and_moves_no_check(tmp_path: Path) -> None:
    """An hour forward and back: no check, no gap, two lines."""
    with serving(answering(good())) as port, ExitStack() as stack:
        world = watched(tmp_path, port, stack)
        world.until_checked(1)
        for step_s in (3600.0, -3600.0):
            world.pass_time(1.0, 1.0 + step_s)
            world.watcher.turn()
        assert world.count() == 1
        assert history.gaps(world.connection, 0) == []
        assert world.said[-2:] == ["the clock was set forward by 1 h 0 min", "the clock was set back by 1 h 0 min"]


def test_two_watchers_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told who holds it; when the first lets go, it may."""
    with leased(tmp_path), pytest.raises(RedlineError, match="watches with"), leased(tmp_path):
        pass
    with leased(tmp_path) as lease:
        assert lease.last_beat_s is not None
