"""The tables [alerts] and [maintenance] of redline.toml: whom to tell, and when nobody is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from scoring.cron import Cron, checked_cron
from scoring.endpoint import checked_env_name, checked_uri
from scoring.errors import RedlineError
from scoring.tomlfile import Document, KeyPath, shown
from scoring.tomlvalues import as_duration_ns, as_flag, as_text, as_texts
from scoring.units import DAY, HOUR, MIN, S

LONGEST_WINDOW_NS = 31 * DAY


@dataclass(frozen=True, slots=True)
class AlertPlan:
    """Whom to tell. Addresses that are secrets are named by variable or file, as keys are."""

    webhook: str | None = None  # an address without a secret; each notice is POSTed there as JSON
    webhook_env: str | None = None
    apprise_env: str | None = None  # Apprise addresses, divided by spaces or lines
    apprise_file: str | None = None
    remind_ns: int | None = 4 * HOUR  # None: never
    degraded: bool = True  # tell of DEGRADED too
    dead_man_env: str | None = None  # asked by GET while the watcher is alive
    dead_man_every_ns: int = MIN
    availability_env: str | None = None  # connection string of the component that gets a row for each check
    availability_location: str | None = None  # where the checks are made from; None: the name of this machine
    link: str | None = None  # where people look: stands in every notice


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nobody is told: from..until, or each time that cron names, for `for_ns`. Half open at the end."""

    name: str
    endpoints: tuple[str, ...] = ()  # empty: all
    cron: Cron | None = None
    for_ns: int | None = None
    from_s: float | None = None  # seconds since 1970
    until_s: float | None = None

    def covers(self, endpoint: str) -> bool:
        """True when the window is about the endpoint, whatever the time."""
        return not self.endpoints or endpoint in self.endpoints

    def is_on(self, at_s: float) -> bool:
        """True when the time is inside the window."""
        if self.cron is not None and self.for_ns is not None:
            began_s = self.cron.after(at_s - self.for_ns / S)
            return began_s is not None and began_s <= at_s
        return self.from_s is not None and self.until_s is not None and self.from_s <= at_s < self.until_s


def alert_plan(document: Document, at: KeyPath, value: object) -> AlertPlan:
    """The plan of the table; its mistakes are noted in the document."""
    table = document.known(at, document.table(at, value), _ALERT_KEYS)
    values = {key: document.checked((*at, key), table[key], _ALERT_KEYS[key]) for key in table}
    never = table.get("remind") == "never"
    if "dead_man_every" in values:
        values["dead_man_every_ns"] = values.pop("dead_man_every")
    values["remind_ns"] = values.pop("remind", None)
    plan = AlertPlan(**{key: value for key, value in values.items() if value is not None})
    return replace(plan, remind_ns=None) if never else plan


def windows(document: Document, at: KeyPath, value: object, names: Iterable[str]) -> tuple[Window, ...]:
    """The windows of [maintenance.NAME]; mistakes are noted in the document."""
    known = tuple(names)
    found = [_window(document, (*at, name), name, table, known) for name, table in document.table(at, value).items()]
    return tuple(window for window in found if window is not None)


def _window(document: Document, at: KeyPath, name: str, value: object, known: tuple[str, ...]) -> Window | None:
    noted = len(document.mistakes)
    table = document.known(at, document.table(at, value), _WINDOW_KEYS)
    values = {key: document.checked((*at, key), table[key], _WINDOW_KEYS[key]) for key in table}
    for endpoint in values.get("endpoints") or ():
        if endpoint not in known:
            document.mistake((*at, "endpoints"), f"{shown(endpoint)} is no endpoint; allowed: {', '.join(known)}")
    cron, zone = values.pop("cron", None), values.pop("zone", None) or "UTC"
    if cron is not None:
        values["cron"] = document.checked((*at, "cron"), cron, lambda text: checked_cron(str(text), zone))
    _shape(document, at, table, values)
    if len(document.mistakes) > noted:
        return None
    fields = {"for": "for_ns", "from": "from_s", "until": "until_s"}
    return Window(name, **{fields.get(key, key): value for key, value in values.items()})


def _shape(document: Document, at: KeyPath, table: dict[str, Any], values: dict[str, Any]) -> None:
    """A mistake unless the table is either `cron` and `for`, or `from` and `until` in their order."""
    given = {key for key in table if key in ("cron", "for", "from", "until")}
    if given not in ({"cron", "for"}, {"from", "until"}):
        said = ", ".join(sorted(given)) or "nothing of it"
        document.mistake(at, f"{said} is given; allowed: cron and for (with zone), or from and until")
    if "zone" in table and "cron" not in table:
        document.mistake((*at, "zone"), "a zone without cron; allowed: beside cron")
    start, end = values.get("from"), values.get("until")
    if start is not None and end is not None and end <= start:
        document.mistake((*at, "until"), "the end is not after the start; allowed: a later time")


def as_instant_s(value: object) -> float:
    """Seconds since 1970 of a date and time with its offset, as TOML or as text."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        instant = None
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise RedlineError(f"{shown(value)} is no point in time", "2026-01-02T03:04:05Z or with an offset, +01:00")
    return instant.timestamp()


def _for_ns(value: object) -> int:
    duration_ns = as_duration_ns(value)
    if duration_ns > LONGEST_WINDOW_NS:
        raise RedlineError(f"{shown(value)} is too long for a window", 'at most "31d"')
    return duration_ns


def _remind_ns(value: object) -> int | None:
    if value == "never":
        return None
    reminded_ns = as_duration_ns(value)
    if reminded_ns < S:
        raise RedlineError(f"{shown(value)} is too often", 'a second at least: "4h"; or "never"')
    return reminded_ns


def _no_secret(value: object) -> str:
    """An address that can stand in a file: without a query and without what looks like a token."""
    uri = checked_uri(as_text(value))
    if "?" in uri:
        raise RedlineError("the address has a query, which may be a secret (value not shown)", "webhook_env")
    return uri


_ALERT_KEYS: dict[str, Callable[[object], Any]] = {
    "webhook": _no_secret,
    "webhook_env": lambda value: checked_env_name(as_text(value)),
    "apprise_env": lambda value: checked_env_name(as_text(value)),
    "apprise_file": as_text,
    "remind": _remind_ns,
    "degraded": as_flag,
    "dead_man_env": lambda value: checked_env_name(as_text(value)),
    "dead_man_every": as_duration_ns,
    "availability_env": lambda value: checked_env_name(as_text(value)),
    "availability_location": as_text,
    "link": lambda value: checked_uri(as_text(value)),
}
_WINDOW_KEYS: dict[str, Callable[[object], Any]] = {
    "endpoints": as_texts,
    "cron": as_text,
    "zone": as_text,
    "for": _for_ns,
    "from": as_instant_s,
    "until": as_instant_s,
}
