"""The labelled corpus: every cause on every hosting, with what its readers may lack."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from monitor.diagnosis import diagnose
from scoring.served import Source
from scoring.told import Diagnosis, Finding
from tests.monitor.diagnosis.causes import CAUSES
from tests.monitor.diagnosis.corpus import NOISE, Scenario, bare, scenarios, without

ALL = tuple(scenarios())
DIAGNOSED = {scenario.name: diagnose(scenario.told) for scenario in ALL}


def _top(diagnosis: Diagnosis) -> Finding | None:
    """The finding that explains most failures; None where no failure is explained."""
    return next((finding for finding in diagnosis.findings if finding.count), None)


def test_95_percent_of_all_causes_are_told_right() -> None:
    """On every hosting and under every noise the top finding is the cause, in at least 95 % of the scenarios."""
    wrong = [
        (scenario.name, top.rule if top else None)
        for scenario in ALL
        if (top := _top(DIAGNOSED[scenario.name])) is None or top.rule != scenario.rule
    ]
    assert len(wrong) <= 0.05 * len(ALL), wrong


def test_every_cause_is_told_right_where_its_evidence_is_there() -> None:
    """A scenario that keeps the evidence its cause needs has no other top finding."""
    wrong = [
        (scenario.name, top.rule if top else None)
        for scenario in ALL
        if not scenario.may_be_unknown
        and ((top := _top(DIAGNOSED[scenario.name])) is None or top.rule != scenario.rule)
    ]
    assert wrong == []


def test_no_finding_is_wrong_and_high() -> None:
    """Whatever is missing, a top finding that is not the cause is never "high"."""
    assert [
        (scenario.name, top.rule)
        for scenario in ALL
        if (top := _top(DIAGNOSED[scenario.name])) and top.rule != scenario.rule and top.confidence == "high"
    ] == []


def test_with_every_source_whole_most_findings_are_high() -> None:
    """Where two sources agree the confidence says so: at least four in five of the whole scenarios."""
    levels = Counter(
        top.confidence
        for scenario in ALL
        if scenario.name.endswith("/ whole") and (top := _top(DIAGNOSED[scenario.name]))
    )
    assert levels["high"] >= 0.8 * levels.total(), levels


def test_one_source_alone_is_never_high() -> None:
    """What only the client saw is "medium" at most."""
    alone = [DIAGNOSED[scenario.name] for scenario in ALL if scenario.name.endswith("client alone")]
    assert [finding for one in alone for finding in one.findings if finding.confidence == "high"] == []


def test_without_evidence_the_cause_is_unknown_or_low_unless_the_outcome_itself_tells_it() -> None:
    """From statuses and failure classes alone no wrong cause is told above "low"."""
    wrong = []
    for scenario in ALL:
        top = _top(diagnose(bare(scenario.told)))
        assert top is not None
        if top.rule not in (scenario.rule, "D00") and top.confidence != "low":
            wrong.append((scenario.name, top.rule, top.confidence))
    assert wrong == []


def test_without_the_client_no_finding_is_wrong_and_high() -> None:
    """The service's own sources alone tell a cause, or little, but nothing wrong for sure."""
    wrong = []
    for scenario in ALL:
        if scenario.name.endswith("beside an overload"):
            continue  # the overload is then the truth that is left
        top = _top(diagnose(without(scenario.told, frozenset({Source.CLIENT}))))
        if top is not None and top.rule != scenario.rule and top.confidence == "high":
            wrong.append((scenario.name, top.rule))
    assert wrong == []


@pytest.mark.parametrize("noise", NOISE)
def test_every_failure_has_one_finding_and_one_group(noise: str) -> None:
    """The counts of the findings, and those of the groups, add up to the failed requests."""
    for scenario in ALL:
        if scenario.name.endswith(noise):
            diagnosis = DIAGNOSED[scenario.name]
            total = sum(row.count for row in scenario.told.failed)
            assert sum(finding.count for finding in diagnosis.findings) == total, scenario.name
            assert sum(group.count for group in diagnosis.groups) == total, scenario.name


def test_the_order_of_rows_and_events_changes_nothing() -> None:
    """The same rows in reverse give the same rules, counts and fingerprints."""
    for scenario in ALL[:: len(NOISE)]:
        told = scenario.told
        back = replace(told, failed=told.failed[::-1], thrown=told.thrown[::-1], events=told.events[::-1])
        assert _essence(diagnose(back)) == _essence(DIAGNOSED[scenario.name]), scenario.name


def _essence(diagnosis: Diagnosis) -> tuple[object, ...]:
    findings = sorted((one.rule, one.count, one.confidence) for one in diagnosis.findings)
    return findings, sorted((one.fingerprint, one.count) for one in diagnosis.groups)


def test_a_next_step_and_evidence_stand_beside_every_cause() -> None:
    """Nobody is told a cause without what speaks for it and what to do next."""
    for diagnosis in DIAGNOSED.values():
        for finding in diagnosis.findings:
            assert finding.next_step, finding
            assert finding.cause, finding
            assert finding.evidence or finding.confidence == "low", finding


def test_an_unknown_cause_names_the_evidence_to_collect() -> None:
    """D00 says what is missing and how it is had."""
    unknown = [
        finding for scenario in ALL for finding in diagnose(bare(scenario.told)).findings if finding.rule == "D00"
    ]
    assert unknown
    assert [finding for finding in unknown if not finding.missing] == []


def test_the_corpus_has_the_rules_of_the_table() -> None:
    """Every rule that explains failures, but for two that need a history, has its cause in the corpus."""
    known = {cause.rule for cause in CAUSES}
    told = {f"D{number:02}" for number in range(1, 23)} - {"D04", "D07"}
    assert told <= known


def _named(name: str) -> Scenario:
    return next(scenario for scenario in ALL if scenario.name == name)


def test_the_same_exception_has_the_same_fingerprint_on_every_hosting_and_from_every_source() -> None:
    """An exception of the script is one cause, whatever status the hosting makes of it and whoever tells of it."""
    prints = {
        group.fingerprint
        for name, diagnosis in DIAGNOSED.items()
        if name.startswith("exception in run /") and "beside" not in name and "client alone" not in name
        for group in diagnosis.groups
    }
    assert len(prints) == 1
    log_only = without(_named("exception in run / aks / whole").told, frozenset({Source.CLIENT, Source.APP_INSIGHTS}))
    assert {group.fingerprint for group in diagnose(log_only).groups} == prints
