"""What a line of gunicorn, of the kernel or of Kubernetes says happened to a worker or a container. Pure."""

from __future__ import annotations

import re

from scoring.served import EventKind

_SPOKEN: tuple[tuple[re.Pattern[str], EventKind], ...] = (
    (re.compile(r"WORKER TIMEOUT \(pid: ?(?P<pid>\d+)\)"), EventKind.WORKER_TIMED_OUT),
    (
        re.compile(r"Worker \(pid: ?(?P<pid>\d+)\) was sent SIGKILL! Perhaps out of memory", re.IGNORECASE),
        EventKind.OUT_OF_MEMORY,
    ),
    (re.compile(r"Worker \(pid: ?(?P<pid>\d+)\) was sent (?:SIG\w+|code) ?(?P<code>\d+)?"), EventKind.WORKER_KILLED),
    (
        re.compile(r"Worker \(pid: ?(?P<pid>\d+)\) (?:was )?terminated (?:due to|by) signal (?P<code>\d+)"),
        EventKind.WORKER_KILLED,
    ),
    (re.compile(r"Worker \(pid: ?(?P<pid>\d+)\) exited with code:? ?(?P<code>-?\d+)"), EventKind.WORKER_EXITED),
    (re.compile(r"Worker exiting \(pid: ?(?P<pid>\d+)\)"), EventKind.WORKER_EXITED),
    (re.compile(r"Booting worker with pid: ?(?P<pid>\d+)"), EventKind.WORKER_BOOTED),
    (re.compile(r"Out of memory|OOM-?[Kk]ill|oom_reaper"), EventKind.OUT_OF_MEMORY),
    (re.compile(r"Starting gunicorn [\d.]+"), EventKind.SERVER_STARTED),
    (re.compile(r"Shutting down: Master"), EventKind.SERVER_STOPPED),
)
_NAMED = {
    "backoff": EventKind.BACK_OFF,
    "killing": EventKind.KILLING,
    "pulled": EventKind.CONTAINER_STARTED,
    "created": EventKind.CONTAINER_STARTED,
    "started": EventKind.CONTAINER_STARTED,
    "livenessprobefailed": EventKind.LIVENESS_FAILED,
    "readinessprobefailed": EventKind.READINESS_FAILED,
    "oomkilled": EventKind.OUT_OF_MEMORY,
    "oomkilling": EventKind.OUT_OF_MEMORY,
}


def told_in(line: str) -> tuple[EventKind, str | None, int | None] | None:
    """Kind, pid and exit code or signal that a line tells; None for a line that tells of no such thing.

    >>> told_in("[2021-02-07 08:21:31 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:15)")
    (<EventKind.WORKER_TIMED_OUT: 'worker_timed_out'>, '15', None)
    """
    for pattern, kind in _SPOKEN:
        match = pattern.search(line)
        if match is not None:
            found = match.groupdict()
            code = found.get("code")
            return kind, found.get("pid"), None if code is None else int(code)
    return None


def named(name: str) -> EventKind:
    """The kind of an event of AmlOnlineEndpointEventLog.

    >>> named("LivenessProbeFailed"), named("Rescheduled")
    (<EventKind.LIVENESS_FAILED: 'liveness_failed'>, <EventKind.OTHER: 'other'>)
    """
    return _NAMED.get(name.lower().replace("_", ""), EventKind.OTHER)
