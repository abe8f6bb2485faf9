"""A name server on 127.0.0.1:53, for a network namespace of its own; a test says what it answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

A, AAAA = 1, 28
NO_ERROR, SERVER_FAILURE, NO_NAME = 0x8180, 0x8182, 0x8183


@dataclass
class Names:
    """`flags` of every answer; None: it answers nothing. Every name is `v4`, and `v6` where there is one."""

    flags: int | None = NO_ERROR
    v4: str = "127.0.0.1"
    v6: str | None = None

    def answer(self, query: bytes) -> bytes | None:
        """The answer to one question (RFC 1035, 4.1)."""
        if self.flags is None:
            return None
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack("!H", query[end - 4 : end - 2])[0]
        records = b""
        if self.flags == NO_ERROR and kind == A:
            records = socket.inet_pton(socket.AF_INET, self.v4)
        elif self.flags == NO_ERROR and kind == AAAA and self.v6 is not None:
            records = socket.inet_pton(socket.AF_INET6, self.v6)
        head = query[:2] + struct.pack("!5H", self.flags, 1, bool(records), 0, 0)
        tail = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(records)) + records if records else b""
        return head + query[12:end] + tail


@contextmanager
def naming() -> Iterator[Names]:
    """The server until the block ends."""
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 53))
        Thread(target=_serve, args=(listening, names), daemon=True).start()
        yield names


def _serve(listening: socket.socket, names: Names) -> None:
    while True:
        try:
            query, caller = listening.recvfrom(4096)
            answer = names.answer(query)
            if answer is not None:
                listening.sendto(answer, caller)
        except OSError:
            return
