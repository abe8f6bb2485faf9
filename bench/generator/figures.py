"""A second locustfile for every Locust run of the benchmark: each process prints one line of figures when it ends.

Rate and processor time belong to the window from WARM_S after the start of the test to its stop: imports and the
spawning of users are no part of them.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import gevent
from locust import events

WARM_S = 0.5


@dataclass(frozen=True)
class Mark:
    """The state of this process at one instant."""

    requests: int
    last_s: float  # when the last of them was counted
    cpu_s: float
    at_s: float


_marks: list[Mark] = []


def _mark(environment: Any) -> None:
    total = environment.stats.total
    _marks.append(Mark(total.num_requests, total.last_request_timestamp or 0, time.process_time(), time.monotonic()))


@events.test_start.add_listener
def _on_test_start(environment: Any, **_: Any) -> None:
    def mark_when_warm() -> None:
        gevent.sleep(WARM_S)
        _mark(environment)

    gevent.spawn(mark_when_warm)


@events.test_stopping.add_listener
def _on_test_stopping(environment: Any, **_: Any) -> None:
    _mark(environment)


def _tell(environment: Any) -> None:
    total = environment.stats.total
    figures = {"requests": total.num_requests, "failures": total.num_failures, "rate_rps": 0.0, "busy_ratio": 0.0}
    if len(_marks) == 2:
        first, last = _marks
        figures["busy_ratio"] = (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s)
        if last.last_s > first.last_s:
            figures["rate_rps"] = (last.requests - first.requests) / (last.last_s - first.last_s)
    sys.stdout.write(f"FIGURES {json.dumps(figures)}\n")
    sys.stdout.flush()


@events.init.add_listener
def _on_init(environment: Any, **_: Any) -> None:
    events.quit.add_listener(lambda **_: _tell(environment))
