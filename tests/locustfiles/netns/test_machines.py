"""A search carried by workers on other machines: network namespaces that the test makes, with clocks of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capacity.journal import OPENED
from capacity.runfolder import ATTEMPTS_OF_WORKERS, LEVELS, read_attempts, read_levels, read_run, read_verdict
from tests.locustfiles.netns.machines import Machines, machines, missing, until

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")
CLIFF = ("--hosting", "aks", "--instances", "4", "--max-concurrent", "2", "--service-time", "20ms")
EXACT = ("FOUND", 8, 8, 8)
DAY_S = 86_400
TRIES = 3
BOTH = 2
"""Users from which on each of the two workers has one."""


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Machines]:
    """Machine 0 with an endpoint that admits 8 requests at a time, and two for workers."""
    with machines(tmp_path, 3) as made:
        made.serve(*CLIFF)
        yield made


Begin = Callable[[Machines, Any], None]


def searched(made: Machines, begin: Begin) -> tuple[dict[str, Any], list[Path]]:
    """The verdict of a search that `begin` starts workers for, and the run folders of all tries.

    A machine that tests share may be too busy for a fair measurement, and then the verdict says so: tried again, twice.
    """
    runs = []
    for _ in range(TRIES):
        runs.append(made.plan())
        master = made.master(2)
        begin(made, master)
        until(lambda ended=master: ended.poll() is not None, tries=1200)
        verdict = read_verdict(runs[-1])
        assert verdict is not None, made.said()
        if verdict["kind"] != "CLIENT_LIMITED":
            break
    return dict(verdict), runs


def most_users(run: Path) -> int:
    """The highest level so far."""
    lines = read_levels(run) if (run / LEVELS).exists() else []
    return max((line["users"] for line in lines), default=0)


def limit_of(verdict: dict[str, Any]) -> tuple[str, int, int, int | None]:
    """The kind of the verdict, and the limit of the binding goal with its interval."""
    limit = next(one for one in verdict["limits"] if one["goal"] == verdict["binding_goal"])
    return verdict["kind"], limit["level"], limit["low"], limit["high"]


def test_workers_on_machines_with_other_clocks_find_the_limit(three: Machines) -> None:
    """One clock is a day ahead: the limit is exact, the endpoint's count is ours, and all instants are of one clock."""

    def begin(made: Machines, _: Any) -> None:
        made.worker(1)
        made.worker(2, ahead_s=DAY_S)

    verdict, runs = searched(three, begin)
    assert limit_of(verdict) == EXACT, verdict["reason"]
    assert sum(len(read_attempts(run)) for run in runs) == three.served_count()
    run, rows = runs[-1], read_attempts(runs[-1])
    assert len(list(run.glob(ATTEMPTS_OF_WORKERS))) == 2
    assert verdict["cost"]["attempt_count"] == len(rows)
    opened = {line["number"]: line["opened_ns"] for line in read_levels(run) if line["kind"] == OPENED}
    since_s = (rows["sent_ns"] - np.array([opened[number] for number in rows["trial"].tolist()])) / 1e9
    assert -1 < since_s.min() < since_s.max() < 60
    assert read_run(run).anchor.monotonic_ns < rows["sent_ns"].min()


def test_a_worker_that_dies_in_a_trial_spoils_it_and_the_search_goes_on(three: Machines) -> None:
    """Killed in the middle: that trial says so and is no evidence, and the machine that is left finds the limit."""

    def begin(made: Machines, master: Any) -> None:
        made.worker(1)
        victim, run = made.worker(2), made.run
        assert run is not None
        until(lambda: master.poll() is not None or most_users(run) >= BOTH, 3000, 0.02)
        os.kill(victim.pid, signal.SIGKILL)

    verdict, runs = searched(three, begin)
    lines = read_levels(runs[-1])
    assert any("fell silent" in why for line in lines for why in line.get("invalid") or ()), lines
    assert limit_of(verdict) == EXACT, verdict["reason"]


def test_a_starved_worker_is_never_taken_for_the_limit(three: Machines) -> None:
    """A worker that gets a small share of its core: the verdict is the client, or the true limit all the same."""
    run = three.plan()
    core = str(max(os.sched_getaffinity(0)))
    spin = "import time; end = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
    master = three.master(2)
    three.worker(1)
    three.worker(2, before=("taskset", "-c", core, "nice", "-n", "19"))
    for _ in range(2):
        three.on(2, ["taskset", "-c", core, "python3", "-c", spin], log="spin.txt")
    until(lambda: master.poll() is not None, tries=1200)
    verdict = read_verdict(run)
    assert verdict is not None, three.said()
    if verdict["kind"] == "CLIENT_LIMITED":
        assert not verdict["client"]["valid"]
    else:
        assert limit_of(dict(verdict)) == EXACT, verdict["reason"]
