"""Edge: availability rows, sent by Microsoft's exporter to Application Insights in a thread that no check waits for."""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Condition, Thread
from typing import Any

from monitor.health.availability_rows import TRIED_AGAIN, AvailabilityRow, Posted, Waiting, checked_connection, row_of
from monitor.health.delivery import secret_of
from scoring.alertplan import AlertPlan
from scoring.errors import Exit, RedlineError
from scoring.health import EndpointHealth

EXTRA = "pip install 'redline[availability]'"
TIMEOUT_S = 10.0
DRAIN_S = 5.0
"""At the end rows may still be on their way for so long."""
_EXPORTER = "azure.monitor.opentelemetry.exporter"
_SWITCHES = ("STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED")
"""The exporter's own talk with Microsoft's hosts, of which nobody asked for any."""

Post = Callable[[Sequence[AvailabilityRow]], Posted]
Say = Callable[[str], None]


def sender_of(alerts: AlertPlan, environ: Mapping[str, str], say: Say, ca_file: str | None = None) -> Sender:
    """Who sends a row for each check, by the variable that the file names. RedlineError where none can be sent."""
    variable = alerts.availability_env or ""
    checked = checked_connection(secret_of(variable, environ) or "", variable)
    if not is_installed():
        what = "availability rows need azure-monitor-opentelemetry-exporter, which is not installed"
        raise RedlineError(what, EXTRA, Exit.USAGE)
    return Sender(
        lambda: _exporting(checked, ca_file), alerts.availability_location or platform.node() or "redline", say
    )


def is_installed() -> bool:
    """True where the exporter can be loaded; it is not loaded here."""
    try:
        return importlib.util.find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


class Sender:
    """Owns the rows that wait, and the thread that sends them. What befalls them is said once, and delays no check."""

    def __init__(self, connect: Callable[[], Post], location: str, say: Say) -> None:
        self._connect = connect
        self._location = location
        self._say = say
        self._waiting = Waiting()
        self._changed = Condition()
        self._is_closing = False
        self._trouble: str | None = None
        self._dropped_count = 0
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, health: EndpointHealth, beside: Collection[str] = ()) -> None:
        """The check is going to be a row; returns at once."""
        with self._changed:
            self._waiting.add(row_of(health, self._location, beside))
            self._changed.notify()

    def close(self, within_s: float = DRAIN_S) -> None:
        """The rows are there, or it is said that they are not; lasts `within_s` at most."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(within_s)
        left = len(self._waiting.rows)
        if left:
            why = "" if self._trouble else f": no answer within {within_s:g} s"
            self._say(f"{left} availability row{'s were' if left > 1 else ' was'} not sent{why}")

    def _run(self) -> None:
        post: Post | None = None
        while (batch := self._next()) is not None:
            post = post or self._connect()
            posted = post(batch)
            with self._changed:
                self._waiting.settled(batch, posted, time.monotonic())
            self._tell(posted)

    def _next(self) -> list[AvailabilityRow] | None:
        """The rows to send now, once there are some and they are due; None at the end."""
        with self._changed:
            while True:
                wait_s = self._waiting.due_s - time.monotonic()
                if self._waiting.rows and wait_s <= 0:
                    return self._waiting.batch()
                if self._is_closing and not self._waiting.rows:
                    return None
                self._changed.wait(max(wait_s, 0.0) if self._waiting.rows else None)

    def _tell(self, posted: Posted) -> None:
        """A trouble is said when it begins or changes, its end when rows arrive again, losses when there are more."""
        if posted.error is not None and posted.error != self._trouble:
            self._say(f"availability rows: not taken: {posted.error}")
        if posted.error is None and self._trouble is not None:
            self._say("availability rows: taken again")
        self._trouble = posted.error
        lost = self._waiting.dropped_count - self._dropped_count
        if lost and posted.status is not None and posted.status not in TRIED_AGAIN:
            self._say(f"availability rows: {lost} lost")
            self._dropped_count = self._waiting.dropped_count


def _exporting(connection: str, ca_file: str | None) -> Post:
    """Microsoft's exporter behind one function; to load it takes about a second.

    It keeps nothing on the disk, and tries nothing again by itself.
    """
    for switch in _SWITCHES:
        os.environ[f"APPLICATIONINSIGHTS_{switch}"] = "true"
    silent = logging.getLogger("azure.monitor.opentelemetry")
    silent.addHandler(logging.NullHandler())
    silent.propagate = False
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource

    answers: list[Any] = []
    options: dict[str, Any] = {} if ca_file is None else {"connection_verify": ca_file}
    exporter = AzureMonitorLogExporter(
        connection_string=connection,
        disable_offline_storage=True,
        max_envelopes_per_second=0,
        retry_total=0,
        timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        raw_response_hook=lambda response: answers.append(response.http_response),
        **options,
    )
    resource = Resource({"service.name": "redline"})

    def post(batch: Sequence[AvailabilityRow]) -> Posted:
        answers.clear()
        exporter.export([ReadableLogRecord(_record(LogRecord, row), resource) for row in batch])
        return _posted(answers[-1]) if answers else Posted(None)

    return post


def _record(kind: Callable[..., Any], row: AvailabilityRow) -> Any:
    return kind(timestamp=row.at_ns, observed_timestamp=row.at_ns, body=row.message, attributes=row.attributes)


def _posted(answer: Any) -> Posted:
    asked = str(answer.headers.get("Retry-After", ""))
    retry_after_s = float(asked) if asked.isascii() and asked.isdecimal() else None
    return Posted(answer.status_code, answer.text(), retry_after_s)
