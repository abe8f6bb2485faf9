"""Edge: sends single requests for a generator, from a process with nothing else to do: `python -m scoring.canary`.

It is told what to send on its standard input and answers on its standard output, one JSON object a line, and ends when
its input closes. The credential is inside the request, which travels through these pipes alone. Times are monotonic
nanoseconds, which mean the same to every process of a machine.

    → {"endpoint": {…}, "deadline_ns": …, "max_bytes": …}    once
    → {"number": 1}                                          a connection will be needed
    ← {"number": 1, "ready": true}                           or false: none could be had
    → {"number": 2, "request": "…"}                          base64; sent at once on that connection
    ← {"number": 2, "sent_ns": …, "done_ns": …, "status": 200 | null, "server_us": …, "body": "…" | null}
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sys
from base64 import b64decode, b64encode
from time import monotonic_ns
from typing import Any, BinaryIO

from scoring.endpoint import Endpoint, endpoint_as_json, endpoint_from
from scoring.units import S
from scoring.wire import Wire, WireError

IDLE_NS = 5 * S
"""A connection may wait this long for its request, on top of the deadline."""
TOLD_BYTES = 65_536


def told_first(endpoint: Endpoint, deadline_ns: int, max_bytes: int) -> bytes:
    """The line that says where to send."""
    return line({"endpoint": endpoint_as_json(endpoint), "deadline_ns": deadline_ns, "max_bytes": max_bytes})


def asked_line(number: int, request: bytes | None) -> bytes:
    """The line that has a request sent, or without one a connection made. Its answer bears the same number."""
    sent = {} if request is None else {"request": b64encode(request).decode()}
    return line({"number": number, **sent})


def line(document: dict[str, Any]) -> bytes:
    """One object, one line."""
    return json.dumps(document).encode() + b"\n"


def serve(asking: BinaryIO, answering: BinaryIO) -> None:
    """Everything asked has been sent, in order, until no more comes."""
    first = json.loads(asking.readline())
    asked = asking.readline()
    while asked:
        asked = _served(first, json.loads(asked)["number"], asking, answering)


def _served(first: dict[str, Any], number: int, asking: BinaryIO, answering: BinaryIO) -> bytes:
    """The line that asks for the next connection: this one has been made, and what was asked was sent on it."""
    with Wire(endpoint_from(first["endpoint"]), first["deadline_ns"] + IDLE_NS) as wire:
        try:
            connected = wire.open()
        except (WireError, OSError):
            _say(answering, {"number": number, "ready": False})
            return asking.readline()
        _say(answering, {"number": number, "ready": True})
        asked = asking.readline()
        then = json.loads(asked or b"{}")
        if "request" not in then:  # the hold ended before a turn came
            return asked
        connected.settimeout(first["deadline_ns"] / S)
        said = _exchanged(connected, b64decode(then["request"]), first["max_bytes"])
        _say(answering, {"number": then["number"], **said})
    return asking.readline()


def _exchanged(connected: Any, request: bytes, max_bytes: int) -> dict[str, Any]:
    """What came of the request; status null where no whole answer came."""
    said: dict[str, Any] = {"sent_ns": monotonic_ns(), "status": None, "server_us": 0, "body": None}
    try:
        connected.sendall(request)
        with http.client.HTTPResponse(connected) as response:
            response.begin()
            body = response.read(max_bytes)
            said |= {"done_ns": monotonic_ns(), "status": response.status, "server_us": _us(response)}
            said |= {"size": len(body), "body": b64encode(body).decode() if len(body) <= TOLD_BYTES else None}
    except (OSError, http.client.HTTPException, ValueError):
        said["done_ns"] = monotonic_ns()
    return said


def _us(response: http.client.HTTPResponse) -> int:
    told = response.getheader("x-ms-run-fn-exec-ms") or ""
    return min(round(float(told) * 1000), 0xFFFFFFFF) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", told) else 0


def _say(answering: BinaryIO, document: dict[str, Any]) -> None:
    answering.write(line(document))
    answering.flush()


def main() -> None:
    """Serves the pipes it was started with; whatever else a library prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which then closes the pipe
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answering)


if __name__ == "__main__":
    main()
