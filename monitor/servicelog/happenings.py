"""Lines in which gunicorn, the inference server or the kernel tell what became of a process."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scoring.served import EventKind


@dataclass(frozen=True, slots=True)
class Happening:
    """A kind of event, with the process it is about and its exit code or signal where the line tells them."""

    kind: EventKind
    pid: int | None = None
    code: int | None = None
    is_ready: bool = False  # the worker answers: no event where its start was told before


_RULES: tuple[tuple[re.Pattern[bytes], EventKind], ...] = tuple(
    (re.compile(grammar), kind)
    for grammar, kind in (
        (rb"Starting gunicorn \S+", EventKind.SERVER_STARTED),
        (rb"Booting worker with pid: (?P<pid>\d+)", EventKind.WORKER_BOOTED),
        (rb"Worker with pid (?P<ready>\d+) ready for serving traffic", EventKind.WORKER_BOOTED),
        (rb"Worker exiting \(pid: (?P<pid>\d+)\)", EventKind.WORKER_EXITED),
        (rb"Worker \(pid:(?P<pid>\d+)\) exited with code (?P<code>-?\d+)\.?", EventKind.WORKER_EXITED),
        (rb"Worker \(pid:(?P<pid>\d+)\) was sent (?:code )?(?P<signal>SIG[A-Z]+|\d+)\b.*", EventKind.WORKER_KILLED),
        (
            rb"Worker(?: with pid | \(pid:)(?P<pid>\d+)\)? was terminated due to signal (?P<signal>\d+)\.?",
            EventKind.WORKER_KILLED,
        ),
        (rb"WORKER TIMEOUT \(pid: ?(?P<pid>\d+)\)", EventKind.WORKER_TIMED_OUT),
        (rb"(?:Reason: )?Worker failed to boot\.", EventKind.SCRIPT_FAILED_TO_LOAD),
        (rb"Shutting down: Master.*", EventKind.SERVER_STOPPED),
        (rb"Handling signal: \w+", EventKind.OTHER),
        (rb"Fatal Python error: .*", EventKind.OTHER),
        (
            rb"(?:.*\] )?(?:Memory cgroup out of memory|Out of memory): Kill.*?(?: (?P<pid>\d+) .*)?",
            EventKind.OUT_OF_MEMORY,
        ),
        (rb".*(?:oom-kill:|invoked oom-killer|OOMKilled).*", EventKind.OUT_OF_MEMORY),
    )
)
_MAY_BE = re.compile(
    rb"Starting|Booting|Worker|WORKER|Reason: W|Shutting|Handling|Fatal P|.{0,200}(?i:out of memory|oom)"
)
_MOST_BYTES = 2_000


def happening(text: bytes) -> Happening | None:
    """What the line tells; None for all others.

    >>> happening(b"Worker (pid:15) was sent SIGKILL! Perhaps out of memory?")
    Happening(kind=<EventKind.WORKER_KILLED: 'worker_killed'>, pid=15, code=9, is_ready=False)
    """
    if len(text) > _MOST_BYTES or _MAY_BE.match(text) is None:
        return None
    for grammar, kind in _RULES:
        match = grammar.fullmatch(text)
        if match is not None:
            told = match.groupdict()
            pid = told.get("pid") or told.get("ready")
            return Happening(kind, None if pid is None else int(pid), _code(told), told.get("ready") is not None)
    return None


def _code(told: dict[str, bytes | None]) -> int | None:
    code, name = told.get("code"), told.get("signal")
    if code is not None:
        return int(code)
    if name is None:
        return None
    return int(name) if name.isdigit() else _SIGNALS.get(name.decode())


_SIGNALS = {"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8}
_SIGNALS |= {"SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15}
