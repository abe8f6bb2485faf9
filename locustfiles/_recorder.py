"""Edge: every attempt of this process as 64 bytes, on disk and to whoever counts; and what failures said of themselves.

`add` appends to a buffer; `drain` hands the buffer to disk and listeners. A kill loses at most what came since the last
drain. When the disk refuses, the run goes on without it and says so once.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from capacity.runfolder import ATTEMPTS, FAILURES
from capacity.summary import RECORD_DTYPE
from locustfiles import _progress
from scoring.attempt import RECORD
from scoring.redact import redact
from scoring.text import harmless

KEPT_PER_LABEL = 2_000
KEPT_HEADERS = (
    "azureml-model-deployment",
    "content-type",
    "date",
    "ms-azureml-model-error-reason",
    "ms-azureml-model-error-statuscode",
    "retry-after",
    "server",
    "x-ms-request-id",
    "x-ms-run-fn-exec-ms",
    "x-ms-run-function-failed",
    "x-ms-server-version",
    "x-request-id",
)
BODY_CHARS = 300


class Appender:
    """A file that only grows. After the first refusal of the disk nothing more is written and `refusal` says why."""

    def __init__(self, file: Path | None, whole_bytes: int = 1) -> None:
        self._file = file
        self._whole_bytes = whole_bytes  # a write that the disk takes in part is cut back to a multiple of this
        self._fd: int | None = None
        self.refusal: str | None = None

    def open(self) -> None:
        """The file is there and stays open: a process that runs out of descriptors later still writes to it."""
        if self._file is None or self.refusal is not None or self._fd is not None:
            return
        try:
            self._fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            self.refusal = f"{self._file.name} cannot be written: {error.strerror or error}"

    def append(self, data: bytes) -> None:
        """The bytes are in the file, unless the disk refuses or there is no file."""
        if self._file is None or not data:
            return
        self.open()
        if self._fd is None or self.refusal is not None:
            return
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            self.refusal = f"{self._file.name} cannot be written: {error.strerror or error}"
            self._cut_back()

    def close(self) -> None:
        """The file is closed; a later append opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _cut_back(self) -> None:
        """Only whole records stand in the file."""
        if self._fd is None:
            return
        try:
            size = os.fstat(self._fd).st_size
            os.ftruncate(self._fd, size - size % self._whole_bytes)
        except OSError:
            return  # a device or a dead disk: readers take whole records only


class Recorder:
    """Records of this process. `add` and `add_failure` never block; `drain` writes."""

    def __init__(self, folder: Path | None, *, suffix: str = "", secrets: tuple[str, ...] = ()) -> None:
        name = Path(ATTEMPTS)
        self._attempts = Appender(folder and folder / f"{name.stem}{suffix}{name.suffix}", RECORD.size)
        self._failures = Appender(folder and folder / FAILURES)
        self._attempts.open()
        self._failures.open()
        self.secrets = secrets
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._kept: Counter[str] = Counter()
        self._told: set[str] = set()
        self.listeners: list[Callable[[bytes], None]] = []
        self.shift_ns = 0  # from this machine's monotonic clock to the one that the run is told by
        self.add = self._buffer.extend  # bytes of one record; a bound method, for the inner loop

    def wants(self, label: str) -> bool:
        """Whether one more failure under that label is kept in detail; the rest is only counted."""
        self._kept[label] += 1
        return self._kept[label] <= KEPT_PER_LABEL

    def add_failure(
        self, *, request_id: str, trial: int, users: int, label: str, detail: str, head: bytes, body: bytes
    ) -> None:
        """One line of failures.jsonl is on its way: foreign bytes made harmless, secrets taken out."""
        headers = {name: self._safe(value) for name, value in _headers(head)}
        line = {
            "request_id": request_id,
            "trial": trial,
            "users": users,
            "label": label,
            "detail": self._safe(detail),
            "headers": headers,
            "body": self._safe(body[: 4 * BODY_CHARS])[:BODY_CHARS],
        }
        self._lines.append(json.dumps(line) + "\n")

    def drain(self) -> None:
        """What has been added is on disk, as far as the disk takes it, and with the listeners."""
        if self._buffer:
            records = bytes(self._buffer)
            self._buffer.clear()
            if self.shift_ns:
                records = shifted(records, self.shift_ns)
            self._attempts.append(records)
            for listener in self.listeners:
                listener(records)
        if self._lines:
            lines = "".join(self._lines).encode()
            self._lines.clear()
            self._failures.append(lines)
        self._tell(self._attempts.refusal)
        self._tell(self._failures.refusal)

    def close(self) -> None:
        """Everything added is written and the files are closed."""
        self.drain()
        self._attempts.close()
        self._failures.close()

    def _safe(self, foreign: bytes | str) -> str:
        return harmless(redact(harmless(foreign), self.secrets))

    def _tell(self, refusal: str | None) -> None:
        if refusal is None or refusal in self._told:
            return
        self._told.add(refusal)
        text = f"{refusal}; the run goes on, its counts are kept in memory"
        _progress.say(f"warning: {text}\n")
        _progress.send("note", text=text)


def shifted(records: bytes, by_ns: int) -> bytes:
    """The records with all their instants moved; a first byte that never came stays 0."""
    rows = np.frombuffer(records, dtype=RECORD_DTYPE).copy()
    for name in ("due_ns", "sent_ns", "done_ns"):
        rows[name] += by_ns
    rows["first_byte_ns"][rows["first_byte_ns"] != 0] += by_ns
    return rows.tobytes()


def _headers(head: bytes) -> list[tuple[str, bytes]]:
    """The headers of an answer that help to find a cause, in the order of KEPT_HEADERS."""
    found = dict(line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    values = ((name, found.get(name.encode())) for name in KEPT_HEADERS)
    return [(name, value.strip()) for name, value in values if value is not None]
