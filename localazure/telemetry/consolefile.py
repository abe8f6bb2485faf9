"""The log that real inference servers write, read as it grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_PID = re.compile(rb"^\S+ \S+ [A-Z] \[(\d+)\] |\[(\d+)\] \[[A-Z]+\] ")
_MAX_LINE_BYTES = 32_768
_MAX_READ_BYTES = 4_000_000


class ConsoleLine(NamedTuple):
    """One line, when it was read, and the pid of the server whose worker wrote it; None where the line names none."""

    at_ns: int
    server_pid: int | None
    text: str


class ConsoleFile:
    """Owns the place in the file up to which it has been read."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            self._offset = self._path.stat().st_size
        except OSError:
            self._offset = 0
        self._rest = b""
        self._parents: dict[int, int] = {}

    def new_lines(self, at_ns: int) -> list[ConsoleLine]:
        """The whole lines since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_MAX_READ_BYTES)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_LINE_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        return [
            ConsoleLine(at_ns, self._server_of(line), line[:_MAX_LINE_BYTES].decode("utf-8", "replace"))
            for line in lines
            if line.strip()
        ]

    def _server_of(self, line: bytes) -> int | None:
        match = _PID.match(line)
        if match is None:
            return None
        pid = int(match[1] or match[2])
        if pid not in self._parents:
            self._parents[pid] = _parent_of(pid)
        return self._parents[pid]


def _parent_of(pid: int) -> int:
    """The parent's pid where the system tells it; a server's own lines name the server itself, which stays."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        parent = int(stat.rpartition(")")[2].split()[1])
        command = Path(f"/proc/{parent}/cmdline").read_bytes()
    except (OSError, IndexError, ValueError):
        return pid
    return parent if b"--entry_script" in command else pid
