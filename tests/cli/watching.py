"""`redline watch` as a child process, servers that a test switches, and bounded waits for what comes."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.cli.terminal import Told, ended, redline, started

TRIES = 600
PAUSE_S = 0.05


@dataclass
class Switched:
    """A server whose status can be changed. `got` has the body of every POST that was answered 2xx."""

    status: int = 200
    body: bytes = b'{"result": [1]}'
    count: int = 0  # of POSTs
    pings: int = 0  # GETs
    got: list[bytes] = field(default_factory=list)
    goes_on: Event = field(default_factory=Event)
    uri: str = ""

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What a receiver got, digests taken apart."""
        documents = [json.loads(body) for body in self.got]
        return [one for document in documents for one in document.get("notices", [document])]


@contextmanager
def switched(path: str = "/score", status: int = 200) -> Iterator[Switched]:
    """A server on 127.0.0.1; while `goes_on` is clear every answer waits."""
    told = Switched(status)
    told.goes_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.count += 1
            told.goes_on.wait(60)
            status = told.status
            if 200 <= status < 300:
                told.got.append(body)
            with suppress(OSError):  # who waited too long has hung up
                self.send_response(status)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

        def do_GET(self) -> None:
            told.pings += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    Thread(target=server.serve_forever, daemon=True).start()
    told.uri = f"http://127.0.0.1:{server.server_address[1]}{path}"
    try:
        yield told
    finally:
        told.goes_on.set()
        server.shutdown()
        server.server_close()


@dataclass
class Watch:
    """One watcher and its state folder."""

    process: subprocess.Popen[str]
    folder: Path
    address: str | None = None

    def page(self, path: str) -> tuple[int, str]:
        assert self.address is not None
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, line: str) -> int:
        """The value of the metric whose line begins so; 0 where there is none."""
        lines = [one for one in self.page("/metrics")[1].splitlines() if one.startswith(line + " ")]
        return int(lines[0].rpartition(" ")[2]) if lines else 0


@contextmanager
def watching(folder: Path, toml: str, status: str | None = None, **environ: str) -> Iterator[Watch]:
    """`redline watch` on the file, with a page of its own; killed at the end where it still runs."""
    (folder / "redline.toml").write_text(toml)
    words = ["watch", "--state", "state", "--listen", "127.0.0.1:0", "--for", "60s"]
    words += [] if status is None else ["--status", status]
    process = started(folder, words, **environ)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("listening on http://"), said + process.stderr.read()
        yield Watch(process, folder, said.strip().removeprefix("listening on http://"))
    finally:
        process.kill()
        process.communicate()


def stopped(watch: Watch) -> Told:
    """What the watcher said when it was asked to end."""
    watch.process.terminate()
    return ended(watch.process)


def health_of(folder: Path) -> dict[str, Any]:
    """`redline report health --json`."""
    told = redline(folder, "report", "health", "--state", "state", "--json")
    assert told.code == 0, told.err
    return told.json


def until(holds: Callable[[], object], what: str) -> None:
    """Returns once it holds; fails after a bounded number of tries."""
    for _ in range(TRIES):
        if holds():
            return
        time.sleep(PAUSE_S)
    raise AssertionError(f"never came: {what}")
