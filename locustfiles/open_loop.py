"""Requests due at a rate, whatever the answers do: `locust -f open_loop.py --host URI --rps 50 -t 1m --headless`.

With a run folder (`--run-folder`, or the variable REDLINE_RUN) rate, pool and duration stand in its run.json, every
attempt is recorded there, and the process ends when the time is over.
"""

from __future__ import annotations

from pathlib import Path

from capacity.plan import Plan
from locustfiles._crew import Crew
from locustfiles._load import hold_load
from locustfiles._session import attach
from locustfiles._user import ScoringUser
from scoring.errors import RedlineError

__all__ = ["ScoringUser"]


def hold_open_load(crew: Crew, plan: Plan, folder: Path | None) -> int:
    """The load of the plan has been held, at its rate."""
    if not plan.is_open:
        raise RedlineError("no rate is given for an open loop", "add --rps 50")
    return hold_load(crew, plan, folder)


attach("load", hold_open_load, also_without_run_folder=True)
