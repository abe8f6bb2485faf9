"""A watcher's work on a fixed story, killed by SIGKILL after N steps and taken up again; run as a program.

A step is one SQL statement, one thing sent, or one arrival noted. Prints one JSON line: for each N what had arrived in
the end, as [key, number] in their order; the last N is that of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from monitor.health.keeping import Keeper
from monitor.health.outbox import Outcome, attempted, next_batch, settled, waiting
from monitor.health.store import opened
from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan
from scoring.health import Health
from scoring.units import MIN
from tests.monitor.health.worlds import CHANNEL, START_S, health

STORY = "odddffoodffooff"  # degraded, worse, over; again; and one that stays open
OUTCOMES = {"o": Health.OK, "d": Health.DEGRADED, "f": Health.FAILED}
DOWN = (5, 9)  # the receiver answers nothing from the one minute to the other
PLANS = {"one": CheckPlan(every_ns=MIN)}


class Steps:
    """Counts steps; the process is gone after the last."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.count = 0

    def step(self, *_: object) -> None:
        self.count += 1
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def run(folder: Path, steps: Steps) -> None:
    """The story from where the store says it stands, to its end."""
    with opened(folder) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.set_trace_callback(steps.step)
        keeper = Keeper(connection, PLANS, AlertPlan(), [], [CHANNEL])
        last_s = connection.execute("SELECT coalesce(max(checked_s), 0) FROM checks").fetchone()[0]
        for minute, letter in enumerate(STORY):
            at_s = START_S + 60 * minute
            if at_s > last_s:
                keeper.observe(health("one", OUTCOMES[letter], at_s), at_s)
            send(connection, folder, at_s, is_up=not DOWN[0] <= minute < DOWN[1], steps=steps)
        for minute in range(len(STORY), len(STORY) + 40):
            send(connection, folder, START_S + 60 * minute, is_up=True, steps=steps)


def send(connection: object, folder: Path, at_s: float, *, is_up: bool, steps: Steps) -> None:
    """One attempt; the receiver notes what arrives in a file, as a receiver elsewhere would."""
    batch = next_batch(waiting(connection, CHANNEL), at_s)  # type: ignore[arg-type]
    if not batch:
        return
    attempted(connection, batch, CHANNEL)  # type: ignore[arg-type]
    steps.step()
    if is_up:
        with open(folder / "received", "a", encoding="utf-8") as file:
            for one in batch:
                file.write(json.dumps([one.notice.key, one.notice.number]) + "\n")
    steps.step()
    settled(connection, batch, CHANNEL, Outcome(None if is_up else "down"), at_s)  # type: ignore[arg-type]


def in_child(folder: Path, most: int) -> bool:
    """True when the child came to the end of the story."""
    child = os.fork()
    if child == 0:
        try:
            run(folder, Steps(most))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def main() -> None:
    folder = Path(sys.argv[1])
    every = int(sys.argv[2])
    arrived = {}
    for most in range(1, 10_000, every):
        place = folder / str(most)
        ended = in_child(place, most)
        in_child(place, -1)
        arrived[most] = [json.loads(line) for line in (place / "received").read_text().splitlines()]
        if ended:
            break
    print(json.dumps(arrived))


if __name__ == "__main__":
    main()
