"""The service log of a model server, in both generations of its format: pure lines, and the file they go to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localazure.model import MS, ModelAnswer

_SHOWN_BODY_CHARS = 200
_LOOK_BACK_BYTES = 4 * 2**20
_HIDDEN = "authorization"
_Clock = Callable[[float], time.struct_time]


@dataclass(frozen=True, slots=True)
class Served:
    """One request that reached the model, as its server logs it."""

    at_ns: int  # wall clock, since the epoch
    pid: int
    master_pid: int
    method: str
    target: str  # path and query as the model server sees them
    headers: Sequence[tuple[str, str]]
    body: bytes
    answer: ModelAnswer
    spent_ns: int
    timeout_ns: int | None


def azmlinfsrv_lines(served: Served) -> list[str]:
    """Lines of azureml-inference-server-http 0.8 and newer, times in UTC. No line for a status of 404, 405 or 431."""
    answer = served.answer
    stamp = _stamp(served.at_ns, time.gmtime)
    start = f"{stamp} I [{served.pid}]"
    if answer.status is None:
        died = f"{stamp} E [{served.master_pid}] gunicorn.error - Worker (pid:{served.pid}) exited with code 1."
        next_pid = served.pid + 1000
        back = f"{stamp} I [{next_pid}] azmlinfsrv - Worker with pid {next_pid} ready for serving traffic"
        return [died, back]
    lines = []
    if answer.traceback is not None:
        lines.append(f"{stamp} E [{served.pid}] azmlinfsrv - Encountered Exception: {answer.traceback}")
    spent_ms = served.spent_ns / MS
    if answer.status not in (404, 405, 431):
        size = len(answer.body)
        lines.append(f"{start} azmlinfsrv - {served.method} {served.target} {answer.status} {spent_ms:.3f}ms {size}")
    lines.append(f"{start} gunicorn.access - {_access(served, 'HTTP/1.1', time.gmtime)}")
    return lines


def legacy_lines(served: Served) -> list[str]:
    """Lines of the inference server 0.7 and older, times local; the status stands alone and no line has a duration.

    The servers of that time wrote the Authorization header in clear. Here its value is left out.
    """
    answer = served.answer
    start = f"{_stamp(served.at_ns, time.localtime)} | root |"
    if answer.status is None:
        return [f"{start} ERROR | Worker (pid:{served.pid}) exited with code 1."]
    timeout_s = (served.timeout_ns or 3_600 * 10**9) / 10**9
    lines = [f"{start} INFO | Validation Request Content-Type", f"{start} INFO | Received input: {_shown(served.body)}"]
    lines.append(f"{start} INFO | Headers passed in (total {len(served.headers)}):")
    for name, value in served.headers:
        lines.append(f"    {name.title()}: {'(left out)' if name.lower() == _HIDDEN else value}")
    lines.append(f"{start} INFO | Scoring Timer is set to {timeout_s:.1f} seconds")
    if answer.traceback is not None:
        lines.append(f"{start} ERROR | Encountered Exception: {answer.traceback}")
    return [*lines, f"{start} INFO | {answer.status}", _access(served, "HTTP/1.0", time.localtime)]


def _stamp(at_ns: int, clock: _Clock) -> str:
    seconds, rest_ns = divmod(at_ns, 10**9)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', clock(seconds))},{rest_ns // MS:03d}"


def _access(served: Served, version: str, clock: _Clock) -> str:
    instant = time.strftime("%d/%b/%Y:%H:%M:%S %z", clock(served.at_ns // 10**9))
    agent = dict(served.headers).get("user-agent", "-")
    line = f"{served.method} {served.target} {version}"
    return f'127.0.0.1 - - [{instant}] "{line}" {served.answer.status} {len(served.answer.body)} "-" "{agent}"'


def _shown(body: bytes) -> str:
    text = body[: 4 * _SHOWN_BODY_CHARS].decode("utf-8", "replace").replace("\r", "\\r").replace("\n", "\\n")
    return text if len(text) <= _SHOWN_BODY_CHARS else text[:_SHOWN_BODY_CHARS] + "..."


def last_lines(path: Path, count: int) -> str:
    """The last so many lines of a file, as far as they stand in its last 4 MB; empty where there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOOK_BACK_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines(keepends=True)
    except OSError:
        return ""
    return "".join(lines[-count:])


class ServiceLog:
    """Owns the log file. Lines are kept until `flush`, so that a request does not wait for a disk."""

    def __init__(self, path: str, log_format: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines_of = legacy_lines if log_format == "legacy" else azmlinfsrv_lines
        self._pending: list[Served] = []

    def add(self, served: Served) -> None:
        self._pending.append(served)

    def flush(self) -> None:
        """Every request added so far is in the file."""
        if self._pending:
            lines = [line for served in self._pending for line in self._lines_of(served)]
            self._pending.clear()
            data = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
            while data:
                data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        self.flush()
        os.close(self._descriptor)
