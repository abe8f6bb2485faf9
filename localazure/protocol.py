"""The server side of one HTTP/1.1 connection: requests go to the service one at a time, answers back in their order."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from localazure.http1 import BadRequestError, Request, RequestReader

READ_BUFFER_BYTES = 262_144
_PIPELINED_BYTES = 1_000_000  # beyond this a connection whose answer is pending is not read
_LINGER_S = 1.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(Protocol):
    """What a connection needs of the service behind it."""

    connections: set[Connection]
    opened_count: int  # connections since the start
    read_buffer: bytearray  # one for all connections: its content is taken before the next read

    def handle(self, connection: Connection, request: Request) -> None: ...

    def unreadable(self, problem: BadRequestError) -> bytes: ...

    def gone(self, connection: Connection) -> None: ...


class Connection(asyncio.BufferedProtocol):
    """Owns one socket. `handle` must lead to exactly one `answer` or `hang_up` for each request, at once or later."""

    def __init__(self, handler: Handler, entrance: object | None = None) -> None:
        self.entrance = entrance  # the handler's own note about the address that was called
        self._handler = handler
        self._view = memoryview(handler.read_buffer)
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._is_pending = False  # a request is with the handler
        self._is_taking = False
        self._is_closing = False
        self.exchange: object | None = None  # the handler's own note about the pending request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._handler.connections.add(self)
        self._handler.opened_count += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._is_closing = True
        self._handler.connections.discard(self)
        if self._is_pending:
            self._is_pending = False
            self._handler.gone(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._view  # TLS fills the rest of a slice of it, which must be no copy

    def buffer_updated(self, nbytes: int) -> None:
        if self._is_closing:
            return
        self._reader.feed(self._view[:nbytes])
        if not self._is_pending:
            self._take_requests()
        elif self._reader.buffered_bytes > _PIPELINED_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def answer(self, data: bytes, *, close: bool) -> None:
        """Send the answer to the pending request; then close, or take the next request."""
        self._is_pending = False
        transport = self._transport
        if transport is None:
            return
        transport.write(data)
        if close:
            self._is_closing = True
            transport.close()
        elif not self._is_taking and self._reader.buffered_bytes:
            transport.resume_reading()
            self._take_requests()

    def hang_up(self) -> None:
        """Close without an answer, or without a further one."""
        self._is_pending = False
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()

    def _take_requests(self) -> None:
        self._is_taking = True
        try:
            while not self._is_pending and not self._is_closing:
                request = self._reader.next_request()
                if request is None:
                    if self._reader.take_wants_continue() and self._transport is not None:
                        self._transport.write(_CONTINUE)
                    return
                self._is_pending = True
                self._handler.handle(self, request)
        except BadRequestError as problem:
            self._refuse(self._handler.unreadable(problem))
        finally:
            self._is_taking = False

    def _refuse(self, data: bytes) -> None:
        """Answer, then read on for a moment: closing over unread bytes would reset the answer away."""
        self._is_closing = True
        transport = self._transport
        if transport is None:
            return
        transport.write(data)
        if transport.can_write_eof():
            transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, transport.close)
