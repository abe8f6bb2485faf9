"""What befalls the calls of the stand-in's APIs on demand, and how often each was called. Instants in seconds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from localazure.http1 import Request
from localazure.telemetry.replies import JSON, Reply

APIS = ("issuer", "managed-identity", "arm", "mms", "vault")
_ALWAYS = 10**9


@dataclass(slots=True)
class Fault:
    """One that waits."""

    api: str
    path: str  # part of the path it befalls, in any letter case; empty: every path
    reply: Reply | None  # None: the true answer, after wait_s
    wait_s: float
    left_count: int
    until_s: float | None  # None: no end but its count


class BadFaultError(ValueError):
    """A fault that cannot be. Its text says why."""


class Faults:
    """Owns the faults that wait, and the counts. A fault ends after so many calls or seconds, whichever is first."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._waiting: list[Fault] = []

    def add(self, body: bytes, now_s: float) -> int:
        """The number of faults that wait now. Raises BadFaultError, and then adds none."""
        try:
            entries = json.loads(body)
            faults = [_fault(dict(entry), now_s) for entry in entries]
        except BadFaultError:
            raise
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise BadFaultError("the body is not a JSON list of objects") from error
        self._waiting += faults
        return len(self._waiting)

    def clear(self) -> None:
        self._waiting.clear()

    def counted(self, api: str, request: Request) -> None:
        self.counts[api][f"{request.method} {request.path}"] += 1

    def next_for(self, api: str, path: str, now_s: float) -> Fault | None:
        """The first fault for this call, which it uses up once."""
        self._waiting = [fault for fault in self._waiting if fault.until_s is None or now_s < fault.until_s]
        for fault in self._waiting:
            if fault.api in (api, "*") and fault.path in path.lower():
                fault.left_count -= 1
                if fault.left_count == 0:
                    self._waiting.remove(fault)
                return fault
        return None


def _fault(given: dict[str, Any], now_s: float) -> Fault:
    api = str(given.get("api", ""))
    if api not in (*APIS, "*"):
        raise BadFaultError(f"api {api!r} is none of {', '.join(APIS)} and *")
    status, hangs = given.get("status"), bool(given.get("hang", False))
    reply = None
    if hangs:
        reply = Reply(200, hangs=True)
    elif status is not None:
        body = given.get("body", {"error": {"code": "PlannedFailure", "message": "a planned failure"}})
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = tuple((str(name), str(value)) for name, value in dict(given.get("headers", {})).items())
        kind = next((value for name, value in headers if name.lower() == "content-type"), JSON)
        reply = Reply(int(status), data, kind, tuple(pair for pair in headers if pair[0].lower() != "content-type"))
    for_s = given.get("for_s")
    count = given.get("count", 1 if for_s is None else _ALWAYS)
    until_s = None if for_s is None else now_s + float(for_s)
    return Fault(api, str(given.get("path", "")).lower(), reply, float(given.get("delay_s", 0)), int(count), until_s)
