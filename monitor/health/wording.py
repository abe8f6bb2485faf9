"""What people are told: of one notice and of many, as a title and lines, and as a document for programs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monitor.health.deciding import Notice
from monitor.health.history import endpoint_and_rule
from monitor.health.reasons import next_step
from scoring.endpoint import Hosting
from scoring.health import NoticeKind
from scoring.redact import redact
from scoring.text import harmless
from scoring.units import show_seconds

SCHEMA = 1
MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Context:
    """What every message may say beside its notice."""

    hosting: Mapping[str, Hosting | None]
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line, lines below it, and the same for programs."""

    title: str
    lines: tuple[str, ...]
    document: Mapping[str, Any]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def message_of(notices: Sequence[Notice], context: Context) -> Message:
    """The message of one notice, or the digest of several."""
    if len(notices) == 1:
        return _single(notices[0], context)
    title = f"redline: {len(notices)} notices that could not be delivered earlier"
    lines = [f"{instant(notice.at_s)} {_title(notice)}" for notice in notices[:MOST_LINES]]
    if len(notices) > MOST_LINES:
        lines.append(f"and {len(notices) - MOST_LINES} more")
    document = {"schema": SCHEMA, "kind": "digest", "title": title, "text": "\n".join(lines)}
    inner = [_document(notice, context) for notice in notices]
    return Message(title, tuple(lines), {**document, "link": context.link, "notices": inner})


def instant(at_s: float) -> str:
    """Date and time in UTC, to the second.

    >>> instant(0.9)
    '1970-01-01 00:00:00 UTC'
    """
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _single(notice: Notice, context: Context) -> Message:
    document = _document(notice, context)
    lines = [f"since {instant(notice.opened_s)}, {show_seconds(max(notice.at_s - notice.opened_s, 0.0))}"]
    if notice.evidence and notice.kind is not NoticeKind.RESOLVE:
        lines.append(clean(notice.evidence))
    if document["next_step"] is not None:
        lines.append(f"next: {document['next_step']}")
    lines += [context.link] if context.link else []
    lines.append(f"incident {notice.key}")
    title = _title(notice)
    return Message(title, tuple(lines), {**document, "title": title, "text": "\n".join(lines)})


def _title(notice: Notice) -> str:
    endpoint, rule = endpoint_and_rule(notice.subject)
    whats = {
        "budget": f"the error budget of {endpoint}",
        "telemetry": f"the telemetry of {endpoint}",
        "network": "the watcher's own network",
    }
    what = whats.get(rule, endpoint)
    if notice.kind is NoticeKind.RESOLVE:
        ended = "is OK again" if notice.reason != "not_watched" else "is watched no longer"
        return f"{notice.state.value}: {what} {ended} after {show_seconds(max(notice.at_s - notice.opened_s, 0.0))}"
    still = "still " if notice.kind is NoticeKind.REMIND else ""
    return harmless(f"{still}{notice.state.value}: {what}: {notice.reason}", max_chars=300)


def _document(notice: Notice, context: Context) -> dict[str, Any]:
    endpoint, rule = endpoint_and_rule(notice.subject)
    is_over = notice.kind is NoticeKind.RESOLVE
    return {
        "schema": SCHEMA,
        "kind": notice.kind.value,
        "key": notice.key,
        "number": notice.number,
        "endpoint": endpoint,
        "rule": rule,
        "state": notice.state.value,
        "reason": notice.reason,
        "evidence": clean(notice.evidence),
        "opened_at": _rfc3339(notice.opened_s),
        "at": _rfc3339(notice.at_s),
        "next_step": None if is_over else next_step(notice.reason, endpoint, context.hosting.get(endpoint)),
        "link": context.link,
    }


def clean(text: str) -> str:
    """Foreign words as they may leave the house: printable, one line, without a secret."""
    return harmless(redact(harmless(text, max_chars=4096)), max_chars=500)


def _rfc3339(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
