"""A local endpoint as a child process, known by its ready file, and the envelopes that its ingestion takes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cli.terminal import ROOT, Told, redline
from tests.localazure.asking import Asking

GOOD = b'{"data": [[1, 2, 3]]}\n'
TRIES = 400


@dataclass
class Served:
    """An endpoint that takes requests. `folder` holds its files and the payload `good.json`."""

    process: subprocess.Popen[bytes]
    folder: Path
    ready: dict[str, Any]

    @property
    def config(self) -> str:
        return str(self.ready["config"])

    def load(self, *flags: str) -> Told:
        """`redline load` into the run folder `run`."""
        payload = str(self.folder / "good.json")
        more = flags if "--payload" in flags else ("--payload", payload, *flags)
        return redline(
            self.folder, "load", "local", "--config", self.config, "--harm-budget", "100000", "--out", "run", *more
        )

    def faults(self, *faults: dict[str, Any]) -> int:
        """How many queries something is going to befall, the given faults after those that wait."""
        status, told, _ = Asking(self.ready).raw("POST", "/redline/query-faults", list(faults))
        assert status == 200
        return int(told["waiting"])

    def until_asked(self) -> None:
        """Returns once one of the waiting faults has befallen a query, or after a bounded number of tries."""
        waiting = self.faults()
        for _ in range(TRIES):
            if self.faults() < waiting:
                return
            time.sleep(0.05)
        raise AssertionError("no query came")

    def send(self, items: Sequence[dict[str, Any]]) -> int:
        """How many items the ingestion accepted."""
        _, told = Asking(self.ready).send(json.dumps(items).encode())
        return int(told["itemsAccepted"])

    def item(self, kind: str, body: dict[str, Any], *, at: datetime | None = None, **tags: str) -> dict[str, Any]:
        """An envelope as an exporter writes it."""
        return {
            "name": f"Microsoft.ApplicationInsights.{kind}",
            "time": (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z"),
            "iKey": Asking(self.ready).instrumentation_key,
            "tags": {"ai.cloud.role": "churn"} | tags,
            "data": {"baseType": f"{kind}Data", "baseData": body},
        }

    def score(self, body: bytes, **headers: str) -> int:
        """The status of one request, which carries the key."""
        address = urlsplit(self.ready["scoring_uri"])
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        key = {"Authorization": f"Bearer {self.ready['key']}"} if self.ready["key"] else {}
        try:
            connection.request("POST", address.path, body, {"Content-Type": "application/json"} | key | headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Served]:
    """`redline serve FLAGS` until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "good.json").write_bytes(GOOD)
    ready_file = folder / "ready.json"
    command = [sys.executable, "-m", "localazure", "--for", "2m", "--stop-with-parent", "--ready-file", str(ready_file)]
    with (folder / "serve.err").open("wb") as said:
        process = subprocess.Popen([*command, *flags], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            for _ in range(TRIES):
                if ready_file.exists() or process.poll() is not None:
                    break
                time.sleep(0.05)
            assert ready_file.exists(), (folder / "serve.err").read_text()
            yield Served(process, folder, json.loads(ready_file.read_text()))
        finally:
            process.terminate()
            process.wait(timeout=30)
