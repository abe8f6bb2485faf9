"""Edge: a server that does nothing but answer, so that a generator can be measured: `python -m locustfiles._null`.

Told an answer's body on standard input (base64, one line), it listens on 127.0.0.1, says its port on standard output,
gives every whole request that answer, and ends when its input closes.
"""

from __future__ import annotations

import asyncio
import re
import sys
from base64 import b64decode

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._pending = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := whole(self._pending)) is not None and self._transport is not None:
            self._pending = self._pending[end:]
            self._transport.write(self._answer)


def whole(data: bytes) -> int | None:
    """Where the first request ends; None while it is not whole.

    >>> whole(b"POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\n{}POST")
    40
    """
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    length = _LENGTH.search(data, 0, head)
    end = head + 4 + (int(length[1]) if length else 0)
    return end if len(data) >= end else None


async def serve(body: bytes) -> None:
    """Everything has been answered until the input closed."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(answer), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.readline)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(b64decode(sys.stdin.readline())))
