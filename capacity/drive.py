"""Starts Locust beside us, passes on what it tells, and ends it when asked to. An edge: processes, signals, files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from capacity.plan import Plan
from capacity.runfolder import read_verdict
from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.grant import Grant
from scoring.redact import redact
from scoring.renewing import grant_as_json
from scoring.text import harmless

LOG = "locust.log"
SOURCES = Path(__file__).resolve().parent.parent
LOCUSTFILE = {"limit": "find_limit.py", "load": "closed_loop.py", "open load": "open_loop.py"}
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH")
"""All of ours that the child's environment holds: a LOCUST_* setting of the shell would change the measurement, and a
secret could be read there. What the credential needs goes through a pipe."""
DRAIN_S = 10.0
"""What is in flight may finish for 3 s after a signal; the rest is for the statistics and the verdict."""
FULL_BYTES = 65_536
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the child ended. `interrupted_by` is the first signal we were sent; `killed` means nothing was drained.

    `verdict` is the document that the child told, which a full disk may have kept out of the run folder.
    """

    returncode: int
    interrupted_by: int | None
    killed: bool = False
    verdict: dict[str, Any] | None = None


def run(
    plan: Plan,
    folder: Path,
    *,
    environ: Mapping[str, str],
    grant: Grant | None,
    on_progress: Callable[[dict[str, Any]], None],
) -> Ended:
    """The load of `plan` has been sent and recorded in `folder`, or as much of it as a signal allowed.

    `grant` is the credential that the run begins with; the child renews it by itself.
    The first SIGINT or SIGTERM lets the child finish what is in flight; a second one kills it at once.
    Raises RedlineError when the child fails by itself before it has a verdict.
    """
    verdict: dict[str, Any] | None = None
    reading, writing = os.pipe()
    taking, handing = os.pipe()
    with (folder / LOG).open("wb") as log, _Interrupts() as interrupts:
        (folder / LOG).chmod(0o600)
        child = subprocess.Popen(
            command("open load" if plan.is_open and plan.command == "load" else plan.command),
            cwd=folder,
            env=child_environment(environ, folder.absolute(), writing, taking, os.getpid()),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(writing, taking),
            start_new_session=True,
        )
        os.close(writing)
        os.close(taking)
        try:
            _hand_over(handing, handover(plan.endpoint, environ, grant))
            for message in _messages(reading, child, interrupts):
                on_progress(message)
                verdict = message.get("document", verdict) if message.get("kind") == "verdict" else verdict
            child.wait()
        finally:
            os.close(reading)
            _end(child)
    _redact_log(folder / LOG, grant.secrets if grant else ())
    if child.returncode and interrupts.first is None and verdict is None and read_verdict(folder) is None:
        raise _crash(child.returncode, folder)
    return Ended(child.returncode, interrupts.first, interrupts.killed, verdict)


def command(kind: str) -> list[str]:
    """The child's arguments: the same for every endpoint, so that nothing about it shows in a process list."""
    locustfile = SOURCES / "locustfiles" / LOCUSTFILE[kind]
    quiet = ["--headless", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"]
    return [sys.executable, "-P", "-m", "locust", "-f", str(locustfile), *quiet]


def handover(endpoint: Endpoint, environ: Mapping[str, str], grant: Grant | None) -> bytes:
    """What the child keeps in memory: the first credential, and the variables that renewing it may need."""
    from scoring.granting import environment_of

    needed = {name: environ[name] for name in environment_of(endpoint) if name in environ}
    return json.dumps({"environ": needed, "grant": grant_as_json(grant)}).encode()


def child_environment(
    environ: Mapping[str, str], folder: Path, progress_fd: int, handover_fd: int, parent: int
) -> dict[str, str]:
    """What the child needs and no more. HOME is the run folder, so that no `.locust.conf` is read."""
    kept = {name: environ[name] for name in PASSED_ON if name in environ}
    return {
        **kept,
        **import_path(),
        "HOME": str(folder),
        "REDLINE_RUN": str(folder),
        "REDLINE_PROGRESS_FD": str(progress_fd),
        "REDLINE_HANDOVER_FD": str(handover_fd),
        "REDLINE_PARENT": str(parent),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def import_path() -> dict[str, str]:
    """PYTHONPATH for a child of redline run from its sources; nothing where it is installed among other packages."""
    return {} if SOURCES.name == "site-packages" else {"PYTHONPATH": str(SOURCES)}


class _Interrupts:
    """Notes SIGINT, SIGTERM and SIGHUP while it is entered, and gives the old handlers back."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.count = 0
        self.killed = False
        self.drained_by_s = float("inf")

    def __enter__(self) -> _Interrupts:
        self._before = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number
        self.count += 1

    def pass_on(self, child: subprocess.Popen[bytes]) -> None:
        """The child has been told once to drain, and is killed on the second signal or when it drains too long."""
        if self.count and self.drained_by_s == float("inf"):
            self.drained_by_s = time.monotonic() + DRAIN_S
            child.terminate()
        if (self.count > 1 or time.monotonic() > self.drained_by_s) and not self.killed:
            self.killed = True
            _kill(child)


def _messages(reading: int, child: subprocess.Popen[bytes], interrupts: _Interrupts) -> Iterator[dict[str, Any]]:
    """Every whole JSON line the child writes, until it is gone. Lines that are no JSON objects are dropped."""
    unfinished = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while True:
            interrupts.pass_on(child)
            if selector.select(0.1):
                received = os.read(reading, 65_536)
                if not received:
                    if child.poll() is not None:
                        return
                    selector.unregister(reading)
                *lines, unfinished = (unfinished + received).split(b"\n")
                yield from (message for line in lines if (message := _message(line)) is not None)
            elif child.poll() is not None:
                return


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """The child and what it started are gone."""
    if child.poll() is None:
        _kill(child)
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _hand_over(handing: int, data: bytes) -> None:
    """The child has the bytes, or is gone."""
    with contextlib.suppress(BrokenPipeError), open(handing, "wb") as pipe:
        pipe.write(data)


def _redact_log(log: Path, secrets: tuple[str, ...]) -> None:
    text = log.read_text(encoding="utf-8", errors="replace")
    safe = redact(text, secrets)
    if safe != text:
        log.write_text(safe, encoding="utf-8")


def _crash(returncode: int, folder: Path) -> RedlineError:
    """The error of a child that ended by itself: its last words, and where the rest is."""
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    told = re.search(r"^error: (.*)\n\nhint: (.*)$", log, re.MULTILINE)
    if told is not None and returncode in tuple(Exit):
        return RedlineError(harmless(told[1]), harmless(told[2]), Exit(returncode))
    if shutil.disk_usage(folder).free < FULL_BYTES:
        return RedlineError(
            f"the disk that holds {folder} is full, and the run stopped", "choose another place: --out DIR", Exit.UNFAIR
        )
    how = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with code {returncode}"
    return RedlineError(
        f"the load generator {how}: {last_words(log)}",
        f"read {folder / LOG}; `redline report limit {folder}` shows what was measured until then",
        Exit.UNFAIR,
    )


def last_words(log: str) -> str:
    """The last line of a log that tells something: no blank, no rule, no indented traceback line."""
    lines = [line for line in log.splitlines() if line.strip(" -|+=~^") and not line.startswith((" ", "\t"))]
    return harmless(lines[-1].strip(), max_chars=300) if lines else "it said nothing"
