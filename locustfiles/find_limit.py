"""Finds the limit of a scoring endpoint: `locust -f find_limit.py --host URI --goal 'p95<=300ms' --headless`.

With a run folder (`--run-folder`, or the variable REDLINE_RUN) everything asked stands in its run.json and everything
seen is written there. With `--rps 500` it searches rates up to that one instead of users. The same file runs headless,
in Locust's web page, with --processes, or as master and workers.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from capacity.exits import exit_of
from capacity.goals import with_defaults
from capacity.plan import Plan
from capacity.runfolder import write_verdict
from capacity.verdict import Verdict, verdict_as_json
from locustfiles import _progress
from locustfiles._beyond import look_beyond
from locustfiles._crew import Crew, not_ready
from locustfiles._search import find
from locustfiles._session import attach
from locustfiles._user import ScoringUser
from scoring.errors import Exit, RedlineError

__all__ = ["ScoringUser"]

READY_WITHIN_S = 60.0


def search(crew: Crew, plan: Plan, folder: Path | None) -> int:
    """The verdict stands in the run folder, or on stdout in a plain Locust run.

    A full disk does not swallow it: whoever started the run is told the whole of it too.
    """
    plan = replace(plan, goals=with_defaults(plan.goals))
    if not crew.users_ready(plan.max_users, READY_WITHIN_S):
        raise not_ready(crew, plan.max_users)
    verdict = find(crew, plan, folder)
    _keep(verdict, folder)
    if plan.beyond:
        look_beyond(crew, plan, verdict, folder, lambda beyond: _keep(replace(verdict, beyond=beyond), folder))
    if folder is None:
        sys.stdout.write(told(verdict))
        return int(exit_of(verdict, None))
    return int(Exit.FINE)


def _keep(verdict: Verdict, folder: Path | None) -> None:
    """The verdict is told, and stands in the run folder: whole, or as it was before."""
    _progress.send("verdict", document=verdict_as_json(verdict))
    if folder is None:
        return
    try:
        write_verdict(folder, verdict_as_json(verdict))
    except RedlineError as error:
        _progress.say(f"warning: {error}\n{told(verdict)}")


def told(verdict: Verdict) -> str:
    """The verdict in a few lines, for runs without a report."""
    unit = verdict.unit
    limits = (
        f"  {limit.goal}: {unit.words(limit.level)}, 95 % interval {unit.number(limit.low)} to "
        f"{unit.number(limit.high) if limit.high else 'more'}"
        for limit in verdict.limits
        if limit.level is not None
    )
    first = verdict.first_rejected_users
    return "\n".join(
        (
            f"{verdict.kind}: {verdict.reason}",
            *limits,
            f"  first 429 or 503 at {unit.words(first)}" if first else "  no 429 or 503 was seen",
            f"  peak {verdict.peak_rps:.1f} requests/s; {verdict.rejected_count} rejected in all",
            "",
        )
    )


attach("limit", search, also_without_run_folder=True)
