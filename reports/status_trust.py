"""Whether the status page can be trusted: who watches, what was not watched, missed or not yet told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reports.status_words import ALIVE_S, counted, is_alive, moment, names_words, span, watched
from scoring.health import Gap, HealthRecord
from scoring.units import DAY, S, show_ratio

DAY_S = DAY / S


@dataclass(frozen=True, slots=True)
class Row:
    """One condition: ok, warn, fail or unknown, with its evidence."""

    name: str
    word: str
    evidence: str


def trust(record: HealthRecord) -> list[Row]:
    """Every condition with what speaks for it or against it."""
    return [_at_work(record), _whole(record), _when_due(record), _lately(record), _told(record)]


def trust_words(rows: Iterable[Row]) -> tuple[str, str]:
    """The worst word of all conditions, and a sentence with those that do not hold."""
    ranks = ("ok", "unknown", "warn", "fail")
    known = list(rows)
    bad = [row for row in known if row.word != "ok"]
    if not bad:
        return "ok", "Somebody watches, and nothing was missed."
    return max((row.word for row in bad), key=ranks.index), f"{'; '.join(row.evidence for row in bad)}."


def all_gaps(record: HealthRecord) -> list[Gap]:
    """The latest first, with the one that lasts still."""
    beat_s = record.watch.beat_s
    lasts = [] if is_alive(record) or beat_s is None else [Gap(beat_s, record.made_s, "no watcher, still")]
    return [*lasts, *sorted(record.gaps, key=lambda gap: -gap.from_s)]


def first_watched_s(record: HealthRecord) -> float | None:
    """When watching began, by the day, or the start of the record; None where nothing was watched."""
    first = min((one.days[0].number for one in record.endpoints if one.days), default=None)
    return None if first is None else max(first * DAY_S, record.since_s)


def _at_work(record: HealthRecord) -> Row:
    name, beat_s = "A watcher is at work", record.watch.beat_s
    if beat_s is None:
        return Row(name, "unknown", "there is no sign of a watcher")
    ago = f"its last sign of life was {span(max(record.made_s - beat_s, 0.0))} before this page"
    if record.watch.is_over:
        return Row(name, "fail", "the watcher was stopped")
    return Row(name, "ok" if is_alive(record) else "fail", f"{ago}; {ALIVE_S:.0f} s are allowed")


def _whole(record: HealthRecord) -> Row:
    name, began_s, gaps = "The whole time was watched", first_watched_s(record), all_gaps(record)
    if began_s is None:
        return Row(name, "unknown", "no check is recorded")
    lost_s = sum(gap.until_s - max(gap.from_s, began_s) for gap in gaps if gap.until_s > began_s)
    if not lost_s:
        return Row(name, "ok", f"no gap since {moment(began_s)}")
    minutes, lost = round((record.made_s - began_s) / 60), round(lost_s / 60)
    share = show_ratio(min(lost, minutes), minutes).partition(" (")[0]
    return Row(
        name,
        "warn",
        f"{counted(len(gaps), 'gap')}, {span(lost_s)} together, {share} of the time since {moment(began_s)}",
    )


def _when_due(record: HealthRecord) -> Row:
    missed = sum(one.missed_count for one in record.endpoints)
    late = sum(one.late_count for one in record.endpoints)
    said = f"{counted(missed, 'check')} missed and {late:,} late since the state folder began"
    return Row(
        "Checks were made when due", "warn" if missed or late else "ok", said if missed or late else "all of them"
    )


def _lately(record: HealthRecord) -> Row:
    name = "Every endpoint was asked"
    never = [one.name for one in watched(record) if one.checked_s is None]
    overdue = [one.name for one in watched(record) if one.is_overdue]
    if never or overdue:
        told = [("not checked yet", never), ("not checked when due", overdue)]
        return Row(name, "warn", "; ".join(f"{what}: {names_words(names)}" for what, names in told if names))
    times_s = [(one.checked_s, one.name) for one in watched(record) if one.checked_s is not None]
    if not times_s:
        return Row(name, "unknown", "there is none")
    checked_s, oldest = min(times_s)
    return Row(name, "ok", f"the longest ago is {oldest}, {span(max(record.made_s - checked_s, 0.0))} before this page")


def _told(record: HealthRecord) -> Row:
    waiting = record.watch.waiting_count
    said = f"{counted(waiting, 'notice')} not delivered yet" if waiting else "none waits"
    return Row("Notices were delivered", "warn" if waiting else "ok", said)
