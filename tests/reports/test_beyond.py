"""The wall, overload, bursts, scaling and cold start in every rendering."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from bench.limits.endpoint import Service
from capacity.coldstart import ColdStart
from capacity.overload import Behaviour, Beyond
from capacity.scaling import scaling_of
from capacity.wall import wall_of
from reports.html import limit_html
from reports.jsonout import limit_json
from reports.limit import LimitReport
from reports.markdown import limit_markdown
from reports.terminal import limit_text
from tests.capacity.beyond_model import asked, looked_beyond
from tests.reports import samples
from tests.reports.test_jsonout import schema


@pytest.fixture(scope="module")
def report() -> LimitReport:
    """A cliff of 8 that was gone beyond."""
    base = samples.cliff()
    seen = looked_beyond(asked(8, 160), Service(servers=8, room=8, service_s=0.05))
    verdict = replace(base.verdict, beyond=seen)
    cold = ColdStart(True, 210.0, 20.0, 4.1, 3)
    wall, scaling = wall_of(verdict, base.endpoint), scaling_of(verdict)
    return replace(base, verdict=verdict, wall=wall, scaling=scaling, cold_start=cold)


def _texts(report: LimitReport) -> list[str]:
    text = " ".join(limit_text(report, color=False, width=100).split())
    return [text, limit_markdown(report), limit_html(report)]


def test_every_rendering_names_the_wall_and_the_class(report: LimitReport) -> None:
    """The terminal, Markdown and the page open their sections with the same words."""
    for text in _texts(report):
        assert "What set the limit: the number of requests that the server takes at once" in text
        assert "Beyond the limit: graceful, it goes on serving what it can" in text


def test_every_rendering_tells_of_a_cold_start(report: LimitReport) -> None:
    """First answers, steady ones, and how long it took."""
    for text in _texts(report):
        assert "the first answers took 210 ms, and 20.0 ms after 4.10 s" in text


def test_the_json_fits_its_schema_and_counts_all_harm(report: LimitReport) -> None:
    """Rejections of the search and of --beyond add up; the part of --beyond stands beside the sum."""
    document = json.loads(limit_json(report))
    jsonschema.Draft202012Validator(schema("limit")).validate(document)
    beyond = report.verdict.beyond
    assert beyond is not None
    assert document["harm"]["beyond_rejected_count"] == beyond.rejected_count > 0
    assert document["harm"]["rejected_count"] == report.verdict.rejected_count + beyond.rejected_count
    assert document["cost"]["attempt_count"] == report.verdict.cost.attempt_count + beyond.attempt_count


def test_overload_and_burst_are_null_without_beyond() -> None:
    """Absence is null."""
    document = json.loads(limit_json(samples.cliff()))
    assert (document["overload"], document["burst"]) == (None, None)


def test_why_nothing_was_overloaded_is_told() -> None:
    """--beyond without a limit leaves a reason in every rendering, and no class."""
    base = samples.at_least()
    beyond = Beyond(2000, left_out=("nothing failed up to the highest load tried: raise --max-users",))
    report = replace(base, verdict=replace(base.verdict, beyond=beyond))
    assert all("raise" in text and "Beyond the limit: not looked at" in text for text in _texts(report))
    assert json.loads(limit_json(report))["overload"]["class"] is None


@pytest.mark.parametrize("behaviour", Behaviour)
def test_every_class_has_its_meaning(report: LimitReport, behaviour: Behaviour) -> None:
    """No class is a bare word."""
    beyond = report.verdict.beyond
    assert beyond is not None
    told = replace(report, verdict=replace(report.verdict, beyond=replace(beyond, behaviour=behaviour)))
    assert f"{behaviour}, it " in limit_markdown(told)


def test_the_law_is_drawn_with_its_points(report: LimitReport) -> None:
    """The page has a plot of the scalability law, and its data beside it."""
    page = limit_html(report)
    assert "Throughput has no peak within reach of what was measured." in page
    assert "by the law" in page
