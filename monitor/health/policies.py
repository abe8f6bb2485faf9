"""From redline.toml's plan of an endpoint to the rules by which it is decided."""

from __future__ import annotations

import math
from dataclasses import replace

from monitor.health.deciding import Policy
from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan
from scoring.telemetrygoals import FailedRatioGoal
from scoring.units import S

STALE_INTERVALS = 3
STALE_SLACK_S = 60.0


def policy_of(plan: CheckPlan, alerts: AlertPlan) -> Policy:
    """When the checks of an endpoint are told of. With cron no gap is unusual, so rows go on over all of them."""
    interval_s = plan.interval_s
    return Policy(
        fail_after_count=plan.fail_after,
        fail_for_s=None if plan.fail_for_ns is None else plan.fail_for_ns / S,
        degraded_after_count=plan.degraded_after,
        unknown_after_count=plan.unknown_after,
        recover_after_count=plan.recover_after,
        flap_count=plan.flap_changes,
        flap_window_s=plan.flap_window_ns / S,
        calm_s=plan.calm_ns / S,
        remind_s=None if alerts.remind_ns is None else alerts.remind_ns / S,
        stale_s=None if interval_s is None else STALE_INTERVALS * interval_s + STALE_SLACK_S,
        tells_degraded=alerts.degraded,
    )


def telemetry_policy(plan: CheckPlan, alerts: AlertPlan) -> Policy:
    """When the telemetry of an endpoint is told of: as its checks, but a row that is not FAILED outlasts a window.

    One failed request is seen by every question until it has left the window, and must not become a row of its own.
    """
    every_s = plan.telemetry_every_ns / S
    outlasting_count = math.ceil(told_window_s(plan) / every_s) + 2
    return replace(
        policy_of(plan, alerts),
        degraded_after_count=max(plan.degraded_after, outlasting_count),
        unknown_after_count=max(plan.unknown_after, outlasting_count),  # DEGRADED ones count there too
        stale_s=STALE_INTERVALS * every_s + STALE_SLACK_S,
    )


def told_window_s(plan: CheckPlan) -> float:
    """How long a failed request is seen in the telemetry: the longest window of its goals; 0 without one."""
    windows_ns = [goal.window_ns for goal in plan.telemetry if isinstance(goal, FailedRatioGoal)]
    return max(windows_ns, default=0) / S


def budget_policy(alerts: AlertPlan) -> Policy:
    """When a budget is told of: at once, because its windows are long already; UNKNOWN never."""
    return Policy(
        fail_after_count=1,
        degraded_after_count=1,
        unknown_after_count=1_000_000_000,
        recover_after_count=1,
        remind_s=None if alerts.remind_ns is None else alerts.remind_ns / S,
        stale_s=None,
        tells_degraded=alerts.degraded,
    )
