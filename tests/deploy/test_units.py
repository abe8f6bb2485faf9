"""The hardening of the units: how much it closes, and that redline lives behind it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import ROOT
from tests.cli.watching import switched
from tests.deploy.written import DEPLOY

SERVICES = ("redline-watch.service", "redline-check.service")
MOST_EXPOSED = 1.1  # as docs/deploy.md says; 10 is the worst
NEEDED = ("systemd-analyze", "strace")


def needs(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_is_as_little_exposed_as_the_docs_say(name: str) -> None:
    """By the reckoning of `systemd-analyze security`."""
    needs("systemd-analyze")
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"./{name}"]
    done = subprocess.run(words, cwd=DEPLOY / "systemd", capture_output=True, text=True, timeout=60)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze is too old to look at a file")
    (found,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(found) <= MOST_EXPOSED
    assert f"exposure of {MOST_EXPOSED}" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def calls_of(name: str) -> set[str]:
    """The system calls of a set of systemd's, and of the sets in it."""
    words = ["systemd-analyze", "syscall-filter", "--no-pager", name]
    listed = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    lines = [line.strip() for line in listed.splitlines()[1:]]
    return {
        call
        for line in lines
        if line and not line.startswith("#")
        for call in (calls_of(line) if line.startswith("@") else {line})
    }


def forbidden() -> set[str]:
    """What the filter of the watcher's unit takes away from the calls of an ordinary service."""
    unit = (DEPLOY / "systemd/redline-watch.service").read_text(encoding="utf-8")
    (taken,) = re.findall(r"^SystemCallFilter=~(.*)$", unit, re.MULTILINE)
    assert "SystemCallErrorNumber=EPERM" in unit
    return set().union(*(calls_of(name) for name in taken.split()))


def test_a_watcher_does_its_work_where_the_unit_refuses_system_calls(tmp_path: Path) -> None:
    """Every call that the filter takes away fails with EPERM: the check is made, the notice arrives, the exit is 0."""
    needs(*NEEDED)
    trace = tmp_path / "trace"
    with switched(status=500) as endpoint, switched("/hook") as hook:
        (tmp_path / "redline.toml").write_text(
            f'[endpoints.churn]\nscoring_uri = "{endpoint.uri}"\nchecks = {{ every = "1s" }}\n'
            f'[alerts]\nwebhook = "{hook.uri}"\n'
        )
        watch = [sys.executable, "-m", "cli", "watch", "--state", "state", "--listen", "127.0.0.1:0", "--for", "4s"]
        refused = ",".join(f"?{call}" for call in sorted(forbidden()))
        words = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={refused}"]
        words += ["-e", f"inject={refused}:error=EPERM"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([*words, *watch], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100)
        if "PTRACE" in done.stderr:
            pytest.skip("no process may be traced here")
        assert (done.returncode, [one["kind"] for one in hook.notices]) == (0, ["fire"]), done.stderr
    assert set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)) <= {"mbind", "fchown"}
