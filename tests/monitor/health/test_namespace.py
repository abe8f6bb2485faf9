"""Faults of names, routes, descriptors and disks, made for real in a namespace where they hurt nobody else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.terminal import ROOT

UNSHARE = ["unshare", "--mount", "--net"]
Stories = dict[str, dict[str, Any]]


def is_allowed() -> bool:
    """True where this user may make namespaces, and there is `ip` to fill them."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, timeout=30).returncode == 0


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Stories:
    """What came of every story of namespace.py."""
    if not is_allowed():
        pytest.skip("no namespace can be made here: it takes root, unshare and ip")
    words = [*UNSHARE, sys.executable, "-m", "tests.monitor.health.namespace", str(tmp_path_factory.mktemp("stories"))]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    document: Stories = json.loads(done.stdout)
    return document


@pytest.mark.parametrize(
    ("story", "name", "state", "reason", "after"),
    [
        pytest.param("dns_not_found", "churn", "FAILED", "dns_not_found", 2, id="a name that is gone"),
        pytest.param("dns_timeout", "churn", "UNKNOWN", "dns_timeout", 3, id="a name server that is silent"),
        pytest.param("dns_failure", "churn", "UNKNOWN", "dns_timeout", 3, id="a name server that fails"),
        pytest.param("network_unreachable", "churn", "UNKNOWN", "network_unreachable", 3, id="no route"),
        pytest.param("out_of_ports", "churn", "UNKNOWN", "out_of_ports", 3, id="no port of ours"),
        pytest.param("own_network", "redline", "UNKNOWN", "own_network", 2, id="a name server silent about two hosts"),
    ],
)
def test_each_fault_of_the_way_is_told_with_its_reason_and_so_is_its_end(
    story: str, name: str, state: str, reason: str, after: int, stories: Stories
) -> None:
    """One fire and one resolve; what may be our own fault is UNKNOWN and takes a check longer."""
    found = stories[story]
    assert found["told"] == [["fire", name, state, reason], ["resolve", name, "OK", reason]]
    assert found["after"][0] == after


def test_one_good_address_of_two_is_enough(stories: Stories) -> None:
    """Nobody listens on the IPv6 address; the other one is asked in the same check."""
    assert stories["half_broken"] == {"state": "OK", "told": []}


def test_a_machine_out_of_descriptors_proves_it_and_tells_when_it_can(stories: Stories) -> None:
    """UNKNOWN with a reason of its own, a notice that waits, and then both are told."""
    assert stories["out_of_files"] == {"state": "UNKNOWN", "reason": "out_of_files", "told": ["fire", "resolve"]}


def test_a_full_disk_ends_the_watcher_in_one_line_and_loses_nothing(stories: Stories) -> None:
    """Exit 3 with what to look at; the history can be read meanwhile, and the next watcher goes on."""
    found = stories["full_disk"]
    assert found["code"] == 3
    assert found["err"][0].startswith("error: the health history state/health.sqlite3 cannot be used")
    assert found["err"][2].startswith("hint: df -h")
    assert found["full"] == 0
    assert found["told"] == ["fire", "resolve"]
