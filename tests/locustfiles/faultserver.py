"""A raw TCP server on 127.0.0.1 that misbehaves as told: one function per fault, called per request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

GOOD_BODY = b'{"result": [0.5]}'
Behaviour = Callable[[socket.socket, bytes], bool]
"""Answers one request; whether the connection is to be kept for the next one."""


def answer(body: bytes = GOOD_BODY, status: str = "200 OK", *headers: str) -> bytes:
    """A complete answer with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def sends(data: bytes, *, keep: bool = False) -> Behaviour:
    """Sends the bytes; then closes in an orderly way, or keeps the connection."""

    def behave(peer: socket.socket, _request: bytes) -> bool:
        peer.sendall(data)
        return keep

    return behave


def resets_after(data: bytes) -> Behaviour:
    """Sends the bytes, then resets the connection."""

    def behave(peer: socket.socket, _request: bytes) -> bool:
        if data:
            peer.sendall(data)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    return behave


def drips(data: bytes, every_s: float = 0.02) -> Behaviour:
    """Sends one byte at a time."""

    def behave(peer: socket.socket, _request: bytes) -> bool:
        for place in range(len(data)):
            peer.sendall(data[place : place + 1])
            time.sleep(every_s)
        return True

    return behave


def stalls(peer: socket.socket, _request: bytes) -> bool:
    """Says nothing until the client goes."""
    with contextlib.suppress(OSError):
        while peer.recv(65_536):
            pass
    return False


class FaultServer:
    """Counts connections and whole requests; `behaviour` may be changed while it runs."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.requests: list[bytes] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._peers: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}/score"

    def close(self) -> None:
        """Nothing listens, and every connection is gone."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            secured = self._context.wrap_socket(peer, server_side=True) if self._context else peer
            for request in _requests(secured):
                self.requests.append(request)
                if not self.behaviour(secured, request):
                    break
            secured.close()


def _requests(peer: socket.socket) -> Iterator[bytes]:
    """Whole requests as they come, until the client closes."""
    pending = b""
    while True:
        while b"\r\n\r\n" not in pending:
            data = peer.recv(65_536)
            if not data:
                return
            pending += data
        head, _, rest = pending.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(rest) < length:
            data = peer.recv(65_536)
            if not data:
                return
            rest += data
        yield head + b"\r\n\r\n" + rest[:length]
        pending = rest[length:]
