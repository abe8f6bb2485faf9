"""From the flags of `redline serve` to a telemetry process, and from its ports to the addresses people use."""

from __future__ import annotations

import os
from collections.abc import Callable
from uuid import uuid4

from localazure.options import Options
from localazure.ready import Found
from localazure.telemetry.child import EXTRA, TelemetryChild, Told, missing
from localazure.telemetry.settings import Names, Settings


def started_child(options: Options, names: Names, say: Callable[[str], None]) -> TelemetryChild | None:
    """The process, on its way; None where it is not wanted, or a package that it needs is missing."""
    if not options.telemetry.is_on:
        return None
    lacking = missing()
    if lacking:
        say(f"note: no telemetry is kept: {', '.join(lacking)} is not installed; {EXTRA}")
        return None
    return TelemetryChild(settings_of(options, names))


def names_of(options: Options) -> Names:
    """With ids of its own for every start."""
    return Names(
        endpoint=options.name,
        deployment=options.deployment,
        workspace_id=str(uuid4()),
        app_id=str(uuid4()),
        instrumentation_key=str(uuid4()),
        subscription_id=str(uuid4()),
    )


def settings_of(options: Options, names: Names) -> Settings:
    telemetry = options.telemetry
    return Settings(
        names=names,
        hosting=options.hosting,
        instances=options.instances,
        max_concurrent=options.max_concurrent,
        scoring_path=options.scoring_path,
        request_timeout_ns=options.request_timeout_ns,
        has_traffic_log=options.hosting == "managed" and options.control.has_diagnostics,
        has_built_in_model=options.entry_script is None,
        has_app_insights=options.control.has_app_insights,
        format=telemetry.format,
        delay_ns=telemetry.delay_ns,
        flush_ns=telemetry.flush_ns,
        sampling_ratio=telemetry.sampling_ratio,
        duplicate_ratio=telemetry.duplicate_ratio,
        dropped=telemetry.dropped,
        max_items_per_s=telemetry.max_items_per_s,
        max_rows=telemetry.max_rows,
        max_answer_bytes=telemetry.max_answer_bytes,
        server_pid=os.getpid(),
        seed=options.seed,
    )


def found_at(settings: Settings, told: Told) -> Found:
    """The addresses and ids of the ready file."""
    names = settings.names
    ingestion_url = f"http://127.0.0.1:{told.ingestion_port}/"
    queries_url = f"https://127.0.0.1:{told.query_port}"
    return Found(
        {
            "ingestion_url": ingestion_url,
            "connection_string": connection_string(names.instrumentation_key, ingestion_url),
            "logs_url": queries_url,
            "metrics_url": queries_url,
            "workspace_id": names.workspace_id,
            "resource_id": names.endpoint_id,
            "app_insights_id": names.component_id,
        },
        told.ca_pem,
    )


def connection_string(instrumentation_key: str, ingestion_url: str) -> str:
    return f"InstrumentationKey={instrumentation_key};IngestionEndpoint={ingestion_url}"


def server_environment(found: Found) -> dict[str, str]:
    """The variables that make Microsoft's inference server, of any generation, send its telemetry to this process."""
    settings = dict(part.split("=", 1) for part in found.addresses["connection_string"].split(";"))
    switches = ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED")
    return {
        "AML_APP_INSIGHTS_ENABLED": "true",
        "AML_APP_INSIGHTS_KEY": settings["InstrumentationKey"],
        "APPLICATIONINSIGHTS_CONNECTION_STRING": found.addresses["connection_string"],
        "AML_APP_INSIGHTS_ENDPOINT": found.addresses["ingestion_url"] + "v2/track",
        **{f"APPLICATIONINSIGHTS_{switch}": "true" for switch in switches},
        "SERVICE_NAME": found.addresses["resource_id"].rpartition("/")[2],
        "WORKSPACE_NAME": found.addresses["app_insights_id"].rpartition("/")[2],
    }
