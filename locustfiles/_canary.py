"""Edge: the canary of a load-carrying process. Another process sends a request in the place of a user, now and then.

It never adds to the load: the user whose turn it is hands that turn over and waits for the answer, so that no more
requests are in flight than the level says. The attempt is recorded like any other, as no evidence. A canary that cannot
send stays silent for the rest of the run: then nothing is known, which is no sign either way.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from time import monotonic_ns
from typing import Any, Protocol

import gevent
import numpy as np
from gevent.event import AsyncResult

from capacity.canary import Compared, Times, Waits, compared, lost_s
from capacity.summary import RECORD_DTYPE, Rows
from locustfiles._gate import Hold
from locustfiles._helper import process
from locustfiles._request import request_bytes
from scoring.attempt import (
    FAILURE_NUMBER,
    FLAG_CANARY,
    FLAG_RENEWED,
    FLAG_TRANSIENT,
    RECORD,
    Failure,
)
from scoring.canary import asked_line, told_first
from scoring.endpoint import Endpoint
from scoring.scenario import Payload, Scenario, judge

EVERY_S = 0.4
LEAST_USERS = 4
LEAST_RPS = 20.0
"""Below these a client is hardly ever the wall, and every request is wanted as evidence."""
USERS_BETWEEN = 25
"""So many answers to users for each to the canary, at least: 4 % of the evidence."""
LATE_S = 1.0
UNAUTHORIZED = 401
_NO_EVIDENCE = FLAG_TRANSIENT | FLAG_CANARY


class Post(Protocol):
    """The station, as the canary sees it."""

    gate: Any
    ids: Iterator[bytes]
    recorder: Any
    scenario: Scenario
    start: bytes


class Canary:
    """`is_due` says that whoever sends next should hand its turn over to `attempt`."""

    def __init__(self, endpoint: Endpoint, scenario: Scenario) -> None:
        self.is_due = False
        self._endpoint, self._scenario = endpoint, scenario
        self._child: Any = None
        self._is_off = False
        self._hold: Hold | None = None
        self._heard: list[Rows] = []
        self._told: list[Compared] = []
        self._since_last = 0
        self._is_asking = False
        self._number = 0  # of the latest question: an answer to an earlier one comes too late
        self._answer: Any = AsyncResult()
        self._driver: gevent.Greenlet | None = None

    def start(self) -> None:
        """Its process is there. Call it before any hold: starting a process takes up to 10 ms of this one."""
        scenario = self._scenario
        try:
            self._child = process("scoring.canary")
            gevent.spawn(self._listen, self._child)
            self._tell(told_first(self._endpoint, scenario.deadline_ns, scenario.expectation.max_bytes))
        except OSError:
            self._is_off = True

    def begin(self, post: Post, hold: Hold) -> None:
        """A hold begins; with enough load the canary takes part in it."""
        self._heard.clear()
        self._since_last = 0
        enough = hold.rate.first_rps >= LEAST_RPS if hold.rate is not None else hold.users_here >= LEAST_USERS
        if enough and not self._is_off:
            self._hold = hold
            self._driver = gevent.spawn(self._drive, post, hold)

    def heard(self, records: bytes) -> None:
        """These attempts have ended."""
        if self._hold is not None:
            rows = np.frombuffer(records, dtype=RECORD_DTYPE)
            self._heard.append(rows)
            self._since_last += len(rows)

    def end(self) -> tuple[int, float | None]:
        """Answers in the hold, and the time that the generator lost per answer where that is beyond chance."""
        hold, self._hold, self.is_due = self._hold, None, False
        if self._driver is not None:
            self._driver.kill(block=False)
        if hold is None or not self._heard:
            return 0, None
        told = _compared(hold.level, np.concatenate(self._heard))
        self._heard.clear()
        if told is None:
            return 0, None
        self._told.append(told)
        return told.answer_count, lost_s(self._told)

    def stop(self) -> None:
        """Its process is gone."""
        self._is_off, self.is_due = True, False
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.stdin.close()
            gevent.spawn(child.wait)
        if not self._answer.ready():
            self._answer.set(None)

    def attempt(self, post: Post, due_ns: int, turn: tuple[int, Payload, bytes]) -> int:
        """One request, sent by the canary now; when the user is free again. Nothing is sent where it cannot."""
        self.is_due = False
        gate, raw_id = post.gate, next(post.ids)
        place, payload, rest = turn
        trial, sent_ns = gate.trial, monotonic_ns()
        said: dict[str, Any] | None = None
        gate.in_flight += 1
        try:
            said = self._exchanged(request_bytes(post.start, raw_id, rest))
        finally:
            status, failure = self._meaning(said, payload)
            said = said or {"sent_ns": sent_ns, "done_ns": monotonic_ns()}
            flags = _NO_EVIDENCE | (FLAG_RENEWED if status == UNAUTHORIZED else 0)
            times = (min(due_ns, said["sent_ns"]), said["sent_ns"], 0, said["done_ns"])
            sizes = (said.get("size", 0), said.get("server_us", 0))
            number = 0 if failure is None else FAILURE_NUMBER[failure]
            post.recorder.add(RECORD.pack(raw_id, *times, status, number, flags, trial, place, *sizes))
            if failure not in (None, Failure.ABORTED) and not flags & FLAG_RENEWED:
                gate.count_bad(status)
            gate.leave()
        pause_ns: int = gate.pause_ns(status, None)
        if pause_ns:
            gevent.sleep(pause_ns / 1e9)
        return int(said["done_ns"]) + pause_ns

    def _meaning(self, said: dict[str, Any] | None, payload: Payload) -> tuple[int, Failure | None]:
        """Status (0: none) and failure of what was said; a body too long to be told is taken for a good one."""
        if said is None or said["status"] is None:
            self._is_off = True
            return 0, Failure.ABORTED
        status = int(said["status"])
        if said["body"] is None and status == self._scenario.expectation.status:
            return status, None
        return status, judge(self._scenario.expectation, payload, status, b64decode(said["body"] or ""))

    def _exchanged(self, request: bytes) -> dict[str, Any] | None:
        """What the process said of the request; None when it is gone or too late."""
        said = self._ask(request, self._scenario.deadline_ns / 1e9 + LATE_S)
        if said is None:
            self.stop()
        return said

    def _drive(self, post: Post, hold: Hold) -> None:
        """While the hold runs, a connection is made ready ahead of each turn."""
        gate = post.gate
        while self._hold is hold and not self._is_off:
            gevent.sleep(EVERY_S)
            settled = gate.closed_by is None and monotonic_ns() >= gate.settled_ns and not gate.is_paused
            if self.is_due or not settled or self._since_last < USERS_BETWEEN or self._is_asking:
                continue
            said = self._ask(None, self._scenario.deadline_ns / 1e9 + LATE_S)
            if said is None or not said.get("ready"):
                self.stop()
                return
            self._since_last = 0
            self.is_due = self._hold is hold

    def _ask(self, request: bytes | None, within_s: float) -> dict[str, Any] | None:
        """What the process answered; None when it is gone or too late."""
        if self._is_off:
            return None
        self._answer, self._is_asking = AsyncResult(), True
        self._number += 1
        try:
            self._tell(asked_line(self._number, request))
            said: dict[str, Any] | None = self._answer.get(timeout=within_s)
            return said
        except (OSError, gevent.Timeout):
            return None
        finally:
            self._is_asking = False

    def _tell(self, line: bytes) -> None:
        self._child.stdin.write(line)
        self._child.stdin.flush()

    def _listen(self, child: Any) -> None:
        for said in child.stdout:
            answer = json.loads(said)
            if answer["number"] == self._number and not self._answer.ready():
                self._answer.set(answer)
        child.stdout.close()
        if not self._answer.ready():
            self._answer.set(None)


def _compared(level: int, rows: Rows) -> Compared | None:
    """The good answers to users and to the canary, side by side."""
    good = rows[rows["failure"] == 0]
    is_canary = (good["flags"] & FLAG_CANARY) != 0
    is_user = (good["flags"] & _NO_EVIDENCE) == 0
    return compared(level, _waits(good[is_user]), _waits(good[is_canary]))


def _waits(good: Rows) -> Waits:
    latency_ns: Times = good["done_ns"] - good["sent_ns"]
    return Waits(latency_ns, good["server_us"].astype(np.int64) * 1000)
