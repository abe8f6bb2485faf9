"""One listener of the identity and control-plane APIs, which answer in the endpoint's own loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from localazure.http1 import BadRequestError, Request
from localazure.identity.faults import Faults
from localazure.protocol import READ_BUFFER_BYTES, Connection
from localazure.telemetry.door import send, unreadable
from localazure.telemetry.replies import Reply

Route = Callable[[Request], Reply]
CONTROL = "/redline/"


class ControlDoor:
    """Owns the connections of one listener. Calls are counted and faults befall them, commands excepted."""

    def __init__(self, api: str, route: Route, faults: Faults, loop: asyncio.AbstractEventLoop) -> None:
        self.connections: set[Connection] = set()
        self.opened_count = 0
        self.read_buffer = bytearray(READ_BUFFER_BYTES)
        self._api = api
        self._route = route
        self._faults = faults
        self._loop = loop

    def handle(self, connection: Connection, request: Request) -> None:
        send(self._reply(request), connection, request, self._loop)

    def _reply(self, request: Request) -> Reply:
        wait_s = 0.0
        if not request.path.startswith(CONTROL):
            self._faults.counted(self._api, request)
            fault = self._faults.next_for(self._api, request.path, time.monotonic())
            if fault is not None and fault.reply is not None:
                reply = fault.reply
                return Reply(reply.status, reply.body, reply.content_type, reply.headers, fault.wait_s, reply.hangs)
            wait_s = 0.0 if fault is None else fault.wait_s
        reply = self._answer(request)
        return Reply(reply.status, reply.body, reply.content_type, reply.headers, wait_s) if wait_s else reply

    def _answer(self, request: Request) -> Reply:
        if request.method in ("POST", "PUT", "PATCH") and not {"content-length", "transfer-encoding"} & set(
            request.headers
        ):
            return Reply(411, b"<html><body><h2>Length Required</h2></body></html>", "text/html")
        return self._route(request)

    def unreadable(self, problem: BadRequestError) -> bytes:
        return unreadable(problem)

    def gone(self, connection: Connection) -> None:
        """The caller has left; its answer will find no connection."""
