"""What the status page says in words: is it OK, since when, who watches, and how sure the figures are. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from reports.health_figures import good_interval, together
from reports.numbers import Number
from scoring.health import (
    FEWEST_RECOVERIES,
    RULE_NETWORK,
    Budget,
    EndpointRecord,
    Health,
    HealthRecord,
    Incident,
    Latencies,
    NoticeKind,
    Recovery,
)
from scoring.units import DAY, HOUR, MS, S, show_count, show_ms, show_ratio, show_seconds

ALIVE_S = 60.0
"""A watcher gives a sign of life every ten seconds; after so long without one it is taken for gone."""
TONES = {Health.OK: "good", Health.DEGRADED: "warn", Health.FAILED: "bad", Health.UNKNOWN: "unknown"}
MOST_NAMES = 6
_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|h|d)(?!\w))")


def watched(record: HealthRecord) -> list[EndpointRecord]:
    """The endpoints that are watched, the worst first, then by name."""
    known = [one for one in record.endpoints if one.is_watched]
    return sorted(known, key=lambda one: (one.is_quiet, -one.state.rank, one.last is Health.OK, one.name))


def not_well(record: HealthRecord) -> list[EndpointRecord]:
    """The endpoints that are not proved OK; those in maintenance are not judged."""
    return [one for one in watched(record) if one.state is not Health.OK and not one.is_quiet]


def is_alive(record: HealthRecord) -> bool:
    """True while somebody watches."""
    beat_s = record.watch.beat_s
    return not record.watch.is_over and beat_s is not None and record.made_s - beat_s <= ALIVE_S


def own_network(record: HealthRecord) -> Incident | None:
    """The incident of our own network that is open."""
    return next((one for one in open_incidents(record) if one.rule == RULE_NETWORK), None)


def open_incidents(record: HealthRecord) -> list[Incident]:
    """The worst first, then the oldest."""
    still = [one for one in record.incidents if one.closed_s is None]
    return sorted(still, key=lambda one: (-one.state.rank, one.opened_s, one.id))


def past_incidents(record: HealthRecord) -> list[Incident]:
    """The latest first."""
    over = [one for one in record.incidents if one.closed_s is not None]
    return sorted(over, key=lambda one: (-one.opened_s, one.id))


def verdict(record: HealthRecord) -> tuple[str, str]:
    """The word for all of it and its tone: never well where nobody watches."""
    if not watched(record):
        return "NO DATA", "unknown"
    if not is_alive(record):
        return "NOT WATCHED", "unknown"
    if own_network(record):
        return "NOT KNOWN", "unknown"
    bad = not_well(record)
    if not bad:
        return "ALL WELL", "good"
    worst = max(bad, key=lambda one: one.state.rank).state
    return ("NOT KNOWN" if worst is Health.UNKNOWN else worst.value), TONES[worst]


def headline(record: HealthRecord) -> str:
    """How many of how many are not well."""
    total, bad = len(watched(record)), len(not_well(record))
    if not total:
        return "No endpoint was checked"
    seen = "" if is_alive(record) else ", as last seen"
    if bad:
        return f"{show_count(bad)} of {counted(total, 'endpoint')} {'is' if bad == 1 else 'are'} not well{seen}"
    quiet = sum(one.is_quiet for one in watched(record))
    if quiet:
        return f"{show_count(total - quiet)} of {counted(total, 'endpoint')} are well, {quiet} in maintenance{seen}"
    return f"The one endpoint is well{seen}" if total == 1 else f"All {show_count(total)} endpoints are well{seen}"


def remarks(record: HealthRecord) -> list[str]:
    """Since when, what is not judged, and until when the page can be believed."""
    return [*_since(record), *_hindered(record), _written(record)]


def _since(record: HealthRecord) -> list[str]:
    since_s = [one.since_s for one in not_well(record) if one.since_s is not None]
    if since_s:
        return [f"Not well since {moment(min(since_s))}, {span(record.made_s - min(since_s))}."]
    closed_s = [one.closed_s for one in record.incidents if one.is_down and one.closed_s is not None]
    if closed_s and not not_well(record):
        return [f"The last incident ended {moment(max(closed_s))}, {span(record.made_s - max(closed_s))} ago."]
    return [] if not_well(record) or not record.endpoints else [f"No incident since {moment(record.since_s)}."]


def _hindered(record: HealthRecord) -> list[str]:
    network, quiet = own_network(record), [one.name for one in watched(record) if one.is_quiet]
    said = []
    if network is not None:
        since = f"since {moment(network.opened_s)}"
        said.append(f"The watcher's own network is down {since}: of endpoints elsewhere nothing can be told.")
    if quiet:
        more = f" and {len(quiet) - MOST_NAMES} more" if len(quiet) > MOST_NAMES else ""
        said.append(f"In maintenance, and not judged: {', '.join(quiet[:MOST_NAMES])}{more}.")
    return said


def _written(record: HealthRecord) -> str:
    """When the page was made, and how one sees that it is old."""
    written, watch = f"Written {moment(record.made_s, seconds=True)}", record.watch
    if watch.next_s is not None:
        until = moment(watch.next_s, seconds=True)
        return f"{written}. It is written anew before {until}: once that is past, nobody may be watching."
    return f"{written}, once. {watcher_words(record)}"


def watcher_words(record: HealthRecord) -> str:
    """Whether somebody watches."""
    if record.watch.is_over:
        return "The watcher was stopped; nothing is watched since."
    if record.watch.beat_s is None:
        return "There is no sign of a watcher."
    return f"The watcher gave its last sign of life {span(max(record.made_s - record.watch.beat_s, 0.0))} before."


def numbers(record: HealthRecord) -> list[Number]:
    """Endpoints that are well, checks that did not fail, and the mean time to recovery."""
    return [_well(record), _good(record), _recovered(record)]


def _well(record: HealthRecord) -> Number:
    known = watched(record)
    states = [one.state for one in known]
    parts = [f"{states.count(state)} {word}" for state, word in _STATE_WORDS.items() if state in states]
    return Number("Endpoints well", str(states.count(Health.OK)), f"of {len(known)}", ", ".join(parts) or "none other")


def _good(record: HealthRecord) -> Number:
    known = sum(one.known_count for one in record.endpoints)
    failed = sum(one.counts.get(Health.FAILED, 0) for one in record.endpoints)
    value, _, counts = show_ratio(known - failed, known).partition(" (")
    figure = value.removesuffix(" %")
    note = (
        f"{counts.removesuffix(')')}; {interval_words(good_interval(together(record.endpoints)))}"
        if known
        else "no check told anything"
    )
    return Number("Checks that did not fail", figure, "%" if known else "", note)


def _recovered(record: HealthRecord) -> Number:
    found = record.recovery
    value, _, unit = span(found.mean_s).partition(" ")
    return Number("Mean time to recovery", value, unit, recovery_note(found))


def recovery_note(found: Recovery) -> str:
    """What the mean rests on, and how far off it may be."""
    if not found.count:
        return "no incident that is over"
    rests_on = f"{counted(found.count, 'incident')} over"
    if found.low_s is None or found.high_s is None:
        return (
            f"{rests_on}, too few to say how sure"
            if found.count < FEWEST_RECOVERIES
            else f"{rests_on}, too uneven to say"
        )
    return f"{rests_on}; 95 % interval {span(found.low_s)} to {span(found.high_s)}"


def interval_words(interval: tuple[float, float] | None) -> str:
    """The interval in percent, rounded outward to hundredths.

    >>> interval_words((0.99712, 1.0)), interval_words(None)
    ('95 % interval 99.71 to 100 %', 'no interval')
    """
    if interval is None:
        return "no interval"
    low, high = math.floor(interval[0] * 10_000) / 100, math.ceil(interval[1] * 10_000) / 100
    return f"95 % interval {low:.4g} to {min(high, 100.0):.4g} %"


def good_words(one: EndpointRecord) -> tuple[str, str]:
    """The share of checks that did not fail, and what it rests on."""
    failed = one.counts.get(Health.FAILED, 0)
    value, _, counts = show_ratio(one.known_count - failed, one.known_count).partition(" (")
    if not one.known_count:
        return "–", "no check told anything"
    return value, f"{counts.removesuffix(')')}; {interval_words(good_interval(one.days))}".replace("95 % interval ", "")


def budget_words(budget: Budget, slo_ratio: float) -> tuple[str, str]:
    """What is left of the budget, and how much of it there was."""
    allowed = budget.check_count * (1 - slo_ratio)
    left = f"{100 * budget.left_ratio:.0f} %" if budget.left_ratio >= 0 else "overspent"
    goal = f"{100 * slo_ratio:.6g} % of {span(budget.window_s)}"
    return left, f"{show_count(budget.failed_count)} of {allowed:,.3g} failures; goal {goal}"


def shown_since_s(one: EndpointRecord, record: HealthRecord) -> float:
    """Since when its checks are known: the start of the record, or of its first day."""
    return max(record.since_s, one.days[0].number * DAY / S) if one.days else record.since_s


def latency_words(found: Latencies, made_s: float) -> tuple[str, str]:
    """Median and 95th percentile, and of how many answers."""
    value = f"{show_ms(found.p50_ns / MS)}, {show_ms(found.p95_ns / MS)}"
    return value, f"{counted(found.count, 'answer')} of the last {span(made_s - found.since_s)}"


def state_words(one: EndpointRecord, record: HealthRecord) -> str:
    """Why, and since when."""
    since = "" if one.since_s is None else f" since {moment(one.since_s)}, {span(record.made_s - one.since_s)}"
    if one.checked_s is None:
        return "not checked yet"
    if one.state is Health.OK:
        return since.strip() or f"no incident since {moment(shown_since_s(one, record))}"
    return f"{one.reason}{since}"


def last_words(one: EndpointRecord, record: HealthRecord) -> str:
    """The last check where it says something else than the state, which takes several in a row, or is long ago."""
    said = []
    if one.last is not one.state and one.checked_s is not None:
        said.append(f"Its last check was {one.last}{'' if one.last is Health.OK else f': {one.reason}'}.")
    if one.is_overdue and one.checked_s is not None:
        said.append(f"It was checked {span(record.made_s - one.checked_s)} ago, and should have been since.")
    return " ".join(said)


def told_words(one: Incident) -> str:
    """How many notices there were, and how many arrived."""
    if not one.notifications:
        return "nobody was told"
    sent_s = [told.sent_s for told in one.notifications if told.sent_s is not None]
    fires_s = [told.sent_s for told in one.notifications if told.kind is NoticeKind.FIRE and told.sent_s is not None]
    reminders = sum(told.kind is NoticeKind.REMIND for told in one.notifications)
    words = f"{len(sent_s)} of {counted(len(one.notifications), 'notice')} delivered"
    words += f", the first {span(max(min(fires_s) - one.opened_s, 0.0))} after it began" if fires_s else ""
    return words + (f", {counted(reminders, 'reminder')} among them" if reminders else "")


def moment(at_s: float, *, seconds: bool = False) -> str:
    """Date and time in UTC.

    >>> moment(60.0), moment(61.0, seconds=True)
    ('1970-01-01 00:01 UTC', '1970-01-01 00:01:01 UTC')
    """
    return datetime.fromtimestamp(at_s, UTC).strftime(f"%Y-%m-%d %H:%M{':%S' if seconds else ''} UTC")


def span(seconds: float | None) -> str:
    """A length of time; in days and hours from two days on.

    >>> span(42), span(7384), span(200_000), span(None)
    ('42.0 s', '2 h 3 min', '2 d 7 h', '–')
    """
    if seconds is None or seconds < 2 * DAY / S:
        return show_seconds(seconds)
    hours = int(seconds // (HOUR / S))
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def counted(count: int, what: str) -> str:
    """So many of a thing.

    >>> counted(1, "check"), counted(1200, "check")
    ('1 check', '1,200 checks')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def held(text: str) -> str:
    """The text with its numbers kept beside their units where lines break.

    >>> held("p50 of 12 answers: 4 h 30 min, 100 %")
    'p50 of 12 answers: 4\xa0h 30\xa0min, 100\xa0%'
    """
    return _UNIT.sub("\u00a0", text)


def names_words(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - 50} more" if len(names) > 50 else ""
    return ", ".join(names[:50]) + more


_STATE_WORDS = {Health.FAILED: "failed", Health.DEGRADED: "degraded", Health.UNKNOWN: "not known"}
