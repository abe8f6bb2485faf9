"""What each reason of a check of telemetry or metrics means, and what to do about it."""

from __future__ import annotations

from scoring.health import Health

OF_TELEMETRY = (
    (
        "failed_ratio_high",
        Health.FAILED,
        "the telemetry shows more failed requests than the goal allows; DEGRADED while they are too few to be sure",
        "redline report errors {endpoint} --since 1h",
    ),
    (
        "no_traffic",
        Health.UNKNOWN,
        "no request in the window, so that no share can be told",
        "send a request, or widen the window of the goal",
    ),
    (
        "no_status",
        Health.UNKNOWN,
        "requests came, and none of their rows tells its status",
        "redline report errors {endpoint} --since 1h",
    ),
    (
        "telemetry_missing",
        Health.DEGRADED,
        "the newest request row is older than the goal allows, or there is none",
        "redline doctor {endpoint}",
    ),
    (
        "telemetry_late",
        Health.UNKNOWN,
        "rows take longer to arrive than the window of the goal is",
        "widen the window of the goal, or look at the ingestion delay: redline doctor {endpoint}",
    ),
    (
        "telemetry_unreachable",
        Health.UNKNOWN,
        "the workspace could not be reached, or its answer is none",
        "redline doctor {endpoint}",
    ),
    (
        "telemetry_timed_out",
        Health.UNKNOWN,
        "the workspace did not answer in time",
        "shorten the window of the goal, or look at Azure's status page",
    ),
    (
        "telemetry_throttled",
        Health.UNKNOWN,
        "too many queries were under way",
        'ask less often: telemetry_every = "15m"',
    ),
    ("telemetry_forbidden", Health.UNKNOWN, "this identity may not read the workspace", "redline doctor {endpoint}"),
    (
        "telemetry_no_credential",
        Health.UNKNOWN,
        "nobody could sign in to Azure, or the token was refused",
        "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
    ),
    (
        "telemetry_not_found",
        Health.UNKNOWN,
        "there is no such workspace, or no such table in it",
        "check workspace_id and app_insights_id of the endpoint in redline.toml",
    ),
    (
        "telemetry_refused",
        Health.UNKNOWN,
        "the workspace refused the query",
        "redline report errors {endpoint} --since 1h",
    ),
    ("telemetry_partial", Health.UNKNOWN, "the workspace gave a part of its rows", "shorten the window of the goal"),
    (
        "metric_high",
        Health.DEGRADED,
        "the middle minute of the window is above the bound",
        "redline report errors {endpoint} --since 1h",
    ),
    (
        "metric_low",
        Health.DEGRADED,
        "the middle minute of the window is below the bound",
        "redline report errors {endpoint} --since 1h",
    ),
    (
        "metric_missing",
        Health.UNKNOWN,
        "the metric has no value for the last minutes",
        "check that the endpoint has traffic, and the name of the deployment",
    ),
    (
        "metrics_unreachable",
        Health.UNKNOWN,
        "Azure Monitor metrics could not be reached",
        "check metrics_url of the endpoint in redline.toml",
    ),
    (
        "metrics_timed_out",
        Health.UNKNOWN,
        "Azure Monitor metrics did not answer in time",
        "look at Azure's status page",
    ),
    (
        "metrics_throttled",
        Health.UNKNOWN,
        "too many questions were under way",
        'ask less often: telemetry_every = "15m"',
    ),
    (
        "metrics_forbidden",
        Health.UNKNOWN,
        "this identity may not read the metrics",
        "give it Monitoring Reader on the subscription: redline doctor {endpoint}",
    ),
    (
        "metrics_no_credential",
        Health.UNKNOWN,
        "nobody could sign in to Azure, or the token was refused",
        "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
    ),
    (
        "metrics_not_found",
        Health.UNKNOWN,
        "there is no such resource",
        "check arm_id, metrics_url and deployment of the endpoint in redline.toml",
    ),
    ("metrics_partial", Health.UNKNOWN, "only a part of the values came", "shorten the window of the goal"),
    (
        "metrics_refused",
        Health.UNKNOWN,
        "the metric is not known there",
        "check the names of metric and deployment in redline.toml",
    ),
)
"""Word, state, meaning and next step, as rows of monitor.health.reasons. `{endpoint}` stands for the name."""
