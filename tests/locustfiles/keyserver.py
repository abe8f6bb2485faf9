"""A scoring server on 127.0.0.1 that takes the keys it is told to take, and refuses all others with 401."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

from tests.locustfiles.faultserver import FaultServer, answer

GOOD = answer()
REFUSED = answer(b'{"error": {"code": "key_auth_access_denied"}}', "401 Unauthorized")
TRIES = 1_500
SERVICE_S = 0.01


class KeyServer(FaultServer):
    """Takes SERVICE_S for an answer. `keys` may be changed while it runs; `refused_count` counts its 401s."""

    def __init__(self, *keys: str) -> None:
        self.keys = frozenset(keys)
        self.refused_count = 0
        self._lock = threading.Lock()
        super().__init__(self._judge)

    def until_asked(self, count: int) -> None:
        """Returns once so many requests have come; fails after a bounded number of looks."""
        for _ in range(TRIES):
            if len(self.requests) >= count:
                return
            time.sleep(0.02)
        raise AssertionError(f"{len(self.requests)} requests came, not {count}")

    def carried(self, key: str) -> int:
        """How many requests carried the key."""
        mark = f"authorization: bearer {key}\r\n".encode()
        return sum(mark in request.partition(b"\r\n\r\n")[0].lower() + b"\r\n" for request in list(self.requests))

    def _judge(self, peer: socket.socket, request: bytes) -> bool:
        head = request.partition(b"\r\n\r\n")[0].decode("latin-1")
        key = next((line.split()[-1] for line in head.split("\r\n") if line.startswith("Authorization:")), "")
        time.sleep(SERVICE_S)
        if key in self.keys:
            peer.sendall(GOOD)
            return True
        with self._lock:
            self.refused_count += 1
        peer.sendall(REFUSED)
        return True


def put(file: Path, key: str) -> None:
    """The file holds the key, from one instant to the next."""
    beside = file.with_suffix(".new")
    beside.write_text(key)
    beside.replace(file)
