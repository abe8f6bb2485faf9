"""Edge: /healthz and /metrics of a watcher over HTTP, from what its loop published last."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

from scoring.errors import RedlineError

STALLED_S = 30.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Board:
    """What the loop published last, and when: a loop that stands still is seen by its age."""

    def __init__(self) -> None:
        self.metrics = ""
        self.pulse_s = time.monotonic()

    def publish(self, metrics: str) -> None:
        self.metrics, self.pulse_s = metrics, time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.pulse_s


@contextmanager
def listening(address: str | None, board: Board) -> Iterator[str | None]:
    """The address on which the board is served until the block ends; None where none is wanted."""
    if address is None:
        yield None
        return
    host, port = _split(address)
    try:
        server = ThreadingHTTPServer((host, port), type("Bound", (_Handler,), {"board": board}))
    except OSError as error:
        raise RedlineError(f"--listen {address}: {error.strerror}", "--listen 127.0.0.1:9750") from error
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    board: ClassVar[Board]
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, METRICS_TYPE, self.board.metrics)
        elif self.path == "/healthz":
            alive = self.board.age_s < STALLED_S
            document = {"alive": alive, "last_turn_s": round(self.board.age_s, 1)}
            self._answer(200 if alive else 503, "application/json", json.dumps(document) + "\n")
        else:
            self._answer(404, "text/plain; charset=utf-8", "/healthz and /metrics\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: scrapes are no news."""


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise RedlineError(f"--listen {address[:60]} is no address", "--listen 127.0.0.1:9750")
    return host.strip("[]") or "127.0.0.1", int(port)
