"""Every rendering of one recorded run: the text, the JSON, the files, and the exit code they all agree on."""

from __future__ import annotations

from collections.abc import Sequence

from capacity.exits import exit_of
from capacity.journal import unfinished_verdict
from capacity.recorded import Recorded
from capacity.verdict import Verdict, verdict_from
from reports.csvout import levels_csv, trials_csv
from reports.html import limit_html, report_css
from reports.jsonout import limit_json, load_json
from reports.junit import limit_junit
from reports.limit import LimitReport, title
from reports.load_text import load_text
from reports.markdown import limit_markdown
from reports.of_load import load_report
from reports.of_run import limit_report
from reports.rendered import Rendered
from reports.terminal import limit_text
from scoring.errors import Exit, RedlineError
from scoring.told import Finding

__all__ = ["Rendered", "rendered"]


def rendered(found: Recorded, *, color: bool, width: int, causes: Sequence[Finding] = ()) -> Rendered:
    """The report of the run: of a load when it was one and load was sent, else of a search for the limit.

    `causes`: why its requests failed, as far as was found out.
    """
    if found.verdict is not None:
        verdict = verdict_from(found.verdict)
        return _limit(found, verdict, causes, finished=True, color=color, width=width)
    if found.run.plan.command == "load":
        return _load(found, causes, color=color, width=width)
    verdict = unfinished_verdict(found.run.plan, found.levels, found.rows)
    return _limit(found, verdict, causes, finished=False, color=color, width=width)


def _limit(
    found: Recorded, verdict: Verdict, causes: Sequence[Finding], *, finished: bool, color: bool, width: int
) -> Rendered:
    where = str(found.run.folder)
    report = limit_report(found.run, verdict, found.rows, found.failures, finished=finished, where=where, causes=causes)
    document = limit_json(report)
    files = {
        "report.html": limit_html(report, stylesheet="report.css"),
        "report.css": report_css(),
        "report.json": document,
        "summary.md": limit_markdown(report),
        "junit.xml": limit_junit(report),
        "levels.csv": levels_csv(report),
        "trials.csv": trials_csv(report),
    }
    return Rendered(
        text=limit_text(report, color=color, width=width) if verdict.trials else _in_short(report),
        json=document,
        files=files,
        exit_code=exit_of(verdict, report.decision),
    )


def _load(found: Recorded, causes: Sequence[Finding], *, color: bool, width: int) -> Rendered:
    report = load_report(found, causes)
    if report is None:
        raise RedlineError(
            f"{found.run.folder} holds no answer to report on", "hold the load longer: --for 30s", Exit.UNFAIR
        )
    document = load_json(report)
    missed = any(threshold.met is False for threshold in report.thresholds)
    code = Exit.MISSED if missed else Exit.FINE if report.client.valid else Exit.UNFAIR
    if report.lost is not None:
        code = Exit.NO_ENTRY
    return Rendered(load_text(report, color=color, width=width), document, {"report.json": document}, code)


def _in_short(report: LimitReport) -> str:
    """The text of a run that sent no load: what it found, and where the rest stands."""
    return f"{title(report)}\n\n  report  {report.run}/report.html\n"
