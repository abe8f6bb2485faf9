"""redline as a child process, and a scoring server that tells when it has been asked often enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-planted-key-0123456789abcdefghijklmnop"


@dataclass(frozen=True, slots=True)
class Told:
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


def started(folder: Path, arguments: Sequence[str], **environ: str) -> subprocess.Popen[str]:
    """`redline ARGUMENTS`, started in `folder`, with no terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCORING_KEY": KEY, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], within_s: float = 60) -> Told:
    """What the process said until its end. One that has not ended by then is killed, and the error tells."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Told(process.returncode, out, err)


def redline(folder: Path, *arguments: str, **environ: str) -> Told:
    """`redline ARGUMENTS`, run to its end in `folder`."""
    return ended(started(folder, arguments, **environ))


def run_folder(folder: Path) -> Path:
    """The one run folder that a command left below `folder`."""
    (found,) = (folder / "redline-runs").iterdir()
    return found


def files_with(text: str, folder: Path) -> list[str]:
    """Names of the files below `folder` that hold the text."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@dataclass
class Scoring:
    """A scoring server of one answer. `asked` is set once `enough` requests have come."""

    enough: int = 50
    uri: str = ""
    count: int = 0
    keys: set[str] = field(default_factory=set)
    asked: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def note(self, key: str) -> None:
        with self.lock:
            self.count += 1
            self.keys.add(key)
            if self.count >= self.enough:
                self.asked.set()


@contextmanager
def scoring_server(enough: int = 50, status: int = 200, body: bytes = b'{"result": [1]}') -> Iterator[Scoring]:
    """A server on 127.0.0.1 that gives every POST the same answer."""
    told = Scoring(enough)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.note(self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    told.uri = f"http://127.0.0.1:{server.server_address[1]}/score"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
