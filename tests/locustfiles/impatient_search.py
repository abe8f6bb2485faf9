"""The search with a credential that is given up sooner: a locustfile for tests."""

from __future__ import annotations

from locustfiles import _renewal
from scoring.refresh import Policy

_renewal.POLICY = Policy(hang_s=1.0, patience_s=2.5, most_backoff_awaited_s=0.5)

from locustfiles.find_limit import ScoringUser  # noqa: E402

__all__ = ["ScoringUser"]
