"""From the words of the command line to the plan of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from capacity.openload import Shape
from capacity.target import Target, endpoint_of, headers_of, limit_plan, load_plan
from scoring.endpoint import Hosting
from scoring.errors import Exit, RedlineError

CONFIG = """
[endpoints.churn]
scoring_uri = "http://127.0.0.1:1/score"
hosting = "aks"
key_env = "CHURN_KEY"
goals = ["p95<=300ms"]
need = "25rps"
instances = 2

[endpoints.fraud]
scoring_uri = "http://127.0.0.1:2/score"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "redline.toml"
    file.write_text(CONFIG)
    return str(file)


def _limit(target: Target, goals: tuple[str, ...] = (), need: str | None = None):  # type: ignore[no-untyped-def]
    return limit_plan(target, goals, need, max_users=512, harm_budget=300, budget="3m", seed=1)


def test_a_named_endpoint_brings_its_goals_and_its_need(config: str) -> None:
    """What redline.toml says stands where the command line says nothing; the default goals stand beside it."""
    plan = _limit(Target("churn", config))
    assert plan.goals == ("rejected<=0.1%", "errors<=1%", "p95<=300ms")
    assert (plan.need, plan.endpoint.hosting, plan.budget_s) == ("25rps", Hosting.AKS, 180.0)


def test_a_flag_wins_over_the_file(config: str) -> None:
    """Hosting, instances, goals and need of the command line replace those of the endpoint."""
    plan = _limit(Target("churn", config, hosting="managed", instances=5), ("p99<=1s",), "40users")
    assert (plan.endpoint.hosting, plan.endpoint.instances) == (Hosting.MANAGED, 5)
    assert plan.goals == ("rejected<=0.1%", "errors<=1%", "p99<=1s")
    assert plan.need == "40users"


def test_a_key_file_of_the_command_line_replaces_the_key_variable_of_the_file(config: str, tmp_path: Path) -> None:
    """There is one source of the key."""
    endpoint = endpoint_of(Target("churn", config, key_file=str(tmp_path / "key")))
    assert (endpoint.key_env, endpoint.key_file) == (None, str(tmp_path / "key"))


def test_an_endpoint_of_a_url_is_called_by_the_first_label_of_its_host() -> None:
    """On managed endpoints that is the endpoint's name."""
    found = endpoint_of(Target(None, "none.toml", url="https://churn.westeurope.inference.ml.azure.com/score"))
    assert found.name == "churn"
    assert endpoint_of(Target(None, "none.toml", url="http://127.0.0.1:80/score")).name == "127.0.0.1"


def test_paths_of_a_plan_are_absolute(config: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The load runs in another folder."""
    monkeypatch.chdir(tmp_path)
    assert _limit(Target("churn", config, payload="sample.json")).payload == str(tmp_path / "sample.json")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(None, "missing.toml"), "no endpoint is named"),
        (Target("churn", "missing.toml"), "there is no missing.toml"),
        (Target("chrun", "CONFIG"), "has no endpoint `chrun`"),
        (Target("churn", "CONFIG", url="http://127.0.0.1/score"), "both `churn` and --url"),
        (Target("churn", "CONFIG", key_env="A", key_file="b"), "both --key-env and --key-file"),
        (Target("churn", "CONFIG", hosting="azure"), "`azure` is not a hosting"),
        (Target("churn", "CONFIG", headers=("no colon",)), "a --header has no colon"),
        (Target("churn", "CONFIG", deadline="soon"), "`soon` is not a duration"),
        (Target(None, "CONFIG", url="ftp://host/score"), "ftp://host/score"),
    ],
)
def test_a_wrong_word_is_one_line_with_a_hint(config: str, target: Target, words: str) -> None:
    """Each mistake of the command line names the value seen and what to type instead; the exit code is 2."""
    from dataclasses import replace

    given = replace(target, config=config) if target.config == "CONFIG" else target
    with pytest.raises(RedlineError) as told:
        _limit(given)
    assert words in told.value.message
    assert "\n" not in told.value.message
    assert told.value.hint
    assert told.value.exit_code == Exit.USAGE


@pytest.mark.parametrize(("goal", "need"), [("p95<=fast", None), ("latency", None), (None, "25"), (None, "0users")])
def test_a_goal_or_need_that_is_none_is_refused(config: str, goal: str | None, need: str | None) -> None:
    """Nothing is sent for a goal that cannot be judged."""
    with pytest.raises(RedlineError):
        _limit(Target("churn", config), (goal,) if goal else (), need)


def test_a_load_plan_has_its_users_time_and_thresholds(config: str) -> None:
    """`load` holds so many users for so long."""
    plan = load_plan(Target("churn", config), Shape(8), "1.5s", ("p95<=300ms",), 300, 1)
    assert (plan.command, plan.users, plan.duration_s, plan.most_users) == ("load", 8, 1.5, 8)
    assert plan.thresholds == ("p95<=300ms",)


@pytest.mark.parametrize("time", ["0s", "0ms"])
def test_a_load_of_no_time_is_refused(config: str, time: str) -> None:
    """`--for 0s` measures nothing."""
    with pytest.raises(RedlineError, match="leaves no time"):
        load_plan(Target("churn", config), Shape(8), time, (), 300, 1)


def test_headers_are_split_at_the_first_colon() -> None:
    """A value may hold colons."""
    assert headers_of(["X-When: 12:30"]) == (("X-When", "12:30"),)
