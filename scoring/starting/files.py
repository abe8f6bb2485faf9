"""Edge: the files that init writes. What is there is never overwritten unless it was asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from scoring.errors import RedlineError
from scoring.starting.settingstext import Draft, merged, settings_text, value_text
from scoring.swagger import Sample

FOLDER = "scenarios"


def check_writable(out: Path, name: str, *, force: bool) -> None:
    """Returns when the endpoint may be written there, so that a refusal comes before anything is asked of Azure."""
    if not out.resolve().parent.is_dir():
        raise RedlineError(f"the folder of {out} does not exist", f"mkdir -p {out.parent}")
    if out.exists():
        merged(_read(out), Draft(name, ()), force=force)


def write_settings(out: Path, draft: Draft, *, force: bool) -> bool:
    """True where the endpoint was added to a file that was there, whose other text stays as it is."""
    if not out.exists():
        _write(out, settings_text(draft))
        return False
    _write(out, merged(_read(out), draft, force=force))
    return True


def scenario_there(out: Path, name: str) -> str | None:
    """The endpoint's scenario relative to redline.toml, when there is one already."""
    relative = f"{FOLDER}/{name}.toml"
    return relative if (out.resolve().parent / relative).exists() else None


def write_scenario(out: Path, name: str, sample: Sample, *, force: bool) -> str:
    """The path, relative to redline.toml, of the scenario of a sample; a payload file that is there stays."""
    payload = out.resolve().parent / FOLDER / f"{name}.json"
    _make(payload.parent)
    if force or not payload.exists():
        _write_bytes(payload, sample.body)
    return write_scenario_of(out, name, str(payload), f"{sample.origin}; put your own beside it")


def write_scenario_of(out: Path, name: str, payload: str, comment: str = "a file, a .jsonl or a folder") -> str:
    """The path, relative to redline.toml, of a scenario that names the payload where it is."""
    file = out.resolve().parent / FOLDER / f"{name}.toml"
    _make(file.parent)
    _write(file, _scenario_text(os.path.relpath(Path(payload).resolve(), file.parent), comment))
    return f"{FOLDER}/{file.name}"


def _scenario_text(path: str, comment: str) -> str:
    return (
        "# What to send, and what a good answer is. Every key is explained in docs/scenario.md.\n\n"
        f"[payload]\npath = {value_text(path)}  # {comment}\n\n"
        "[expect]\nstatus = 200\njson = true\n"
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RedlineError(f"{folder} cannot be made: {error.strerror}", f"ls -ld {folder.parent}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RedlineError(f"{path} cannot be read: {error.strerror}", f"ls -l {path}") from error
    except UnicodeDecodeError as error:
        raise RedlineError(f"{path}: not UTF-8 at byte {error.start}", "save it as UTF-8") from error


def _write(path: Path, text: str) -> None:
    _write_bytes(path, text.encode())


def _write_bytes(path: Path, content: bytes) -> None:
    """The file is there whole, or as it was before."""
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            file.write(content)
        if target.exists():
            shutil.copymode(target, file.name)
        else:
            umask = os.umask(0)
            os.umask(umask)
            Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(target)
    except OSError as error:
        raise RedlineError(f"{path} cannot be written: {error.strerror}", f"ls -ld {target.parent}") from error
