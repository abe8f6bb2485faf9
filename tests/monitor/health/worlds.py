"""Endpoints whose health a test decides, in virtual time, with a real store and a receiver that can be down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from monitor.health.deciding import Notice
from monitor.health.keeping import Keeper
from monitor.health.outbox import Outcome, Waiting, attempted, next_batch, quiet_until_s, settled, waiting
from monitor.health.store import opened
from scoring.alertplan import AlertPlan, Window
from scoring.checkplan import CheckPlan
from scoring.health import CheckResult, EndpointHealth, Health
from scoring.units import MIN

START_S = 1_700_000_000.0
PLANS = {"parent": CheckPlan(every_ns=MIN), "child": CheckPlan(every_ns=MIN, depends_on=("parent",))}
ALERTS = AlertPlan(remind_ns=10 * MIN)
CHANNEL = "hook"


def health(
    name: str, outcome: Health, at_s: float, latency_ns: int | None = None, reason: str | None = None
) -> EndpointHealth:
    """A check of one answer with this outcome."""
    reason = reason or ("ok" if outcome is Health.OK else f"made_{outcome.value.lower()}")
    return EndpointHealth(name, "host", (CheckResult("answer", outcome, reason, "made up"),), at_s, 1, latency_ns)


@dataclass
class Receiver:
    """Takes notices, or does not. `got` has every arrival: key and number of each notice in it."""

    is_up: bool = True
    is_picky: bool = False
    wish_s: float | None = None  # while it is up: 429 with this Retry-After
    got: list[tuple[str, int]] = field(default_factory=list)
    message_count: int = 0

    def take(self, batch: Sequence[Waiting]) -> Outcome:
        if not self.is_up:
            return Outcome("connection refused")
        if self.wish_s is not None:
            return Outcome("answered 429", retry_after_s=self.wish_s)
        if self.is_picky:
            return Outcome("answered 400", is_refused=True)
        self.message_count += 1
        self.got += [(one.notice.key, one.notice.number) for one in batch]
        return Outcome()


class World:
    """One state folder, its keeper, the time, and what was observed."""

    def __init__(
        self,
        folder: Path,
        plans: dict[str, CheckPlan] | None = None,
        alerts: AlertPlan = ALERTS,
        sources: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.sources = sources
        self.plans = PLANS if plans is None else plans
        self.alerts = alerts
        self.now_s = START_S
        self.windows: list[Window] = []
        self.receiver = Receiver()
        self.quiet_s = 0.0  # until then the receiver wants to hear nothing
        self.observed: dict[str, list[tuple[float, Health]]] = {name: [] for name in self.plans}
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        self.connection = self._stack.enter_context(opened(self.folder))
        self.connection.execute("PRAGMA synchronous = OFF")  # no test cuts the power, and waiting for the disk is slow
        self.keeper = Keeper(self.connection, self.plans, self.alerts, self.windows, [CHANNEL], sources=self.sources)

    def stop(self) -> None:
        self._stack.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def check(self, name: str, outcome: Health, after_s: float = 60.0) -> None:
        self.now_s += after_s
        self.observed[name].append((self.now_s, outcome))
        self.keeper.observe(health(name, outcome, self.now_s), self.now_s)

    def wait(self, for_s: float) -> None:
        self.now_s += for_s
        self.keeper.tick(self.now_s)

    def send(self, *, is_cut_short: bool = False) -> bool:
        """One attempt, if one is due; cut short, nobody notes how it ended, as after a SIGKILL."""
        batch = next_batch(waiting(self.connection, CHANNEL), self.now_s) if self.now_s >= self.quiet_s else []
        if not batch:
            return False
        attempted(self.connection, batch, CHANNEL)
        outcome = self.receiver.take(batch)
        if not is_cut_short:
            settled(self.connection, batch, CHANNEL, outcome, self.now_s)
            self.quiet_s = quiet_until_s(outcome, self.now_s)
        return True

    def send_all(self) -> None:
        """Everything that waits is delivered, however long the pauses are."""
        self.receiver.is_up, self.receiver.is_picky = True, False
        for _ in range(1000):
            if not waiting(self.connection, CHANNEL):
                return
            if not self.send():
                self.now_s += 900.0
        raise AssertionError("the outbox does not become empty")

    def notices(self) -> list[Notice]:
        """Every notice that was ever decided, in its order."""
        rows = self.connection.execute(
            "SELECT kind, key, number, subject, created_s FROM notices ORDER BY created_s, number"
        )
        return [
            Notice(kind, key, number, subject, Health.OK, "", "", 0.0, at_s)
            for kind, key, number, subject, at_s in rows
        ]
