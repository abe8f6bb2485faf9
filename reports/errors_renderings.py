"""Every rendering of one error report: the text, the JSON, the files, and the exit code they all agree on."""

from __future__ import annotations

from reports.errors import ErrorsReport
from reports.errors_csv import errors_csv, groups_csv
from reports.errors_json import diagnosis_json, errors_json
from reports.errors_text import diagnosis_text, errors_section, errors_text
from reports.errors_words import exit_code
from reports.rendered import Rendered
from reports.sarif import security_sarif

__all__ = ["diagnosis_json", "diagnosis_text", "errors_section", "rendered_errors"]


def rendered_errors(report: ErrorsReport, *, color: bool, width: int, with_files: bool = True) -> Rendered:
    """The report in every form. Without `with_files` nothing is drawn, which takes a tenth of the time."""
    document = errors_json(report)
    return Rendered(
        text=errors_text(report, color=color, width=width),
        json=document,
        files=_files(report, document) if with_files else {},
        exit_code=exit_code(report),
    )


def _files(report: ErrorsReport, document: str) -> dict[str, str]:
    from reports.errors_html import errors_html
    from reports.errors_junit import errors_junit
    from reports.errors_markdown import errors_markdown
    from reports.html import report_css

    return {
        "report.html": errors_html(report, stylesheet="report.css"),
        "report.css": report_css(),
        "report.json": document,
        "summary.md": errors_markdown(report),
        "junit.xml": errors_junit(report),
        "errors.csv": errors_csv(report),
        "groups.csv": groups_csv(report),
        "findings.sarif": security_sarif(report.security, report.tool_version),
    }
