"""The status page: what it says is true, what it must not say, and that foreign words stay words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.health_json import health_json
from reports.health_text import health_text
from reports.status_html import MAX_BYTES, STYLESHEET, status_css, status_html
from reports.status_strip import kind_of, lost_days, strip
from reports.status_words import headline, numbers, remarks, verdict
from scoring.health import (
    Budget,
    Day,
    EndpointRecord,
    Gap,
    Health,
    HealthRecord,
    Incident,
    Latencies,
    NoticeKind,
    Notification,
    Recovery,
    Watch,
)
from scoring.units import MS
from tests.cli.schemas import faults
from tests.monitor.health import ninety
from tests.reports.test_hostile import MARKS, SECRET, Tags

DAY_S = 86_400.0
FIRST = 20_000
MADE_S = (FIRST + 89) * DAY_S + 3_600.0
ALIVE = Watch(MADE_S - 3, MADE_S + 120)
COUNTS = st.integers(0, 300)
DAYS = st.lists(st.tuples(st.integers(-2, 12), COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), unique_by=lambda row: row[0])


def endpoint(name: str = "churn", state: Health = Health.OK, **changes: object) -> EndpointRecord:
    """One with ninety days of which one is bad."""
    days = tuple(Day(FIRST + place, 288 - 40 * (place == 50), 0, 40 * (place == 50)) for place in range(90))
    counts = {Health.OK: 90 * 288 - 40, Health.FAILED: 40}
    one = EndpointRecord(name, state, "ok", MADE_S - 60, counts, last=state, days=days)
    return replace(one, **changes)  # type: ignore[arg-type]


def record(*endpoints: EndpointRecord, watch: Watch = ALIVE, **changes: object) -> HealthRecord:
    one = HealthRecord(MADE_S, FIRST * DAY_S, (), endpoints, (), watch)
    return replace(one, **changes)  # type: ignore[arg-type]


def incident(rule: str = "checks", closed_s: float | None = None, name: str = "churn") -> Incident:
    told = Notification(NoticeKind.FIRE, "key", MADE_S - 7100, MADE_S - 7080, 1)
    times_s = (MADE_S - 7200, closed_s)
    return Incident("key", name, rule, Health.FAILED, "status_503", *times_s, (told,), "answered 503", "add replicas")


def hostile(text: str) -> HealthRecord:
    """Every foreign field holds the text."""
    bad = endpoint(text, Health.FAILED, reason=text, evidence=text, next_step=text, since_s=MADE_S - 60)
    other = endpoint(text + "2", is_watched=False)
    opened = replace(incident(), endpoint=text, reason=text, evidence=text, next_step=text, id=text)
    over = replace(opened, closed_s=MADE_S - 60)
    return record(bad, other, incidents=(opened, over), gaps=(Gap(MADE_S - 900, MADE_S - 800, text),))


def text_of(page: str) -> str:
    return " ".join(Tags(page.partition("</head>")[2]).text.split())


@pytest.fixture(scope="module")
def ninety_days(tmp_path_factory: pytest.TempPathFactory) -> HealthRecord:
    folder = tmp_path_factory.mktemp("ninety")
    ninety.lived(folder, 3 * 3600.0)
    return ninety.record(folder, 3 * 3600.0)


NETWORK = replace(incident("network", name="redline"), state=Health.UNKNOWN)
FAILED = endpoint("b", Health.FAILED, reason="status_503", since_s=MADE_S - 7200)


@pytest.mark.parametrize(
    ("found", "word", "said"),
    [
        (record(), "NO DATA", "No endpoint was checked"),
        (record(endpoint()), "ALL WELL", "The one endpoint is well"),
        (record(endpoint(), endpoint("b")), "ALL WELL", "All 2 endpoints are well"),
        (record(endpoint(), FAILED), "FAILED", "1 of 2 endpoints is not well"),
        (record(endpoint(), endpoint("b", Health.DEGRADED)), "DEGRADED", "1 of 2 endpoints is not well"),
        (record(endpoint(), endpoint("b", Health.UNKNOWN)), "NOT KNOWN", "1 of 2 endpoints is not well"),
        (record(endpoint(), FAILED, incidents=(NETWORK,)), "NOT KNOWN", "1 of 2 endpoints is not well"),
        (record(endpoint(), replace(FAILED, is_quiet=True)), "ALL WELL", "1 of 2 endpoints are well, 1 in maintenance"),
        (record(endpoint(), replace(FAILED, is_watched=False)), "ALL WELL", "The one endpoint is well"),
        (record(endpoint(), watch=Watch(MADE_S - 61)), "NOT WATCHED", "The one endpoint is well, as last seen"),
        (record(endpoint(), watch=Watch()), "NOT WATCHED", "The one endpoint is well, as last seen"),
        (
            record(endpoint(), watch=Watch(MADE_S, is_over=True)),
            "NOT WATCHED",
            "The one endpoint is well, as last seen",
        ),
    ],
)
def test_the_verdict_is_well_only_where_somebody_watches_and_all_is_proved(
    found: HealthRecord, word: str, said: str
) -> None:
    """Each row is a record, its word and its headline."""
    assert (verdict(found)[0], headline(found)) == (word, said)


def test_a_page_says_until_when_it_can_be_believed() -> None:
    """Written at one time, the next before another; of a watcher that ended, that nobody watches."""
    assert remarks(record(endpoint()))[-1] == (
        "Written 2025-01-01 01:00:00 UTC. It is written anew before 2025-01-01 01:02:00 UTC:"
        " once that is past, nobody may be watching."
    )
    assert "nothing is watched since" in remarks(record(endpoint(), watch=Watch(MADE_S, is_over=True)))[-1]
    assert "its last sign of life 2 h 0 min before" in remarks(record(endpoint(), watch=Watch(MADE_S - 7200)))[-1]


def test_since_when_is_the_oldest_that_lasts() -> None:
    """Two that are not well: the one that began first; all well: the end of the last incident."""
    younger = endpoint("c", Health.DEGRADED, since_s=MADE_S - 60)
    assert remarks(record(FAILED, younger))[0] == "Not well since 2024-12-31 23:00 UTC, 2 h 0 min."
    over = record(endpoint(), incidents=(incident(closed_s=MADE_S - 600),))
    assert remarks(over)[0] == "The last incident ended 2025-01-01 00:50 UTC, 10 min 0 s ago."


def test_every_figure_has_its_count() -> None:
    """Three numbers, each with what it rests on; eighty failures of one day are worth 1.04 of 676 checks."""
    found = record(endpoint(), FAILED, recovery=Recovery(4, 600.0))
    well, good, recovered = numbers(found)
    assert (well.value, well.unit, well.note) == ("1", "of 2", "1 failed")
    assert (good.value, good.note) == ("99.85", "51,760 of 51,840; 95 % interval 99.15 to 99.98 %")
    assert (recovered.value, recovered.unit, recovered.note) == (
        "10",
        "min 0 s",
        "4 incidents over, too few to say how sure",
    )


def test_nothing_known_is_no_hundred_percent() -> None:
    """An endpoint without a check has dashes."""
    none = EndpointRecord("new", Health.UNKNOWN, "no_data", None, {})
    found = record(none)
    assert [number.value for number in numbers(found)] == ["0", "–", "–"]
    page = text_of(status_html(found))
    assert "not checked yet" in page
    assert "100 %" not in page.partition("Words")[0]


@given(DAYS)
def test_the_drawing_has_one_bar_for_each_day_and_none_of_it_is_invented(
    rows: list[tuple[int, int, int, int, int, int]],
) -> None:
    """The twin reads the drawing back, cell by cell, and compares it with each day's counts."""
    days = [Day(FIRST + place, *counts) for place, *counts in rows]
    drawn = read_back(strip(days, FIRST, 10), 10)
    for place in range(10):
        day = next((one for one in days if one.number == FIRST + place), None)
        kind = "none" if day is None else kind_of(day)
        assert drawn[place] == expected(kind, is_quiet=day is not None and day.quiet_count > 0), place


def read_back(found: object, count: int) -> list[set[str]]:
    """What stands at each place: classes, and the depth of what hangs from the top."""
    cells: list[set[str]] = [set() for _ in range(count)]
    for line in found.lines:  # type: ignore[attr-defined]
        for place, length in re.findall(r"M(\d+) [\d.]+h(\d+)", line.path):
            for cell in cells[int(place) : int(place) + int(length)]:
                cell.add(line.kind)
        for place, depth in re.findall(r"M(\d+) 0v(\d+)", line.path):
            cells[int(place)].add(f"{line.kind}{depth}")
    return cells


def expected(kind: str, *, is_quiet: bool) -> set[str]:
    looks = {
        "none": {"none"},
        "well": {"well"},
        "degraded": {"well", "gap3", "warn2"},
        "partly": {"well", "gap3", "dim2"},
        "few": {"well", "gap5", "bad4"},
        "some": {"well", "gap8", "bad7"},
        "many": {"bad12"},
        "unknown": {"dim6"},
    }
    return looks[kind] | ({"quiet"} if is_quiet else set())


def test_a_day_that_was_not_watched_for_a_part_is_marked_whatever_its_checks_say() -> None:
    """From 22:00 until 02:00 of the day after next: two hours, which the first and the last day lack, are too few."""
    night_s = (FIRST + 3) * DAY_S - 7200
    lost = lost_days([Gap(night_s, night_s + 28 * 3600, "asleep"), Gap(night_s - 7200, night_s - 7000, "asleep")])
    assert lost == {FIRST + 3}
    found = strip([Day(FIRST + 3, ok_count=1), Day(FIRST + 4, ok_count=1)], FIRST, 6, lost)
    assert read_back(found, 6)[3:5] == [{"well", "lost"}, {"well"}]
    assert found.words == "6 days: 2 well; 4 without data; 1 not watched for a part"


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (Day(0, ok_count=288), "well"),
        (Day(0), "none"),
        (Day(0, quiet_count=288), "none"),
        (Day(0, unknown_count=3), "unknown"),
        (Day(0, ok_count=100, unknown_count=10), "well"),
        (Day(0, ok_count=100, unknown_count=11), "partly"),
        (Day(0, ok_count=287, degraded_count=1), "degraded"),
        (Day(0, ok_count=99, failed_count=1), "few"),
        (Day(0, ok_count=98, failed_count=2), "some"),
        (Day(0, ok_count=9, failed_count=1), "some"),
        (Day(0, ok_count=8, failed_count=1), "many"),
    ],
)
def test_a_day_is_as_bad_as_the_share_that_failed(day: Day, kind: str) -> None:
    """A day without a check that told anything is never green."""
    assert kind_of(day) == kind


def test_the_strip_is_told_in_words_too() -> None:
    """For who cannot see it: how many days were what, and the worst of them."""
    found = strip(endpoint().days[:60], FIRST, 90)
    assert (
        found.words == "90 days: 59 well; 1 with failures, at most 13.89 % (40 of 288) on 2024-11-23; 30 without data"
    )


@pytest.mark.parametrize("mark", MARKS)
def test_a_hostile_page_has_the_elements_of_a_harmless_one(mark: str) -> None:
    """No name, reason or evidence adds an element, an attribute or an address."""
    shapes = []
    for text in (mark, "plain"):
        found = Tags(status_html(hostile(text))).found
        shapes.append([(tag, sorted(attrs)) for tag, attrs in found if tag != "code"])
        assert not [tag for tag, _ in found if tag in {"script", "iframe", "object", "img", "form", "base"}]
        assert not [name for _, attrs in found for name in attrs if name.startswith("on") or name == "style"]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("mark", MARKS)
def test_hostile_words_leave_no_control_character_in_any_rendering(mark: str) -> None:
    """Page, JSON and terminal show escape sequences and invisible characters, and send none."""
    texts = [status_html(hostile(mark)), health_json(hostile(mark)), health_text(hostile(mark), color=False, width=90)]
    for text in texts:
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", text)


def test_a_token_in_an_evidence_is_taken_out() -> None:
    """Of the page, of its JSON twin, of the terminal."""
    found = hostile(f"Authorization: Bearer {SECRET}")
    for text in (status_html(found), health_json(found, compact=True), health_text(found, color=False, width=90)):
        assert SECRET not in text


def test_the_json_keeps_its_schema_and_the_days_their_counts(ninety_days: HealthRecord) -> None:
    """On one line or on many it is the same document."""
    document = json.loads(health_json(ninety_days))
    assert faults("health", document) == []
    assert faults("health", json.loads(health_json(hostile("x"), compact=True))) == []
    assert (
        json.loads(health_json(ninety_days, compact=True))["endpoints"][0]["days"] == document["endpoints"][0]["days"]
    )
    churn = next(one for one in document["endpoints"] if one["name"] == "churn-prod")
    assert sum(day["failed_count"] for day in churn["days"]) == churn["check_count"]["FAILED"]


def test_the_page_of_ninety_days_says_what_happened(ninety_days: HealthRecord) -> None:
    """State, reason and step of what is not well; past incidents; gaps; what is no longer watched."""
    page = text_of(status_html(ninety_days))
    for said in (
        "FAILED status_503",
        "UNKNOWN auth_failed",
        "DEGRADED certificate_expires_soon",
        "Next: renew the certificate of the scoring host",
        "Watched no longer: legacy-scorer",
        "In maintenance, and not judged: nightly-batch",
        "own_network (network)",
        "no watcher",
        "asleep",
        "not checked yet: zero",
    ):
        assert said in page, said


def test_a_state_that_is_old_is_said_to_be_old() -> None:
    """An endpoint that should have been checked since: beside its state, and among the conditions."""
    page = text_of(status_html(record(endpoint(is_overdue=True, checked_s=MADE_S - 7200))))
    assert "It was checked 2 h 0 min ago, and should have been since." in page
    assert "not checked when due: churn" in page


def test_what_the_last_check_said_stands_beside_a_state_that_it_did_not_change() -> None:
    """One failure proves nothing, and is not hidden."""
    page = text_of(status_html(record(endpoint(last=Health.FAILED, reason="status_500"))))
    assert "ALL WELL" in page
    assert "Its last check was FAILED: status_500." in page


def test_an_open_end_is_a_gap_that_lasts() -> None:
    """Where nobody watches any longer the table of gaps says so."""
    assert "no watcher, still" in text_of(status_html(record(endpoint(), watch=Watch(MADE_S - 7200))))


def test_two_hundred_endpoints_fit_into_the_size_that_is_promised() -> None:
    """Ninety days each, three of them bad, five incidents each: lists are cut, and say by how much."""
    months = tuple(Day(FIRST + place, 288 - 3 * (place % 30 == 7), 0, 3 * (place % 30 == 7)) for place in range(90))
    many = [
        endpoint(
            f"endpoint-of-team-{number:03d}",
            days=months,
            slo_ratio=0.999,
            budget=Budget(30 * DAY_S, 3, 8640, 0.65),
            latencies=Latencies(288, MADE_S - DAY_S, 51 * MS, 83 * MS),
            recovery=Recovery(5, 700.0, 400.0, 1800.0),
        )
        for number in range(200)
    ]
    told = [
        replace(incident(closed_s=MADE_S - 60), endpoint=one.name, id=f"{one.name}{n}")
        for one in many
        for n in range(5)
    ]
    page = status_html(record(*many, incidents=tuple(told)))
    assert len(page.encode()) <= MAX_BYTES
    assert all(one.name in page for one in many)
    assert re.search(r"\d+ more stand in status\.json", page)


def test_the_style_sheet_beside_the_page_is_the_one_inside() -> None:
    """A host that forbids styles inside a page gets the same looks."""
    page = status_html(record(endpoint()), stylesheet=STYLESHEET)
    assert status_css().strip() in page
    assert f'<link rel="stylesheet" href="{STYLESHEET}">' in page
    assert Path(STYLESHEET).name == STYLESHEET


def test_the_terminal_says_who_watches_and_how_long_recovery_takes() -> None:
    """The figures of the page that fit into lines."""
    found = record(FAILED, replace(endpoint("gone"), is_watched=False), watch=Watch(MADE_S - 7200))
    text = health_text(replace(found, recovery=Recovery(6, 600.0, 300.0, 1800.0)), color=False, width=100)
    assert "The watcher gave its last sign of life 2 h 0 min before." in text
    assert "mean time to recovery 10 min 0 s: 6 incidents over; 95 % interval 5 min 0 s to 30 min 0 s" in text
    assert "watched no longer" in text
