"""Failures alike as one group: the same exception, or the same answer but for names and numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.diagnosis.cases import Case
from monitor.diagnosis.clues import WORDS
from monitor.diagnosis.findings import general_meaning
from monitor.diagnosis.ids import ID, INSTANCE, TEXT, TIME
from monitor.diagnosis.join import Joined
from monitor.diagnosis.setting import Setting
from monitor.fingerprint import fingerprint
from scoring.served import Source
from scoring.told import Group

MOST_GROUPS = 200
TREND_BUCKETS = 24
_OTHER = ("other",)
_MATCHED = {
    ID: "by request id",
    TEXT: "by its message in the answer",
    INSTANCE: "by its worker and time",
    TIME: "by time and status, for want of an id",
}
Members = list[tuple[Case, Joined]]


def groups_of(cases: Iterable[Case], setting: Setting) -> tuple[Group, ...]:
    """Every failure in exactly one group; the largest first."""
    members: dict[tuple[str, ...], Members] = defaultdict(list)
    kept_keys: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    ordered = sorted(cases, key=lambda case: not case.facts.is_kept)
    for case in ordered:
        key = _key(case, kept_keys[case.facts.label])
        if case.facts.is_kept:
            kept_keys[case.facts.label].add(key)
        members[key] += [(case, one) for one in case.items]
    start, width = _axis(setting, members.values())
    ranked = sorted(members.items(), key=lambda item: (-_count(item[1]), item[0]))
    shown, rest = ranked[: MOST_GROUPS - 1], [pair for _, pairs in ranked[MOST_GROUPS - 1 :] for pair in pairs]
    if len(ranked) <= MOST_GROUPS:
        shown, rest = ranked, []
    found = [_group(key, pairs, setting, start, width) for key, pairs in shown]
    return tuple(found + ([_group(_OTHER, rest, setting, start, width)] if rest else []))


def _key(case: Case, kept: set[tuple[str, ...]]) -> tuple[str, ...]:
    """What failures of one group share."""
    facts = case.facts
    if not facts.is_kept and kept:
        return next(iter(kept)) if len(kept) == 1 else ("counted", facts.label)
    if case.rule is not None and case.rule.id == "D01" and isinstance(case.key, tuple):
        return tuple(str(part) for part in case.key)
    if facts.exception is not None and facts.exception_is_sure:
        return facts.exception
    if case.rule is not None and case.rule.id == "D01":
        return ("answer", "script_error")
    return ("answer", facts.label, facts.clue or facts.said)


def _count(pairs: Members) -> int:
    return sum(one.row.count for _, one in pairs)


def _group(key: tuple[str, ...], pairs: Members, setting: Setting, start: datetime | None, width: timedelta) -> Group:
    labels: Counter[str] = Counter()
    for _, one in pairs:
        labels[one.row.label] += one.row.count
    status = min(labels, key=lambda label: (-labels[label], label))
    times = [one.row.at for _, one in pairs if one.row.at is not None]
    thrown = list({id(one.thrown): one.thrown for _, one in pairs if one.thrown is not None}.values())
    return Group(
        fingerprint=fingerprint(*key),
        cause=_cause(key, status, pairs, setting),
        count=labels.total(),
        status=status,
        why=_why(key, pairs),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        frame=next((one.frame for one in thrown if one.frame), None),
        sample=_sample(pairs),
        by_label=dict(sorted(labels.items())),
        deployments=_distinct(one.row.deployment for _, one in pairs),
        instances=_distinct(_instance(one) for _, one in pairs),
        trend=_trend(pairs, start, width),
        request_ids=_distinct(one.row.request_id or one.row.server_id for _, one in pairs)[:5],
        thrown_count=sum(one.count for one in thrown),
    )


def _cause(key: tuple[str, ...], status: str, pairs: Members, setting: Setting) -> str:
    thrown = next((one.thrown for _, one in pairs if one.thrown is not None), None)
    if key[0] == "exception":
        message = (thrown.message if thrown is not None else key[3]).strip().partition("\n")[0][:160]
        return f"{key[1]}: {message}" if message else key[1]
    if key == _OTHER:
        return "other failures, each rare"
    if key == ("answer", "script_error"):
        return f"{status} {WORDS['script_error']}"
    if key[0] == "counted" or not key[2]:
        return f"{status} {general_meaning(status, setting).name}" if status.isdigit() else _in_words(status, setting)
    return f"{status} {WORDS.get(key[2], key[2][:120])}"


def _in_words(label: str, setting: Setting) -> str:
    return f"{label}: {general_meaning(label, setting).name}"


def _why(key: tuple[str, ...], pairs: Members) -> str:
    counted = sum(one.row.count for case, one in pairs if not case.facts.is_kept)
    beyond = f"; {counted} of them known by their outcome only" if counted else ""
    if key[0] == "exception":
        return f"the same {key[1]}, {_place(key)}, with the same message but for values; {_matched(pairs)}{beyond}"
    if key == _OTHER:
        return "too rare to be shown one by one"
    if key == ("answer", "script_error"):
        return f"the script failed, and no source has the exception{beyond}"
    if key[0] == "counted":
        return f"the same outcome {key[1]}: no detail of these was kept, and those kept have several causes"
    alike = "the same text but for names and numbers" if key[2] else "no text that tells more"
    return f"the same outcome {key[1]} and {alike}{beyond}"


def _place(key: tuple[str, ...]) -> str:
    return f"raised in {key[2]}" if key[2] else "raised at an unknown place"


def _matched(pairs: Members) -> str:
    """How the exceptions were found, with counts; the surest way first."""
    ways = Counter(one.thrown_how or "" for _, one in pairs)
    known = [f"{_MATCHED[way]} ({ways[way]})" for way in _MATCHED if ways[way]]
    rest = [f"by likeness ({ways['']})"] if ways[""] else []
    return "matched " + ", ".join(known + rest)


def _sample(pairs: Members) -> str:
    """What one of them said: the end of its stack, else its answer."""
    for _, one in pairs:
        if one.thrown is not None and (one.thrown.stack or one.thrown.message):
            return one.thrown.stack[-2000:] or one.thrown.message
    texts = (one.row.body or one.row.detail for _, one in pairs)
    return next((text for text in texts if text), "")


def _instance(one: Joined) -> str | None:
    server = one.other(Source.APP_INSIGHTS, Source.SERVICE_LOG)
    thrown = one.thrown.instance if one.thrown is not None else None
    return one.row.instance or (server.instance if server is not None else None) or thrown


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))[:20]


def _axis(setting: Setting, groups: Iterable[Members]) -> tuple[datetime | None, timedelta]:
    """Start and width of the trend's buckets, the same for all groups."""
    told = setting.told
    times = [one.row.at for pairs in groups for _, one in pairs if one.row.at is not None]
    times += [at for one in told.accounts for at in (one.first_at, one.last_at) if at is not None]
    if not times:
        return None, timedelta()
    start, end = min(times), max(times)
    return start, (end - start) / TREND_BUCKETS


def _trend(pairs: Members, start: datetime | None, width: timedelta) -> tuple[int, ...]:
    """Counts per bucket; what has no time is in none."""
    if start is None:
        return ()
    counts = [0] * (TREND_BUCKETS if width else 1)
    for _, one in pairs:
        if one.row.at is not None:
            place = int((one.row.at - start) / width) if width else 0
            counts[min(place, len(counts) - 1)] += one.row.count
    return tuple(counts)
