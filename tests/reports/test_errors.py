"""The model of the error report: what counts, what can be trusted, the verdict and the exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.stats import nearest_rank
from reports.errors_counts import latency_of, spread_of, success
from reports.errors_renderings import errors_section, rendered_errors
from reports.errors_text import diagnosis_text, errors_text
from reports.errors_words import exit_code, headline, next_steps, numbers, verdict_tone, verdict_word
from scoring.account import FINE_BIN_RATIO, Cell, bin_of
from scoring.errors import Exit
from scoring.served import Source
from scoring.told import Diagnosis, Told
from tests.reports import error_samples as samples
from tests.reports.error_samples import MINUTE, START, account, cells


def condition(name: str, of: str) -> str:
    return next(row.word for row in samples.report(of).trust.rows if row.name == name)


@pytest.mark.parametrize(
    ("name", "word", "tone"),
    [
        ("fine", "NONE FAILED", "good"),
        ("managed", "SOME FAILED", "warn"),
        ("all_failed", "ALL FAILED", "bad"),
        ("aks_metrics", "NOT ENOUGH DATA", "warn"),
        ("unread", "NOT ENOUGH DATA", "warn"),
        ("quiet", "NOT ENOUGH DATA", "warn"),
    ],
)
def test_the_verdict_says_how_many_failed(name: str, word: str, tone: str) -> None:
    """None, some or all; and no more than the data allow."""
    report = samples.report(name)
    assert (verdict_word(report), verdict_tone(report)) == (word, tone)


@pytest.mark.parametrize(
    ("name", "limit", "word", "code"),
    [
        ("managed", None, "SOME FAILED", Exit.FINE),  # past failures are data
        ("managed", 0.07, "NO-GO", Exit.MISSED),  # 206 of 2,906 are 7.09 %
        ("managed", 206 / 2906, "GO WITH WARNINGS", Exit.FINE),  # as many as allowed; one source was not read
        ("fine", 0.0, "GO", Exit.FINE),
        ("aks_metrics", 0.07, "NOT ENOUGH DATA", Exit.MISSED),  # what was read is already too much
        ("aks_metrics", 0.5, "NOT ENOUGH DATA", Exit.UNFAIR),  # nobody knows what is missing
        ("aks_metrics", None, "NOT ENOUGH DATA", Exit.FINE),
        ("unread", None, "NOT ENOUGH DATA", Exit.UNFAIR),
        ("unread", 0.5, "NOT ENOUGH DATA", Exit.UNFAIR),
        ("quiet", None, "NOT ENOUGH DATA", Exit.FINE),  # read whole, and there is nothing
    ],
)
def test_the_exit_code_follows_the_limit_and_the_trust(name: str, limit: float | None, word: str, code: Exit) -> None:
    """1 when more failed than allowed, 3 when that or anything at all cannot be told, else 0."""
    report = samples.report(name, max_failed_ratio=limit)
    assert (verdict_word(report), exit_code(report)) == (word, code)


def test_the_headline_names_the_commonest_failure_as_this_hosting_means_it() -> None:
    """On a managed endpoint 429 is "too many pending"."""
    assert headline(samples.report("managed")) == (
        "206 of 2,906 requests to churn-prod failed (7.09 %), 200 of them with 429 too many pending."
    )


def test_nothing_told_is_said_and_not_counted_as_none() -> None:
    """No source told: no zero stands anywhere in the sentence."""
    assert headline(samples.report("unread")).startswith("No source told of any request to churn-prod between")
    assert [number.value for number in numbers(samples.report("unread"))] == ["–", "–", "–"]


def test_the_success_rate_has_its_wilson_interval() -> None:
    """90 of 100: 82.6 % to 94.5 % by Wilson's formula with z = 1.96."""
    done = success({"200": 90, "503": 10}, is_sampled=False)
    assert (done.good_count, done.total_count) == (90, 100)
    assert done.low_ratio == pytest.approx(0.8256, abs=1e-4)
    assert done.high_ratio == pytest.approx(0.9448, abs=1e-4)


def test_sampled_counts_have_no_interval() -> None:
    """An estimate says nothing of chance."""
    report = samples.report("aks_metrics")
    assert report.done.low_ratio is None
    assert {one.low_ms for one in report.latency.quantiles} == {None}


@given(st.lists(st.floats(0.5, 5000.0), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_percentiles_from_bins_are_those_of_the_sorted_list_within_a_bin(values: list[float], share: float) -> None:
    """The slow twin: sort all durations, take the nearest rank; a bin of 0.2 % is off by at most 0.1 %."""
    pairs = [(Cell(START, "200", 1, bin_of(ms, FINE_BIN_RATIO), ms), FINE_BIN_RATIO) for ms in values]
    found = latency_of(pairs, is_sampled=False)
    name = {0.5: "p50", 0.95: "p95", 0.99: "p99"}[share]
    assert found.ms(name) == pytest.approx(nearest_rank(sorted(values), share), rel=0.0021)
    assert found.max_ms == max(values)


@given(st.lists(st.tuples(st.floats(0.5, 5000.0), st.integers(1, 9)), max_size=30))
def test_a_spread_counts_every_duration_once(pairs: list[tuple[float, int]]) -> None:
    """Values ascend, and the last running count is that of all requests."""
    spread = spread_of((Cell(START, "200", n, bin_of(ms, FINE_BIN_RATIO), ms), FINE_BIN_RATIO) for ms, n in pairs)
    assert list(spread.values_ms) == sorted(spread.values_ms)
    assert spread.count == sum(n for _, n in pairs)


def test_an_interval_of_a_percentile_holds_it() -> None:
    """Also where the percentile is exact and the interval comes from bins."""
    for one in samples.report("managed").latency.quantiles:
        assert one.ms is not None
        assert one.low_ms is not None
        assert one.high_ms is not None
        assert one.low_ms <= one.ms <= one.high_ms


def test_a_period_that_the_client_does_not_cover_is_counted_from_the_next_source() -> None:
    """The client tells minutes 0 to 4, the log 0 to 20: 500 from the client, and from minute 7 on from the log."""
    client = account(Source.CLIENT, cells([(i, "200", 100, 20.0) for i in range(5)]))
    log = account(Source.SERVICE_LOG, cells([(i, "200", 10, 20.0) for i in range(21)]))
    report = samples.of(Told(None, None, None, accounts=(client, log)), Diagnosis())
    counted = {row.source: row.counted for row in report.sources}
    assert counted[Source.CLIENT] == 500
    assert report.requests == 500 + counted[Source.SERVICE_LOG]
    assert 130 <= counted[Source.SERVICE_LOG] <= 160


@pytest.mark.parametrize(
    ("name", "of", "word"),
    [
        ("Sources", "managed", "warn"),  # the metrics answered 403
        ("Sources", "unread", "fail"),
        ("Whole answers", "aks_metrics", "fail"),
        ("Complete until", "aks_metrics", "fail"),  # 18 of 30 minutes may lack rows
        ("Sampling", "aks_metrics", "warn"),
        ("Arrived in App Insights", "managed", "warn"),  # 2,706 of 2,906
        ("Arrived in traffic log", "managed", "ok"),
        ("Joined", "managed", "ok"),
        ("Undecodable lines", "log_only", "warn"),
        ("Complete until", "fine", "ok"),
    ],
)
def test_each_condition_of_trust_is_told_apart(name: str, of: str, word: str) -> None:
    """One row each, with its own word."""
    assert condition(name, of) == word


def test_every_condition_has_evidence() -> None:
    """No word stands without what it rests on."""
    assert all(row.evidence for name in samples.ALL for row in samples.report(name).trust.rows)


def test_the_portal_alone_is_said_to_show_no_failure() -> None:
    """The correction is stated with the rows it was made on and what the columns would have shown."""
    text = errors_text(samples.report("managed"), color=False, width=200)
    assert (
        "2,706 rows: the columns said result code 0 / success; read from customDimensions; "
        "the portal alone would show 0 failures"
    ) in text


@pytest.mark.parametrize("ahead_s", [61.0, -61.0])
def test_a_clock_that_is_a_minute_off_is_a_doubt(ahead_s: float) -> None:
    """Rows of two sources cannot be laid beside each other by their times."""
    told, diagnosis = samples.managed()
    assert told.client is not None
    report = samples.of(replace(told, client=replace(told.client, clock_ahead_s=ahead_s)), diagnosis)
    assert next(row.word for row in report.trust.rows if row.name == "Clocks") == "warn"


def test_an_open_endpoint_is_the_first_security_finding() -> None:
    """Before any leak, with no hash to show."""
    told, diagnosis = samples.log_only()
    open_to_all = replace(told, client=samples.ClientSide(True, answers_without_key=True))
    first = samples.of(open_to_all, diagnosis).security[0]
    assert (first.type, first.sha256_prefix) == ("open_endpoint", "")


def test_commands_to_type_keep_their_case() -> None:
    """What to do next is a list of steps, and `az` is no `Az`."""
    assert "az role assignment create --role 'Monitoring Reader'" in next_steps(samples.report("managed"))


def test_requests_without_a_time_are_counted() -> None:
    """A log without times still tells how many."""
    timeless = replace(
        account(Source.SERVICE_LOG, cells([(0, "200", 1, 5.0)])),
        cells=(Cell(None, "200", 9), Cell(None, "500", 1)),
        first_at=None,
        last_at=None,
        complete_until=None,
    )
    report = samples.of(Told(None, None, None, accounts=(timeless,), asked=(Source.SERVICE_LOG,)), Diagnosis())
    assert (report.requests, report.failed_count, report.timeline) == (10, 1, None)
    assert rendered_errors(report, color=False, width=80).exit_code is Exit.FINE


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_line_of_the_terminal_is_no_wider_than_asked(name: str, width: int) -> None:
    """Words that fit are wrapped; tables may need more than 40 columns."""
    for text in (errors_text, diagnosis_text):
        shown = text(samples.report(name), color=False, width=width)
        assert max(len(line) for line in shown.splitlines()) <= max(width, 72)


def test_colour_changes_no_word() -> None:
    """Taking the colours away gives the text without colours."""
    import re

    report = samples.report("managed")
    assert re.sub(r"\x1b\[[0-9;]*m", "", errors_text(report, color=True, width=80)) == errors_text(
        report, color=False, width=80
    )


def test_the_text_ends_with_where_the_report_is() -> None:
    """Or with how to have one."""
    assert errors_text(samples.report(where="out"), color=False, width=80).endswith("  report  out/report.html\n")
    assert "add --out DIR" in errors_text(samples.report(), color=False, width=80).splitlines()[-1]


def test_the_section_for_another_report_holds_causes_and_groups_alone() -> None:
    """And nothing where nothing failed."""
    section = errors_section(samples.report("managed"), color=False, width=80)
    assert section.startswith("Why\n")
    assert "Failures alike" in section
    assert errors_section(samples.report("fine"), color=False, width=80) == ""


def test_every_file_of_the_report_is_made() -> None:
    """The names that other programs look for."""
    files = rendered_errors(samples.report(), color=False, width=80).files
    assert sorted(files) == [
        "errors.csv",
        "findings.sarif",
        "groups.csv",
        "junit.xml",
        "report.css",
        "report.html",
        "report.json",
        "summary.md",
    ]
    assert rendered_errors(samples.report(), color=False, width=80, with_files=False).files == {}


@pytest.mark.parametrize("name", samples.ALL)
def test_the_same_input_gives_the_same_files(name: str) -> None:
    """No date, no random id, no order of a set."""
    first, second = (rendered_errors(samples.report(name), color=False, width=80).files for _ in range(2))
    assert first == second


def test_events_outside_the_period_of_requests_are_no_part_of_the_timeline() -> None:
    """They are listed, but not drawn."""
    told, diagnosis = samples.managed()
    late = tuple(replace(event, at=START + timedelta(days=1)) for event in told.events)
    report = samples.of(replace(told, events=late), diagnosis)
    assert report.timeline is not None
    assert report.timeline.events == ()
    assert len(report.events) == 2


def test_a_gap_stays_a_gap() -> None:
    """Minutes 16 to 18 have no bucket: they are neither counted nor 0."""
    course = samples.report("managed").timeline
    assert course is not None
    places: list[Any] = [course.place(bucket.at) for bucket in course.buckets]
    assert course.bucket_s == 60
    assert course.length == 30
    assert not {16, 17, 18} & set(places)
    assert course.buckets[10].at == START + 10 * MINUTE
