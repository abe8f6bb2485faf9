"""Edge: the run folder, everything one command measured.

What a killed writer leaves behind is readable up to the last whole record and the last whole line.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.plan import Plan, configuration_hash, plan_as_json, plan_from
from scoring.attempt import RECORD, RECORD_FIELDS
from scoring.errors import RedlineError

RUN = "run.json"
ATTEMPTS = "attempts.bin"
ATTEMPTS_OF_WORKERS = "attempts-*.bin"
FAILURES = "failures.jsonl"
LEVELS = "levels.jsonl"
VERDICT = "verdict.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant told by both clocks: what turns the monotonic times of the attempts into wall time."""

    started_at: datetime  # aware, UTC
    monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Run:
    """What run.json says."""

    folder: Path
    plan: Plan
    versions: dict[str, str]
    configuration_hash: str
    anchor: Anchor


def create(parent: Path, plan: Plan, *, versions: Mapping[str, str], anchor: Anchor) -> Path:
    """A folder of its own below `parent`, mode 0700, with run.json in it; its name sorts by the time of the start."""
    stamp = anchor.started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{stamp}-{plan.command}-{_file_name(plan.endpoint.name)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = _made(parent, name)
        _replace(folder / RUN, _run_document(plan, versions, anchor))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RedlineError(f"no run folder can be made in {parent}: {reason}", "choose a place: --out DIR") from error
    return folder


def read_run(folder: Path) -> Run:
    """What was asked. Raises RedlineError when `folder` is no run folder, with the nearest ones beside it."""
    document = _json(_existing(folder) / RUN)
    try:
        at = datetime.fromisoformat(document["anchor"]["started_at"])
        return Run(
            folder=folder,
            plan=plan_from(document["plan"]),
            versions=dict(document.get("versions") or {}),
            configuration_hash=str(document.get("configuration_hash", "")),
            anchor=Anchor(at if at.tzinfo else at.replace(tzinfo=UTC), int(document["anchor"]["monotonic_ns"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RedlineError(f"{folder / RUN} is not a run.json of redline: {error!r}", f"ls {folder}") from error


def read_attempts(folder: Path) -> NDArray[np.void]:
    """Every whole record of the run, all processes together, in the order of sending. A torn tail is left out."""
    files = [_existing(folder) / ATTEMPTS, *sorted(folder.glob(ATTEMPTS_OF_WORKERS))]
    parts = [_records(file) for file in files if file.is_file()]
    rows = np.concatenate(parts) if parts else np.zeros(0, dtype=list(RECORD_FIELDS))
    sent_ns = rows["sent_ns"]
    is_sorted = bool(np.all(sent_ns[1:] >= sent_ns[:-1]))  # one process writes in this order, nearly
    return rows if is_sorted else rows[np.argsort(sent_ns, kind="stable")]


def append_level(folder: Path, level: Mapping[str, Any]) -> None:
    """One more line in levels.jsonl, whole or not at all as far as one write can be."""
    line = json.dumps(level, allow_nan=False).encode() + b"\n"
    fd = os.open(folder / LEVELS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


def read_levels(folder: Path) -> list[dict[str, Any]]:
    """The lines of levels.jsonl in order; a last line cut by a kill is left out."""
    return _json_lines(_existing(folder) / LEVELS)


def read_failures(folder: Path) -> list[dict[str, Any]]:
    """The lines of failures.jsonl in order; a last line cut by a kill is left out."""
    return _json_lines(_existing(folder) / FAILURES)


def write_verdict(folder: Path, verdict: Mapping[str, Any]) -> None:
    """verdict.json is the given document, or what it was before: never half of it."""
    try:
        _replace(folder / VERDICT, verdict)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RedlineError(f"{folder / VERDICT} cannot be written: {reason}", f"df -h {folder}") from error


def read_verdict(folder: Path) -> dict[str, Any] | None:
    """The document of verdict.json; None when the run was ended before it had one."""
    file = _existing(folder) / VERDICT
    return _json(file) if file.is_file() else None


def _run_document(plan: Plan, versions: Mapping[str, str], anchor: Anchor) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": plan.command,
        "plan": plan_as_json(plan),
        "versions": dict(versions),
        "seed": plan.seed,
        "configuration_hash": configuration_hash(plan),
        "anchor": {
            "started_at": anchor.started_at.astimezone(UTC).isoformat(),
            "monotonic_ns": anchor.monotonic_ns,
        },
    }


def _file_name(name: str) -> str:
    """Letters, digits, dots and dashes, at most 60 of them."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:60] or "endpoint"


def _made(parent: Path, name: str) -> Path:
    """The first of NAME, NAME-2, NAME-3 … that did not exist, made."""
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise RedlineError(f"{parent} holds 999 runs called {name}", "choose another place: --out DIR")


def _replace(file: Path, document: Mapping[str, Any]) -> None:
    """The file holds the document: written beside it, synced and renamed into place."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, allow_nan=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _existing(folder: Path) -> Path:
    """The folder itself, when it is a run folder."""
    if (folder / RUN).is_file():
        return folder
    if folder.is_dir():
        raise RedlineError(f"{folder} is not a run folder: it holds no {RUN}", _nearest(folder, folder.name))
    raise RedlineError(f"there is no run folder {folder}", _nearest(folder.parent, folder.name))


def _nearest(place: Path, name: str) -> str:
    """A hint that names up to three run folders in `place`, the most alike first."""
    found = sorted(file.parent.name for file in place.glob(f"*/{RUN}")) if place.is_dir() else []
    near = difflib.get_close_matches(name, found, n=3, cutoff=0.5) or found[-3:]
    if not near:
        return "`redline limit` and `redline load` name the run folder when they end"
    return "runs there: " + ", ".join(str(place / one) for one in near)


def _records(file: Path) -> NDArray[np.void]:
    whole = file.stat().st_size // RECORD.size
    return np.fromfile(file, dtype=list(RECORD_FIELDS), count=whole)


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RedlineError(f"{file} cannot be read as JSON: {error}", f"ls -l {file}") from error
    if not isinstance(document, dict):
        raise RedlineError(f"{file} holds no JSON object", f"ls -l {file}")
    return document


def _json_lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    *lines, _cut = file.read_bytes().split(b"\n")
    return [document for line in lines if (document := _object(line)) is not None]


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line; None for a torn one."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
