"""The latency report: durations first, never averaged, and said with how sure they are."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.latency import (
    LatencyReport,
    latency_exit_code,
    latency_headline,
    latency_numbers,
    latency_remarks,
    latency_report,
    latency_word,
)
from reports.latency_json import latency_json
from reports.latency_renderings import rendered_latency
from reports.latency_text import latency_csv, latency_text
from reports.timeline import bucket_for, timeline
from scoring.account import FINE_BIN_RATIO, Cell, bin_of
from scoring.errors import Exit
from scoring.served import Source
from scoring.told import Diagnosis, Told
from tests.reports import error_samples as samples
from tests.reports.error_samples import MINUTE, START, account


def made(name: str, **more: Any) -> LatencyReport:
    return latency_report(*samples.ALL[name](), made_at=samples.MADE, tool_version="0.1.0", command="c", **more)


def document(report: LatencyReport) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(latency_json(report))
    return found


def slower(ratio: float) -> tuple[Told, Diagnosis]:
    """300 requests spread evenly from 50 to 80 ms, times a ratio."""
    cells = tuple(
        Cell(START + i * MINUTE / 60, "200", 1, bin_of(ms, FINE_BIN_RATIO), ms)
        for i, ms in enumerate((50 + i / 10) * ratio for i in range(300))
    )
    return Told(None, None, None, accounts=(account(Source.CLIENT, cells, bin_ratio=FINE_BIN_RATIO),)), Diagnosis()


@pytest.mark.parametrize(("ratio", "word"), [(1.0, "MEASURED"), (1.01, "MEASURED"), (1.5, "SLOWER"), (0.5, "FASTER")])
def test_slower_and_faster_are_said_where_intervals_do_not_meet(ratio: float, word: str) -> None:
    """1 % more is within chance of 300 requests, half as much again is not."""
    given_ = {"made_at": samples.MADE, "tool_version": "0", "command": "c"}
    earlier = document(latency_report(*slower(1.0), **given_))  # type: ignore[arg-type]
    assert latency_word(latency_report(*slower(ratio), **given_, baseline=earlier)) == word  # type: ignore[arg-type]


def test_the_headline_says_what_half_and_nearly_all_took() -> None:
    """Exact values, since the client had every duration at hand."""
    assert latency_headline(made("managed")) == (
        "Half of 2,906 requests to churn-prod took up to 35.0 ms, 95 % up to 62.0 ms and 99 % up to 68.0 ms."
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("managed", Exit.FINE), ("unread", Exit.UNFAIR), ("quiet", Exit.FINE), ("all_failed", Exit.UNFAIR)],
)
def test_without_any_duration_nothing_is_measured(name: str, code: Exit) -> None:
    """3 where nobody tells a duration, 0 where a source was read whole and there was no request."""
    assert latency_exit_code(made(name)) is code
    assert rendered_latency(made(name), color=False, width=80, with_files=False).exit_code is code


def test_absent_durations_are_dashes_and_null() -> None:
    """Never 0 ms."""
    assert [number.value for number in latency_numbers(made("all_failed"))] == ["–", "–", "–"]
    assert document(made("all_failed"))["duration_ms"] == {"p50": None, "p95": None, "p99": None, "max": None}


def test_outcomes_are_told_apart() -> None:
    """A rejection after 2 ms does not make the answers look faster."""
    found = {row["name"]: row["duration_ms"]["p50"] for row in document(made("managed"))["by_outcome"]}
    assert found["429"] == pytest.approx(2.0, rel=0.002)
    assert found["200"] == pytest.approx(41.0, rel=0.002)
    assert "Failures are among the durations; their medians are 429: 2.00 ms, 424: 55.0 ms." in latency_remarks(
        made("managed")
    )


def test_client_and_server_are_laid_beside_each_other() -> None:
    """The gap over those requests that both told."""
    said = [one for one in latency_remarks(made("managed")) if one.startswith("Between client and server")]
    assert said == [
        "Between client and server lay 1.20 ms at the median and 4.00 ms at p95, over 2,700 requests that both told."
    ]


def test_the_heat_map_counts_every_request_with_a_duration_once() -> None:
    """Its fields add up to the durations told."""
    for name in ("managed", "log_only", "aks_metrics"):
        found = document(made(name))
        assert sum(field["count"] for field in found["heat"]["fields"]) == found["duration_count"]


def test_the_shares_of_a_distribution_end_at_one() -> None:
    """And ascend, as do the durations."""
    for curve in document(made("managed"))["distribution"]:
        assert curve["points"] == sorted(curve["points"])
        assert curve["points"][-1][1] == 1


@given(
    st.lists(st.tuples(st.integers(0, 86_400), st.integers(1, 9), st.sampled_from(["200", "503"])), min_size=1),
    st.sampled_from([1, 60, 300]),
)
def test_a_timeline_counts_every_request_in_its_bucket(rows: list[tuple[int, int, str]], bucket_s: int) -> None:
    """The slow twin: each request by itself, its instant floored; and there are at most 121 buckets."""
    cells = tuple(
        Cell(START + (second // bucket_s) * bucket_s * MINUTE / 60, label, n, None, None) for second, n, label in rows
    )
    parts = samples.parts_of(account(Source.APP_INSIGHTS, cells, bucket_s=bucket_s))
    course = timeline(parts, (), ())
    assert course is not None
    wanted: Counter[tuple[int, str]] = Counter()
    for cell in cells:
        assert cell.at is not None
        wanted[int(cell.at.timestamp()) // course.bucket_s, cell.label] += cell.count
    found = {
        (int(one.at.timestamp()) // course.bucket_s, label): n
        for one in course.buckets
        for label, n in one.by_label.items()
    }
    assert found == wanted
    assert course.length <= 121


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 3600, 86_400, 40 * 86_400, 4000 * 86_400])
@pytest.mark.parametrize("least", [1, 7, 60, 86_400])
def test_a_bucket_is_a_multiple_of_the_coarsest_count(seconds: float, least: int) -> None:
    """No count is cut in two, and there are at most 120 steps."""
    found = bucket_for(seconds, [1, least])
    assert found % least == 0
    assert seconds / found <= 120


def test_the_csv_has_a_row_for_all_and_one_per_split() -> None:
    """All, then outcomes, deployments and sources."""
    rows = list(csv.DictReader(StringIO(latency_csv(made("managed")))))
    assert (rows[0]["split"], rows[0]["p95_ms"]) == ("all", "62.0")
    assert {row["split"] for row in rows} == {"all", "outcome", "source"}


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_line_of_the_terminal_is_no_wider_than_asked(name: str, width: int) -> None:
    """Tables may need more than 40 columns."""
    shown = latency_text(made(name), color=False, width=width)
    assert max(len(line) for line in shown.splitlines()) <= max(width, 72)


def test_every_file_of_the_report_is_made() -> None:
    """The names that other programs look for."""
    files = rendered_latency(made("managed"), color=False, width=80).files
    assert {"report.html", "report.css", "report.json", "summary.md", "junit.xml", "latency.csv"} <= set(files)


def test_a_distant_year_breaks_nothing() -> None:
    """A log may hold any date."""
    far = tuple(replace(cell, at=cell.at.replace(year=9000)) for cell in samples.overload_cells() if cell.at)
    told = Told(None, None, None, accounts=(account(Source.SERVICE_LOG, (*samples.overload_cells(), *far)),))
    report = samples.of(told, Diagnosis())
    assert report.timeline is not None
    assert report.timeline.length <= 121
