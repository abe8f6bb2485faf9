"""The HTTP side of the telemetry process: each request is answered in a thread, so that none waits for another."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from http import HTTPStatus

from localazure.http1 import BadRequestError, Request
from localazure.protocol import READ_BUFFER_BYTES, Connection
from localazure.telemetry.replies import Reply, json_reply

Route = Callable[[Request], Reply]
_THREADS = 16


class Door:
    """Owns the connections of one listener. `route` is called in a thread, once at a time for each connection."""

    def __init__(self, route: Route, loop: asyncio.AbstractEventLoop) -> None:
        self.connections: set[Connection] = set()
        self.opened_count = 0
        self.read_buffer = bytearray(READ_BUFFER_BYTES)
        self._route = route
        self._loop = loop
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="answer")

    def handle(self, connection: Connection, request: Request) -> None:
        future = self._loop.run_in_executor(self._threads, self._route, request)
        future.add_done_callback(lambda done: self._send(connection, request, done))

    def unreadable(self, problem: BadRequestError) -> bytes:
        return unreadable(problem)

    def gone(self, connection: Connection) -> None:
        """The caller has left; its answer will find no connection."""

    def _send(self, connection: Connection, request: Request, done: asyncio.Future[Reply]) -> None:
        error = done.exception()
        if error is not None:
            traceback.print_exception(error)
            reply = json_reply({"error": {"code": "InternalServerError", "message": "the local service failed"}}, 500)
        else:
            reply = done.result()
        send(reply, connection, request, self._loop)


def send(reply: Reply, connection: Connection, request: Request, loop: asyncio.AbstractEventLoop) -> None:
    """The reply is on its way, now or after its wait; one that hangs never is."""
    if reply.hangs:
        return
    close = not request.keep_alive
    data = bytes_of(reply, close=close, is_head=request.method == "HEAD")
    if reply.wait_s:
        loop.call_later(reply.wait_s, lambda: connection.answer(data, close=close))
    else:
        connection.answer(data, close=close)


def unreadable(problem: BadRequestError) -> bytes:
    """The answer to what is no request."""
    reply = json_reply({"error": {"code": "BadRequest", "message": problem.message}}, problem.status)
    return bytes_of(reply, close=True)


def bytes_of(reply: Reply, *, close: bool, is_head: bool = False) -> bytes:
    """The reply as HTTP/1.1. A 204 has no body and no length."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
    body = b"" if reply.status in (204, 304) else reply.body
    if reply.status not in (204, 304):
        lines += [f"Content-Type: {reply.content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}".replace("\r", "").replace("\n", "") for name, value in reply.headers]
    lines.append(f"Connection: {'close' if close else 'keep-alive'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (b"" if is_head else body)
