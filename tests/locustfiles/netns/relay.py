"""A relay from an address of a network namespace to a server on its loopback: `relay.py ADDRESS PORT TO_PORT SECONDS`.

The local endpoint binds loopback alone; in a namespace that a test has made, machines of that test may reach it so.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything that comes is passed on, its end too."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def relay(address: str, port: int, to_port: int, seconds: float) -> None:
    """Serves for so many seconds."""

    async def both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        except OSError:
            writer.close()
            return
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    server = await asyncio.start_server(both_ways, address, port)
    async with server:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.serve_forever(), seconds)


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
