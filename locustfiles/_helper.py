"""Edge: the renewal process beside a load-carrying process: started when it is first needed, and again after a hang."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent import subprocess

from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.grant import Grant
from scoring.renewing import answered, asked, told_first

SOURCES = Path(__file__).resolve().parent.parent
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "PYTHONPATH")
"""All that stands in the helper's environment; what signing in needs beyond that goes through its pipe."""
Answer = Grant | RedlineError | None


def process(module: str) -> Any:
    """The module runs in a process of its own, with pipes for input and output, and little in its environment."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": str(SOURCES)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


class Helper:
    """Answers `ask` by calling `on_answer(number, answer)`, or `on_end()` when its process has ended by itself."""

    def __init__(
        self,
        endpoint: Endpoint,
        environ: Mapping[str, str],
        on_answer: Callable[[int, Answer], None],
        on_end: Callable[[], None],
    ) -> None:
        self._first = told_first(endpoint, environ)
        self._on_answer = on_answer
        self._on_end = on_end
        self._child: Any = None

    @property
    def pid(self) -> int | None:
        """The process that runs; None while there is none."""
        return None if self._child is None else int(self._child.pid)

    def start(self) -> None:
        """The process is there, or on its way."""
        if self._child is not None:
            return
        self._child = process("scoring.renewing")
        gevent.spawn(self._listen, self._child)
        self._tell(self._first)

    def ask(self, number: int) -> None:
        """A credential is wanted."""
        self.start()
        self._tell(asked(number))

    def kill(self) -> None:
        """The process is gone; the next `ask` starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.stdin.close()
            gevent.spawn(child.wait)

    def _tell(self, line: bytes) -> None:
        try:
            self._child.stdin.write(line)
            self._child.stdin.flush()
        except OSError:
            return  # it has ended: whoever listens to it says so

    def _listen(self, child: Any) -> None:
        for line in child.stdout:
            found = answered(line)
            if found is not None and child is self._child:
                self._on_answer(*found)
        child.stdout.close()
        child.wait()
        if child is self._child:
            self._child = None
            child.stdin.close()
            self._on_end()
