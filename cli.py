"""The command line: parse, call, render, exit code. stdout is data, stderr is talk."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from commands import comparing, doctor, exporting, health, measuring, minutes, servicelog, starting, telling
from commands.options import Hosting, Json
from commands.output import complain, say, talk
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from types import FrameType


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


app.command(epilog=measuring.DEMO_EXAMPLE)(measuring.demo)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
def serve(context: typer.Context) -> int:
    """Run a local endpoint that rejects and fails as Azure does."""
    from localazure.__main__ import main as serve_main

    return serve_main(context.args, prog="redline serve")


app.command(epilog=measuring.LIMIT_EXAMPLE)(measuring.limit)
app.command(epilog=measuring.LOAD_EXAMPLE)(measuring.load)
report_app.command("limit", epilog=measuring.REPORT_EXAMPLE)(measuring.report_limit)
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
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that numpy starts for matrices: there are none here
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
