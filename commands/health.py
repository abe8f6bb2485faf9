"""`redline check`, `redline watch` and `redline report health`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Annotated

import typer

from commands import options
from commands.output import say, screen, talk
from scoring.errors import Exit

if TYPE_CHECKING:
    from scoring.health import EndpointHealth

CHECK_EXAMPLE = "Example: redline check churn-prod --junit checks.xml"
WATCH_EXAMPLE = "Example: redline watch --state health --listen 127.0.0.1:9750"
REPORT_EXAMPLE = "Example: redline report health --state health"
TRIES = 2
"""One check says it alone, so a rejection is asked about once more; `watch` looks at several checks instead."""

Names = Annotated[
    list[str] | None, typer.Argument(metavar="ENDPOINT", help="Endpoints of redline.toml; all of them without.")
]
State = Annotated[Path, typer.Option("--state", metavar="DIR", help="Folder that remembers checks and incidents.")]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the checks as JUnit XML there too.")]


def check(
    endpoints: Names = None,
    config: options.Config = "redline.toml",
    url: options.Url = None,
    key_env: options.KeyEnv = None,
    key_file: options.KeyFile = None,
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
    payload: options.Payload = None,
    header: options.Header = None,
    hosting: options.Hosting = None,
    deadline: options.Deadline = None,
    expect_any_body: options.AnyBody = False,
    junit: Junit = None,
    json: options.Json = False,
) -> int:
    """Check endpoints once: is the answer right, in time, and refused to those without a key."""
    from commands.subjects import Given, subjects_of
    from monitor.health.checking import checked_all
    from scoring.health import exit_of_health

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, deadline, expect_any_body)
    given = Given(*said, auth, ca_file)
    found = checked_all(subjects_of(tuple(endpoints or ()), config, given, os.environ), tries=TRIES)
    _told(found, json=json, junit=junit, environ=os.environ)
    return exit_of_health(found)


def watch(
    state: State,
    endpoints: Names = None,
    config: options.Config = "redline.toml",
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve /healthz and /metrics there; port 0 takes a free one."),
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="Stop by itself after so long.")] = None,
) -> int:
    """Check endpoints on schedule, tell people once when one fails and once when it is over."""
    from commands.subjects import Given, settings_at, subjects_of
    from monitor.health.exposition import exposition
    from monitor.health.listening import Board, listening
    from monitor.health.watching import Orders, Watcher
    from monitor.health.watching import watch as run_watch

    subjects = subjects_of(tuple(endpoints or ()), config, Given(), os.environ)
    settings = settings_at(config)
    orders = Orders(subjects, settings.alerts, settings.maintenance, state, os.environ, talk)
    board, ending = Board(), Ending(duration)

    def pulse(watcher: Watcher) -> None:
        board.publish(exposition(watcher.tally, watcher.readings()))

    with listening(listen, board) as address, ending.on_signals():
        if address is not None:
            talk(f"listening on {address}")
        run_watch(orders, ending.stop, pulse)
    return ending.code


def report_health(
    state: State,
    config: options.Config = "redline.toml",
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 24h, 30d.")] = "30d",
    json: options.Json = False,
) -> int:
    """Report incidents, availability and error budgets from what `watch` has recorded."""
    import time

    from commands.subjects import settings_at
    from monitor.health.recorded import record_of
    from monitor.health.store import opened_to_read
    from scoring.units import S, parse_duration_ns

    plans = settings_at(config).checks if Path(config).is_file() else {}
    with opened_to_read(state) as connection:
        record = record_of(connection, time.time(), plans, parse_duration_ns(since) / S)
    if json:
        from reports.health_json import health_json

        say(health_json(record))
    else:
        from reports.health_text import health_text

        columns, color = screen()
        say(health_text(record, color=color, width=columns))
    return Exit.FINE


class Ending:
    """When a watcher stops: by a signal, or by itself after a time; and with which exit code."""

    def __init__(self, duration: str | None) -> None:
        from scoring.units import S, parse_duration_ns

        self.stop = Event()
        self.code = Exit.FINE
        self._after_s = None if duration is None else parse_duration_ns(duration) / S

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM let what is under way end; a second one ends at once."""
        kept = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        timer = None if self._after_s is None else Timer(self._after_s, self.stop.set)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        self.code = Exit.INTERRUPTED if number == signal.SIGINT else Exit.TERMINATED
        if self.stop.is_set():
            raise SystemExit(self.code)
        self.stop.set()


def _told(found: Sequence[EndpointHealth], *, json: bool, junit: Path | None, environ: Mapping[str, str]) -> None:
    """The checks, wherever they are wanted: stdout, a JUnit file, the summary and annotations of GitHub Actions."""
    columns, color = screen()
    if json:
        from reports.health_json import check_json

        say(check_json(found))
    else:
        from reports.health_text import check_text

        say(check_text(found, color=color, width=columns))
    if junit is not None:
        from capacity.recorded import write_renderings
        from reports.health_junit import check_junit

        write_renderings(junit.absolute().parent, {junit.name: check_junit(found)})
    if environ.get("GITHUB_STEP_SUMMARY"):
        from reports.health_github import check_summary

        _append(Path(environ["GITHUB_STEP_SUMMARY"]), check_summary(found))
    if environ.get("GITHUB_ACTIONS") == "true":
        from reports.health_github import check_annotations

        for line in check_annotations(found):
            talk(line)


def _append(file: Path, text: str) -> None:
    """The text stands at the end of the file; a summary that cannot be written changes no verdict."""
    try:
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        talk(f"the step summary {file} cannot be written: {error.strerror}")
