"""Cases with one explanation as one finding: evidence with counts, counter-evidence, confidence, what to do next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.diagnosis.cases import Case
from monitor.diagnosis.rule import LEVELS, Need, Rule, Sign, confidence
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import NEEDS_EVENTS, NEEDS_LOG, NEEDS_TELEMETRY, NEEDS_TRAFFIC_LOG
from scoring.attempt import Failure
from scoring.status import Meaning, failure_meaning, meaning
from scoring.told import Finding

_MOST_IDS = 5


def findings_of(cases: Iterable[Case], setting: Setting) -> list[Finding]:
    """One finding per explanation. Their counts add up to the failures of the cases."""
    explained: dict[tuple[str, object], list[Case]] = defaultdict(list)
    for case in cases:
        explained[case.explanation].append(case)
    return [
        unknown(group, setting) if group[0].rule is None else _finding(group[0].rule, group, setting)
        for group in explained.values()
    ]


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What explains most failures first; of equal ones the surest, then by rule."""
    return tuple(sorted(findings, key=lambda one: (-one.count, -LEVELS.index(one.confidence), one.rule, one.cause)))


def _finding(rule: Rule, cases: Sequence[Case], setting: Setting) -> Finding:
    own = [case for case in cases if not case.is_alike] or list(cases)
    facts = max(own, key=lambda case: case.count).facts
    total = sum(case.count for case in cases)
    doubt = rule.doubt(total, setting)
    first_at, last_at = _period(cases)
    return Finding(
        rule=rule.id,
        cause=rule.cause(facts, setting),
        confidence=_confidence(rule, cases, own, setting, bool(doubt)),
        count=total,
        labels=_labels(cases),
        evidence=(
            *_sentences(rule.signs, cases, setting),
            *_alike(cases, total),
            *rule.figures(facts, setting),
        ),
        counter_evidence=(*_sentences(rule.against, cases, setting), *doubt),
        next_step=rule.next_step(facts, setting),
        missing=_missing(rule.needs, cases, setting),
        first_at=first_at,
        last_at=last_at,
        request_ids=_ids(cases),
        frame=_frame(cases),
    )


def _confidence(rule: Rule, cases: Sequence[Case], own: Sequence[Case], setting: Setting, is_doubted: bool) -> str:
    """The level that at least half of the failures with evidence of their own reach, one lower where in doubt."""
    weights: Counter[str] = Counter()
    for case in own:
        weights[confidence(rule, case.facts, setting)] += case.count
    total = weights.total()
    level = 2 if 2 * weights["high"] >= total else 1 if 2 * (weights["high"] + weights["medium"]) >= total else 0
    if all(case.is_alike for case in cases):
        level = min(level, 1)
    return LEVELS[max(0, level - is_doubted)]


def _sentences(signs: Iterable[Sign], cases: Sequence[Case], setting: Setting) -> list[str]:
    """Each sign that holds for any failure, with how many of how many, and who saw it."""
    total = sum(case.count for case in cases)
    found = []
    for sign in signs:
        seen = [(case.count, by) for case in cases if (by := sign.by(case.facts, setting))]
        if seen:
            who = ", ".join(sorted(frozenset().union(*(by for _, by in seen))))
            found.append(f"{sum(count for count, _ in seen)} of {total} {sign.text} ({who})")
    return found


def _alike(cases: Sequence[Case], total: int) -> list[str]:
    bare = [case for case in cases if not case.facts.has_detail]
    kept = sum(case.count for case in cases if case.is_alike and case not in bare)
    counted = sum(case.count for case in bare)
    found = [f"{kept} of {total} told by their likeness to the others"] if kept else []
    return found + ([f"{counted} of {total} known by their outcome only"] if counted else [])


def _missing(needs: Iterable[Need], cases: Sequence[Case], setting: Setting) -> tuple[str, ...]:
    return tuple(need.text(setting) for need in needs if any(need.lacks(case.facts, setting) for case in cases))


def _labels(cases: Sequence[Case]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for case in cases:
        counts[case.facts.label] += case.count
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def _period(cases: Sequence[Case]) -> tuple[datetime | None, datetime | None]:
    times = [one.row.at for case in cases for one in case.items if one.row.at is not None]
    return (min(times), max(times)) if times else (None, None)


def _ids(cases: Sequence[Case]) -> tuple[str, ...]:
    rows = (one.row for case in cases for one in case.items)
    ids = (row.request_id or row.server_id for row in rows)
    return tuple(dict.fromkeys(text for text in ids if text))[:_MOST_IDS]


def _frame(cases: Sequence[Case]) -> str | None:
    frames = Counter(one.thrown.frame for case in cases for one in case.items if one.thrown and one.thrown.frame)
    return frames.most_common(1)[0][0] if frames else None


def unknown(cases: Sequence[Case], setting: Setting) -> Finding:
    """D00: what the outcome means in general, and the evidence that would tell the cause."""
    facts = cases[0].facts
    general = general_meaning(facts.label, setting)
    first_at, last_at = _period(cases)
    total = sum(case.count for case in cases)
    needs = (NEEDS_TELEMETRY, NEEDS_LOG, NEEDS_EVENTS, NEEDS_TRAFFIC_LOG)
    texts = Counter(case.facts.said for case in cases if case.facts.said)
    said = [f"the answers say: {text}" for text, _ in texts.most_common(2)]
    return Finding(
        rule="D00",
        cause=f"unknown: {facts.label} with nothing that tells why; in general, {general.cause}",
        confidence="low",
        count=total,
        labels=_labels(cases),
        evidence=(f"{total} failures under {facts.label}", *said, *_alike(cases, total), *_in_the_log(setting)),
        counter_evidence=(),
        next_step=general.next_step,
        missing=_missing(needs, cases, setting),
        first_at=first_at,
        last_at=last_at,
        request_ids=_ids(cases),
    )


def _in_the_log(setting: Setting) -> list[str]:
    """The most frequent kinds of error lines that no rule knows."""
    kinds = [one for one in setting.told.templates if (one.level or "")[:1].upper() in ("E", "C", "F")]
    return [f"{one.count} lines of the log say: {one.text[:200]}" for one in kinds[:3]]


def general_meaning(label: str, setting: Setting) -> Meaning:
    """What the outcome means on this hosting, whatever caused it here."""
    if label.isdigit():
        return meaning(int(label), setting.hosting)
    if label in frozenset(Failure):
        return failure_meaning(Failure(label))
    return Meaning(label.replace("_", " "), "the source tells no status", "collect another source of the same period")
