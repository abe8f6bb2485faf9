"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scoring.access import AZURE_AUTH_KINDS

Name = Annotated[str | None, typer.Argument(metavar="ENDPOINT", help="Endpoint of redline.toml; or use --url.")]
Config = Annotated[str, typer.Option(metavar="FILE", help="Where endpoints are described.")]
Url = Annotated[str | None, typer.Option(metavar="URI", help="Scoring URI, instead of an ENDPOINT of --config.")]
KeyEnv = Annotated[str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the key.")]
KeyFile = Annotated[str | None, typer.Option(metavar="FILE", help="File that holds the key, alone.")]
Payload = Annotated[
    str | None, typer.Option(metavar="PATH", help="Request body: a file, a .jsonl with one body a line, or a folder.")
]
Header = Annotated[list[str] | None, typer.Option(metavar="K:V", help="Header to send too; may be repeated.")]
Hosting = Annotated[str | None, typer.Option(metavar="KIND", help="aci, aks, managed, kubernetes or local.")]
Instances = Annotated[int | None, typer.Option(metavar="N", min=1, help="Instances or replicas the endpoint runs on.")]
MaxConcurrent = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Requests one instance serves at once, as configured.")
]
Goals = Annotated[
    list[str] | None, typer.Option(metavar="GOAL", help="Such as rejected<=0.1% or p95<=300ms; may be repeated.")
]
Deadline = Annotated[
    str | None, typer.Option(metavar="TIME", help="An answer counts until then, from connecting to the last byte.")
]
AnyBody = Annotated[bool, typer.Option("--expect-any-body", help="Judge answers by their status alone, not as JSON.")]
MaxUsers = Annotated[
    int, typer.Option(metavar="N", min=1, max=100_000, help="Never more than so many requests in flight.")
]
HarmBudget = Annotated[int, typer.Option(metavar="N", min=1, help="Stop after so many rejected requests (429 or 503).")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of everything drawn by chance.")]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Run folder, empty or missing.  [default: redline-runs/TIME-…]")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before sending load to another machine.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]

Auth = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help=f"Who signs in to Azure: {', '.join(AZURE_AUTH_KINDS)}; auto is the first unattended one that serves.",
    ),
]
CaFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="PEM of the authorities to trust, of the endpoint and of Azure.")
]

Told = Annotated[
    str | None, typer.Argument(metavar="ENDPOINT", help="Endpoint of redline.toml; its telemetry is read.")
]
RunFolder = Annotated[
    Path | None, typer.Option("--run", metavar="DIR", help="Run folder of redline: what the client saw.")
]
ServiceLogs = Annotated[
    list[str] | None,
    typer.Option("--service-log", metavar="FILE", help="Log of the service, - for standard input; may be repeated."),
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="How far back, 24h, or from when, 2026-01-02T03:04Z.  [default: 24h]")
]
Wait = Annotated[
    str | None, typer.Option(metavar="TIME", help="Wait at most this long for telemetry that is still under way.")
]
Baseline = Annotated[
    Path | None, typer.Option(metavar="FILE", help="report.json of an earlier report, to compare with.")
]
FailOver = Annotated[
    str | None, typer.Option(metavar="RATIO", help="Exit 1 when a larger share of the requests failed: 1%.")
]
ReportOut = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write every rendering there too.")]
