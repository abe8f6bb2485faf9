"""`redline check`, `redline watch` and `redline report health`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from commands import options
from commands.output import say, screen, talk
from scoring.errors import Exit

if TYPE_CHECKING:
    from scoring.health import EndpointHealth

CHECK_EXAMPLE = "Example: redline check churn-prod --junit checks.xml"
WATCH_EXAMPLE = "Example: redline watch --state health --listen 127.0.0.1:9750"
REPORT_EXAMPLE = "Example: redline report health --state health"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
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
    from commands.subjects import Given, availability_of, subjects_of
    from monitor.health.checking import checked_all
    from scoring.health import exit_of_health

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, deadline, expect_any_body)
    given = Given(*said, auth, ca_file)
    subjects = subjects_of(tuple(endpoints or ()), config, given, os.environ)
    with availability_of(None if url else config, os.environ, talk) as send:
        found = checked_all(subjects, tries=TRIES)
        for subject, health in zip(subjects, found, strict=True):
            send(health, subject.plan.asked_of_azure)
        _told(found, json=json, junit=junit, environ=os.environ)
    return exit_of_health(found)


def watch(
    state: State,
    endpoints: Names = None,
    config: options.Config = "redline.toml",
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Serve the status page, /healthz and /metrics there; port 0 takes a free one."
        ),
    ] = None,
    status: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep a status page there: index.html, status.json.")
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="Stop by itself after so long.")] = None,
) -> int:
    """Check endpoints on schedule, tell people once when one fails and once when it is over."""
    from commands.statuspage import status_page
    from commands.subjects import Given, availability_of, settings_at, subjects_of
    from monitor.health.exposition import exposition
    from monitor.health.listening import Board, listening
    from monitor.health.watching import Orders, Watcher, is_sending
    from monitor.health.watching import watch as run_watch

    subjects = subjects_of(tuple(endpoints or ()), config, Given(), os.environ)
    settings = settings_at(config)
    board, ending = Board(), Ending(duration)
    names = tuple(subject.endpoint.name for subject in subjects)
    page = status_page(state, settings, names, status, board) if status or listen else None

    def pulse(watcher: Watcher) -> None:
        board.publish(exposition(watcher.tally, watcher.readings()))
        if page is not None:
            page.look(watcher)

    with (
        listening(listen, board) as address,
        availability_of(config, os.environ, talk) as send,
        ending.on_signals(),
    ):
        if address is not None:
            talk(f"listening on {address}")
        orders = Orders(subjects, settings.alerts, settings.maintenance, state, os.environ, talk, on_check=send)
        run_watch(orders, ending.stop, pulse)
        if page is not None:
            page.end()
    if is_sending():
        leave(ending.code)
    return ending.code


def leave(code: int) -> NoReturn:
    """The process ends now. Whatever a sender that hangs still holds is in the state folder, and sent again later."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def report_health(
    state: State,
    config: options.Config = "redline.toml",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="How far back: 24h, 30d; 30d without, 90d with --out.")
    ] = None,
    json: options.Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the status page there too: index.html, status.json.")
    ] = None,
) -> int:
    """Report incidents, availability and error budgets from what `watch` has recorded."""
    from commands.statuspage import files_of, known_of, record_in, since_s_of, write_files
    from commands.subjects import settings_at

    known = known_of(settings_at(config) if Path(config).is_file() else None)
    record = record_in(state, known, since_s_of(since, is_page=out is not None))
    if out is not None:
        write_files(out, files_of(record))
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
        """SIGINT, SIGTERM and SIGHUP let what is under way end; a second one ends at once. nohup keeps SIGHUP away."""
        ending = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        kept = {number: signal.signal(number, self._on_signal) for number in ending}
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
