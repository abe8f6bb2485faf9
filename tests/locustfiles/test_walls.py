"""Walls of the client's own, over real sockets: files, local ports, names. Each is told by its own name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.locustfiles.faultserver import FaultServer, answer

ROOT = Path(__file__).parents[2]
OWN_NETWORK = ("unshare", "--map-root-user", "--net", "--")
OWN_USERS = ("unshare", "--map-root-user", "--")
MEANING = {
    "files": ("out_of_files", "ulimit -n"),
    "ports": ("out_of_ports", "ip_local_port_range"),
    "name": ("dns_", "redline doctor"),
}


def may_have_own_network() -> bool:
    """Whether this machine lets a program have a network of its own."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    done = subprocess.run([*OWN_NETWORK, "ip", "link", "set", "lo", "up"], capture_output=True, timeout=10)
    return done.returncode == 0


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What three loads at the same time showed, by wall; none where this machine allows no namespaces."""
    rest = threading.Event()

    def behave(peer: Any, _request: bytes) -> bool:
        rest.wait(0.05)
        peer.sendall(answer())
        return True

    server = FaultServer(behave)
    walls = tuple(MEANING) if may_have_own_network() else ()
    running = {wall: started(wall, tmp_path_factory.mktemp(wall), server.uri) for wall in walls}
    told = {wall: child.communicate(timeout=120)[0] for wall, child in running.items()}
    yield {wall: json.loads(text) for wall, text in told.items()}
    server.close()


def started(wall: str, folder: Path, uri: str) -> subprocess.Popen[str]:
    """A load that will run into the wall."""
    space = OWN_USERS if wall == "files" else OWN_NETWORK
    command = [*space, sys.executable, "-m", "tests.locustfiles.walled", str(folder), wall, uri]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("wall", MEANING)
def test_a_wall_of_the_client_is_told_by_its_name(wall: str, reports: dict[str, dict[str, Any]]) -> None:
    """The report says that the load was no fair one, what ran out, and what to do about it."""
    if wall not in reports:
        pytest.skip("a program may not have a network of its own here")
    client = reports[wall]["client"]
    assert not client["valid"]
    label, step = MEANING[wall]
    assert any(label in reason and step in reason for reason in client["reasons"])
