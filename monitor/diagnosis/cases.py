"""Failures with equal facts are one case, and each case has exactly one explanation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from monitor.diagnosis.facts import WITNESS, Facts, facts_of
from monitor.diagnosis.ids import UNKNOWN
from monitor.diagnosis.join import Joined
from monitor.diagnosis.nearby import Nearby
from monitor.diagnosis.rule import Rule
from monitor.diagnosis.rules import rule_for
from monitor.diagnosis.setting import Setting
from scoring.served import Served

_GENERAL = ("D04",)
"""Rules that a sibling's evidence may refine."""


@dataclass(slots=True)
class Case:
    """Failures with equal facts and what explains them. `rule` None: unknown. `is_alike`: told by its siblings."""

    facts: Facts
    items: list[Joined] = field(default_factory=list)
    rule: Rule | None = None
    key: object = None
    is_alike: bool = False

    @property
    def count(self) -> int:
        return sum(one.row.count for one in self.items)

    @property
    def explanation(self) -> tuple[str, object]:
        """What cases of one finding share."""
        return (self.rule.id if self.rule is not None else "D00", self.key)


def cases_of(found: Sequence[Joined], counted: Iterable[Served], setting: Setting) -> list[Case]:
    """Every failure in exactly one case, in the order of their first failure."""
    nearby = Nearby(setting.told.events)
    by_facts: dict[Facts, Case] = {}
    for one in found:
        facts = facts_of(one, setting, nearby)
        by_facts.setdefault(facts, Case(facts)).items.append(one)
    kept = list(by_facts.values())
    for case in kept:
        _explain(case, setting)
    _refine(kept)
    return kept + _counted_cases(kept, counted, setting)


def _explain(case: Case, setting: Setting) -> None:
    case.rule = rule_for(case.facts, setting)
    case.key = case.rule.key(case.facts) if case.rule is not None else case.facts.label


def _is_open(case: Case) -> bool:
    """Its siblings may know better: nothing explains it, or only in general, or the exception is not known."""
    if case.rule is None or case.rule.id in _GENERAL:
        return True
    return case.rule.id == "D01" and case.key is None and not case.facts.no_exception


def _refine(cases: Sequence[Case]) -> None:
    """What looks the same from outside as cases that are all explained in one way is explained so, too."""
    explained: dict[tuple[object, ...], dict[tuple[str, object], Case]] = defaultdict(dict)
    detailed: dict[str, list[Case]] = defaultdict(list)
    open_cases = [case for case in cases if _is_open(case)]
    for case in cases:
        if not _is_open(case):
            explained[case.facts.as_answered][case.explanation] = case
        if case.facts.has_detail:
            detailed[case.facts.label].append(case)
    for case in open_cases:
        siblings = explained.get(case.facts.as_answered, {})
        if case.facts.has_detail and len(siblings) == 1:
            (sibling,) = siblings.values()
            case.rule, case.key, case.is_alike = sibling.rule, sibling.key, True
    for case in cases:
        if _lacks_evidence(case) and detailed[case.facts.label]:
            _follow(case, detailed[case.facts.label])


def _lacks_evidence(case: Case) -> bool:
    """Only its outcome is known: nothing of the answer, and no other source has it."""
    facts = case.facts
    return not (facts.has_detail or facts.exception or facts.server != UNKNOWN or facts.front != UNKNOWN)


def _counted_cases(kept: Sequence[Case], counted: Iterable[Served], setting: Setting) -> list[Case]:
    """Failures known by outcome only: as the kept ones of that outcome where those agree, else a case of their own."""
    by_label: dict[str, list[Case]] = defaultdict(list)
    for case in kept:
        by_label[case.facts.label].append(case)
    found: dict[str, Case] = {}
    for row in counted:
        if row.label not in found:
            found[row.label] = Case(_bare(row))
            _explain_counted(found[row.label], by_label.get(row.label, []), setting)
        found[row.label].items.append(Joined(row))
    return list(found.values())


def _bare(row: Served) -> Facts:
    return Facts(source=WITNESS[row.source], label=row.label, status=row.status, is_kept=False, has_detail=False)


def _explain_counted(case: Case, siblings: Sequence[Case], setting: Setting) -> None:
    if siblings:
        _follow(case, siblings)
    else:
        _explain(case, setting)


def _follow(case: Case, siblings: Sequence[Case]) -> None:
    """The case is explained as its siblings are where all of them agree; else it is unknown."""
    ways = {one.explanation: one for one in siblings}
    rules = {one.rule.id if one.rule is not None else None for one in siblings}
    if len(rules) == 1:
        sibling = siblings[0]
        case.rule, case.is_alike = sibling.rule, True
        case.key = sibling.key if len(ways) == 1 else case.facts.label
    else:
        case.rule, case.key = None, case.facts.label
