"""What the pages of the error and latency reports show, cut to sizes that a page can hold whatever was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from reports.axes import BLUE, GREEN, ORANGE, PURPLE, SKY
from reports.errors import ErrorsReport, Split
from reports.errors_change import TimeChange
from reports.errors_codes import CodeCount
from reports.errors_counts import Quantile
from reports.errors_metrics import MetricRow
from reports.errors_sources import NAMES, SourceRow
from reports.errors_words import change_words, moment, period_words, share_words, span_words, time_change_words
from reports.latency_plots import distribution_plot, heat_plot
from reports.numbers import Number
from reports.plots import Plot
from reports.sarif import meaning_of
from reports.timeline_plot import timeline_plot
from scoring.served import Event, Leak, Served, Source
from scoring.told import Finding, Group, Worst
from scoring.units import show_ms, show_ratio

MAX_CODES = 30
MAX_GROUPS = 40
MAX_WORST = 12
MAX_EVENTS = 60
MAX_LEAKS = 50
MAX_METRICS = 40
MAX_OTHERS = 30
PHASES = (("blue", BLUE), ("orange", ORANGE), ("green", GREEN), ("purple", PURPLE), ("sky", SKY))


@dataclass(frozen=True, slots=True)
class Bar:
    """One phase of a request as a rectangle in a field 100 wide and 6 high."""

    color: str
    fill: str
    path: str


@dataclass(frozen=True)
class Page:
    """The words and figures of one page; `report` holds harmless texts only."""

    report: ErrorsReport
    word: str
    tone: str
    headline: str
    remarks: tuple[str, ...]
    numbers: tuple[Number, Number, Number]
    order: tuple[str, ...] = ()  # sections that come first, by their ids
    shrunk: int = 1  # how many times shorter than usual lists are

    @property
    def is_smallest(self) -> bool:
        """No list of the page can be made shorter."""
        return self.shrunk >= MAX_EVENTS

    def smaller(self) -> Page:
        """The same page with lists half as long; what is drawn already is kept."""
        page = replace(self, shrunk=2 * self.shrunk)
        drawn = {name: value for name, value in self.__dict__.items() if isinstance(value, Plot | list)}
        page.__dict__.update(drawn)
        return page

    def most(self, usual: int) -> int:
        """How many entries a list of the page shows, at least one."""
        return max(1, usual // self.shrunk)

    @property
    def period(self) -> str:
        return period_words(self.report)

    @property
    def trust_word(self) -> str:
        trust = self.report.trust
        return "fail" if trust.fails else "warn" if trust.warns else "ok"

    @property
    def trust_sentence(self) -> str:
        rows = self.report.trust.rows
        met = sum(row.word == "ok" for row in rows)
        return f"{met} of {len(rows)} conditions of trust are met."

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The sections that the page has, beside the first two."""
        report = self.report
        known = (
            ("causes", "Why", report.findings),
            ("change", "Change", report.change),
            ("trust", "Trust", True),
            ("timeline", "Time", self.timeline),
            ("codes", "Codes", report.codes),
            ("groups", "Groups", report.groups),
            ("worst", "Worst", report.worst),
            ("latency", "Latency", self.has_latency),
            ("security", "Security", report.security),
            ("appendix", "Appendix", True),
        )
        named = {key: name for key, name, there in known if there}
        first = [key for key in self.order if key in named]
        return [(key, named[key]) for key in (*first, *(key for key in named if key not in first))]

    @cached_property
    def timeline(self) -> Plot | None:
        course = self.report.timeline
        return None if course is None else timeline_plot(course, self.report.trust.complete_until)

    @cached_property
    def latency_plots(self) -> list[Plot]:
        course = self.report.timeline
        found = (distribution_plot(self.report.curves), None if course is None else heat_plot(course))
        return [plot for plot in found if plot is not None]

    @property
    def has_latency(self) -> bool:
        return bool(self.report.latency.count or self.report.metrics)

    @property
    def by_code(self) -> list[Split]:
        return [Split("all", self.report.latency), *self.report.by_code]

    @property
    def by_source(self) -> list[Split]:
        return [Split(NAMES[Source(split.name)], split.latency) for split in self.report.by_source]

    @property
    def events(self) -> tuple[Event, ...]:
        """Those of the timeline, or all where none has a time within it."""
        course = self.report.timeline
        events = course.events if course is not None and course.events else self.report.events
        return events[: self.most(MAX_EVENTS)]

    @property
    def more_events(self) -> int:
        return len(self.report.events) + self.report.more_events - len(self.events)

    @property
    def codes(self) -> tuple[CodeCount, ...]:
        return self.report.codes[: self.most(MAX_CODES)]

    @property
    def more_codes(self) -> int:
        return len(self.report.codes) - len(self.codes)

    @property
    def deployments(self) -> tuple[str, ...]:
        return () if self.report.deployments is None else self.report.deployments.deployments

    @property
    def telling(self) -> list[SourceRow]:
        return [row for row in self.report.sources if row.by_label]

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.report.groups[: self.most(MAX_GROUPS)]

    @property
    def more_groups(self) -> int:
        return len(self.report.groups) + len(self.report.more_groups) - len(self.groups)

    @property
    def worst(self) -> tuple[Worst, ...]:
        return tuple(one for one in self.report.worst if one.rows)[: self.most(MAX_WORST)]

    @property
    def leaks(self) -> tuple[Leak, ...]:
        return self.report.security[: self.most(MAX_LEAKS)]

    @property
    def more_leaks(self) -> int:
        return len(self.report.security) - len(self.leaks)

    @property
    def metrics(self) -> tuple[MetricRow, ...]:
        return self.report.metrics[: self.most(MAX_METRICS)]

    @property
    def more_metrics(self) -> int:
        return len(self.report.metrics) - len(self.metrics)

    @property
    def others(self) -> list[tuple[str, int]]:
        return list(self.report.others.items())[: self.most(MAX_OTHERS)]

    @property
    def _group_places(self) -> Mapping[str, int]:
        """The first group of each status, by its number on the page."""
        return {group.status: place for place, group in reversed(list(enumerate(self.groups, 1)))}

    @cached_property
    def _new(self) -> frozenset[str]:
        found = self.report.change
        return frozenset() if found is None else frozenset(group.fingerprint for group in found.new_groups)

    @property
    def change_sentence(self) -> str:
        found = self.report.change
        if found is None:
            return ""
        gone = len(found.gone_groups) + found.more_gone
        groups = f"{len(found.new_groups)} groups are new, {found.known_groups} known, {gone} gone."
        return f"{change_words(found)}: {groups}"

    def group_of(self, label: str) -> int | None:
        return self._group_places.get(label)

    def is_new(self, group: Group) -> bool:
        return group.fingerprint in self._new

    def by_deployment(self, label: str) -> tuple[int, ...]:
        found = self.report.deployments
        return () if found is None else found.rows.get(label, (0,) * len(found.deployments))

    def percent(self, count: int) -> str:
        return show_ratio(count, self.report.done.total_count).partition(" (")[0]

    def share(self, finding: Finding) -> str:
        return share_words(finding, self.report)

    def moment(self, at: datetime | None) -> str:
        return moment(at)

    def span(self, first: datetime, last: datetime | None) -> str:
        return span_words(first, last or first)

    def source(self, source: Source) -> str:
        return NAMES[source]

    def interval(self, one: Quantile) -> str:
        known = one.low_ms is not None and one.high_ms is not None
        return f"{show_ms(one.low_ms)} to {show_ms(one.high_ms)}" if known else "–"

    def figure(self, value: float) -> str:
        return f"{value:,.6g}"

    def ratio(self, value: float | None) -> str:
        return "–" if value is None else f"{value:,.2f}"

    def time_change(self, one: TimeChange) -> str:
        return time_change_words(one)

    def leak(self, leak: Leak) -> str:
        return meaning_of(leak.type)

    def spark(self, trend: tuple[int, ...]) -> str:
        """One rectangle per step, 7 wide, 8 apart, up to 24 high; some is at least one pixel."""
        top = max(trend)
        heights = [max(1.0, 23 * count / top) if count > 0 else 0.0 for count in trend]
        return "".join(f"M{8 * i} 24v{-high:.1f}h7v{high:.1f}z" for i, high in enumerate(heights) if high)

    def bars(self, one: Worst, row: Served) -> list[Bar]:
        """The phases of a row along the longest duration of the request; none where no duration was told."""
        whole = max((served.duration_ms or 0.0 for served in one.rows), default=0.0)
        phases = row.phases_ms[:8] or ((("", row.duration_ms),) if row.duration_ms else ())
        if whole <= 0:
            return []
        bars, left = [], 0.0
        for place, (_, ms) in enumerate(phases):
            wide = min(100 * max(ms, 0.0) / whole, 100 - left)
            color, fill = PHASES[place % len(PHASES)]
            bars.append(Bar(color, fill, f"M{left:.2f} 0h{wide:.2f}v6h{-wide:.2f}z"))
            left += wide
        return bars
