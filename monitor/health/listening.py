"""Edge: the status page, /metrics and /healthz of a watcher over HTTP, from what was published last."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

from scoring.errors import RedlineError

STALLED_S = 30.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PAGE_TYPE = "text/html; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
SHORTEST_REFRESH_S = 5
_REFRESH = re.compile(r"refresh=(\d{1,5})", re.ASCII)


class Board:
    """What was published last, and when by the loop: a loop that stands still is seen by its age."""

    def __init__(self) -> None:
        self.metrics = self.page = self.sheet = self.document = ""
        self.pulse_s = time.monotonic()

    def publish(self, metrics: str) -> None:
        self.metrics, self.pulse_s = metrics, time.monotonic()

    def show(self, page: str, sheet: str, document: str) -> None:
        """The status page, its style sheet and its JSON twin."""
        self.page, self.sheet, self.document = page, sheet, document

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.pulse_s

    @property
    def is_stalled(self) -> bool:
        return self.age_s >= STALLED_S


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
        path, _, query = self.path.partition("?")
        if path == "/metrics":
            self._answer(200, METRICS_TYPE, self.board.metrics)
        elif path == "/healthz":
            document = {"alive": not self.board.is_stalled, "last_turn_s": round(self.board.age_s, 1)}
            self._answer(503 if self.board.is_stalled else 200, "application/json", json.dumps(document) + "\n")
        elif path == "/":
            self._show(PAGE_TYPE, self.board.page, _refresh_s(query))
        elif path == "/status.json":
            self._show("application/json", self.board.document)
        elif path == "/status.css":
            self._answer(200 if self.board.sheet else 503, "text/css; charset=utf-8", self.board.sheet)
        elif path == "/last":
            self._answer(200 if self.board.page else 503, PAGE_TYPE, self.board.page)
        else:
            self._answer(404, TEXT_TYPE, "/, /status.json, /healthz and /metrics\n")

    do_HEAD = do_GET

    def _show(self, kind: str, text: str, refresh_s: int | None = None) -> None:
        """What was shown last, unless nobody watches any longer: then it would mislead."""
        if self.board.is_stalled:
            said = f"the watcher has stood still for {self.board.age_s:.0f} s; its last page is at /last\n"
            self._answer(503, TEXT_TYPE, said)
        elif not text:
            self._answer(503, TEXT_TYPE, "the page is not written yet\n")
        else:
            self._answer(200, kind, text, refresh_s)

    def _answer(self, status: int, kind: str, text: str, refresh_s: int | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if refresh_s is not None:
            self.send_header("Refresh", str(refresh_s))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: scrapes are no news."""


def _refresh_s(query: str) -> int | None:
    """How often a wall display wants the page again, as its address says; None where it does not."""
    match = _REFRESH.fullmatch(query)
    return None if match is None else max(int(match[1]), SHORTEST_REFRESH_S)


def _split(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise RedlineError(f"--listen {address[:60]} is no address", "--listen 127.0.0.1:9750")
    return host.strip("[]") or "127.0.0.1", int(port)
