"""`redline compare`."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import options
from commands.output import say, screen, talk
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from capacity.standing import Standing

COMPARE_EXAMPLE = "Example: redline compare baseline.json redline-runs/20260102T030405Z-limit-churn-prod --max-drop 10%"


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="Run folder, or a baseline kept of one.")],
    after: Annotated[Path | None, typer.Argument(metavar="AFTER", help="Run folder.")] = None,
    max_drop: Annotated[
        str, typer.Option(metavar="RATIO", help="Exit 1 when a limit fell by more; none: never.")
    ] = "10%",
    max_slower: Annotated[
        str, typer.Option(metavar="RATIO", help="Exit 1 when a percentile rose by more; none: never.")
    ] = "none",
    sure: Annotated[str, typer.Option(metavar="RATIO", help="How probable that must be.")] = "95%",
    save_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the later run's figures there, for a later comparison.")
    ] = None,
    out: options.ReportOut = None,
    json: options.Json = False,
) -> int:
    """Say what changed from one run to another, and how probable it is that the change is real."""
    from capacity.compare import Tolerance, compared
    from capacity.recorded import write_renderings
    from reports.compare import rendered_comparison

    if after is None and save_baseline is None:
        raise RedlineError("one run alone cannot be compared", f"redline compare {before} LATER_RUN")
    tolerance = Tolerance(_ratio("--max-drop", max_drop), _ratio("--max-slower", max_slower), _sure(sure))
    earlier = _standing(before)
    later = earlier if after is None else _standing(after)
    if save_baseline is not None:
        _keep(later, save_baseline)
    if after is None:
        return Exit.FINE
    columns, color = screen()
    found = rendered_comparison(compared(earlier, later, tolerance), color=color, width=columns)
    say(found.json if json else found.text)
    if out is not None:
        write_renderings(out, found.files)
    return found.exit_code


def _standing(path: Path) -> Standing:
    """What a run folder or a baseline file says."""
    from capacity.journal import unfinished_verdict
    from capacity.recorded import recorded
    from capacity.standing import standing_from, standing_of
    from capacity.verdict import verdict_from
    from reports.of_load import load_report

    if path.is_file():
        try:
            return standing_from(json_text.loads(path.read_bytes()), str(path))
        except OSError as error:
            raise RedlineError(f"{path} cannot be read: {error.strerror}", f"ls -l {path}") from error
        except (ValueError, RecursionError) as error:
            raise RedlineError(f"{path} is no JSON", f"redline compare --save-baseline {path} RUN") from error
    found = recorded(path)
    if found.verdict is None and found.run.plan.command == "load":
        report = load_report(found)
        return standing_of(found, None, is_fair=report is not None and report.client.valid)
    verdict = (
        unfinished_verdict(found.run.plan, found.levels, found.rows)
        if found.verdict is None
        else verdict_from(found.verdict)
    )
    return standing_of(found, verdict, is_fair=verdict.client.valid)


def _keep(standing: Standing, file: Path) -> None:
    from capacity.recorded import write_renderings
    from capacity.standing import standing_as_json

    text = json_text.dumps(standing_as_json(standing), indent=1) + "\n"
    write_renderings(file.absolute().parent, {file.name: text})
    talk(f"kept the figures of {standing.where} in {file}")


def _ratio(option: str, text: str) -> float | None:
    from scoring.units import parse_ratio

    if text.strip().lower() == "none":
        return None
    try:
        return parse_ratio(text)
    except RedlineError as error:
        raise RedlineError(f"{option}: {error.message}", f"{option} 10%, or {option} none") from None


def _sure(text: str) -> float:
    ratio = _ratio("--sure", text)
    if ratio is None or not 0.5 <= ratio < 1:
        raise RedlineError(f"--sure: `{text[:40]}` is no probability from 50 % up to, but not, 100 %", "--sure 95%")
    return ratio
