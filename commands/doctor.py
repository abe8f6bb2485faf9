"""`redline doctor`: is the endpoint set up so that it can be used, measured and watched?"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from commands import options
from commands.output import say, screen, talk
from scoring.errors import RedlineError
from scoring.text import harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    from capacity.target import Target
    from monitor.doctor.gather import Asked

DOCTOR_EXAMPLE = "Example: redline doctor churn-prod --wait 5m"
APP_INSIGHTS = "app-insights"


def doctor(
    endpoint: options.Name = None,
    config: options.Config = "redline.toml",
    url: options.Url = None,
    key_env: options.KeyEnv = None,
    key_file: options.KeyFile = None,
    payload: options.Payload = None,
    header: options.Header = None,
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
    hosting: options.Hosting = None,
    expect_any_body: options.AnyBody = False,
    wait: Annotated[
        str, typer.Option(metavar="TIME", help="Look so long for our own request in the telemetry.")
    ] = "90s",
    fix: Annotated[
        str | None, typer.Option(metavar="WHAT", help="Mend it, after a confirmation: app-insights switches it on.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --fix changes the endpoint.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Check name, TLS, keys, roles, telemetry and settings of an endpoint, and say what mends each."""
    from capacity.target import Target
    from monitor.doctor.checks import checks, exit_of
    from monitor.doctor.gather import gathered
    from reports.doctor import doctor_json, doctor_text

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting)
    target = Target(endpoint, config, *said, auth=auth, ca_file=ca_file)
    asked = _asked(target, expect_any_body, wait, quiet)
    if fix is not None:
        _mend(fix, asked, yes)
    facts = gathered(asked)
    asked.say("")
    found = checks(facts)
    columns, color = screen()
    name = asked.endpoint.name
    say(doctor_json(name, found) if json else doctor_text(name, found, color=color, width=columns))
    return exit_of(found)


def _asked(target: Target, any_body: bool, wait: str, quiet: bool) -> Asked:
    """What is looked at, as typed."""
    from capacity.target import endpoint_of, headers_of
    from monitor.doctor.gather import Asked
    from scoring.settings import read_scenario
    from scoring.units import S, parse_duration_ns

    endpoint = endpoint_of(target)
    scenario = read_scenario(
        endpoint.scenario,
        payload=target.payload,
        headers=headers_of(target.headers),
        expect_json=False if any_body else None,
    )
    where = "--url" if target.url is not None else f"{target.config} describes `{endpoint.name}`"
    return Asked(endpoint, scenario, where, os.environ, parse_duration_ns(wait) / S, _progress(quiet=quiet))


def _mend(fix: str, asked: Asked, yes: bool) -> None:
    """Returns when what `fix` names is mended, after a yes; RedlineError without one."""
    from monitor.doctor.mending import app_insights_change, switch_on

    if fix != APP_INSIGHTS:
        raise RedlineError(f"--fix {harmless(fix, max_chars=60)}: redline cannot mend that", f"--fix {APP_INSIGHTS}")
    change = app_insights_change(asked.endpoint, asked.environ)
    if change is None:
        talk("Application Insights is on already: nothing is changed")
        return
    _confirm(change.words, yes)
    switch_on(asked.endpoint, change)
    talk("Application Insights is switched on; the checks follow")


def _confirm(words: str, yes: bool) -> None:
    """Returns after a yes, typed on a terminal or given by --yes."""
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RedlineError(
            words.replace("This ", "this would not be done unasked: it ", 1), "add --yes when that is meant"
        )
    talk(words)
    if yes:
        return
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RedlineError("not confirmed, so nothing was changed", "add --yes, or answer y")


def _progress(*, quiet: bool) -> Callable[[str], None]:
    """Says what is waited for on one line of a terminal, and nothing elsewhere; no words clear the line."""
    shows = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def show(words: str) -> None:
        if shows:
            print(f"\r{words}\x1b[K", end="", file=sys.stderr, flush=True)

    return show
