"""A stand-in for Azure beside the tests: its endpoints, its identity, and its switches."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scoring.access import AzureAccess
from scoring.endpoint import Endpoint
from scoring.identity.surroundings import CI_VARIABLES, ENVIRONMENT, NETWORK
from scoring.settings import read_settings
from tests.cli.serving import Served, serving

NO_METADATA = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9"}
"""No metadata service answers there: that of the machine under the tests is none of theirs."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """What one served endpoint tells of itself."""

    served: Served

    @property
    def ready(self) -> dict[str, Any]:
        return self.served.ready

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        return read_settings(self.served.config).endpoints

    def environ(self, kind: str, **changed: str) -> dict[str, str]:
        """The variables with which a kind of sign-in finds its way; an empty text takes one away."""
        found = {**NO_METADATA, **self.ready["environments"][kind], **changed}
        return {name: value for name, value in found.items() if value}

    def access(self, **known: Any) -> AzureAccess:
        """Where the stand-in is, and nobody who signs in."""
        where = {name: self.ready[name] for name in ("authority", "arm_url", "mms_url", "ca_file")}
        return AzureAccess(**where | known)

    def settings(self, **values: object) -> None:
        """The stand-in behaves so from now on."""
        self.command("settings", json.dumps(values).encode())

    def command(self, name: str, body: bytes = b"{}") -> Any:
        """A command to the stand-in itself; it has been carried out."""
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        address = urlsplit(self.ready["arm_url"])
        connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=30, context=context)
        with closing(connection):
            connection.request("POST", f"/redline/{name}", body)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        assert answer.status == 200, told
        return told


@contextmanager
def stand_in(folder: Path, *flags: str) -> Iterator[StandIn]:
    """`redline serve FLAGS` without telemetry, until the block ends."""
    with serving(folder, "--no-telemetry", *flags) as served:
        yield StandIn(served)


def azure_variables() -> frozenset[str]:
    """Every variable that a sign-in reads, and those of a pipeline; those of a person's own home left out."""
    names = {name for some in ENVIRONMENT.values() for name in some} | {*NETWORK, *CI_VARIABLES}
    return frozenset(names - {"HOME", "PATH", "LANG"})


def only(environ: Mapping[str, str], monkeypatch: Any) -> None:
    """The process's environment holds these of the variables that a sign-in reads, and no others."""
    for name in azure_variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def command_lines_of(process: subprocess.Popen[str]) -> set[str]:
    """The command lines of a process and of everything that it started, looked at until it has ended."""
    seen: set[str] = set()
    for _ in range(1200):
        if process.poll() is not None:
            break
        seen |= {_command_line(pid) for pid in _family(process.pid)} - {""}
        time.sleep(0.05)
    return seen


def _family(pid: int) -> list[int]:
    """The process and all below it, as /proc tells them now."""
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += [int(child) for child in children.split()]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
