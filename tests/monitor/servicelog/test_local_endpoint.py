"""Logs that the local endpoint writes while requests of every outcome come at once, against what the client saw."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from monitor.servicelogs import tell
from scoring.served import EventKind
from tests.monitor.servicelog.readings import DATA

ROOT = DATA.parents[2]
REQUESTS, USERS = 120, 4


def _score(uri: str) -> str:
    """The status, or that no answer came."""
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, b'{"data": [[1, 2, 3]]}', {"Content-Type": "application/json"})
        return str(connection.getresponse().status)
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return "closed"
    finally:
        connection.close()


def _served(folder: Path, log_format: str) -> Counter[str]:
    """What the client saw of an endpoint that fails and crashes at times, and that has stopped when this returns."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "localazure", "--hosting", "local", "--for", "2m", "--stop-with-parent"]
    command += ["--no-telemetry", "--service-time", "1ms", "--error-ratio", "0.2", "--crash-ratio", "0.1"]
    command += ["--log-file", str(folder / "app.log"), "--log-format", log_format, "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(line.startswith("stops after") for line in process.stderr)
            uri = json.loads(ready.read_text("utf-8"))["scoring_uri"]
            with ThreadPoolExecutor(USERS) as users:
                return Counter(users.map(_score, [uri] * REQUESTS))
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.parametrize("log_format", ["azmlinfsrv", "legacy"])
def test_the_log_of_the_local_endpoint_tells_what_the_client_saw(tmp_path: Path, log_format: str) -> None:
    """Answers by status, an exception for each 500, the end of a worker for each connection that was closed."""
    seen = _served(tmp_path, log_format)
    assert seen.total() == REQUESTS
    assert {"200", "500", "closed"} == set(seen)
    told = tell([str(tmp_path / "app.log")], since_at=None)
    assert told.accounts[0].by_label == {"200": seen["200"], "500": seen["500"]}
    assert sum(one.count for one in told.thrown) == seen["500"]
    assert [one.kind for one in told.events].count(EventKind.WORKER_EXITED) == seen["closed"]
    assert {leak.type for leak in told.leaks} == ({"payload_data"} if log_format == "legacy" else set())
