"""Deciding, store and outbox together keep their promises through any sequence of events."""

from __future__ import annotations

import shutil
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.health import history
from scoring.alertplan import Window
from scoring.health import Health, NoticeKind
from tests.monitor.health.worlds import ALERTS, World

REMIND_S = (ALERTS.remind_ns or 0) / 1e9
STALE_S = 3 * 60 + 60
NAMES = st.sampled_from(["parent", "child"])
OUTCOMES = st.sampled_from([Health.OK, Health.OK, Health.FAILED, Health.FAILED, Health.DEGRADED, Health.UNKNOWN])


class Watching(RuleBasedStateMachine):
    """Checks, time, maintenance, restarts, and a receiver that is up, down or picky."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="redline-test-"))
        self.world = World(self.folder / "state")

    @rule(name=NAMES, outcome=OUTCOMES, after_s=st.sampled_from([1.0, 60.0, 60.0, 300.0]))
    def a_check(self, name: str, outcome: Health, after_s: float) -> None:
        self.world.check(name, outcome, after_s)

    @rule(name=NAMES, outcome=OUTCOMES)
    def three_checks(self, name: str, outcome: Health) -> None:
        for _ in range(3):
            self.world.check(name, outcome)

    @rule(for_s=st.sampled_from([30.0, 600.0, 4_000.0, 90_000.0]))
    def time_passes(self, for_s: float) -> None:
        self.world.wait(for_s)

    @rule(after_s=st.sampled_from([0.0, 100.0]), for_s=st.sampled_from([200.0, 2_000.0]), name=NAMES)
    def maintenance_is_planned(self, after_s: float, for_s: float, name: str) -> None:
        from_s = self.world.now_s + 1 + after_s
        self.world.windows.append(Window("made", (name,), from_s=from_s, until_s=from_s + for_s))
        self.world.restart()

    @rule()
    def a_restart(self) -> None:
        self.world.restart()

    @rule(is_up=st.booleans(), is_picky=st.booleans())
    def the_receiver_changes(self, is_up: bool, is_picky: bool) -> None:
        self.world.receiver.is_up, self.world.receiver.is_picky = is_up, is_picky

    @rule()
    def a_delivery(self) -> None:
        self.world.send()

    @rule()
    def a_delivery_that_is_killed(self) -> None:
        self.world.send(is_cut_short=True)
        self.world.restart()

    @precondition(lambda self: len(self.world.notices()) > 0)
    @rule()
    def all_deliveries(self) -> None:
        self.world.send_all()

    @invariant()
    def every_incident_is_a_fire_then_reminders_then_its_end(self) -> None:
        """Of one subject no two incidents overlap, and each has one key."""
        for subject in ("parent", "child"):
            told = [one for one in self.world.notices() if one.subject == subject]
            open_key = None
            for one in told:
                if open_key is None:
                    assert one.kind == NoticeKind.FIRE
                else:
                    assert one.key == open_key
                open_key = None if one.kind == NoticeKind.RESOLVE else one.key
            standing = self.world.keeper.standings.get(subject)
            incident = None if standing is None else standing.incident
            assert (None if incident is None else incident.id) == open_key

    @invariant()
    def nothing_is_told_in_maintenance(self) -> None:
        """No notice was decided inside a window of its endpoint that was known then."""
        for one in self.world.notices():
            assert not any(window.covers(one.subject) and window.is_on(one.at_s) for window in self.world.windows)

    @invariant()
    def reminders_keep_their_distance(self) -> None:
        """Between a reminder and the notice before it lies the time that was asked for, whatever was restarted."""
        for subject in ("parent", "child"):
            told = [one for one in self.world.notices() if one.subject == subject]
            for before, after in pairwise(told):
                if after.kind == NoticeKind.REMIND:
                    assert after.at_s - before.at_s >= REMIND_S

    @invariant()
    def an_outage_is_found_within_two_checks(self) -> None:
        """Two failures in a row of an endpoint that depends on nothing are an open incident, outside maintenance."""
        seen = self.world.observed["parent"][-2:]
        last_s = max([at_s for at_s, _ in seen], default=0.0)
        if [outcome for _, outcome in seen] != [Health.FAILED] * 2 or seen[1][0] - seen[0][0] > STALE_S:
            return
        if any(window.covers("parent") and window.is_on(last_s) for window in self.world.windows):
            return
        assert self.world.keeper.standings["parent"].incident is not None

    @invariant()
    def one_fault_opens_nothing(self) -> None:
        """Whatever is open rests on two faults or more."""
        for name, seen in self.world.observed.items():
            if sum(outcome is not Health.OK for _, outcome in seen) < 2:
                standing = self.world.keeper.standings.get(name)
                assert standing is None or standing.incident is None

    @invariant()
    def a_receiver_hears_of_an_incident_in_its_order(self) -> None:
        """The first arrival of a notice comes after that of the notice before it."""
        first = list(dict.fromkeys(self.world.receiver.got))
        for key in {key for key, _ in first}:
            numbers = [number for one, number in first if one == key]
            assert numbers == list(range(1, len(numbers) + 1))

    def teardown(self) -> None:
        """In the end all is well and everything was told: each incident has its fire and its end under one key."""
        try:
            self.world.now_s = max([self.world.now_s, *(window.until_s or 0.0 for window in self.world.windows)])
            for _ in range(20):
                self.world.check("parent", Health.OK)
                self.world.check("child", Health.OK, 1.0)
            self.world.send_all()
            assert all(standing.incident is None for standing in self.world.keeper.standings.values())
            assert set(self.world.receiver.got) == {(one.key, one.number) for one in self.world.notices()}
            for incident in history.incidents(self.world.connection):
                kinds = [one.kind for one in incident.notifications]
                assert kinds[0] is NoticeKind.FIRE
                assert kinds[-1] is NoticeKind.RESOLVE
                assert incident.closed_s is not None
                assert all(one.key == incident.id and one.sent_s is not None for one in incident.notifications)
        finally:
            self.world.stop()
            shutil.rmtree(self.folder)


Watching.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_sequence_of_events_keeps_the_promises = Watching.TestCase
