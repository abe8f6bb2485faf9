"""A scoring endpoint on one port of this machine whose behaviour a test switches while it is watched."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

from tests.scoring.fault_server import Play, good, request_of

KEY = "kEy-0123456789abcdefghijkl"
FILLERS = 4
LATE_S = 0.45


def empty(status: str, headers: str = "") -> bytes:
    """An answer without a body."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n".encode()


WELL = {"key": good(), "none": empty("401 N"), "wrong": empty("401 N"), "get": empty("405 N")}
"""What each kind of caller is answered while all is well."""


def kind_of(request: bytes, key: str) -> str:
    """Who asks: with the key, a wrong one or none, or by GET."""
    head = request.partition(b"\r\n\r\n")[0]
    if head.startswith(b"GET "):
        return "get"
    if f"Authorization: Bearer {key}".encode() in head:
        return "key"
    return "wrong" if b"Authorization:" in head else "none"


class Faulty:
    """Plays `play` to every connection, over TLS where there is a context. `seen` has every request that it read."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.play: Play = self.by_caller
        self.replies = dict(WELL)
        self.key = KEY
        self.tls = self._well_tls = tls
        self.seen: list[bytes] = []
        self._held: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.port = int(self._listener.getsockname()[1])
        self._accept()

    def by_caller(self, taken: socket.socket) -> None:
        """Answers each kind of caller as `replies` says."""
        taken.sendall(self.replies[kind_of(self.read(taken), self.key)])

    def read(self, taken: socket.socket) -> bytes:
        request = request_of(taken)
        self.seen.append(request)
        return request

    def late(self, taken: socket.socket) -> None:
        """The same, and LATE_S later to whoever has the key."""
        caller = kind_of(self.read(taken), self.key)
        if caller == "key":
            taken.settimeout(LATE_S)
            with contextlib.suppress(TimeoutError):
                taken.recv(1)
        taken.sendall(self.replies[caller])

    def gone(self) -> None:
        """Nobody listens on the port."""
        self._stop()
        self._listener.close()

    def deaf(self) -> None:
        """The port is there, but takes no connection: its queue is full, and the kernel drops what comes."""
        self.gone()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        for _ in range(FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._held.append(filler)

    def back(self) -> None:
        """All is well again."""
        self.play, self.replies, self.tls = self.by_caller, dict(WELL), self._well_tls
        if self._listener.fileno() >= 0 and not self._held:
            return
        for filler in self._held:
            filler.close()
        self._held.clear()
        self._listener.close()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept()

    def close(self) -> None:
        if not self._held and self._listener.fileno() >= 0:
            self._stop()
        self._listener.close()
        for filler in self._held:
            filler.close()

    def _accept(self) -> None:
        self._ended = threading.Event()
        self._serving = threading.Thread(target=self._serve, args=(self._listener, self._ended), daemon=True)
        self._serving.start()

    def _stop(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._serving.join(10)

    def _serve(self, listener: socket.socket, ended: threading.Event) -> None:
        while True:
            taken, _ = listener.accept()
            with taken, contextlib.suppress(OSError):
                if ended.is_set():
                    return
                taken.settimeout(10)
                if self.tls is None:
                    self.play(taken)
                else:
                    with self.tls.wrap_socket(taken, server_side=True) as secured:
                        self.play(secured)


@contextlib.contextmanager
def faulty(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Faulty]:
    """Such an endpoint until the block ends."""
    server = Faulty(tls, host)
    try:
        yield server
    finally:
        server.close()
