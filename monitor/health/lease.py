"""Edge: one watcher at a time on a state folder. The kernel ends the lease when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from scoring.errors import Exit, RedlineError
from scoring.text import harmless

FILE = "watch.lock"


class Lease:
    """Holds the lock file; `beat` notes in it that the holder lives. `last_beat_s`: that of the holder before."""

    def __init__(self, file: IO[str], last_beat_s: float | None) -> None:
        self._file = file
        self.last_beat_s = last_beat_s

    def beat(self, at_s: float) -> None:
        """Written in place: a reader may see the text of the beat before, never none. A full disk misses a beat."""
        document = {"pid": os.getpid(), "host": socket.gethostname(), "beat_s": at_s}
        with suppress(OSError):
            self._file.seek(0)
            self._file.write(json.dumps(document).ljust(200) + "\n")
            self._file.flush()


@contextmanager
def leased(folder: Path) -> Iterator[Lease]:
    """The lease of a state folder until the block ends. RedlineError where a living watcher has it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise RedlineError(f"the state folder {folder} cannot be used: {error.strerror}", "--state DIR") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        before = _read(file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = harmless(
                f"process {before.get('pid', 'unknown')} on {before.get('host', 'this host')}", max_chars=100
            )
            raise RedlineError(f"{who} watches with {folder} already", "--state DIR of its own", Exit.UNFAIR) from error
        last = before.get("beat_s")
        lease = Lease(file, float(last) if isinstance(last, int | float) else None)
        lease.beat(time.time())
        yield lease


def last_beat_s(folder: Path) -> float | None:
    """The last sign of life of the folder's watcher, seconds since 1970; None where there never was one."""
    try:
        with open(folder / FILE, encoding="utf-8") as file:
            last = _read(file).get("beat_s")
    except OSError:
        return None
    return float(last) if isinstance(last, int | float) else None


def _read(file: IO[str]) -> dict[str, object]:
    try:
        document = json.loads(file.read() or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
