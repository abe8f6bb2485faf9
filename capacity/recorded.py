"""Edge: everything a run folder holds, in one value, and the renderings written back beside it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capacity.runfolder import FAILURES, Run, read_attempts, read_failures, read_levels, read_run, read_verdict
from capacity.summary import Rows
from scoring.errors import RedlineError


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What was asked, what was sent, and what came of it. `verdict` is None when the run ended before it had one."""

    run: Run
    rows: Rows
    levels: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    verdict: dict[str, Any] | None


def recorded(folder: Path) -> Recorded:
    """What the folder holds, up to the last whole record. Raises RedlineError when it is no run folder."""
    return Recorded(
        run=read_run(folder),
        rows=read_attempts(folder),
        levels=read_levels(folder),
        failures=read_failures(folder),
        verdict=read_verdict(folder),
    )


def append_failure(folder: Path, row: Mapping[str, Any]) -> None:
    """One more line in failures.jsonl. A disk that takes no more is no reason to stop."""
    with contextlib.suppress(OSError), open(folder / FAILURES, "a", encoding="utf-8", opener=_private) as file:
        file.write(json.dumps(row) + "\n")


def write_renderings(folder: Path, texts: Mapping[str, str]) -> None:
    """Each text stands in its file, mode 0600: whole, or as it was before."""
    name = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise RedlineError(
            f"{folder / name} cannot be written: {error.strerror}", "choose another place: --out DIR"
        ) from error


def _replace(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(beside, "w", encoding="utf-8", newline="", opener=_private) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
