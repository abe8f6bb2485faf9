"""A search of an open loop in every rendering: rates, never users, and both percentiles."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html import unescape
from io import StringIO

import pytest
from jsonschema import Draft202012Validator

from capacity.verdict import Kind
from reports.csvout import levels_csv, trials_csv
from reports.html import limit_html
from reports.jsonout import limit_json
from reports.junit import limit_junit
from reports.limit import LimitReport, headline, latency_table, limits_table
from reports.markdown import limit_markdown
from reports.numbers import three_numbers
from reports.plots import plots
from reports.terminal import limit_text
from tests.cli.terminal import ROOT
from tests.reports import rate_samples, samples


def document(report: LimitReport) -> dict[str, object]:
    return json.loads(limit_json(report))  # type: ignore[no-any-return]


def test_the_limit_is_a_rate_in_the_headline() -> None:
    """The rate, the goal where it is not about rejections, and where the first 429 came."""
    assert headline(rate_samples.rates()) == "churn-prod takes 120 requests/s; the first 429 came at 120."


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.AT_LEAST, "churn-prod takes at least 120 requests/s; every goal was kept up to there."),
        (
            Kind.CLIENT_LIMITED,
            "The client, not churn-prod, set the limit of this run; it takes at least 117 requests/s.",
        ),
        (
            Kind.BUDGET_SPENT,
            "The budget ended before the limit of churn-prod was settled; it lies between 117 and 124 requests/s.",
        ),
    ],
)
def test_every_verdict_speaks_of_rates(kind: Kind, expected: str) -> None:
    """Whatever ended the search."""
    assert headline(rate_samples.rates(replace(rate_samples.rate_verdict(), kind=kind))) == expected


def test_the_json_carries_rate_limits_and_no_users() -> None:
    """contracts of --open: rate_limits, first_rejected_rps, and limits empty."""
    told = document(rate_samples.rates())
    assert told["limits"] == []
    assert told["rate_limits"] == [
        {
            "goal": "rejected<=0.1%",
            "rps": 120.5,
            "interval": [117.0, 124.0],
            "confirmed": False,
            "bound_ratio": 0.0026,
            "bad_count": 2,
            "attempt_count": 2398,
        },
        {
            "goal": "p95<=300ms",
            "rps": 200.0,
            "interval": [200.0, None],
            "confirmed": True,
            "bound_ratio": 0.002,
            "bad_count": 0,
            "attempt_count": 3900,
        },
    ]
    assert (told["first_rejected_users"], told["first_rejected_rps"]) == (None, 120.0)
    assert (told["knee_users"], told["knee_rps"]) == (None, 120.0)
    assert told["first_seen"] == {"200": 4.0, "429": 120.0}


def test_levels_of_the_json_have_both_percentiles_and_what_was_due() -> None:
    """Due and late counts, and latency from the sending and from the due time."""
    level = document(rate_samples.rates())["levels"][3]  # type: ignore[index]
    assert (level["users"], level["rps"]) == (None, 120.0)
    assert (level["attempt_count"], level["due_count"], level["late_count"]) == (2398, 2399, 3)
    assert (level["p99_ms"], level["p99_from_due_ms"]) == (44.0, 46.0)


def test_a_closed_search_has_no_rates() -> None:
    """Its levels hold what they held, and rate_limits is empty."""
    told = document(samples.cliff())
    assert told["rate_limits"] == []
    assert told["first_rejected_rps"] is None
    assert not {"rps", "due_count", "p99_from_due_ms"} & told["levels"][0].keys()  # type: ignore[index]


def test_the_json_fits_its_committed_schema() -> None:
    """Of an open loop too."""
    schema = json.loads((ROOT / "docs/schemas/limit.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(document(rate_samples.rates()))) == []


@pytest.mark.parametrize("render", [limit_html, limit_markdown, limit_junit, levels_csv, trials_csv])
def test_no_rendering_speaks_of_users(render: object) -> None:
    """There are none; the words of the appendix are those of an open loop."""
    text = unescape(re.sub(r"<style.*?</style>", "", render(rate_samples.rates()), flags=re.DOTALL))  # type: ignore[operator]
    assert re.findall(r"\b\d[\d,.]* users?\b|\bnumber of users\b", text) == []
    assert "requests/s" in text or text.startswith(("rps", "number,rps"))


def test_the_terminal_speaks_of_rates() -> None:
    """The table's first column is the rate; the limit, its interval and the safe load are rates."""
    text = limit_text(rate_samples.rates(), color=False, width=110)
    assert "user" not in text
    assert re.search(r"rejected<=0\.1%\s+120\s+117 to 124", text)
    assert re.search(r"due/s\s+requests/s", text)
    assert re.search(r"safe to plan with\s+87\.8 requests/s", text)
    assert re.search(r"knee\s+120 requests/s", text)
    assert re.search(r"peak rate\s+160 requests/s with 200 due", text)


def test_latency_is_told_from_the_due_time_with_the_uncorrected_beside() -> None:
    """32 ms and 46 ms from the due time, 30 ms and 44 ms from the sending."""
    text = limit_text(rate_samples.rates(), color=False, width=110)
    assert re.search(r"32\.0 ms\s+46\.0 ms\s+30\.0 ms\s+44\.0 ms", text)
    assert "p95 sent" in text
    page = limit_html(rate_samples.rates())
    assert "p95 sent" in page


def test_the_three_numbers_are_rates_and_a_latency_from_the_due_time() -> None:
    """120.5/s is beside the level of 120/s, within 5 %: the latency at the limit is that level's."""
    limit, safe, latency = three_numbers(rate_samples.rates())
    assert (limit.value, limit.unit) == ("120", "requests/s")
    assert (safe.value, safe.unit) == ("87.8", "requests/s")
    assert (latency.label, latency.value) == ("p95 at the limit", "32.0")


def test_the_levels_nearest_to_shares_of_the_limit_are_chosen_by_rate() -> None:
    """32 of 120.5 is 27 %, 96 is 80 %, 120 is 100 %."""
    assert [row.share for row in latency_table(rate_samples.rates())] == ["27 %", "80 %", "100 %"]


def test_limits_are_shown_as_rates() -> None:
    """The open end too."""
    rows = limits_table(rate_samples.rates())
    assert [(row.users, row.interval) for row in rows] == [("120", "117 to 124"), ("200", "200 or more")]


def test_the_plots_stand_over_the_rate() -> None:
    """Data of each plot begins with the rate, and titles say it."""
    drawn = plots(rate_samples.rates())
    assert [plot.columns[0] for plot in drawn] == ["due/s"] * 3
    assert [row[0] for row in drawn[0].rows] == ["4.00", "32.0", "96.0", "120", "200"]
    limit = "120 requests/s is the most within rejected<=0.1%"
    assert drawn[0].title == f"The rate peaks at 160 requests/s with 200 due; {limit}."
    assert drawn[1].title == "At 120 requests/s, half the answers take up to 22.0 ms and 95 % up to 32.0 ms."
    assert drawn[2].title.startswith("Answers fail from 120 requests/s on:")


def test_levels_as_csv_begin_with_the_rate() -> None:
    """rps in place of users, with what was due and the latencies from then."""
    rows = list(csv.DictReader(StringIO(levels_csv(rate_samples.rates()))))
    assert "users" not in rows[0]
    assert (rows[3]["rps"], rows[3]["due_count"], rows[3]["p95_ms"], rows[3]["p95_from_due_ms"]) == (
        "120.0",
        "2399",
        "30.0",
        "32.0",
    )
    trials = list(csv.DictReader(StringIO(trials_csv(rate_samples.rates()))))
    assert [row["rps"] for row in trials] == ["4.0", "120.0", "200.0"]
