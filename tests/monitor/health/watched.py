"""Endpoints and a webhook, watched by the real watcher over real sockets, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from monitor.health import outbox
from monitor.health.checking import Subject
from monitor.health.lease import leased
from monitor.health.store import opened
from monitor.health.timetable import Clock, waits_s
from monitor.health.watching import Orders, Watcher
from scoring.alertplan import AlertPlan
from tests.cli.watching import Switched, switched

TURNS = 200


class Watched:
    """A watcher, of one endpoint or several. Time stands still unless the test lets it pass."""

    def __init__(
        self,
        folder: Path,
        subjects: Subject | Sequence[Subject],
        stack: ExitStack,
        alerts: AlertPlan | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = Clock(1_000.0, 1_700_000_000.0)
        self.said: list[str] = []
        watched = [subjects] if isinstance(subjects, Subject) else list(subjects)
        self.name = watched[0].endpoint.name
        orders = Orders(watched, alerts or AlertPlan(), [], folder, environ or {}, self.said.append, self._now)
        self.connection = stack.enter_context(opened(folder))
        self.connection.execute("PRAGMA synchronous = OFF")  # no test cuts the power, and waiting for the disk is slow
        self.watcher = Watcher(orders, self.connection, stack.enter_context(leased(folder)))

    def _now(self) -> Clock:
        return self.clock

    def pass_time(self, steady_s: float, wall_s: float | None = None) -> None:
        wall_s = steady_s if wall_s is None else wall_s
        self.clock = Clock(self.clock.steady_s + steady_s, self.clock.wall_s + wall_s)

    def check(self) -> float:
        """Seconds that passed until the next check was due; it is made, and what it has to tell is delivered."""
        pause_s = self.check_alone()
        self.until_told()
        return pause_s

    def check_alone(self) -> float:
        """The same, and whatever is to be told may wait. Every endpoint is checked."""
        pause_s = max(waits_s(one, self.clock) for one in self.watcher.schedules.values())
        self.pass_time(pause_s)
        self.until_checked(self.count() + len(self.watcher.schedules))
        return pause_s

    def until_checked(self, count: int) -> None:
        """Returns once so many checks stand in the store."""
        self.turn_until(lambda: self.count() >= count, f"check number {count}")

    def until_told(self) -> None:
        """Returns once nothing waits for a channel."""

        def is_told() -> bool:
            return not any(outbox.waiting(self.connection, name) for name in self.watcher.channels)

        self.turn_until(is_told, "the delivery of a notice")

    def turn_until(self, holds: Callable[[], bool], what: str) -> None:
        """Returns once it holds; fails after a bounded number of turns."""
        for _ in range(TURNS):
            if holds():
                return
            self.watcher.turn()
        raise AssertionError(f"never came: {what}")

    @property
    def state(self) -> str:
        """What is proved of the endpoint."""
        return self.watcher.keeper.standings[self.name].state.value

    def count(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM checks").fetchone()[0])


class Told(Watched):
    """The same with a webhook that takes everything."""

    def __init__(self, folder: Path, subjects: Subject | Sequence[Subject], stack: ExitStack) -> None:
        self.hook: Switched = stack.enter_context(switched("/hook"))
        super().__init__(folder, subjects, stack, AlertPlan(webhook=self.hook.uri))

    def checks_until(self, kind: str, most: int = 30) -> tuple[list[float], dict[str, Any]]:
        """The pause before each check that was needed until a notice came, and the notice, which is of this kind."""
        known = len(self.hook.notices)
        pauses_s = []
        for _ in range(most):
            pauses_s.append(self.check())
            if len(self.hook.notices) > known:
                notice = self.hook.notices[-1]
                assert (notice["kind"], len(self.hook.notices)) == (kind, known + 1), notice
                return pauses_s, notice
        raise AssertionError(f"no {kind} after {most} checks; the last was {self.watcher.keeper.standings[self.name]}")
