"""Edge: the run folder of a run that begins."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from capacity.plan import Plan
from capacity.runfolder import Anchor, create
from scoring.errors import RedlineError

RUNS = Path("redline-runs")
PACKAGES = ("redline", "locust", "gevent", "numpy", "scipy")


def new_run_folder(plan: Plan, out: Path | None) -> Path:
    """An empty run folder but for run.json: `out` itself, or one named by time, command and endpoint in `redline-runs`.

    `out` must be missing or empty: what was recorded is never overwritten.
    """
    anchor = Anchor(datetime.now(UTC), time.monotonic_ns())
    if out is None:
        return create(RUNS, plan, versions=versions(), anchor=anchor)
    made = create(out.absolute().parent, plan, versions=versions(), anchor=anchor)
    try:
        return made.rename(out)
    except OSError as error:
        (made / "run.json").unlink()
        made.rmdir()
        raise RedlineError(
            f"{out} cannot become the run folder: {error.strerror}", "choose a folder that is missing or empty"
        ) from error


def versions() -> Mapping[str, str]:
    """What ran: Python, this program, and the packages that send and count."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
