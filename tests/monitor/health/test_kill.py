"""SIGKILL after every statement and every sending: nothing is lost, nothing is told again under another key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.house.repository import ROOT

EVERY = 1


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing_under_a_new_key(tmp_path: Path) -> None:
    """Whatever step was the last one, the same notices arrive in the same order; only repetitions are more."""
    command = [sys.executable, "-m", "tests.monitor.health.killed", str(tmp_path), str(EVERY)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    arrived = json.loads(done.stdout)
    *killed, (_, whole) = arrived.items()
    assert [number for _, number in whole] == [1, 2, 3, 1, 2, 1]  # degraded, worse, over; failed, over; failed
    assert len(killed) > 100
    for most, got in killed:
        assert [*dict.fromkeys(map(tuple, got))] == [*map(tuple, whole)], f"killed at step {most}"
