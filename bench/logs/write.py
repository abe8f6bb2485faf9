"""Synthetic service logs, the same for the same seed: many lines a request, or one access line."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

START_MS = 1_767_225_600_000
_BATCH = 4_000


def write(path: Path, kind: str, size_mb: int, seed: int = 7) -> int:
    """The file has that many megabytes; returned is how many requests stand in it."""
    lines, count, size = (_server if kind == "multi" else _access)(random.Random(seed)), 0, 0
    with path.open("wb") as file:
        while size < size_mb * 1_000_000:
            batch = "".join(next(lines) for _ in range(_BATCH)).encode()
            size += file.write(batch)
            count += _BATCH
    return count


def _server(chance: random.Random) -> Iterator[str]:
    """azureml-inference-server-http: a print, the request line, the access line."""
    number = 0
    for at, shown in _instants(chance):
        number += 1
        pid, status = 784 + chance.randint(0, 3), _status(chance)
        front = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} I [{pid}]"
        yield (
            f"{front} azmlinfsrv.print - scoring request {number} of batch {number % 97}\n"
            f"{front} azmlinfsrv - POST /score {status} {chance.lognormvariate(3, 0.5):.3f}ms {chance.randint(16, 40)}\n"
            f'{front} gunicorn.access - 127.0.0.1 - - [{shown}] "POST /score HTTP/1.1" {status} 22 "-" "python-requests/2.31.0"\n'
        )


def _access(chance: random.Random) -> Iterator[str]:
    """nginx, combined format and the request time."""
    for _, shown in _instants(chance):
        host = f"10.0.{chance.randint(0, 3)}.{chance.randint(1, 254)}"
        request = f'"POST /score HTTP/1.1" {_status(chance)} {chance.randint(16, 40)} "-" "python-requests/2.31.0"'
        yield f"{host} - - [{shown}] {request} {chance.lognormvariate(-3, 0.5):.3f}\n"


def _instants(chance: random.Random) -> Iterator[tuple[datetime, str]]:
    at_ms = START_MS
    while True:
        at_ms += chance.randint(1, 8)
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        yield at, f"{at:%d/%b/%Y:%H:%M:%S} +0000"


def _status(chance: random.Random) -> int:
    return 200 if chance.random() > 0.002 else chance.choice((500, 503))
