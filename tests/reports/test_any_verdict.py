"""No verdict, however odd, keeps a report from being written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from capacity.verdict import Client, Cost, Kind, Level, Limit, Recommended, Trial, Verdict
from reports.csvout import levels_csv, trials_csv
from reports.html import limit_html
from reports.jsonout import limit_json
from reports.junit import limit_junit
from reports.limit import LimitReport
from reports.markdown import limit_markdown
from reports.terminal import limit_text
from tests.reports import samples
from tests.reports.test_jsonout import schema

UNSHRUNK = [Phase.explicit, Phase.reuse, Phase.generate]  # drawing is slow: a failing report is shown as it was found
MS = st.none() | st.floats(0, 1e7)
COUNT = st.integers(0, 10**9)
USERS = st.integers(1, 20_000)
RATIO = st.none() | st.floats(0, 1)
LABELS = st.dictionaries(st.sampled_from(["200", "429", "503", "500", "conn_reset", "body_invalid", "strange"]), COUNT)
GOALS = st.sampled_from(["rejected<=0.1%", "errors<=1%", "p95<=300ms", "p99.9<=1s", "not a goal"])

LEVELS = st.builds(
    Level,
    users=USERS,
    attempt_count=COUNT,
    good_count=COUNT,
    seconds=st.floats(0, 1e5),
    completed_rps=st.floats(0, 1e6),
    status_count=LABELS,
    p50_ms=MS,
    p90_ms=MS,
    p95_ms=MS,
    p99_ms=MS,
    p999_ms=MS,
    max_ms=MS,
    server_p50_ms=MS,
    in_flight_mean=MS,
    trial_count=COUNT,
    discarded_count=COUNT,
)
LIMITS = st.builds(
    Limit,
    goal=GOALS,
    level=st.none() | USERS,
    low=st.integers(0, 20_000),
    high=st.none() | st.integers(0, 20_000),
    confirmed=st.booleans(),
    bound_ratio=RATIO,
    bad_count=COUNT,
    attempt_count=COUNT,
)
TRIALS = st.builds(
    Trial,
    number=COUNT,
    users=USERS,
    purpose=st.text(max_size=5),
    started_s=st.floats(0, 1e5),
    seconds=st.floats(0, 1e5),
    attempt_count=COUNT,
    rejected_count=COUNT,
    outcome=st.sampled_from(["pass", "fail", "undecided", "invalid", "warm-up"]),
    why=st.text(max_size=20),
)
VERDICTS = st.builds(
    Verdict,
    kind=st.sampled_from(list(Kind)),
    reason=st.text(max_size=40),
    limits=st.lists(LIMITS, max_size=3).map(tuple),
    binding_goal=st.none() | GOALS,
    first_rejected_users=st.none() | USERS,
    knee_users=st.none() | USERS,
    peak_rps=st.floats(0, 1e6),
    levels=st.lists(LEVELS, max_size=5, unique_by=lambda level: level.users).map(
        lambda levels: tuple(sorted(levels, key=lambda level: level.users))
    ),
    rejected_count=COUNT,
    client=st.builds(
        Client,
        valid=st.booleans(),
        reasons=st.lists(st.text(max_size=20), max_size=2).map(tuple),
        lag_p99_ms=MS,
        timely_ratio=RATIO,
        cpu_ratio=RATIO,
        run_queue_ratio=RATIO,
    ),
    cost=st.builds(Cost, seconds=st.floats(0, 1e6), attempt_count=COUNT),
    trials=st.lists(TRIALS, max_size=3).map(tuple),
    warm_up_s=MS,
    little_residual_ratio=RATIO,
    first_seen=st.dictionaries(st.sampled_from(["200", "429", "503"]), USERS),
    interrupted=st.booleans(),
)
REPORTS = st.builds(
    lambda verdict, known: samples.report(
        verdict, recommended=samples.RECOMMENDED if known else Recommended(None, None), failures=()
    ),
    VERDICTS,
    st.booleans(),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTS, st.integers(20, 160))
def test_any_verdict_can_be_said_in_every_text_form(report: LimitReport, width: int) -> None:
    """Text, JSON, Markdown, JUnit and CSV are written, and the machine-readable ones are read back."""
    assert limit_text(report, color=True, width=width).endswith("\n")
    jsonschema.validate(json.loads(limit_json(report)), schema("limit"), cls=jsonschema.Draft202012Validator)
    ET.fromstring(limit_junit(report))  # noqa: S314 - our own output
    assert limit_markdown(report).startswith("## ")
    assert levels_csv(report).count("\r\n") == len(report.verdict.levels) + 1
    assert trials_csv(report).count("\r\n") == len(report.verdict.trials) + 1


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow], phases=UNSHRUNK)
@given(REPORTS)
def test_any_verdict_can_be_drawn(report: LimitReport) -> None:
    """The page and its plots are written whatever the values, without a number that is none."""
    page = limit_html(report)
    assert page.rstrip().endswith("</html>")
    assert not re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', page)


@pytest.mark.parametrize("users", [(1,), (512,), (1, 2), (1, 20_000)])
def test_few_levels_are_drawn_too(users: tuple[int, ...]) -> None:
    """One point makes a plot, and so do two that are far apart."""
    verdict = replace(samples.cliff_verdict(), levels=tuple(samples.level(one, places=10**6) for one in users))
    assert "<figure>" in limit_html(samples.report(verdict))
