"""The error report as JUnit XML: a case each for failures, trust and sources; causes and leaks as what they say.

Past failures are data: a case fails only where more requests failed than were allowed, so that the file and the exit
code agree.
"""

from __future__ import annotations

from collections.abc import Iterable

from reports.errors import ErrorsReport
from reports.errors_words import clause, exceeds, exit_code, headline, share_words
from reports.junit import Case, suite_xml
from reports.sarif import meaning_of
from reports.words import instant_text
from scoring.errors import Exit
from scoring.served import Leak
from scoring.told import Finding

MAX_CASES = 40


def errors_junit(report: ErrorsReport) -> str:
    """One test suite on the failed requests, the sources and the trust in them."""
    causes = [_cause(finding, report) for finding in report.findings[:MAX_CASES]]
    leaks = [_leak(leak) for leak in report.security[:MAX_CASES]]
    return suite_of("errors", report, [_failed(report), *causes, *leaks], exit_code(report))


def suite_of(command: str, report: ErrorsReport, cases: Iterable[Case], code: Exit) -> str:
    """A suite of the given cases, and of those on trust and sources that every report has."""
    every = [*cases, _trust(report, code), *_sources(report)]
    names = f"redline report {command} {report.name}", f"redline.{command}.{report.name}"
    return suite_xml(*names, instant_text(report.made_at), every)


def _failed(report: ErrorsReport) -> Case:
    name, said = "failed requests", headline(report)
    if report.requests is None:
        return Case(name, "skipped", said)
    if exceeds(report):
        return Case(name, "failed", f"more than {100 * (report.max_failed_ratio or 0.0):.4g} % failed: {said}", "NO-GO")
    return Case(name, "passed", said)


def _cause(finding: Finding, report: ErrorsReport) -> Case:
    lines = [f"confidence {finding.confidence}, explains {share_words(finding, report)}"]
    lines += [f"for: {text}" for text in finding.evidence]
    lines += [f"against: {text}" for text in finding.counter_evidence]
    said = "\n".join([*lines, f"next: {finding.next_step}"])
    return Case(f"cause {finding.rule}: {clause(finding.cause)}", "passed", said)


def _leak(leak: Leak) -> Case:
    said = f"{meaning_of(leak.type)}, {leak.count:,} times; sha256 {leak.sha256_prefix}; {leak.rotate}"
    return Case(f"security: {leak.type} at {leak.where}", "passed", said)


def _trust(report: ErrorsReport, code: Exit) -> Case:
    said = "\n".join(f"{row.word}: {row.name}: {row.evidence}" for row in report.trust.rows)
    failed = "; ".join(f"{row.name}: {row.evidence}" for row in report.trust.rows if row.word == "fail")
    if code is Exit.UNFAIR:
        return Case("trust", "error", failed or "nothing could be measured", "NOT ENOUGH DATA", said)
    return Case("trust", "skipped" if failed else "passed", failed or said)


def _sources(report: ErrorsReport) -> list[Case]:
    cases = []
    for row in report.sources:
        said = "; ".join((row.outcome_words, *(f"{text}, next: {step}" for _, text, step in row.problems)))
        cases.append(Case(f"source: {row.name}", "passed" if row.was_read else "skipped", said))
    return cases
