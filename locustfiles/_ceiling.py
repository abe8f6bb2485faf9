"""Edge: what one core of this generator can send: the same requests, the same answer, from a server that does no more.

The processor time per request is what counts, so it does not matter how fast that server is. TLS is left out: of an
endpoint with TLS the ceiling is lower than said.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from time import monotonic_ns, process_time_ns
from typing import Any

import gevent

from capacity.validity import Health
from locustfiles._helper import process
from locustfiles._request import request_bytes, request_ids, request_rests, request_start
from locustfiles._wire import Connection, Target
from scoring.attempt import RECORD
from scoring.endpoint import Endpoint
from scoring.scenario import Scenario, judge
from scoring.units import S

ASKED_FROM_RPS, ASKED_FROM_CPU = 1_000.0, 0.5
"""A process that sends less and uses less of a core has no need to know its ceiling."""
CALIBRATION_S = 0.4
MOST_USERS = 64
READY_WITHIN_S = 5.0
LEAST_COUNT = 200


class Ceiling:
    """Of this process: measured once, after the first hold that came near enough to it to ask."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._is_asked = False
        self._rps: float | None = None

    def beside(self, health: Health, rps: float, users: int, body: bytes) -> Health:
        """The health of a hold that sent so many requests per second, with what that is of the ceiling."""
        if not self._is_asked and is_wanted(rps, health.cpu_ratio):
            self._is_asked = True
            self._rps = ceiling_rps(self._scenario, users, body)
        return health if self._rps is None else replace(health, ceiling_rps=self._rps, ceiling_ratio=rps / self._rps)


def is_wanted(rps: float, cpu_ratio: float | None) -> bool:
    """The process may be near its end."""
    return rps >= ASKED_FROM_RPS or (cpu_ratio or 0.0) >= ASKED_FROM_CPU


def ceiling_rps(scenario: Scenario, users: int, body: bytes) -> float | None:
    """Requests per second of processor time; None where it could not be measured."""
    child = process("locustfiles._null")
    try:
        with gevent.Timeout(READY_WITHIN_S, False):
            child.stdin.write(b64encode(body) + b"\n")
            child.stdin.flush()
            port = int(child.stdout.readline() or 0)
            return _measured(scenario, min(users, MOST_USERS), port) if port else None
    except (OSError, ValueError):
        return None
    finally:
        child.kill()
        child.stdin.close()
        child.stdout.close()
        gevent.spawn(child.wait)
    return None


def _measured(scenario: Scenario, users: int, port: int) -> float | None:
    sender = _Sender(scenario, port)
    before_ns, end_ns = process_time_ns(), monotonic_ns() + int(CALIBRATION_S * S)
    gevent.joinall([gevent.spawn(sender.send_until, end_ns) for _ in range(max(users, 1))])
    used_ns = process_time_ns() - before_ns
    return sender.count * S / used_ns if sender.count >= LEAST_COUNT and used_ns else None


class _Sender:
    """Does for each request what a user does, and throws the record away."""

    def __init__(self, scenario: Scenario, port: int) -> None:
        endpoint = Endpoint("null", f"http://127.0.0.1:{port}/score")
        self.count = 0
        self._scenario, self._target = scenario, Target(endpoint)
        self._start, self._rest = request_start(endpoint, scenario, None), request_rests(endpoint, scenario)[0]
        self._ids = request_ids()

    def send_until(self, end_ns: int) -> None:
        """Requests one after the other on one connection."""
        scenario, payload = self._scenario, self._scenario.payloads[0]
        wire: Any = Connection(self._target, deadline_ns=5 * S, max_bytes=scenario.expectation.max_bytes)
        buffer = bytearray()
        while (sent_ns := monotonic_ns()) < end_ns:
            raw_id = next(self._ids)
            if wire.exchange(request_bytes(self._start, raw_id, self._rest), sent_ns) is not None:
                break
            judge(scenario.expectation, payload, wire.answer.status, wire.answer.body)
            times = (sent_ns, sent_ns, wire.first_ns, wire.done_ns)
            buffer[:] = RECORD.pack(raw_id, *times, wire.answer.status, 0, 0, 0, 0, 0, 0)
            self.count += 1
        wire.close()
