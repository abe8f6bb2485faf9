"""The status page, complete in itself: no script, nothing loaded but the style sheet beside it where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import ClassVar

from reports import status_strip, status_words
from reports.health_json import harmless_record
from reports.page import page_of, sheet_of
from reports.status_strip import Strip, strip
from reports.status_trust import Row, all_gaps, trust, trust_words
from scoring.health import Day, EndpointRecord, Gap, HealthRecord, Incident

STYLESHEET = "status.css"
MAX_BYTES = 300_000
MOST_ROWS = 120
FEWEST_ROWS = 10


def status_html(record: HealthRecord, *, stylesheet: str | None = None) -> str:
    """The page, its long lists cut until it is of MAX_BYTES at most; each says how many entries are left out."""
    page = Page(harmless_record(record), MOST_ROWS)
    while True:
        values = {"page": page, "record": page.record, "title": f"redline status: {page.headline}"}
        text = page_of("status.html.j2", values, stylesheet=stylesheet, tool_version=_version())
        if len(text.encode()) <= MAX_BYTES or page.most <= FEWEST_ROWS:
            return text
        page = replace(page, most=max(page.most // 4, FEWEST_ROWS), drawn=[strip for _, strip in page.rows])


def status_css() -> str:
    """The style sheet that stands inside the page, for a file beside it."""
    return sheet_of("status.css")


@dataclass(frozen=True)
class Page:
    """What the template shows; lists have at most `most` entries."""

    record: HealthRecord
    most: int
    drawn: Sequence[Strip] = ()  # of a page that was too large

    words: ClassVar[ModuleType] = status_words
    legend: ClassVar[Sequence[tuple[str, str]]] = status_strip.LEGEND
    sample = staticmethod(status_strip.sample)

    @cached_property
    def headline(self) -> str:
        return status_words.headline(self.record)

    @cached_property
    def trust(self) -> list[Row]:
        return trust(self.record)

    @cached_property
    def trusted(self) -> tuple[str, str]:
        return trust_words(self.trust)

    @cached_property
    def endpoints(self) -> list[EndpointRecord]:
        return status_words.watched(self.record)

    @cached_property
    def rows(self) -> list[tuple[EndpointRecord, Strip]]:
        """Each endpoint with its days as a drawing."""
        return list(zip(self.endpoints, self.drawn or self._drawn(), strict=True))

    def _drawn(self) -> list[Strip]:
        lost = status_strip.lost_days(self.gaps)
        return [strip(one.days, self.first_day, self.day_count, lost) for one in self.endpoints]

    @cached_property
    def let_go(self) -> list[str]:
        return [one.name for one in self.record.endpoints if not one.is_watched]

    @cached_property
    def still(self) -> list[Incident]:
        return status_words.open_incidents(self.record)

    @cached_property
    def past(self) -> list[Incident]:
        return status_words.past_incidents(self.record)

    @cached_property
    def gaps(self) -> list[Gap]:
        return all_gaps(self.record)

    @cached_property
    def first_day(self) -> int:
        return int(self.record.since_s // status_strip.DAY_S)

    @cached_property
    def day_count(self) -> int:
        return int(self.record.made_s // status_strip.DAY_S) - self.first_day + 1

    @cached_property
    def bad_days(self) -> list[tuple[EndpointRecord, Day]]:
        """Days on which not every check was well, the latest first."""
        found = [(one, day) for one in self.endpoints for day in one.days if day.known_count > day.ok_count]
        return sorted(found, key=lambda pair: (-pair[1].number, pair[0].name))

    def since_day(self) -> str:
        return datetime.fromtimestamp(self.record.since_s, UTC).strftime("%Y-%m-%d")


def _version() -> str:
    try:
        return version("redline")
    except PackageNotFoundError:
        return "run from its sources"
