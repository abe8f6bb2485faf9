"""A local endpoint under a little load, and what its client saw of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from scoring.account import Account, Cell
from scoring.attempt import label_of
from scoring.client import Answer, probe
from scoring.endpoint import Endpoint, Hosting
from scoring.scenario import Expectation, Payload, Scenario
from scoring.served import Served, Source
from scoring.told import ClientSide, Stretch, Told

ROOT = Path(__file__).parents[3]
SCENARIO = Scenario("live", (Payload("one", b'{"data": [[1, 2, 3]]}'),), expectation=Expectation(json=True))


@dataclass(frozen=True)
class Live:
    """A running local endpoint."""

    ready: dict[str, Any]
    endpoint: Endpoint
    log_file: Path

    def load(
        self,
        *,
        requests: int = 24,
        users: int = 1,
        key: str | None = None,
        scenario: Scenario = SCENARIO,
        path: str | None = None,
    ) -> Told:
        """What the client saw of so many requests, each payload in turn, of which `users` are in flight at a time."""
        uri = self.endpoint.scoring_uri if path is None else self.endpoint.scoring_uri.rpartition("/")[0] + path
        target = replace(self.endpoint, scoring_uri=uri)
        key = self.ready["key"] if key is None else key
        since_ns, since_at = time.monotonic_ns(), datetime.now(UTC)
        with ThreadPoolExecutor(users) as pool:
            payloads = [scenario.payloads[number % len(scenario.payloads)] for number in range(requests)]
            sent = [pool.submit(probe, target, scenario, payload, key) for payload in payloads]
            answers = [one.result() for one in sent]

        def at(ns: int) -> datetime:
            return since_at + timedelta(microseconds=(ns - since_ns) // 1000)

        return _told(self.endpoint, answers, users, at, scenario)


@contextmanager
def serve(folder: Path, hosting: Hosting, *flags: str, telemetry: bool = False) -> Iterator[Live]:
    """The endpoint answers until the end of the block."""
    ready_file, log_file = folder / "ready.json", folder / "service.log"
    command = [sys.executable, "-m", "localazure", "--for", "60s", "--stop-with-parent", "--hosting", hosting.value]
    command += ["--ready-file", str(ready_file), "--log-file", str(log_file), *flags]
    command += [] if telemetry else ["--no-telemetry"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("stops after"):
                break
        assert ready_file.exists(), said
        ready = json.loads(ready_file.read_text())
        yield Live(ready, _endpoint(ready, hosting, flags), log_file)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _endpoint(ready: dict[str, Any], hosting: Hosting, flags: tuple[str, ...]) -> Endpoint:
    given = dict(pairwise(flags))
    return Endpoint(
        "local",
        ready["scoring_uri"],
        hosting,
        "none" if ready["key"] is None else "key",
        instances=int(given.get("--instances", "1")),
        max_concurrent=int(given.get("--max-concurrent", "1")),
        request_timeout_ns=int(float(given.get("--request-timeout", "5s").rstrip("s")) * 1e9),
    )


def _told(
    endpoint: Endpoint, answers: list[Answer], users: int, at: Callable[[int], datetime], scenario: Scenario
) -> Told:
    counts = Counter(
        (at(one.attempt.sent_ns).replace(microsecond=0), label_of(one.attempt.status, one.attempt.failure))
        for one in answers
    )
    times = [at(one.attempt.sent_ns) for one in answers] + [at(one.attempt.done_ns) for one in answers]
    account = Account(
        Source.CLIENT,
        tuple(Cell(second, label, count) for (second, label), count in sorted(counts.items())),
        bucket_s=1,
        first_at=min(times),
        last_at=max(times),
        complete_until=max(times),
    )
    side = ClientSide(
        is_fair=True,
        stretches=(Stretch(min(times), max(times) + timedelta(seconds=1), users),),
        first_was_good=answers[0].attempt.good,
        deadline_ms=scenario.deadline_ns / 1e6,
    )
    failed = tuple(_served(one, at) for one in answers if not one.attempt.good)
    return Told(endpoint, min(times), max(times), (account,), failed=failed, client=side, asked=(Source.CLIENT,))


def _served(answer: Answer, at: Callable[[int], datetime]) -> Served:
    attempt, headers = answer.attempt, answer.headers
    code = headers.get("ms-azureml-model-error-statuscode", "")
    failed = headers.get("x-ms-run-function-failed")
    return Served(
        Source.CLIENT,
        at(attempt.sent_ns),
        attempt.status,
        failure=str(attempt.failure),
        duration_ms=(attempt.done_ns - attempt.sent_ns) / 1e6,
        request_id=attempt.request_id,
        server_id=headers.get("x-request-id"),
        model_status=int(code) if code.isdigit() else None,
        reason=headers.get("ms-azureml-model-error-reason"),
        function_failed=None if failed is None else failed == "True",
        body=answer.body[:300].decode("utf-8", "backslashreplace"),
        detail=answer.detail,
    )
