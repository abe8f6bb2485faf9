"""Why requests of a run failed, as the section of a report that is about more than failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.texttable import hung, painted
from reports.words import instant, sentence_case
from scoring.told import Finding
from scoring.units import show_count

MOST = 5
RENEWED = "D41"
"""The rule of attempts that were answered 401 while a credential was renewed: sent again, so no failures."""


def causes_block(findings: Sequence[Finding], *, color: bool, width: int) -> str:
    """The causes with what to do next, for a terminal; empty where nothing failed."""
    if not findings:
        return ""
    lines = [painted(causes_title(findings), "", color, bold=True)]
    for number, finding in enumerate(findings[:MOST], 1):
        lines += hung(f"{number:>3}  ", f"{_sentence(finding)}; {sure_words(finding)}", width)
        lines += hung("     next  ", finding.next_step.strip().rstrip("."), width)
    return "\n".join(lines)


def causes_title(findings: Sequence[Finding]) -> str:
    """What the section is about."""
    if all(one.rule == RENEWED for one in findings):
        return "Requests sent again"
    return "Why requests failed" if any(one.count for one in findings) else "What stood in the way"


def causes_list(findings: Sequence[Finding]) -> list[str]:
    """One sentence for each cause, with what to do next."""
    return [
        f"{_sentence(finding)}; {sure_words(finding)}. Next: {finding.next_step.strip().rstrip('.')}."
        for finding in findings[:MOST]
    ]


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding, the contract's fields first."""
    names = ("rule", "confidence", "count", "next_step", "cause", "labels", "evidence", "counter_evidence", "missing")
    times = {"first_at": instant(finding.first_at), "last_at": instant(finding.last_at)}
    return (
        {name: getattr(finding, name) for name in names}
        | times
        | {"request_ids": finding.request_ids, "frame": finding.frame}
    )


def sure_words(finding: Finding) -> str:
    """How sure a cause is and what it explains: "confidence high, explains 120 failures [D05]"."""
    noun = "failure" if finding.count == 1 else "failures"
    explained = f"explains {show_count(finding.count)} {noun}" if finding.count else "explains none by itself"
    return f"confidence {finding.confidence}, {explained} [{finding.rule}]"


def _sentence(finding: Finding) -> str:
    return sentence_case(finding.cause.strip().rstrip("."))
