"""Waits for what a run writes down while it is under way."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

TRIES = 600


def came_to(process: subprocess.Popen[bytes], run: Path, purpose: str) -> bool:
    """Whether the run has held a phase of that purpose; False where it ended before."""
    lines = run / "levels.jsonl"
    for _ in range(TRIES):
        if lines.is_file() and f'"{purpose}"' in lines.read_text():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.1)
    raise AssertionError(f"no phase `{purpose}` within a minute")
