"""`redline report errors`, `redline report latency` and `redline diagnose`."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands import options
from commands.gathering import Sources, gathered
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


def report_errors(
    endpoint: options.Told = None,
    config: options.Config = "redline.toml",
    run: options.RunFolder = None,
    service_log: options.ServiceLogs = None,
    since: options.Since = None,
    wait: options.Wait = None,
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
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
    told = _told(endpoint, config, run, service_log, since, wait, quiet, auth, ca_file)
    made = _made("report errors", baseline, out)
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
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
    baseline: options.Baseline = None,
    json: options.Json = False,
    out: options.ReportOut = None,
    quiet: options.Quiet = False,
) -> int:
    """Tell how long requests took, where the time went, and what changed."""
    from reports.latency import latency_report
    from reports.latency_renderings import rendered_latency

    told = _told(endpoint, config, run, service_log, since, wait, quiet, auth, ca_file)
    made = _made("report latency", baseline, out)
    report = latency_report(*_with_diagnosis(told), **made)
    columns, color = screen()
    return _shown(rendered_latency(report, color=color, width=columns, with_files=out is not None), json=json, out=out)


def diagnose(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    service_log: options.ServiceLogs = None,
    wait: options.Wait = None,
    auth: options.Auth = None,
    ca_file: options.CaFile = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell why the requests of a run failed, how sure that is, and what to do next."""
    from reports.errors import errors_report
    from reports.errors_renderings import diagnosis_json, diagnosis_text

    told = _told(None, "redline.toml", run, service_log, None, wait, quiet, auth, ca_file)
    report = errors_report(*_with_diagnosis(told), **_made("diagnose", None, None))
    columns, color = screen()
    say(diagnosis_json(report) if json else diagnosis_text(report, color=color, width=columns))
    return Exit.FINE


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
    auth: str | None,
    ca_file: str | None,
) -> Any:
    from scoring.units import S, parse_duration_ns

    wait_s = 0.0 if wait is None else parse_duration_ns(wait) / S
    return gathered(Sources(endpoint, config, run, tuple(service_log or ()), since, wait_s, quiet, auth, ca_file))


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
