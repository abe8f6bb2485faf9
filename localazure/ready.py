"""The files by which other programs find this endpoint: ready file, key file and redline.toml, all of mode 0600.

They appear once requests are accepted and are removed on exit. The ready file and the key file hold the local key.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from localazure.options import Options

SCENARIO = """[payload]
inline = {data = [[1, 2, 3]]}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the telemetry of the endpoint is found: addresses and ids by the names of the ready file."""

    addresses: dict[str, str]
    ca_pem: str


class ReadyFiles:
    """Owns the files it wrote. Without a ready file, key and redline.toml stand in a temporary folder."""

    def __init__(self, ready_file: str | None) -> None:
        self._folder: Path | None = None
        self.ready_path: Path | None = None
        if ready_file is None:
            self._folder = Path(tempfile.mkdtemp(prefix="redline-serve-"))
            stem = self._folder / "endpoint"
        else:
            self.ready_path = Path(ready_file).absolute()
            stem = self.ready_path
        self.key_path = stem.with_name(stem.name + ".key")
        self.config_path = stem.with_name(stem.name + ".redline.toml")
        self.scenario_path = stem.with_name(stem.name + ".scenario.toml")
        self.token_path = stem.with_name(stem.name + ".token")
        self.ca_path = stem.with_name(stem.name + ".ca.pem")
        self._written: list[Path] = []

    def write(self, options: Options, scoring_uri: str, key: str | None, found: Found | None = None) -> None:
        """The ready file appears last and whole. Raises OSError."""
        if key is not None:
            self._write(self.key_path, key + "\n")
        built_in = options.entry_script is None
        if built_in:
            self._write(self.scenario_path, SCENARIO)
        key_path = self.key_path if key is not None else None
        scenario_path = self.scenario_path if built_in else None
        config = config_text(options, scoring_uri, key_path, scenario_path)
        ready = {"scoring_uri": scoring_uri, "key": key, "pid": os.getpid(), "config": str(self.config_path)}
        if found is not None:
            self._write(self.token_path, secrets.token_urlsafe(32) + "\n")
            self._write(self.ca_path, found.ca_pem)
            config += telemetry_text(found, self.token_path, self.ca_path)
            ready |= found.addresses | {"ca_file": str(self.ca_path)}
        self._write(self.config_path, config)
        if self.ready_path is not None:
            self._write(self.ready_path, json.dumps(ready, indent=2) + "\n")

    def remove(self) -> None:
        for path in reversed(self._written):
            path.unlink(missing_ok=True)
        if self._folder is not None and self._folder.exists():
            self._folder.rmdir()

    def _write(self, path: Path, text: str) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._written.append(path)


def config_text(options: Options, scoring_uri: str, key_path: Path | None, scenario_path: Path | None = None) -> str:
    """A redline.toml with one endpoint, `local`; its scenario is one that the built-in model answers."""
    lines = [
        "[endpoints.local]",
        f"scoring_uri = {_text(scoring_uri)}",
        f"hosting = {_text(options.hosting)}",
        f"auth = {_text('none' if key_path is None else 'key')}",
    ]
    if key_path is not None:
        lines.append(f"key_file = {_text(str(key_path))}")
    if scenario_path is not None:
        lines.append(f"scenario = {_text(str(scenario_path))}")
    whole_s, rest_ns = divmod(options.request_timeout_ns, 10**9)
    timeout = f"{options.request_timeout_ns / 10**6:g}ms" if rest_ns else f"{whole_s}s"
    lines += [
        f"instances = {options.instances}",
        f"max_concurrent = {options.max_concurrent}",
        f"request_timeout = {_text(timeout)}",
    ]
    return "\n".join(lines) + "\n"


def telemetry_text(found: Found, token_path: Path, ca_path: Path) -> str:
    """The lines of redline.toml that lead to the endpoint's telemetry."""
    values = {
        "arm_id": found.addresses["resource_id"],
        **{name: found.addresses[name] for name in ("app_insights_id", "workspace_id", "logs_url", "metrics_url")},
        "azure_token_file": str(token_path),
        "ca_file": str(ca_path),
    }
    return "".join(f"{name} = {_text(value)}\n" for name, value in values.items())


def _text(value: str) -> str:
    """A TOML basic string; its escapes are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
