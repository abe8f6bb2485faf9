"""Everything that a report's sources tell: run folder, Azure, service logs; each asked where it was named."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.endpoint import with_access
from scoring.errors import RedlineError
from scoring.text import harmless
from scoring.units import parse_duration_ns

if TYPE_CHECKING:
    from scoring.endpoint import Endpoint
    from scoring.told import Told

DEFAULT_SINCE = timedelta(hours=24)
BEFORE_RUN, AFTER_RUN = timedelta(seconds=5), timedelta(minutes=2)
"""Telemetry of a run is looked for a little wider than the run: clocks differ, and rows carry the time of the end."""
LOOKUP_IDS = 2_000
ASK_AGAIN_S = 2.0
EARLIEST_AT = datetime(2000, 1, 1, tzinfo=UTC)
_SINCE_HINT = "how far back, 24h or 30m, or from when, 2026-01-02T03:04Z"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the command line named."""

    endpoint: str | None = None
    config: str = "redline.toml"
    run: Path | None = None
    service_logs: tuple[str, ...] = ()
    since: str | None = None
    wait_s: float = 0.0
    quiet: bool = False
    auth: str | None = None
    ca_file: str | None = None


def gathered(sources: Sources) -> Told:
    """What all named sources tell, the client first. RedlineError when none is named, or a file cannot be read."""
    from scoring.told import Told, together

    if sources.endpoint is None and sources.run is None and not sources.service_logs:
        raise RedlineError(
            "nothing to report on: no endpoint, run folder or service log is named",
            "redline report errors churn-prod, or --run redline-runs/…, or --service-log service.log",
        )
    now = datetime.now(UTC)
    since_at = since_instant(sources.since, now)
    client = None if sources.run is None else _client(sources.run)
    endpoint = _endpoint(sources, client)
    parts = [] if client is None else [client]
    has_azure = endpoint is not None and any((endpoint.workspace_id, endpoint.app_insights_id, endpoint.arm_id))
    if endpoint is not None and has_azure:
        parts.append(_azure(endpoint, client, since_at, now, sources))
    if sources.service_logs:
        from monitor import servicelogs

        parts.append(servicelogs.tell(sources.service_logs, since_at=since_at))
    if not parts:
        named = "" if endpoint is None else f" of `{endpoint.name}`"
        raise RedlineError(
            f"no source{named} can be read: neither workspace_id nor app_insights_id is set",
            'add workspace_id = "GUID" to the endpoint in redline.toml, or give --service-log FILE',
        )
    period = Told(endpoint, *_period(client, since_at, now, has_azure=has_azure))
    return together([period, *parts])


def since_instant(text: str | None, now: datetime) -> datetime | None:
    """The instant a person means by `24h` or `2026-01-02T03:04Z`; None when nothing was said."""
    if text is None:
        return None
    at = _instant(text, now)
    if not EARLIEST_AT <= at <= now:
        when = "lies in the future" if at > now else f"lies before {EARLIEST_AT:%Y-%m-%d}"
        raise RedlineError(f"--since: `{harmless(text, max_chars=60)}` {when}", _SINCE_HINT)
    return at


def _instant(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return now - timedelta(microseconds=parse_duration_ns(text) // 1000)
    except OverflowError:
        return EARLIEST_AT - timedelta(days=1)
    except RedlineError as error:
        raise RedlineError(f"--since: {error.message} and no instant", _SINCE_HINT) from None


def endpoint_named(name: str, config: str) -> Endpoint:
    """The endpoint of that name in the file. RedlineError, with those that are there, when none is called so."""
    from scoring.settings import read_settings

    endpoints = read_settings(config).endpoints
    if name not in endpoints:
        known = ", ".join(sorted(endpoints)) or "none"
        raise RedlineError(f"{config} has no endpoint `{name}`", f"one of: {known}")
    return endpoints[name]


def _client(run: Path) -> Told:
    from capacity.recorded import recorded
    from capacity.told import told_by

    return told_by(recorded(run))


def _endpoint(sources: Sources, client: Told | None) -> Endpoint | None:
    """The named endpoint, else the one the run was sent to."""
    if sources.endpoint is not None:
        found: Endpoint | None = endpoint_named(sources.endpoint, sources.config)
    else:
        found = None if client is None else client.endpoint
    return None if found is None else with_access(found, sources.auth, sources.ca_file)


def _period(
    client: Told | None, since_at: datetime | None, now: datetime, *, has_azure: bool
) -> tuple[datetime | None, datetime | None]:
    """From when to when: the run's own time, else what was asked; None where only files tell."""
    if client is not None and since_at is None:
        return client.since_at, client.until_at
    return (since_at or (now - DEFAULT_SINCE), now) if has_azure or since_at else (None, None)


def _azure(endpoint: Endpoint, client: Told | None, since_at: datetime | None, now: datetime, sources: Sources) -> Told:
    """What Azure's telemetry tells; asked again until it is complete for the run, or the wait is over."""
    from monitor import azure
    from scoring.azure_auth import azure_credential

    from_at, until_at = _azure_period(client, since_at, now)
    ids = () if client is None else _ids(client)
    try:
        credential = azure_credential(endpoint)
    except RedlineError as error:  # the other sources tell all the same
        return _no_credential(endpoint, error)
    end_s = time.monotonic() + sources.wait_s
    while True:
        show = None if sources.quiet else _progress
        told = azure.tell(endpoint, from_at, until_at, credential=credential, lookup_ids=ids, on_progress=show)
        if time.monotonic() >= end_s or has_arrived(told, client):
            return told
        time.sleep(min(ASK_AGAIN_S, max(0.0, end_s - time.monotonic())))


def _no_credential(endpoint: Endpoint, error: RedlineError) -> Told:
    from scoring.account import Problem
    from scoring.served import Source
    from scoring.told import Told

    problem = Problem(Source.APP_INSIGHTS, "no_credential", error.message, error.hint or "az login")
    return Told(endpoint, None, None, problems=(problem,), asked=(Source.APP_INSIGHTS,))


def has_arrived(told: Told, client: Told | None) -> bool:
    """Whether rows up to the last request of the run are there; without a run, whether any row is."""
    accounts = [account for account in told.accounts if account.requests]
    last_at = None if client is None or not client.accounts else client.accounts[0].last_at
    if last_at is None:
        return bool(accounts)
    return any(one.complete_until is not None and one.complete_until >= last_at for one in accounts)


def _azure_period(client: Told | None, since_at: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    if client is not None and client.since_at is not None and client.until_at is not None and since_at is None:
        return client.since_at - BEFORE_RUN, client.until_at + AFTER_RUN
    return since_at or now - DEFAULT_SINCE, now


def _ids(client: Told) -> Sequence[str]:
    """The request ids worth looking up one by one: of failures, evenly over all of them, and of the slowest."""
    failed = [row.request_id for row in client.failed if row.request_id]
    step = max(1, len(failed) // LOOKUP_IDS)
    slowest = [row.request_id for row in client.slowest if row.request_id]
    return tuple(dict.fromkeys([*failed[::step][:LOOKUP_IDS], *slowest]))


def _progress(what: str, done: int, total: int) -> None:
    import sys

    if sys.stderr.isatty():
        print(f"\r{what} {done}/{total}\x1b[K", end="" if done < total else "\r\x1b[K", file=sys.stderr, flush=True)
