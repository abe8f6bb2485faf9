"""`redline report errors`, `redline report latency`, `redline diagnose` and `redline logs`."""

from __future__ import annotations

import json as json_text
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import options
from commands.gathering import Sources, console_entries, endpoint_named, gathered, since_instant
from commands.output import say, screen
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from capacity.recorded import Recorded
    from reports.errors import ErrorsReport
    from reports.rendered import Rendered
    from scoring.told import Finding

ERRORS_EXAMPLE = "Example: redline report errors churn-prod --since 24h --out report"
LATENCY_EXAMPLE = "Example: redline report latency churn-prod --since 24h"
DIAGNOSE_EXAMPLE = "Example: redline diagnose redline-runs/20260102T030405Z-limit-churn-prod"
LOGS_EXAMPLE = "Example: redline logs service.log --status 5xx --since 2h --grep ValueError"


def report_errors(
    endpoint: options.Told = None,
    config: options.Config = "redline.toml",
    run: options.RunFolder = None,
    service_log: options.ServiceLogs = None,
    since: options.Since = None,
    wait: options.Wait = None,
    baseline: options.Baseline = None,
    fail_over: options.FailOver = None,
    json: options.Json = False,
    out: options.ReportOut = None,
    quiet: options.Quiet = False,
) -> int:
    """Tell what failed, when, why and what to do, from telemetry, service logs and runs."""
    from reports.errors import errors_report
    from reports.errors_renderings import rendered_errors
    from scoring.units import parse_ratio

    worst_ratio = None if fail_over is None else parse_ratio(fail_over)
    told, made = _told(endpoint, config, run, service_log, since, wait, quiet), _made("report errors", baseline, out)
    report = errors_report(*_with_diagnosis(told), **made, max_failed_ratio=worst_ratio)
    columns, color = screen()
    return _shown(rendered_errors(report, color=color, width=columns, with_files=out is not None), json=json, out=out)


def report_latency(
    endpoint: options.Told = None,
    config: options.Config = "redline.toml",
    run: options.RunFolder = None,
    service_log: options.ServiceLogs = None,
    since: options.Since = None,
    wait: options.Wait = None,
    baseline: options.Baseline = None,
    json: options.Json = False,
    out: options.ReportOut = None,
    quiet: options.Quiet = False,
) -> int:
    """Tell how long requests took, where the time went, and what changed."""
    from reports.latency import latency_report
    from reports.latency_renderings import rendered_latency

    told, made = _told(endpoint, config, run, service_log, since, wait, quiet), _made("report latency", baseline, out)
    report = latency_report(*_with_diagnosis(told), **made)
    columns, color = screen()
    return _shown(rendered_latency(report, color=color, width=columns, with_files=out is not None), json=json, out=out)


def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    service_log: options.ServiceLogs = None,
    wait: options.Wait = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell why the requests of a run failed, how sure that is, and what to do next."""
    from reports.errors import errors_report
    from reports.errors_renderings import diagnosis_json, diagnosis_text

    told = _told(None, "redline.toml", run, service_log, None, wait, quiet)
    report = errors_report(*_with_diagnosis(told), **_made("diagnose", None, None))
    columns, color = screen()
    say(diagnosis_json(report) if json else diagnosis_text(report, color=color, width=columns))
    return Exit.FINE


def logs(
    file: Annotated[
        str, typer.Argument(metavar="FILE|ENDPOINT", help="Service log, - for standard input, or an endpoint's name.")
    ],
    config: options.Config = "redline.toml",
    status: Annotated[
        str | None, typer.Option(metavar="CODES", help="Only requests answered so: 5xx, 503, 4xx,5xx.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="How far back, 2h, or from when.")] = None,
    grep: Annotated[str | None, typer.Option(metavar="REGEX", help="Only entries that match.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows; Ctrl-C ends it.")] = False,
    json: options.Json = False,
) -> int:
    """Show the entries of a service log, parsed, filtered and without secrets."""
    from monitor.servicelogs import entries
    from reports.logs_text import entry_json, entry_text

    since_at = since_instant(since, datetime.now(UTC))
    endpoint = None if _is_log(file, config) else endpoint_named(file, config)
    if endpoint is None:
        found = entries(file, status=status, since_at=since_at, pattern=grep, follow=follow)
    else:
        found = console_entries(endpoint, since_at, status=status, pattern=grep, follow=follow)
    _, color = screen()
    for entry in found:
        if not say(entry_json(entry) if json else entry_text(entry, color=color)):
            break
    return Exit.FINE


def _is_log(name: str, config: str) -> bool:
    """True for what is there, and where no file describes endpoints."""
    return name == "-" or os.access(name, os.F_OK) or not os.access(config, os.F_OK)


def causes_of(found: Recorded) -> tuple[Finding, ...]:
    """Why requests of the run failed, by what their sender saw."""
    from capacity.told import told_by
    from monitor.diagnosis import diagnose as conclude

    return conclude(told_by(found)).findings


def errors_of_run(run: Path, *, wait_s: float) -> ErrorsReport:
    """The report on a run's failures from every source that its endpoint names."""
    from reports.errors import errors_report

    told = gathered(Sources(run=run, wait_s=wait_s, quiet=True))
    return errors_report(*_with_diagnosis(told), **_made(f"report errors --run {run}", None, run / "errors"))


def errors_in_short(report: ErrorsReport, *, color: bool, width: int) -> str:
    """The section that a longer report includes."""
    from reports.errors_renderings import errors_section

    return errors_section(report, color=color, width=width)


def write_errors(report: ErrorsReport, folder: Path) -> None:
    """Every rendering stands in the folder."""
    from capacity.recorded import write_renderings
    from reports.errors_renderings import rendered_errors

    write_renderings(folder, rendered_errors(report, color=False, width=80).files)


def _told(
    endpoint: str | None,
    config: str,
    run: Path | None,
    service_log: list[str] | None,
    since: str | None,
    wait: str | None,
    quiet: bool,
) -> Any:
    from scoring.units import S, parse_duration_ns

    wait_s = 0.0 if wait is None else parse_duration_ns(wait) / S
    return gathered(Sources(endpoint, config, run, tuple(service_log or ()), since, wait_s, quiet))


def _with_diagnosis(told: Any) -> tuple[Any, Any]:
    from monitor.diagnosis import diagnose as conclude

    return told, conclude(told)


def _made(command: str, baseline: Path | None, out: Path | None) -> dict[str, Any]:
    """When and by what the report is made, and what it is compared with."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        tool_version = version("redline")
    except PackageNotFoundError:
        tool_version = "unknown"
    typed = shlex.join(["redline", *sys.argv[1:]]) if command in " ".join(sys.argv[1:]) else f"redline {command}"
    return {
        "made_at": datetime.now(UTC),
        "tool_version": tool_version,
        "command": typed,
        "where": None if out is None else str(out),
        "baseline": None if baseline is None else _earlier(baseline),
    }


def _earlier(file: Path) -> dict[str, Any]:
    try:
        document = json_text.loads(file.read_bytes())
    except OSError as error:
        raise RedlineError(f"{file} cannot be read: {error.strerror}", f"ls -l {file}") from error
    except (ValueError, RecursionError) as error:
        raise RedlineError(f"{file} is no JSON", "the report.json that --out wrote beside an earlier report") from error
    counts = document.get("by_status") if isinstance(document, dict) else None
    if not isinstance(counts, dict) or not all(isinstance(count, int) for count in counts.values()):
        raise RedlineError(f"{file} is no report of errors or latency", "the report.json that --out wrote")
    return dict(document)


def _shown(rendered: Rendered, *, json: bool, out: Path | None) -> int:
    from capacity.recorded import write_renderings

    say(rendered.json if json else rendered.text)
    if out is not None:
        write_renderings(out, rendered.files)
    return rendered.exit_code
