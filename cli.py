"""The command line: parse, call, render, exit code. stdout is data, stderr is talk."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from commands import comparing, doctor, exporting, health, minutes, servicelog, starting, telling
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
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from types import FrameType

    from capacity.plan import Plan
    from scoring.endpoint import Endpoint

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
report_app = typer.Typer(rich_markup_mode=None, help="Report on a run, on errors or on latency.")
app.add_typer(report_app, name="report")
app.add_typer(exporting.export_app, name="export")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"redline {version('redline')}")
        except PackageNotFoundError:
            print("redline, run from its sources without an installation")
        raise typer.Exit


@app.callback(epilog="Example: redline demo, which needs no Azure account")
def redline(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find the load at which a machine-learning scoring endpoint starts to fail, before its users do."""


DEMO = ("--hosting", "aks", "--instances", "4", "--max-concurrent", "2", "--service-time", "20ms", "--for", "3m")
DEMO_WAIT_S = 10.0


@app.command(epilog="Example: redline demo")
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


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
def serve(context: typer.Context) -> int:
    """Run a local endpoint that rejects and fails as Azure does."""
    from localazure.__main__ import main as serve_main

    return serve_main(context.args, prog="redline serve")


@app.command(
    epilog="Example: redline limit --url https://churn.westeurope.inference.ml.azure.com/score"
    " --key-env SCORING_KEY --payload sample.json --hosting managed --need 25rps"
)
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
    harm_budget: HarmBudget = 300,
    budget: Annotated[str, typer.Option(metavar="TIME", help="Time the search may take.")] = "10m",
    deadline: Deadline = None,
    expect_any_body: AnyBody = False,
    seed: Seed = 1,
    out: Out = None,
    json: Json = False,
    yes: Yes = False,
    quiet: Quiet = False,
) -> int:
    """Find how many concurrent requests an endpoint takes."""
    from capacity.target import Target, limit_plan

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, instances, max_concurrent)
    target = Target(endpoint, config, *said, deadline=deadline, any_body=expect_any_body, auth=auth, ca_file=ca_file)
    plan = limit_plan(target, tuple(goal or ()), need, max_users, harm_budget, budget, seed)
    return _measured(plan, out=out, json=json, yes=yes, quiet=quiet)


@app.command(
    epilog="Example: redline load churn-prod --users 8 --for 30s --threshold 'p95<=300ms' --threshold 'errors<=1%'"
)
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
    users: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Requests in flight, all the time.")] = 1,
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long.")] = "30s",
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
    """Hold a fixed number of concurrent requests, and measure."""
    from capacity.target import Target, load_plan

    said = (url, key_env, key_file, payload, tuple(header or ()), hosting, instances, max_concurrent)
    target = Target(endpoint, config, *said, deadline=deadline, any_body=expect_any_body, auth=auth, ca_file=ca_file)
    plan = load_plan(target, users, duration, tuple(threshold or ()), harm_budget, seed)
    return _measured(plan, out=out, json=json, yes=yes, quiet=quiet)


@report_app.command("limit", epilog="Example: redline report limit redline-runs/20260102T030405Z-limit-churn-prod")
def report_limit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write every rendering there too.")] = None,
) -> int:
    """Report a recorded run again; one that was killed is reported as far as it got."""
    return _reported(run, json=json, out=out)


report_app.command("errors", epilog=telling.ERRORS_EXAMPLE)(telling.report_errors)
report_app.command("minutes", epilog=minutes.MINUTES_EXAMPLE)(minutes.report_minutes)
report_app.command("latency", epilog=telling.LATENCY_EXAMPLE)(telling.report_latency)
app.command(epilog=starting.INIT_EXAMPLE)(starting.init)
app.command(epilog=telling.DIAGNOSE_EXAMPLE)(telling.diagnose)
app.command(epilog=servicelog.LOGS_EXAMPLE)(servicelog.logs)
app.command(epilog=comparing.COMPARE_EXAMPLE)(comparing.compare)
app.command(epilog=doctor.DOCTOR_EXAMPLE)(doctor.doctor)
app.command(epilog=health.CHECK_EXAMPLE)(health.check)
app.command(epilog=health.WATCH_EXAMPLE)(health.watch)
report_app.command("health", epilog=health.REPORT_EXAMPLE)(health.report_health)


@app.command(epilog="Example: redline size --rps 25 --service-time 120ms --max-concurrent 1 --reject 0.1%")
def size(
    rps: Annotated[float, typer.Option(metavar="RATE", min=0.001, help="Requests per second that must be carried.")],
    service_time: Annotated[str, typer.Option(metavar="TIME", help="Time one request takes when alone.")],
    max_concurrent: Annotated[int, typer.Option(metavar="N", min=1, help="Requests one replica serves at once.")] = 1,
    reject: Annotated[str, typer.Option(metavar="RATIO", help="Share of requests that may be rejected.")] = "0.1%",
    hosting: Hosting = None,
    json: Json = False,
) -> int:
    """Say how many replicas a rate needs, by two methods."""
    from reports.size import size_answer, size_json, size_text

    answer = size_answer(rps, service_time, max_concurrent, reject, hosting)
    say(size_json(answer) if json else size_text(answer))
    return Exit.FINE


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
    _consent(plan.endpoint, plan.most_users, plan.harm_budget, yes)
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


def _consent(endpoint: Endpoint, users: int, harm_budget: int, yes: bool) -> None:
    """Returns when load may be sent: to this machine always, elsewhere with --yes or a yes typed on a terminal."""
    if endpoint.is_loopback or yes:
        return
    load = f"up to {users} requests at a time to {endpoint.host}, until {harm_budget} have been rejected"
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


def _crashed(error: Exception) -> int:
    """The exit code for a fault of redline itself. Its traceback is kept, redacted, in a file only its owner reads."""
    import tempfile
    import traceback

    from scoring.redact import redact

    text = redact("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile("w", prefix="redline-fault-", suffix=".txt", delete=False) as file:
        file.write(text)
    what = redact(f"{type(error).__name__}: {error}").partition("\n")[0][:300]
    if os.environ.get("REDLINE_DEBUG"):
        talk(text)
    hint = f"the details are in {file.name}; run with REDLINE_DEBUG=1 to see them here"
    complain(RedlineError(f"redline itself failed: {what}", hint))
    return Exit.UNFAIR


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(Exit.TERMINATED)


def main() -> None:
    """Exits with the code of the command; every fault becomes one line and a hint."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = app(standalone_mode=False) or Exit.FINE
    except RedlineError as error:
        complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        talk("stopped")
        code = Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the last line of defence)
        if not hasattr(error, "format_message"):
            code = _crashed(error)
        else:  # typer's own errors of the command line
            complain(RedlineError(error.format_message().rstrip("."), "redline --help, or --help after a command"))
            code = Exit.USAGE
    raise SystemExit(int(code))


if __name__ == "__main__":
    main()
