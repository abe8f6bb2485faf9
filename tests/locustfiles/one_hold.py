"""One hold of two seconds with all users of the plan: a locustfile for tests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from capacity.plan import Plan
from locustfiles._crew import Crew
from locustfiles._gate import Hold
from locustfiles._session import attach
from locustfiles._user import ScoringUser

__all__ = ["ScoringUser"]


def hold_once(crew: Crew, plan: Plan, folder: Path | None) -> int:
    crew.users_ready(plan.max_users, 30.0)
    hold = Hold(1, plan.max_users, ramp_s=0.1, transient_s=0.2, max_s=2.0, allowance=10)
    health = crew.hold(hold, lambda _: False).health
    if folder is not None:
        (folder / "health.json").write_text(json.dumps(asdict(health)))
    return 0


attach("limit", hold_once, also_without_run_folder=True)
