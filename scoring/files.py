"""Edge: the files a person points at. A file, a JSON-lines file or a folder becomes payloads."""

from __future__ import annotations

import json
from pathlib import Path

from scoring.errors import RedlineError
from scoring.scenario import Payload
from scoring.tomlfile import Document

MAX_PAYLOAD_BYTES = 100_000_000
"""What AKS takes at most; a longer file is a mistake."""
_MAX_TOML_BYTES = 1_000_000


def payloads_at(path: Path) -> tuple[Payload, ...]:
    """One payload of a file, one per line of a .jsonl file, one per *.json of a folder in the order of their names.

    NAME.golden.json beside NAME.json is its golden answer, never a payload.
    """
    if path.is_dir():
        files = sorted(file for file in path.glob("*.json") if not file.name.endswith(".golden.json"))
        if not files:
            raise RedlineError(f"the folder {path} holds no *.json payload", f"a folder with *.json files; ls {path}")
        return tuple(_payload_of(file) for file in files)
    if path.suffix == ".jsonl":
        return _payloads_of_lines(path)
    return (_payload_of(path),)


def golden_at(path: Path, payload: Payload) -> Payload:
    """The payload with its golden answer: the file itself, or in a folder the file with the payload's name."""
    if path.is_dir():
        stem = payload.name.removesuffix(".json")
        candidates = [path / f"{stem}.golden.json", path / f"{stem}.json"]
        found = next((file for file in candidates if file.is_file()), None)
        return payload if found is None else _with_golden(payload, found)
    return _with_golden(payload, path)


def file_bytes(path: Path, *, max_bytes: int = MAX_PAYLOAD_BYTES) -> bytes:
    """The whole file; RedlineError when it cannot be read or is longer."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RedlineError(f"{path} cannot be read: {reason}", f"a file that can be read; ls -l {path}") from error
    if len(content) > max_bytes:
        raise RedlineError(f"{path} is longer than {max_bytes:,} bytes", "send fewer rows per request")
    return content


def json_at(path: Path) -> object:
    """The JSON value in the file; RedlineError with the line when it holds none."""
    return _json_of(file_bytes(path), str(path), 1)


def toml_at(path: Path) -> Document:
    """The TOML document in the file; RedlineError when it cannot be read or is none."""
    try:
        text = file_bytes(path, max_bytes=_MAX_TOML_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RedlineError(f"{path}: not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    return Document(str(path), text.replace("\r\n", "\n"))


def _payload_of(path: Path) -> Payload:
    payload = Payload(path.name, file_bytes(path))
    golden = path.with_name(f"{path.stem}.golden.json")
    return _with_golden(payload, golden) if path.suffix == ".json" and golden.is_file() else payload


def _with_golden(payload: Payload, file: Path) -> Payload:
    return Payload(payload.name, payload.body, json_at(file), True)


def _payloads_of_lines(path: Path) -> tuple[Payload, ...]:
    payloads, mistakes = [], []
    for number, line in enumerate(file_bytes(path).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            payloads.append(_payload_of_line(line.strip(), f"{path.name}:{number}", str(path), number))
        except RedlineError as error:
            mistakes.append(error.message)
    if mistakes:
        raise RedlineError("\n".join(mistakes), 'each line is one payload, or {"payload": …, "golden": …}')
    if not payloads:
        raise RedlineError(f"{path} holds no payload", "write one JSON payload per line")
    return tuple(payloads)


def _payload_of_line(line: bytes, name: str, file: str, number: int) -> Payload:
    """The line as it stands, unless it is an object with exactly the keys `payload` and `golden`."""
    value = _json_of(line, file, number)
    if isinstance(value, dict) and value.keys() == {"payload", "golden"}:
        body = json.dumps(value["payload"], ensure_ascii=False, separators=(",", ":")).encode()
        return Payload(name, body, value["golden"], True)
    return Payload(name, line)


def _json_of(content: bytes, file: str, first_line: int) -> object:
    try:
        value: object = json.loads(content.decode())
    except json.JSONDecodeError as error:
        raise RedlineError(f"{file}:{first_line + error.lineno - 1}: no JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        line = first_line + content.count(b"\n", 0, error.start)
        raise RedlineError(f"{file}:{line}: not UTF-8 at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise RedlineError(f"{file}:{first_line}: no JSON that can be read: {error}") from error
    return value
