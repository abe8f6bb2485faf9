"""JUnit XML: test suites of any cases, and the limit report as one: a case per goal and one for fairness."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from capacity.unit import Unit
from capacity.verdict import Kind, Limit
from reports.certificate import certificate, fairness
from reports.clean import harmless_copy
from reports.limit import LimitReport, headline, interval_words
from scoring.units import show_ratio


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: `outcome` is "passed", "failed", "skipped" or "error"; `kind` says of which sort, in a word."""

    name: str
    outcome: str
    said: str
    kind: str = ""
    text: str = ""


_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
UNFAIR = (Kind.CLIENT_LIMITED, Kind.NOT_STEADY)


def limit_junit(report: LimitReport) -> str:
    """One test suite. A goal fails when the lowest load misses it, or when it is what makes the decision NO-GO."""
    clean = harmless_copy(report)
    suite = TestSuite(_legal(f"redline limit {clean.endpoint.name}"))
    suite.timestamp = _legal(clean.run_facts.started_at)
    cases = [_goal(limit, clean) for limit in clean.verdict.limits] or [_verdict(clean)]
    for case in [*cases, _fairness(clean)]:
        suite.add_testcase(case)
    suite.time = clean.verdict.cost.seconds
    document = JUnitXml("redline")
    document.add_testsuite(suite)
    return str(document.tostring().decode("utf-8"))


def suite_xml(name: str, class_name: str, timestamp: str, cases: Iterable[Case]) -> str:
    """One test suite of the given cases, without the characters that XML has no way to write."""
    suite = TestSuite(_legal(name))
    suite.timestamp = _legal(timestamp)
    for one in cases:
        suite.add_testcase(_test_case(one, class_name))
    document = JUnitXml("redline")
    document.add_testsuite(suite)
    return str(document.tostring().decode("utf-8"))


def _test_case(one: Case, class_name: str) -> TestCase:
    case = TestCase(_legal(one.name), classname=_legal(class_name))
    if one.outcome == "passed":
        case.system_out = _legal(one.said)
    elif one.outcome == "skipped":
        case.result = [Skipped(_legal(one.said))]
    else:
        result = (Error if one.outcome == "error" else Failure)(_legal(one.said), _legal(one.kind))
        if one.text:
            result.text = _legal(one.text)
        case.result = [result]
    return case


def _goal(limit: Limit, report: LimitReport) -> TestCase:
    case, unit = _case(limit.goal, report), report.verdict.unit
    rests_on = (
        f"{show_ratio(limit.bad_count, limit.attempt_count)} bad at the limit; interval {interval_words(limit, unit)}"
    )
    if limit.high == 0:
        case.result = [Failure(_legal(f"{limit.goal} is missed at the lowest load: {rests_on}"), "missed")]
    elif report.decision == "NO-GO" and limit.goal == report.verdict.binding_goal:
        case.result = [Failure(_legal(f"{report.decision_sentence or headline(report)}; {rests_on}"), "NO-GO")]
    elif limit.level is None:
        case.result = [Skipped(_legal(f"no evidence: {headline(report)}"))]
    else:
        case.system_out = _legal(f"limit {_limit_words(limit.level, unit)}; {rests_on}")
    return case


def _limit_words(level: int, unit: Unit) -> str:
    return unit.words(level) if unit.is_open else unit.number(level)


def _verdict(report: LimitReport) -> TestCase:
    """Stands in for the goals where none was reached."""
    case = _case("verdict", report)
    case.result = [Failure(_legal(headline(report)), report.verdict.kind.value)]
    return case


def _fairness(report: LimitReport) -> TestCase:
    case = _case("fair measurement", report)
    failed = [f"{row.name}: {row.evidence}" for row in certificate(report) if row.word == "fail"]
    if failed or report.verdict.kind in UNFAIR:
        error = Error(_legal(fairness(report)), "unfair")
        error.text = _legal("\n".join(failed))
        case.result = [error]
    else:
        case.system_out = _legal(fairness(report))
    return case


def _case(name: str, report: LimitReport) -> TestCase:
    return TestCase(_legal(name), classname=_legal(f"redline.limit.{report.endpoint.name}"))


def _legal(text: str) -> str:
    """The text without the characters that XML 1.0 has no way to write."""
    return _ILLEGAL.sub("", text)
