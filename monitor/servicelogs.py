"""Reads service logs: files, plain or gzip, and standard input. Times without a zone are taken as UTC."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from monitor.following import Lines, arriving, followed, numbered
from monitor.servicelog.account import problem_of, told_of
from monitor.servicelog.blocks import blocks
from monitor.servicelog.entries import Entries, LogEntry, OncePerRequest, is_wanted
from monitor.servicelog.logfile import LogFile, Reading, prepared
from monitor.servicelog.minutes import Minute, Minutes
from monitor.servicelog.stamps import ms_of
from scoring.account import Problem
from scoring.errors import RedlineError
from scoring.text import harmless
from scoring.told import Told

STANDARD_INPUT = "-"
_CHUNK_BYTES = 1024 * 1024
_LINES_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"

Progress = Callable[[str, int, int], None]


def tell(paths: Sequence[str], *, since_at: datetime | None, on_progress: Progress | None = None) -> Told:
    """What the service logs tell together. RedlineError where one cannot be read.

    `on_progress` hears the file's name, the bytes read of it and its size; 0 where that is not known.
    """
    for path in paths:
        _checked(path)
    reading = Reading(since_ms=None if since_at is None else ms_of(since_at))
    problems: list[Problem] = []
    for path in paths:
        problem = _read(path, reading, on_progress)
        if problem is not None:
            problems.append(problem)
    return told_of(reading, since_at, problems)


def per_minute(paths: Sequence[str], *, since_at: datetime | None) -> tuple[Minute, ...]:
    """The scoring requests of service logs by the minute they began in. RedlineError where one cannot be read."""
    for path in paths:
        _checked(path)
    minutes = Minutes()
    reading = Reading(since_ms=None if since_at is None else ms_of(since_at), minutes=minutes)
    for path in paths:
        _read(path, reading, None)
    return tuple(minutes.found())


def _read(path: str, reading: Reading, on_progress: Progress | None) -> Problem | None:
    name = shown_name(path)
    log = LogFile(name, reading)
    try:
        with opened(path) as file:
            size = 0 if path == STANDARD_INPUT else os.fstat(file.fileno()).st_size
            for block in blocks(_chunks(file, name, size, on_progress)):
                log.feed(prepared(block, only_requests=reading.minutes is not None))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error
    log.close()
    return problem_of(name, log.line_count, log.known_lines)


def entries(
    path: str,
    *,
    status: str | None = None,
    since_at: datetime | None = None,
    pattern: str | None = None,
    follow: bool = False,
    with_payloads: bool = False,
) -> Iterator[LogEntry]:
    """The entries of a service log that are wanted, in order, without secrets; with `follow`, without end.

    Payloads are told by their shape, unless they are asked for.
    With `status`, each request once: the access line of a request that the server told is left out.
    """
    wanted = is_wanted(status, since_at, pattern)
    _checked(path)
    once = OncePerRequest() if status is not None else None
    for entry in _all_entries(path, follow, with_payloads):
        if wanted(entry) and not (once is not None and once.is_second(entry)):
            yield entry


def _all_entries(path: str, follow: bool, with_payloads: bool) -> Iterator[LogEntry]:
    try:
        for lines in followed(path) if follow and path != STANDARD_INPUT else _lines(path):
            found = Entries(with_payloads=with_payloads)
            for line in lines:
                entry = found.flush() if line is None else found.take(*line)
                if entry is not None:
                    yield entry
            last = found.flush()
            if last is not None:
                yield last
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _lines(path: str) -> Iterator[Lines]:
    with opened(path) as file:
        yield numbered(arriving(file) if path == STANDARD_INPUT else iter(partial(file.read, _LINES_BYTES), b""))


def _chunks(file: BinaryIO, name: str, size: int, on_progress: Progress | None) -> Iterator[bytes]:
    done = 0
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
        done += len(chunk)
        if on_progress is not None:
            on_progress(name, done, size)


def opened(path: str) -> BinaryIO:
    """The log's bytes, unpacked where it is packed by gzip."""
    if path == STANDARD_INPUT:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    if _is_packed(path):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return open(path, "rb", buffering=0)


def _is_packed(path: str) -> bool:
    """True for a file that begins as gzip does. A pipe is not looked into: what is read of it is gone."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        return False
    with open(path, "rb") as file:
        return file.read(2) == _GZIP


def _checked(path: str) -> None:
    """Raises RedlineError where the path is no file that can be read: before any work is done on the others."""
    if path == STANDARD_INPUT:
        return
    try:
        if Path(path).is_dir():
            raise IsADirectoryError(21, "is a directory")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> RedlineError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return RedlineError(
        f"service log `{harmless(path, max_chars=300)}` cannot be read: {harmless(reason.lower(), max_chars=200)}",
        "give a file, or - for standard input: redline report errors --service-log service.log",
    )


def shown_name(path: str) -> str:
    """The name that places in the log are told with."""
    return "stdin" if path == STANDARD_INPUT else harmless(Path(path).name, max_chars=200)
