"""Checks as JUnit XML: one suite, a case for every check of every endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.clean import harmless_copy
from reports.health_json import instant
from reports.junit import Case, suite_xml
from scoring.health import CheckResult, EndpointHealth, Health

_OUTCOMES = {Health.OK: "passed", Health.DEGRADED: "failed", Health.FAILED: "failed", Health.UNKNOWN: "error"}


def check_junit(found: Sequence[EndpointHealth]) -> str:
    """FAILED and DEGRADED checks are failures, UNKNOWN ones are errors, as nothing is known of the endpoint."""
    clean = harmless_copy(list(found))
    started = min((one.checked_s for one in clean), default=0.0)
    return suite_xml("redline check", "redline.check", instant(started) or "", _cases(clean))


def _cases(found: Sequence[EndpointHealth]) -> Iterator[Case]:
    for one in found:
        for check in one.checks:
            name = f"{one.name}: {check.id}"
            yield Case(name, _OUTCOMES[check.outcome], check.evidence, check.reason, _more(check))


def _more(check: CheckResult) -> str:
    lines = [f"{check.outcome.value}: {check.reason}"]
    if check.next_step is not None:
        lines.append(f"next: {check.next_step}")
    if check.request_id is not None:
        lines.append(f"request {check.request_id}")
    return "\n".join(lines)
