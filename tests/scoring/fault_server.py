"""A TCP server on 127.0.0.1 that misbehaves on purpose: each connection is handed to a function of the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Play = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(play: Play, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port on which every connection is answered by `play` and then closed; ends when the block does."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()
    served = threading.Thread(target=_serve, args=(listener, play, tls, ended), daemon=True)
    served.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listener.getsockname(), timeout=1).close()
        served.join(10)
        listener.close()


def _serve(listener: socket.socket, play: Play, tls: ssl.SSLContext | None, ended: threading.Event) -> None:
    while True:
        taken, _ = listener.accept()
        with taken, contextlib.suppress(OSError):
            if ended.is_set():
                return
            taken.settimeout(10)
            if tls is None:
                play(taken)
            else:
                with tls.wrap_socket(taken, server_side=True) as secured:
                    play(secured)


def request_of(taken: socket.socket) -> bytes:
    """The whole request: head and body by Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(taken)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(taken)
    return head + b"\r\n\r\n" + body


def _more(taken: socket.socket) -> bytes:
    piece = taken.recv(65_536)
    if not piece:
        raise ConnectionAbortedError("the caller hung up")
    return piece


def answering(raw: bytes) -> Play:
    """Reads the request, sends these bytes, closes."""

    def play(taken: socket.socket) -> None:
        request_of(taken)
        taken.sendall(raw)

    return play


def resetting(raw: bytes = b"") -> Play:
    """Reads the request, sends these bytes, then resets the connection instead of closing it."""

    def play(taken: socket.socket) -> None:
        request_of(taken)
        taken.sendall(raw)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return play


def silent(taken: socket.socket) -> None:
    """Reads whatever comes and says nothing until the caller hangs up."""
    while taken.recv(65_536):
        pass


def dripping(head: bytes, drop: bytes, every_s: float = 0.02) -> Play:
    """Sends the head, then `drop` again and again until the caller hangs up."""

    def play(taken: socket.socket) -> None:
        request_of(taken)
        taken.sendall(head)
        taken.settimeout(every_s)
        while True:
            taken.sendall(drop)
            with contextlib.suppress(TimeoutError):
                if not taken.recv(1):
                    return

    return play


def good(body: bytes = b'{"result": [1]}', headers: bytes = b"") -> bytes:
    """A complete answer."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), headers, body)
