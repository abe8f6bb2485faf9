"""Checks as text for a terminal: what is not well first, with its reason and what to do, then a table of all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from reports.clean import harmless_copy
from reports.health_json import harmless_record
from reports.status_words import is_alive, recovery_note, span, watcher_words
from reports.texttable import Column, hung, painted, table
from scoring.health import CheckResult, EndpointHealth, Health, HealthRecord
from scoring.units import show_ms, show_ratio, show_seconds

MIN_WIDTH = 40
TONES = {Health.OK: "32", Health.DEGRADED: "33", Health.FAILED: "31", Health.UNKNOWN: "33"}
_COMMAND = re.compile(r"^([^\S\n]*)(::|##\[)", re.MULTILINE)
_PHASES = ("dns", "connect", "tls", "wait", "transfer")


def check_text(found: Sequence[EndpointHealth], *, color: bool, width: int) -> str:
    """The checks of every endpoint, at most `width` columns wide where their words allow it."""
    clean, width = harmless_copy(list(found)), max(width, MIN_WIDTH)
    blocks = [_headline(clean, color)]
    blocks += [_not_well(one, color, width) for one in clean if one.state is not Health.OK]
    blocks.append(_table(clean, width))
    blocks.append(_phases(clean, width))
    return without_commands("\n\n".join(block for block in blocks if block) + "\n")


def health_text(record: HealthRecord, *, color: bool, width: int) -> str:
    """Endpoints, open and past incidents and gaps, at most `width` columns wide where their words allow it."""
    clean, width = harmless_record(record), max(width, MIN_WIDTH)
    if not clean.endpoints and not clean.incidents:
        return f"no checks since {_moment(clean.since_s)}\n"
    still = [one for one in clean.incidents if one.closed_s is None]
    blocks = [
        f"{_counted(len(clean.endpoints), 'endpoint')}, {_counted(len(still), 'incident')} open;"
        f" what follows is since {_moment(clean.since_s)}",
        _recovery(clean),
        _records(clean, width),
        _incidents(clean, color, width),
        *(
            f"nothing was watched from {_moment(gap.from_s)} to {_moment(gap.until_s)}: {gap.cause}"
            for gap in clean.gaps
        ),
        "" if is_alive(clean) else watcher_words(clean),
    ]
    return without_commands("\n\n".join(block for block in blocks if block) + "\n")


def without_commands(text: str) -> str:
    """No line starts with what a build server takes for a command."""
    return _COMMAND.sub(r"\1· \2", text)


def headline(found: Iterable[EndpointHealth]) -> str:
    """How many endpoints are in which state, the worst first.

    >>> headline([])
    'no endpoint was checked'
    """
    states = Counter(one.state for one in found)
    if not states:
        return "no endpoint was checked"
    counts = [f"{states[state]} {state}" for state in sorted(states, key=lambda state: -state.rank)]
    return f"{_counted(states.total(), 'endpoint')} checked: {', '.join(counts)}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _headline(found: Sequence[EndpointHealth], color: bool) -> str:
    state = max((one.state for one in found), key=lambda state: state.rank, default=Health.UNKNOWN)
    return f"{painted(state.value, TONES[state], color, bold=True)}  {headline(found)}"


def _not_well(one: EndpointHealth, color: bool, width: int) -> str:
    """The endpoint with each of its checks that is not OK."""
    lines = [f"{painted(one.state.value, TONES[one.state], color, bold=True)}  {one.name}: {one.reason}"]
    for check in one.checks:
        if check.outcome is not Health.OK:
            lines += hung(f"  {check.id}  ", check.evidence, width)
            if check.next_step is not None and check is one.deciding:
                lines += hung("  next: ", check.next_step, width)
            if check.request_id is not None and check is one.deciding:
                lines.append(f"  request {check.request_id}")
    return "\n".join(lines)


def _table(found: Sequence[EndpointHealth], width: int) -> str:
    rows = [
        (
            one.name,
            one.state.value,
            show_ms(None if one.latency_ns is None else one.latency_ns / 1e6),
            ", ".join(_short(check) for check in one.checks),
        )
        for one in found
    ]
    columns = (Column("endpoint"), Column("state"), Column("latency", right=True), Column("checks"))
    return table(columns, rows, width) if rows else ""


def _short(check: CheckResult) -> str:
    return check.id if check.outcome is Health.OK else f"{check.id} {check.outcome.value}"


def _phases(found: Sequence[EndpointHealth], width: int) -> str:
    """Where the time of the first answer of each endpoint went."""
    rows = []
    for one in found:
        phases_ns = next((check.phases_ns for check in one.checks if check.id.partition(":")[0] == "answer"), {})
        if phases_ns:
            cells = [show_ms(phases_ns[phase] / 1e6) if phase in phases_ns else "–" for phase in _PHASES]
            rows.append((one.name, *cells))
    columns = (Column("time of the answer"), *(Column(phase, right=True) for phase in _PHASES))
    return table(columns, rows, width) if rows else ""


def _records(record: HealthRecord, width: int) -> str:
    rows = [
        (
            one.name,
            one.state.value,
            show_ratio(one.known_count - one.counts.get(Health.FAILED, 0), one.known_count),
            "–" if one.budget_left_ratio is None else f"{one.budget_left_ratio:.1%}",
            f"{one.missed_count:,}",
            one.reason if one.is_watched else "watched no longer",
        )
        for one in record.endpoints
    ]
    columns = ("endpoint", "state", "not failed", "budget left", "missed", "reason")
    return table([Column(name) for name in columns], rows, width) if rows else ""


def _recovery(record: HealthRecord) -> str:
    found = record.recovery
    return f"mean time to recovery {span(found.mean_s)}: {recovery_note(found)}" if found.count else ""


def _incidents(record: HealthRecord, color: bool, width: int) -> str:
    lines = []
    for one in record.incidents:
        until_s = record.made_s if one.closed_s is None else one.closed_s
        lasted = show_seconds(max(until_s - one.opened_s, 0.0))
        word = painted(one.state.value, TONES[one.state], color, bold=one.closed_s is None)
        how = f"{'open for' if one.closed_s is None else 'lasted'} {lasted}"
        told = sum(notice.sent_s is not None for notice in one.notifications)
        lines += hung(
            "  ",
            f"{_moment(one.opened_s)}  {word}  {one.endpoint}: {one.reason}, {how}, "
            f"{told} of {len(one.notifications)} notices delivered",
            width,
        )
    return "\n".join(["incidents", *lines]) if lines else ""


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
