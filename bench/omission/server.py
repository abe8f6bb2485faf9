"""A server of 20 ms that stands still once for 2 s, when it has been asked often enough; a program of its own.

    python bench/omission/server.py READY_FILE

Any number of requests are served at a time. The clock of every request stops while the server stands still. READY_FILE
gets the port, and later when the server stood still, in nanoseconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import monotonic_ns

SERVICE_NS, STALL_NS = 20_000_000, 2_000_000_000
STALL_FROM_REQUEST = 2_400
BODY = b'{"result": [0.1234567, 0.7654321, 0.111111]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Clock:
    """Counts requests, and knows when the server stood still."""

    def __init__(self, ready: Path) -> None:
        self._ready = ready
        self._count = 0
        self.told: dict[str, int] = {}

    def tell(self, **more: int) -> None:
        self.told |= more
        beside = self._ready.with_suffix(".new")
        beside.write_text(json.dumps(self.told))
        beside.replace(self._ready)

    def asked(self, now_ns: int) -> None:
        self._count += 1
        if self._count == STALL_FROM_REQUEST:
            self.tell(from_ns=now_ns, to_ns=now_ns + STALL_NS)

    def done_ns(self, asked_ns: int) -> int:
        """When a request that came then is answered, as far as is known."""
        return finished_ns(asked_ns, self.told.get("from_ns"))


def finished_ns(asked_ns: int, stall_from_ns: int | None) -> int:
    """The end of a service that begins then; it goes on where it was once the server does."""
    plain_ns = asked_ns + SERVICE_NS
    if stall_from_ns is None or plain_ns <= stall_from_ns or asked_ns >= stall_from_ns + STALL_NS:
        return plain_ns
    return plain_ns + stall_from_ns + STALL_NS - max(asked_ns, stall_from_ns)


class Connection(asyncio.Protocol):
    """Answers whole requests in their order."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._pending = clock, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, end, rest = self._pending.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(rest) >= length:
            self._pending = rest[length:]
            now_ns = monotonic_ns()
            self._clock.asked(now_ns)
            self._answer(now_ns)

    def _answer(self, asked_ns: int) -> None:
        left_ns = self._clock.done_ns(asked_ns) - monotonic_ns()
        if left_ns > 0:
            asyncio.get_running_loop().call_later(left_ns / 1e9, self._answer, asked_ns)
        elif not self._transport.is_closing():
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


async def main() -> None:
    clock = Clock(Path(sys.argv[1]))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(clock), "127.0.0.1", 0, backlog=2048)
    clock.tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
