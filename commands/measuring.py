"""`redline demo`, `redline limit`, `redline load` and `redline report limit`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import telling
from commands.options import (
    AnyBody,
    Auth,
    CaFile,
    Config,
    Deadline,
    Goals,
    HarmBudget,
    Header,
    Hosting,
    Instances,
    Json,
    KeyEnv,
    KeyFile,
    MaxConcurrent,
    MaxUsers,
    Name,
    Out,
    Payload,
    Quiet,
    Seed,
    Url,
    Yes,
)
from commands.output import complain, say, screen, talk
from scoring.errors import RedlineError

if TYPE_CHECKING:
    from capacity.plan import Plan

DEMO_EXAMPLE = "Example: redline demo"
LIMIT_EXAMPLE = (
    "Example: redline limit --url https://churn.westeurope.inference.ml.azure.com/score"
    " --key-env SCORING_KEY --payload sample.json --hosting managed --need 25rps"
)
LOAD_EXAMPLE = "Example: redline load churn-prod --users 8 --for 30s --threshold 'p95<=300ms' --threshold 'errors<=1%'"
REPORT_EXAMPLE = "Example: redline report limit redline-runs/20260102T030405Z-limit-churn-prod"
DEMO = ("--hosting", "aks", "--instances", "4", "--max-concurrent", "2", "--service-time", "20ms", "--for", "3m")
DEMO_WAIT_S = 10.0


def demo(out: Out = None, json: Json = False, quiet: Quiet = False) -> int:
    """Find the limit of a local endpoint that rejects as Azure does, and report from its telemetry."""
    from capacity.local_endpoint import local_endpoint
    from capacity.target import Target, limit_plan

    talk(f"starting a local endpoint: redline serve {' '.join(DEMO)}")
    with local_endpoint(DEMO) as local:
        target = Target("local", local.config, payload=local.payload)
        plan = limit_plan(target, goals=(), need=None, max_users=64, harm_budget=300, budget="75s", seed=1)
        code = _measured(plan, out=out, json=json, yes=False, quiet=quiet, then=partial(_service_side, json=json))
    talk("\nYour own endpoint: redline limit --url SCORING_URI --key-env SCORING_KEY --payload sample.json")
    return code


def _service_side(run: Path, *, json: bool) -> None:
    """What the service says of the same requests: beside the run, and in short on the terminal."""
    talk("\nreading the endpoint's telemetry: redline report errors --run ...")
    report = telling.errors_of_run(run, wait_s=DEMO_WAIT_S)
    columns, color = screen()
    telling.write_errors(report, run / "errors")
    if not json:
        say("\n" + telling.errors_in_short(report, color=color, width=columns).rstrip("\n") + "\n\n")
    talk(f"  report  {run / 'errors' / 'report.html'}")


def limit(
    endpoint: Name = None,
    config: Config = "redline.toml",
    url: Url = None,
    key_env: KeyEnv = None,
    key_file: KeyFile = None,
    payload: Payload = None,
    header: Header = None,
    auth: Auth = None,
    ca_file: CaFile = None,
    hosting: Hosting = None,
    instances: Instances = None,
    max_concurrent: MaxConcurrent = None,
    goal: Goals = None,
    need: Annotated[str | None, typer.Option(metavar="LOAD", help="What it must carry: 25rps or 40users.")] = None,
    max_users: MaxUsers = 512,
    is_open: Annotated[
        bool, typer.Option("--open", help="Search the rate of an open loop: requests are due whatever the answers do.")
    ] = False,
    max_rps: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of --open: never more requests per second.  [default: 500]")
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of --open: poisson or constant.  [default: poisson]")
    ] = None,
    harm_budget: HarmBudget = 300,
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time the search may take.")] = "10m",
    beyond: Annotated[
        bool, typer.Option("--beyond", help="Then overload it, look how it recovers, and send bursts.")
    ] = False,
    beyond_budget: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of --beyond: rejections that it may cause.  [default: 2000]"),
    ] = None,
    deadline: Deadline = None,
    expect_any_body: AnyBody = False,
    seed: Seed = 1,
    out: Out = None,
    json: Json = False,
    yes: Yes = False,
    quiet: Quiet = False,
) -> int:
    """Find how many concurrent requests an endpoint takes, or with --open how many per second."""
    from capacity.openload import Rates
    from capacity.target import Target, limit_plan, with_beyond

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, instances, max_concurrent)
    target = Target(endpoint, config, *said, deadline=deadline, any_body=expect_any_body, auth=auth, ca_file=ca_file)
    rates = Rates(is_open, max_rps, arrivals)
    plan = limit_plan(target, tuple(goal or ()), need, max_users, harm_budget, budget, seed, rates)
    plan = with_beyond(plan, beyond, beyond_budget)
    return _measured(plan, out=out, json=json, yes=yes, quiet=quiet)


def load(
    endpoint: Name = None,
    config: Config = "redline.toml",
    url: Url = None,
    key_env: KeyEnv = None,
    key_file: KeyFile = None,
    payload: Payload = None,
    header: Header = None,
    auth: Auth = None,
    ca_file: CaFile = None,
    hosting: Hosting = None,
    instances: Instances = None,
    max_concurrent: MaxConcurrent = None,
    users: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=100_000, help="Requests in flight, all the time.  [default: 1]"),
    ] = None,
    rps: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Requests due per second, whatever the answers do: 50, 90/min, 10..200."),
    ] = None,
    arrivals: Annotated[
        str | None, typer.Option(metavar="KIND", help="Of --rps: poisson or constant.  [default: poisson]")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instants to send at again: one a line, a CSV, or a run folder.")
    ] = None,
    speed: Annotated[float | None, typer.Option(metavar="F", help="Of --replay: so many times as fast.")] = None,
    max_users: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=100_000, help="Connections for a rate.  [default: 10 s of it, to 1000]"),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long.  [default: 30s, or the whole replay]")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="GOAL", help="Exit 1 when missed: p95<=300ms; may be repeated.")
    ] = None,
    deadline: Deadline = None,
    expect_any_body: AnyBody = False,
    harm_budget: HarmBudget = 300,
    seed: Seed = 1,
    out: Out = None,
    json: Json = False,
    yes: Yes = False,
    quiet: Quiet = False,
) -> int:
    """Hold a number of concurrent requests, or a rate of requests, and measure."""
    from capacity.openload import Shape
    from capacity.target import Target, load_plan

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, instances, max_concurrent)
    target = Target(endpoint, config, *said, deadline=deadline, any_body=expect_any_body, auth=auth, ca_file=ca_file)
    shape = Shape(users, rps, arrivals, replay, speed, max_users)
    plan = load_plan(target, shape, duration, tuple(threshold or ()), harm_budget, seed)
    return _measured(plan, out=out, json=json, yes=yes, quiet=quiet)


def report_limit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every rendering there too.")] = None,
) -> int:
    """Report a recorded run again; one that was killed is reported as far as it got."""
    return _reported(run, json=json, out=out)


def _measured(
    plan: Plan,
    *,
    out: Path | None,
    json: bool,
    yes: bool,
    quiet: bool,
    then: Callable[[Path], None] | None = None,
) -> int:
    """The exit code of the run that `plan` asks for: made, recorded and reported, and what follows a whole one done."""
    from capacity.begin import new_run_folder
    from capacity.drive import run
    from capacity.exits import exit_of_signal
    from capacity.preflight import preflight
    from capacity.progress import shown_on
    from capacity.target import scenario_of
    from scoring.holding import Holder

    scenario = scenario_of(plan)
    holder = Holder(plan.endpoint, os.environ)
    holder.secret()
    if holder.grant is not None and not quiet and plan.endpoint.key_env is None and plan.endpoint.key_file is None:
        talk(f"credential: {holder.grant.source}")
    _consent(plan, yes)
    folder = new_run_folder(plan, out)
    stopped = preflight(plan.endpoint, scenario, holder, folder)
    if stopped is not None:
        code = _reported(folder, json=json)
        complain(stopped)
        return code
    with shown_on(sys.stderr, quiet=quiet) as show:
        ended = run(plan, folder, environ=os.environ, grant=holder.grant, on_progress=show)
    if ended.interrupted_by is None:
        code = _reported(folder, json=json, verdict=ended.verdict)
        if then is not None:
            then(folder)
        return code
    code = exit_of_signal(ended.interrupted_by)
    if ended.killed:
        raise RedlineError("stopped at once", f"redline report limit {folder} shows what was recorded", code)
    try:
        _reported(folder, json=json, verdict=ended.verdict)
    except RedlineError as error:  # stopped before the first answer
        complain(error)
    return code


def _consent(plan: Plan, yes: bool) -> None:
    """Returns when load may be sent: to this machine always, elsewhere with --yes or a yes typed on a terminal."""
    if plan.endpoint.is_loopback or yes:
        return
    rate = "" if plan.most_rps is None else f"{plan.most_rps:g} requests a second, "
    load = f"{rate}up to {plan.most_users} requests at a time to {plan.endpoint.host}, until {plan.most_harm} have"
    load += " been rejected"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RedlineError(f"this would send {load}", "add --yes when that is meant")
    talk(f"This sends {load} at the latest.")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RedlineError("not confirmed, so no request was sent", "add --yes, or answer y")


def _reported(folder: Path, *, json: bool, out: Path | None = None, verdict: dict[str, Any] | None = None) -> int:
    """The exit code of a recorded run, whose report is printed and written beside it, or to `out`.

    `verdict` stands in where a full disk has kept it out of the folder.
    """
    from dataclasses import replace

    from capacity.recorded import recorded, write_renderings
    from reports.renderings import rendered

    columns, color = screen()
    found = recorded(folder)
    found = replace(found, verdict=found.verdict or verdict)
    result = rendered(found, color=color, width=columns, causes=telling.causes_of(found))
    say(result.json if json else result.text)
    write_renderings(out or folder, result.files)
    return result.exit_code
