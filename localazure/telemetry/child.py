"""The endpoint's end of the telemetry process: starts it, tells it what happened, never waits for it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localazure.telemetry.records import KINDS, Record, frame_of
from localazure.telemetry.settings import Settings, to_line

EXTRA = "pip install 'redline[local]'"
NEEDED = ("duckdb", "duckdb_kql", "trustme", "numpy")
MAX_WAITING_BYTES = 64 * 2**20
_PIPE_BYTES = 2**20
_BATCH_S = 0.1
_START_S = 20.0
_END_S = 5.0
_KIND_OF = {kind: letter for letter, kind in KINDS.items()}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Told:
    """Where the telemetry process listens, and the certificate of the authority that vouches for it."""

    ingestion_port: int
    query_port: int
    ca_pem: str


class TelemetryChild:
    """Owns the process and the pipe to it. Records of more than 64 MB that it has not read are dropped and counted."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dropped_count = 0
        self.records: list[tuple[Any, ...]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipe: asyncio.WriteTransport | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "localazure.telemetry"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])},
            start_new_session=True,
        )

    async def begin(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> Told:
        """It listens, and takes records. Raises RuntimeError when it does not start.

        `settings` are the final ones: some were not known when the process was started.
        """
        self.settings = settings
        self._loop = loop
        stdout, stdin = self._process.stdout, self._process.stdin
        assert stdout is not None and stdin is not None  # noqa: PT018, S101
        stdin.write(to_line(settings))
        stdin.flush()
        line = await asyncio.wait_for(loop.run_in_executor(None, stdout.readline), _START_S)
        if not line:
            raise RuntimeError("it ended before it listened")
        _enlarge(stdin.fileno())
        self._pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, stdin)
        self._pipe.set_write_buffer_limits(high=2 * MAX_WAITING_BYTES)
        loop.call_later(_BATCH_S, self._send_often)
        return Told(**json.loads(line))

    def add(self, record: Record) -> None:
        self.records.append((_KIND_OF[type(record)], *record))

    def _send_often(self) -> None:
        self.send()
        if self._loop is not None and self._pipe is not None and not self._pipe.is_closing():
            self._loop.call_later(_BATCH_S, self._send_often)

    def send(self) -> None:
        """What was told so far is on its way, or dropped where the process does not keep up."""
        if not self.records:
            return
        records, self.records = self.records, []
        pipe = self._pipe
        if pipe is None or pipe.is_closing() or pipe.get_write_buffer_size() > MAX_WAITING_BYTES:
            self.dropped_count += len(records)
        else:
            pipe.write(frame_of(records))

    def hang_up(self) -> None:
        """The last records are sent and the pipe is closed, which ends the process. To be called in the event loop."""
        self.send()
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.abort()

    def close(self) -> None:
        """The process has ended, killed where the end of its input does not do. Without the loop, or after it."""
        if self._pipe is None and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def missing(names: Sequence[str] = NEEDED) -> list[str]:
    """Those of the packages that are not installed. None of them is loaded."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def _enlarge(descriptor: int) -> None:
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return
