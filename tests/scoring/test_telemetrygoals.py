"""Goals about what Azure Monitor tells: what may stand in [checks], and every mistake with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import RedlineError
from scoring.settings import read_settings
from scoring.telemetrygoals import (
    FailedRatioGoal,
    MetricGoal,
    TelemetryAgeGoal,
    parse_metric_goal,
    parse_telemetry_goal,
)
from scoring.units import HOUR, MIN

HEAD = '[endpoints.a]\nscoring_uri = "https://churn.example/score"\n'
IDS = 'workspace_id = "0f"\narm_id = "/subscriptions/s"\n'


def test_each_kind_of_goal_is_read() -> None:
    """Spaces do not matter, and < means what <= means: a bound is met or not to more digits than anybody gives."""
    ratio = FailedRatioGoal("failed_ratio(15m)<=1%", 15 * MIN, 0.01)
    assert parse_telemetry_goal(" failed_ratio( 15m ) <= 1% ") == ratio
    assert parse_telemetry_goal("failed_ratio(1h)<0.5%").bound_ratio == 0.005  # type: ignore[union-attr]
    assert parse_telemetry_goal("telemetry_age<=30m") == TelemetryAgeGoal("telemetry_age<=30m", 30 * MIN)
    cpu = MetricGoal("CpuUtilizationPercentage(5m)<=90%", None, "CpuUtilizationPercentage", 5 * MIN, 90.0)
    assert parse_metric_goal("CpuUtilizationPercentage(5m) <= 90%") == cpu
    assert parse_metric_goal("CpuUtilizationPercentage(5m)<=90").bound == 90.0
    floor = parse_metric_goal("green.2/DeploymentCapacity(1h)>=2")
    assert (floor.deployment, floor.window_ns, floor.bound, floor.is_floor) == ("green.2", HOUR, 2.0, True)
    assert parse_metric_goal("RequestLatency_P99(10m)<=1.5s").bound == 1500.0


BAD_TELEMETRY = [
    ("failed_ratio<=1%", "no goal of telemetry"),
    ("failed_ratio(15m)<=2", "is not a ratio between 0 and 1"),
    ("failed_ratio(15m)<=100%", "holds always"),
    ("failed_ratio(15m)>=1%", "asks for much of it"),
    ("failed_ratio(1s)<=1%", "a window out of reach"),
    ("failed_ratio(soon)<=1%", "is not a duration"),
    ("failed_ratio(15m)<=some", "is not a ratio"),
    ("telemetry_age<=1s", "a bound out of reach"),
    ("telemetry_age<=30d", "a bound out of reach"),
    ("telemetry_age<=soon", "is not a duration"),
    ("telemetry_age>=30m", "asks for much of it"),
    ("p95(10m)<300ms", "no goal of telemetry"),
]
BAD_METRICS = [
    ("CpuUtilization(5m)<=90%", "did you mean CpuUtilizationPercentage"),
    ("Unheard(5m)<=90%", "is no metric"),
    ("CpuUtilizationPercentage<=90%", "no goal of a metric"),
    ("CpuUtilizationPercentage(5m)<=101%", "no bound that CpuUtilizationPercentage can have"),
    ("CpuUtilizationPercentage(5m)<=90ms", "no bound that CpuUtilizationPercentage can have"),
    ("RequestLatency_P95(5m)<=300", "is not a duration"),
    ("RequestsPerMinute(5m)<=10%", "no bound that RequestsPerMinute can have"),
    ("CpuUtilizationPercentage(2d)<=90%", "a window out of reach"),
    ("blue/RequestLatency(5m)<=1s", "is a metric of the endpoint"),
    ("-/CpuUtilizationPercentage(5m)<=90%", "no deployment name"),
]


@pytest.mark.parametrize(("text", "words"), BAD_TELEMETRY)
def test_a_bad_goal_of_telemetry_says_what_is_allowed(text: str, words: str) -> None:
    """The message quotes the goal and has a hint."""
    with pytest.raises(RedlineError, match=words) as caught:
        parse_telemetry_goal(text)
    assert caught.value.hint


@pytest.mark.parametrize(("text", "words"), BAD_METRICS)
def test_a_bad_goal_of_a_metric_says_what_is_allowed(text: str, words: str) -> None:
    """The message quotes the goal and has a hint."""
    with pytest.raises(RedlineError) as caught:
        parse_metric_goal(text)
    assert words in f"{caught.value.message} {caught.value.hint}"


def mistakes(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "redline.toml"
    file.write_text(text)
    with pytest.raises(RedlineError) as caught:
        read_settings(file)
    return [line.removeprefix(f"{file}:") for line in caught.value.message.splitlines()[1:]]


def test_every_bad_goal_of_a_list_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """Two bad goals, a bad metric and an interval that is too short are four mistakes."""
    told = mistakes(
        HEAD + IDS + '[endpoints.a.checks]\ntelemetry = ["failed_ratio<=1%", "age<=1m", "telemetry_age<=1h"]\n'
        'metrics = ["Cpu(5m)<=9%"]\ntelemetry_every = "10s"\n',
        tmp_path,
    )
    assert [line.partition(": ")[0] for line in told] == ["6", "6", "7", "8"]
    assert "`10s` is no interval for questions to Azure Monitor" in told[3]


def test_goals_without_a_source_are_mistakes(tmp_path: Path) -> None:
    """Telemetry needs a workspace, metrics the endpoint's id, a deployment's metric a deployment."""
    told = mistakes(
        HEAD + '[endpoints.a.checks]\ntelemetry = ["telemetry_age<=1h"]\nmetrics = ["DeploymentCapacity(5m)>=1"]\n',
        tmp_path,
    )
    allowed = [line.partition("allowed: ")[2] for line in told]
    assert sorted(allowed) == [
        "blue/DeploymentCapacity(5m)>=1",
        "with arm_id, the resource id of the endpoint",
        "with workspace_id or app_insights_id",
    ]


def test_a_role_or_an_interval_without_a_goal_is_a_mistake(tmp_path: Path) -> None:
    """Keys that would change nothing are told."""
    told = mistakes(HEAD + IDS + '[endpoints.a.checks]\ntelemetry_role = "x"\ntelemetry_every = "5m"\n', tmp_path)
    assert [line.partition(": ")[0] for line in told] == ["6", "7"]


def test_the_deployment_of_the_endpoint_serves_for_its_metrics(tmp_path: Path) -> None:
    """What stands in [endpoints.a] need not be said again."""
    file = tmp_path / "redline.toml"
    checks = '[endpoints.a.checks]\nmetrics = ["DeploymentCapacity(5m)>=1"]\ntelemetry_every = "15m"\n'
    file.write_text(HEAD + IDS + 'deployment = "blue"\n' + checks)
    plan = read_settings(file).checks["a"]
    assert (plan.asks_azure, plan.telemetry_every_ns) == (True, 15 * MIN)
    assert plan.asked_of_azure == {"DeploymentCapacity(5m)>=1"}


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_goal_or_a_mistake(text: str) -> None:
    """Nothing but RedlineError comes out of the parsers; a goal reads as itself again."""
    for parse in (parse_telemetry_goal, parse_metric_goal):
        goal = None
        with contextlib.suppress(RedlineError):
            goal = parse(text)
        assert goal is None or parse(goal.text) == goal


@given(st.integers(1, 1440), st.integers(0, 9999))
def test_a_goal_says_what_it_was_written_as(minutes: int, hundredths: int) -> None:
    """Window and bound come back for every whole minute of a day and every share of two decimals."""
    goal = parse_telemetry_goal(f"failed_ratio({minutes}m)<={hundredths / 100:.2f}%")
    assert isinstance(goal, FailedRatioGoal)
    assert goal.window_ns == minutes * MIN
    assert goal.bound_ratio == pytest.approx(hundredths / 10_000)
