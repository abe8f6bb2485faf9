"""A fixed number of users, each with one request in flight: `locust -f closed_loop.py --host URI -u 10 -t 1m`.

With a run folder (`--run-folder`, or the variable REDLINE_RUN) the users and the duration stand in its run.json, every
attempt is recorded there, and the process ends when the time is over.
"""

from __future__ import annotations

from locustfiles._load import hold_load
from locustfiles._session import attach
from locustfiles._user import ScoringUser

__all__ = ["ScoringUser"]

attach("load", hold_load, also_without_run_folder=False)
