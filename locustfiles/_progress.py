"""Edge: tells the process that started Locust how the run goes. Without REDLINE_PROGRESS_FD nothing is told."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

FD_VARIABLE = "REDLINE_PROGRESS_FD"


def say(text: str) -> None:
    """The text is on stderr, unless that is a file on a full disk: what is said never ends the run."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        return


def send(kind: str, **fields: Any) -> None:
    """One JSON line is on its way, or dropped when the reader is slow or gone: progress never holds up the load."""
    text = os.environ.get(FD_VARIABLE, "")
    if not text.isdigit():
        return
    line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
    try:
        os.set_blocking(int(text), False)
        os.write(int(text), line)
    except OSError:
        return
