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

from localazure.entrances import Entrance
from localazure.identity.start import Identity
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
        self.auth_path = stem.with_name(stem.name + ".auth.json")
        self.federated_path = stem.with_name(stem.name + ".federated")
        self._written: list[Path] = []

    def write(
        self, options: Options, main: Entrance, found: Found | None = None, identity: Identity | None = None
    ) -> None:
        """The ready file appears last and whole. Raises OSError."""
        key = None if main.keys is None else main.keys.of["Primary"]
        if key is not None:
            self._write(self.key_path, key + "\n")
        if options.entry_script is None:
            self._write(self.scenario_path, SCENARIO)
        ready: dict[str, object] = {"scoring_uri": main.scoring_uri, "key": key, "pid": os.getpid()}
        ready["config"] = str(self.config_path)
        ca_pem = identity.certificate.ca_pem if identity is not None else None if found is None else found.ca_pem
        if ca_pem is not None:
            self._write(self.ca_path, ca_pem)
            ready["ca_file"] = str(self.ca_path)
        if found is not None:
            token = secrets.token_urlsafe(32) if identity is None else identity.static_token
            self._write(self.token_path, token + "\n")
            ready |= found.addresses
        tables = [self._main_table(options, main, found, identity)]
        if identity is not None:
            tables += [self._other_table(options, one, found, identity) for one in identity.entrances[1:]]
            tables.append(self._azure_table(identity, options))
            files = {"ca": str(self.ca_path), "federated": str(self.federated_path)}
            ready |= identity.ready_fields() | {"environments": identity.environments(files)}
        self._write(self.config_path, "\n".join(tables))
        if self.ready_path is not None:
            self._write(self.ready_path, json.dumps(ready, indent=2) + "\n")

    def _main_table(self, options: Options, main: Entrance, found: Found | None, identity: Identity | None) -> str:
        """The endpoint `local`. Without telemetry it has no id, by which somebody could ask for its logs."""
        scenario_path = self.scenario_path if options.entry_script is None else None
        text = config_text(options, main, None if main.keys is None else self.key_path, scenario_path)
        if found is None:
            return text
        arm_id = found.addresses["resource_id"] if identity is None else identity.site.arm_id(main)
        text += telemetry_text(found, self.ca_path) + _line("azure_token_file", str(self.token_path))
        return text + _line("arm_id", arm_id)

    def _other_table(self, options: Options, entrance: Entrance, found: Found | None, identity: Identity) -> str:
        """Another way in; its credential is looked up by its id."""
        scenario_path = self.scenario_path if options.entry_script is None else None
        text = config_text(options, entrance, None, scenario_path)
        if found is not None:
            text += telemetry_text(found, self.ca_path)
        return text + _line("arm_id", identity.site.arm_id(entrance))

    def _azure_table(self, identity: Identity, options: Options) -> str:
        """The table [azure], and the files that it and the environments name."""
        self._write(self.auth_path, identity.auth_json() + "\n")
        self._write(self.federated_path, identity.federated_token(options.run_for_ns / 1e9))
        values = {
            "authority": identity.site.authority,
            "tenant_id": identity.tenant.tenant_id,
            "client_id": identity.tenant.client_id,
            "auth_file": str(self.auth_path),
            "arm_url": identity.site.arm_url,
            "mms_url": identity.site.mms_url,
            "ca_file": str(self.ca_path),
        }
        return "[azure]\n" + "".join(_line(name, value) for name, value in values.items())

    def write_key(self, key: str) -> None:
        """The key file holds this key from now on."""
        if self.key_path in self._written:
            self._write(self.key_path, key + "\n")

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


def config_text(options: Options, entrance: Entrance, key_path: Path | None, scenario_path: Path | None = None) -> str:
    """The table of one endpoint in redline.toml; its scenario is one that the built-in model answers."""
    values: dict[str, str | int] = {
        "scoring_uri": entrance.scoring_uri,
        "hosting": options.hosting,
        "auth": entrance.auth,
    }
    if key_path is not None:
        values["key_file"] = str(key_path)
    if scenario_path is not None:
        values["scenario"] = str(scenario_path)
    whole_s, rest_ns = divmod(options.request_timeout_ns, 10**9)
    timeout = f"{options.request_timeout_ns / 10**6:g}ms" if rest_ns else f"{whole_s}s"
    values |= {"instances": options.instances, "max_concurrent": options.max_concurrent, "request_timeout": timeout}
    return f"[endpoints.{entrance.name}]\n" + "".join(_line(name, value) for name, value in values.items())


def telemetry_text(found: Found, ca_path: Path) -> str:
    """The lines of redline.toml that lead to the endpoint's telemetry."""
    names = ("app_insights_id", "workspace_id", "logs_url", "metrics_url")
    return "".join(_line(name, found.addresses[name]) for name in names) + _line("ca_file", str(ca_path))


def _line(name: str, value: str | int) -> str:
    """A key and its value in TOML; the escapes of a basic string are those of JSON."""
    return f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
