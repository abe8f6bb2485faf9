"""`redline logs`: a service log from a file, from an endpoint's own API, or from the workspace that keeps it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from commands import options
from commands.gathering import DEFAULT_SINCE, endpoint_named, since_instant
from commands.output import say, screen, talk
from scoring.endpoint import with_access
from scoring.errors import Exit, RedlineError
from scoring.text import harmless

if TYPE_CHECKING:
    from monitor.servicelog.entries import LogEntry
    from scoring.endpoint import Endpoint

LOGS_EXAMPLE = "Example: redline logs service.log --status 5xx --since 2h --grep ValueError"
CONTAINERS = ("inference-server", "storage-initializer")
SOURCES = ("api", "workspace")


Log = Annotated[
    str, typer.Argument(metavar="FILE|ENDPOINT", help="Service log, - for standard input, or an endpoint's name.")
]
Status = Annotated[str | None, typer.Option(metavar="CODES", help="Only requests answered so: 5xx, 503, 4xx,5xx.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="How far back, 2h, or from when.")]
Grep = Annotated[str | None, typer.Option(metavar="REGEX", help="Only entries that match.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows; Ctrl-C ends it.")]
Payloads = Annotated[
    bool, typer.Option("--include-payloads", help="Show the data of payloads that were logged, not their shape.")
]
From = Annotated[str | None, typer.Option("--from", metavar="WHERE", help="Of an endpoint: its api, or the workspace.")]
Deployment = Annotated[str | None, typer.Option(metavar="NAME", help="Of an endpoint: this deployment alone.")]
Container = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of an endpoint: inference-server or storage-initializer.")
]
Tail = Annotated[int | None, typer.Option(metavar="N", min=1, max=100_000, help="Of an endpoint: its last N lines.")]


def logs(
    file: Log,
    config: options.Config = "redline.toml",
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
    status: Status = None,
    since: Since = None,
    grep: Grep = None,
    follow: Follow = False,
    include_payloads: Payloads = False,
    source: From = None,
    deployment: Deployment = None,
    container: Container = None,
    tail: Tail = None,
    json: options.Json = False,
) -> int:
    """Show the entries of a service log, parsed, filtered and without secrets."""
    from reports.logs_text import entry_json, entry_text

    wanted = _Wanted(status, since_instant(since, datetime.now(UTC)), grep, follow, include_payloads)
    part = _Part(source, deployment, container, tail)
    if _is_log(file, config):
        found = _of_file(file, wanted, part)
    else:
        found = _of_endpoint(with_access(endpoint_named(file, config), auth, ca_file), wanted, part)
    _, color = screen()
    for entry in found:
        if not say(entry_json(entry) if json else entry_text(entry, color=color)):
            break
    return Exit.FINE


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which entries are shown, and how."""

    status: str | None
    since_at: datetime | None
    pattern: str | None
    follow: bool
    with_payloads: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Which of an endpoint's logs, as typed."""

    source: str | None
    deployment: str | None
    container: str | None
    tail_count: int | None


def _is_log(name: str, config: str) -> bool:
    """True for what is there, and where no file describes endpoints."""
    return name == "-" or os.access(name, os.F_OK) or not os.access(config, os.F_OK)


def _of_file(file: str, wanted: _Wanted, part: _Part) -> Iterator[LogEntry]:
    from monitor.servicelogs import entries

    said = (("--from", part.source), ("--deployment", part.deployment), ("--container", part.container))
    for option, value in (*said, ("--tail", part.tail_count)):
        if value is not None:
            shown = harmless(file, max_chars=200)
            raise RedlineError(f"{option} is of an endpoint's log, and `{shown}` is a file", f"leave {option} out")
    return entries(
        file,
        status=wanted.status,
        since_at=wanted.since_at,
        pattern=wanted.pattern,
        follow=wanted.follow,
        with_payloads=wanted.with_payloads,
    )


def _of_endpoint(endpoint: Endpoint, wanted: _Wanted, part: _Part) -> Iterator[LogEntry]:
    """Entries by the API where that is possible; from the workspace where it is not, and that is said."""
    _check(part)
    if not any((endpoint.workspace_id, endpoint.app_insights_id, endpoint.arm_id)):
        raise RedlineError(
            f"the console of `{endpoint.name}` cannot be read: neither workspace_id nor arm_id is set",
            'add arm_id = "/subscriptions/…" to the endpoint in redline.toml, or give a FILE',
        )
    if part.source == "workspace" or (part.source is None and not _can_ask_azure(endpoint)):
        return _by_workspace(endpoint, wanted, part)
    try:
        return _by_api(endpoint, wanted, part)
    except RedlineError as error:
        if part.source == "api" or not _may_fall_back(endpoint, part, error):
            raise
        talk(f"note: {harmless(error.message, max_chars=500)}; the workspace is read instead")
    return _by_workspace(endpoint, wanted, part)


def _can_ask_azure(endpoint: Endpoint) -> bool:
    """Whether the API can be tried: a token file beside an empty [azure] is for telemetry alone."""
    from scoring.access import AzureAccess

    is_telemetry_alone = endpoint.azure_token_file is not None and endpoint.azure == AzureAccess()
    return endpoint.arm_id is not None and not is_telemetry_alone


def _may_fall_back(endpoint: Endpoint, part: _Part, error: RedlineError) -> bool:
    """Whether the workspace may have what the API refused: never what was mistyped."""
    is_mistyped = error.exit_code is Exit.USAGE or (part.deployment and getattr(error, "status", None) == 404)
    return endpoint.workspace_id is not None and not is_mistyped and not _is_of_first_sdk(endpoint)


def _is_of_first_sdk(endpoint: Endpoint) -> bool:
    from scoring.endpoint import Hosting

    return endpoint.hosting in (Hosting.ACI, Hosting.AKS)


def _check(part: _Part) -> None:
    for option, value, allowed in (("--from", part.source, SOURCES), ("--container", part.container, CONTAINERS)):
        if value is not None and value not in allowed:
            raise RedlineError(f"{option}: `{harmless(value, max_chars=60)}` is none", f"one of: {', '.join(allowed)}")
    if part.deployment is not None:
        from scoring.endpoint import checked_deployment

        checked_deployment(part.deployment)


def _by_api(endpoint: Endpoint, wanted: _Wanted, part: _Part) -> Iterator[LogEntry]:
    from monitor.doctor.control import session
    from monitor.endpointlog import MOST_LINES, EndpointLog, Part
    from monitor.servicelog.entries import is_wanted

    is_wanted(wanted.status, None, wanted.pattern)  # what is mistyped is told before anything is asked
    asked = Part(part.deployment, part.container or CONTAINERS[0], part.tail_count or MOST_LINES)
    log = EndpointLog(session(endpoint, os.environ).rest, endpoint, asked, talk)
    return log.entries(
        status=wanted.status,
        since_at=wanted.since_at,
        pattern=wanted.pattern,
        follow=wanted.follow,
        with_payloads=wanted.with_payloads,
    )


def _by_workspace(endpoint: Endpoint, wanted: _Wanted, part: _Part) -> Iterator[LogEntry]:
    from monitor.consolelog import Console, Rows
    from scoring.azure_auth import azure_credential

    if _is_of_first_sdk(endpoint):
        message = f"the workspace keeps no console of `{endpoint.name}`, a web service of SDK v1"
        raise RedlineError(message, f"redline logs {endpoint.name} --from api")
    since_at = wanted.since_at or datetime.now(UTC) - DEFAULT_SINCE
    rows = Rows(since_at, part.deployment or endpoint.deployment, part.container, part.tail_count)
    return Console(endpoint, rows, azure_credential(endpoint)).entries(
        status=wanted.status, pattern=wanted.pattern, follow=wanted.follow, with_payloads=wanted.with_payloads
    )
