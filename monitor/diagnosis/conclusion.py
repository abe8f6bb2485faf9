"""What is concluded from everything that was told: findings, groups, worst requests, coverage of the join."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.diagnosis.cases import cases_of
from monitor.diagnosis.findings import findings_of, in_order
from monitor.diagnosis.first import failures
from monitor.diagnosis.informative import informative
from monitor.diagnosis.join import Joined, gap_of, joined, joined_by
from monitor.diagnosis.nearby import Nearby
from monitor.diagnosis.setting import COUNTED, setting_of
from monitor.groups import groups_of
from scoring.account import is_good
from scoring.served import Source
from scoring.told import Diagnosis, Told, Worst

MOST_WORST = 10
_MOST_LINES = 12


def diagnose(told: Told) -> Diagnosis:
    """Every failed request explained by exactly one finding and in exactly one group, from values alone."""
    setting = setting_of(told)
    failed = failures(told)
    slow = [row for row in told.slowest if is_good(row.label)]
    found = joined(told, [*failed.kept, *slow])
    bad, good = found[: len(failed.kept)], found[len(failed.kept) :]
    cases = cases_of(bad, failed.counted, setting)
    findings = findings_of(cases, setting)
    findings += informative(findings, good, setting)
    hows = joined_by(found)
    could_join = _others(told, found)
    return Diagnosis(
        findings=in_order(findings),
        groups=groups_of(cases, setting),
        worst=_worst(good, bad, told),
        gap=gap_of(found),
        joined_ratio=sum(hows.values()) / len(found) if could_join and found else None,
        looked_for=len(found) if could_join else 0,
        joined_by=hows,
        unexplained=sum(finding.count for finding in findings if finding.rule == "D00"),
    )


def _others(told: Told, found: Sequence[Joined]) -> bool:
    """True when some source besides the rows' own tells of single requests."""
    own = {one.row.source for one in found}
    others = {one.source for one in told.accounts if one.source in COUNTED and (one.rows or one.looked_up)}
    return bool(others - own) or len(others) > 1


def _worst(good: Sequence[Joined], bad: Sequence[Joined], told: Told) -> tuple[Worst, ...]:
    """The slowest good requests and the failed ones that most is known of, half and half."""
    slowest = sorted(good, key=lambda one: -(one.row.duration_ms or 0.0))
    telling = sorted(bad, key=lambda one: (one.thrown is None, -len(one.others), -(one.row.duration_ms or 0.0)))
    half = MOST_WORST // 2
    shown = slowest[: max(half, MOST_WORST - len(telling))] + telling[: max(half, MOST_WORST - len(slowest))]
    nearby = Nearby(told.events)
    return tuple(
        Worst(rows=(one.row, *one.others), thrown=one.thrown, lines=_lines(one, nearby)) for one in shown[:MOST_WORST]
    )


def _lines(one: Joined, nearby: Nearby) -> tuple[str, ...]:
    """What was written around the request: where it stands, then the text."""
    rows = [f"{row.where}: {row.label}" for row in one.others if row.source is Source.SERVICE_LOG and row.where]
    events = nearby.between(one.row.at, one.row.at)
    texts = [f"{event.where or event.source.value}: {event.text}" for event in events]
    stack = one.thrown.stack.strip().splitlines()[-4:] if one.thrown is not None and one.thrown.stack else []
    where = (one.thrown.where or one.thrown.source.value) if one.thrown is not None else ""
    return tuple([*rows, *texts, *(f"{where}: {line}" for line in stack)][:_MOST_LINES])
