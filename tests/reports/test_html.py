"""The page and its plots."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from capacity.verdict import Level
from reports.html import limit_html, report_css
from reports.plots import plots, thinned
from tests.reports import samples
from tests.reports.test_hostile import Tags

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", samples.ALL)
def test_the_same_report_gives_the_same_page(name: str) -> None:
    """No date, no random id, no order of a set."""
    assert limit_html(samples.ALL[name]()) == limit_html(samples.ALL[name]())


def test_the_title_is_the_verdict() -> None:
    """A row of browser tabs can be read."""
    page = limit_html(samples.cliff())
    assert "<title>GO: churn-prod takes 8 concurrent requests; the first 503 came at 9</title>" in page


def test_the_questions_are_answered_in_their_order() -> None:
    """Verdict, limits, load, codes, causes, latency, settings, certificate, appendix."""
    sections = [
        attrs["id"] for tag, attrs in Tags(limit_html(samples.cliff())).found if tag == "section" and "id" in attrs
    ]
    assert sections == [
        "verdict",
        "limits",
        "load",
        "codes",
        "causes",
        "latency",
        "settings",
        "certificate",
        "appendix",
    ]


def test_the_page_is_complete_in_itself() -> None:
    """Nothing is loaded from anywhere unless a style sheet beside it is asked for."""
    found = Tags(limit_html(samples.cliff())).found
    assert [attrs["href"] for tag, attrs in found if tag == "link"] == ["data:,"]
    assert not [attrs for _, attrs in found if "src" in attrs]
    linked = Tags(limit_html(samples.cliff(), stylesheet="report.css")).found
    assert [attrs["href"] for tag, attrs in linked if tag == "link"] == ["data:,", "report.css"]


def test_the_style_sheet_beside_the_page_is_the_one_inside_it() -> None:
    """Under a policy that forbids inline styles the page looks the same."""
    assert report_css().strip() in limit_html(samples.cliff())


def test_the_page_states_its_own_policy() -> None:
    """Scripts are forbidden from within."""
    page = limit_html(samples.cliff())
    assert "Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' data:" in page


@pytest.mark.parametrize("name", samples.ALL)
def test_every_id_is_unique_and_every_reference_meets_one(name: str) -> None:
    """Two plots in two sizes on one page do not share a clip path, and no link leads nowhere."""
    page = limit_html(samples.ALL[name]())
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    wanted = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    wanted += [one for names in re.findall(r'aria-labelledby="([^"]+)"', page) for one in names.split()]
    assert set(wanted) <= set(ids)


@pytest.mark.parametrize("name", samples.ALL)
def test_tables_can_be_read_aloud(name: str) -> None:
    """Each table has a caption, each head cell a scope."""
    found = Tags(limit_html(samples.ALL[name]())).found
    tables = sum(tag == "table" for tag, _ in found)
    assert tables == sum(tag == "caption" for tag, _ in found)
    assert all(attrs.get("scope") in {"row", "col"} for tag, attrs in found if tag == "th")


def test_the_command_and_the_settings_can_be_pasted() -> None:
    """Texts to paste stand in blocks of their own, with their lines."""
    page = limit_html(samples.cliff())
    assert "    replica_max_concurrent_requests=2,\n" in page
    assert "redline limit churn-prod --need 250rps --seed 7" in page


def test_a_run_that_measured_nothing_has_no_empty_sections() -> None:
    """A wrong key gives no plots, no limits and no latencies, and no link to them."""
    page = limit_html(samples.not_a_load_problem())
    assert 'id="load"' not in page
    assert "#limits" not in page
    assert "Nothing can be recommended from this run." in page
    assert "key_auth_access_denied" in page


def test_words_stand_beside_every_shape() -> None:
    """No state is told by colour or shape alone."""
    page = limit_html(samples.client_limited())
    for word in re.findall(r'class="state tone-(\w+)"', page):
        assert f"<span>{word}</span>" in page


def test_a_page_stays_small() -> None:
    """At 200 measured levels the page is below 600 KB."""
    levels = tuple(samples.level(users, places=150) for users in range(1, 201))
    page = limit_html(samples.report(replace(samples.cliff_verdict(), levels=levels)))
    assert len(page.encode()) < 600_000


@pytest.mark.parametrize("name", samples.ALL)
def test_plots_carry_no_style_script_or_date(name: str) -> None:
    """A content security policy can forbid inline styles, and the bytes do not change from day to day."""
    for plot in plots(samples.ALL[name]()):
        for svg in (plot.wide, plot.narrow):
            assert not re.search(r"style=|<script|<!DOCTYPE|<\?xml|<metadata|xlink|20\d\d-", svg)


def test_each_plot_says_what_it_is() -> None:
    """Role, title and description are there for those who do not see it, in both sizes."""
    for plot in plots(samples.cliff()):
        for svg in (plot.wide, plot.narrow):
            root = ET.fromstring(svg)  # noqa: S314 - our own output
            assert root.get("role") == "img"
            assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
            assert root[0].text == plot.title


def test_plot_titles_state_the_finding() -> None:
    """A reader of the titles alone knows what was found."""
    assert [plot.title for plot in plots(samples.cliff())] == [
        "The rate peaks at 392 requests/s at 8 users; 8 concurrent requests is the most within rejected<=0.1%.",
        "At 8 users, half the answers take up to 20.2 ms and 95 % up to 26.7 ms.",
        "Answers fail from 9 users on: 10.40 % (50 of 481) there.",
    ]


def test_the_marks_of_the_search_are_named_in_the_plot() -> None:
    """Limit, first rejection, knee and goal are labelled where they are drawn."""
    managed, goal = plots(samples.managed()), plots(samples.latency_goal())
    for word in ("limit 16", "first 429 at 17", "knee 8"):
        assert word in managed[0].wide
    assert "p95&lt;=300ms" in goal[1].wide


def test_the_ink_of_a_plot_is_that_of_the_page() -> None:
    """Axes and texts follow the page into the dark; only series have colours of their own."""
    svg = plots(samples.cliff())[0].wide
    assert 'stroke="currentColor"' in svg
    assert "#101418" not in svg
    assert 'class="stroke-blue"' in svg


def test_the_data_of_a_plot_stands_beside_it() -> None:
    """Rows and columns hold what was drawn."""
    rate, latency, codes = plots(samples.cliff())
    assert rate.rows[5] == ("8", "392", "0")
    assert latency.rows[0] == ("1", "20.2 ms", "26.7 ms", "33.0 ms")
    assert codes.columns == ("users", "200", "503")


def test_plots_without_data_are_left_out() -> None:
    """No levels, no plot; no failures, no plot of failures."""
    assert plots(samples.not_a_load_problem()) == ()
    assert [plot.key for plot in plots(samples.at_least())] == ["throughput", "latency"]


def test_a_level_without_a_good_answer_has_no_latency_and_is_drawn() -> None:
    """All answers failed: the codes are drawn, the latency is not made up."""
    dead = replace(
        samples.level(1),
        good_count=0,
        completed_rps=0.0,
        status_count={"500": 980},
        p50_ms=None,
        p95_ms=None,
        p99_ms=None,
    )
    verdict = replace(samples.cliff_verdict(), levels=(dead,))
    assert [plot.key for plot in plots(samples.report(verdict))] == ["throughput", "codes"]


@pytest.mark.parametrize("count", [1, 2, 199, 200, 201, 5000])
def test_thinning_keeps_the_ends_and_the_order(count: int) -> None:
    """At most 200 points are drawn, the first and the last among them."""
    levels: list[Level] = [samples.level(users, places=9999) for users in range(1, count + 1)]
    kept = [level.users for level in thinned(levels)]
    assert len(kept) == min(count, 200)
    assert (kept[0], kept[-1]) == (1, count)
    assert kept == sorted(set(kept))
