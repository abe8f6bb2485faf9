"""A running endpoint for each test that asks for one: a child process, known by its ready file, ended by its pid."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
GOOD_BODY = b'{"data": [[1, 2, 3]]}'


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Endpoint:
    process: subprocess.Popen[str]
    ready_path: Path
    ready: dict[str, Any]
    folder: Path = Path()  # of the entry script, where a test has one
    opened: list[http.client.HTTPConnection] = field(default_factory=list)  # closed after the module

    @property
    def port(self) -> int:
        port = urlsplit(self.ready["scoring_uri"]).port
        assert port is not None
        return port

    @property
    def path(self) -> str:
        return urlsplit(self.ready["scoring_uri"]).path

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.opened.append(connection)
        return connection

    def headers(self, **more: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.ready["key"] is not None:
            headers["Authorization"] = f"Bearer {self.ready['key']}"
        return headers | {name.replace("_", "-"): value for name, value in more.items()}

    def score(self, body: bytes = GOOD_BODY, **headers: str) -> Reply:
        return self.call("POST", self.path, body, self.headers(**headers))

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            return self.read(connection)
        finally:
            connection.close()

    def send(self, body: bytes = GOOD_BODY) -> http.client.HTTPConnection:
        """A connection whose request is on its way; `read` takes the answer."""
        connection = self.connect()
        connection.request("POST", self.path, body, self.headers())
        return connection

    @staticmethod
    def read(connection: http.client.HTTPConnection) -> Reply:
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def raw(self, data: bytes) -> bytes:
        """All bytes the server sends until it closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            received = b""
            while part := connection.recv(65_536):
                received += part
            return received

    def stats(self) -> dict[str, Any]:
        figures = self.call("GET", "/redline/stats").json
        assert isinstance(figures, dict)
        return figures

    def until_in_flight(self, count: int) -> None:
        while self.stats()["in_flight"] != count:
            pass

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and what was said on stderr since the start lines."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


Serve = Callable[..., Endpoint]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve("--hosting", "aks", …)` is a running endpoint; all of them are stopped after the module."""
    running: list[subprocess.Popen[str]] = []
    endpoints: list[Endpoint] = []

    def start(*flags: str, environment: dict[str, str] | None = None) -> Endpoint:
        ready_path = tmp_path_factory.mktemp("endpoint") / "ready.json"
        command = [sys.executable, "-m", "localazure", "--for", "2m", "--stop-with-parent", "--service-spread", "0"]
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready_path), *flags],
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("stops after"):
                endpoints.append(Endpoint(process, ready_path, json.loads(ready_path.read_text())))
                return endpoints[-1]
        raise AssertionError(f"the endpoint did not start: {said}")

    yield start
    for endpoint in endpoints:
        for connection in endpoint.opened:
            connection.close()
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        if process.stderr is not None:
            process.stderr.close()
