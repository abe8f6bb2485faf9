"""A second locustfile for every Locust run of the benchmark: prints one line of figures when Locust ends.

`cpu_s` is the processor time of this process between the start and the stop of the test, without imports.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from locust import events

_cpu_s = {"start": 0.0, "stop": 0.0}


@events.test_start.add_listener
def _on_test_start(**_: Any) -> None:
    _cpu_s["start"] = time.process_time()


@events.test_stop.add_listener
def _on_test_stop(**_: Any) -> None:
    _cpu_s["stop"] = time.process_time()


def _on_quit(environment: Any) -> None:
    total = environment.stats.total
    figures = {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "seconds": (total.last_request_timestamp or total.start_time) - total.start_time,
        "cpu_s": _cpu_s["stop"] - _cpu_s["start"],
    }
    sys.stdout.write(f"FIGURES {json.dumps(figures)}\n")
    sys.stdout.flush()


@events.init.add_listener
def _on_init(environment: Any, **_: Any) -> None:
    events.quit.add_listener(lambda **_: _on_quit(environment))
