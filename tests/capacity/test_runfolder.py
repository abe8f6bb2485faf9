"""The run folder: what one process writes another reads, even after a kill."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from capacity.plan import Plan, configuration_hash, plan_as_json, plan_from
from capacity.runfolder import (
    Anchor,
    append_level,
    create,
    read_attempts,
    read_failures,
    read_levels,
    read_run,
    read_verdict,
    write_verdict,
)
from scoring.attempt import Attempt, Failure, to_record
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import RedlineError

PLAN = Plan(
    command="limit",
    endpoint=Endpoint("churn prod/β", "http://127.0.0.1:8080/score", Hosting.MANAGED, auth="key", key_env="KEY"),
    headers=(("x-team", "churn"),),
    goals=("rejected<=0.1%", "p95<=300ms"),
    need="25rps",
    seed=7,
)
ANCHOR = Anchor(datetime(2026, 11, 22, 20, 55, 1, tzinfo=UTC), 123_456_789)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh run folder."""
    return create(tmp_path / "runs", PLAN, versions={"redline": "0.1.0"}, anchor=ANCHOR)


def attempt(sent_ns: int, failure: Failure | None = None) -> Attempt:
    """An attempt sent then."""
    return Attempt("ab" * 16, sent_ns, sent_ns, None, sent_ns + 5, None if failure else 200, failure)


def test_a_run_is_read_back_as_it_was_made(folder: Path) -> None:
    """Plan, versions, configuration hash and clock anchor survive."""
    run = read_run(folder)
    assert (run.plan, run.versions, run.anchor) == (PLAN, {"redline": "0.1.0"}, ANCHOR)
    assert run.configuration_hash == configuration_hash(PLAN)


def test_the_name_tells_time_command_and_endpoint(folder: Path) -> None:
    """Characters that no file name should have become dashes; only the owner can look inside."""
    assert folder.name == "20261122T205501Z-limit-churn-prod"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    """The second gets a number."""
    made = [create(tmp_path, PLAN, versions={}, anchor=ANCHOR).name for _ in range(2)]
    assert made == ["20261122T205501Z-limit-churn-prod", "20261122T205501Z-limit-churn-prod-2"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the parent should be is an error of one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RedlineError, match=r"no run folder can be made in .*/file/runs: Not a directory"):
        create(tmp_path / "file" / "runs", PLAN, versions={}, anchor=ANCHOR)


def test_a_run_without_attempts_has_none(folder: Path) -> None:
    """No file is an empty answer, not an error."""
    assert len(read_attempts(folder)) == 0
    assert (read_levels(folder), read_failures(folder), read_verdict(folder)) == ([], [], None)


def test_attempts_of_all_processes_come_in_the_order_of_sending(folder: Path) -> None:
    """The own file and those of two workers are merged by the time of sending."""
    for name, sent in (("attempts.bin", 2), ("attempts-0-aa.bin", 3), ("attempts-1-bb.bin", 1)):
        (folder / name).write_bytes(to_record(attempt(sent)))
    assert read_attempts(folder)["sent_ns"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("torn_bytes", [1, 63])
def test_a_torn_record_is_left_out(folder: Path, torn_bytes: int) -> None:
    """What a killed writer left is read up to the last whole record."""
    whole = to_record(attempt(1)) + to_record(attempt(2, Failure.CONN_RESET))
    (folder / "attempts.bin").write_bytes(whole + b"\x01" * torn_bytes)
    assert read_attempts(folder)["failure"].tolist() == [0, 11]


def test_levels_are_appended_in_order_and_a_torn_line_is_left_out(folder: Path) -> None:
    """Each level is a line; half a line is none."""
    append_level(folder, {"users": 1})
    append_level(folder, {"users": 2})
    with (folder / "levels.jsonl").open("a") as file:
        file.write('{"users": 3')
    assert read_levels(folder) == [{"users": 1}, {"users": 2}]


def test_a_verdict_replaces_the_one_before_whole(folder: Path) -> None:
    """The file holds the last document, and nothing else is left behind."""
    before = {file.name for file in folder.iterdir()}
    write_verdict(folder, {"kind": "BUDGET_SPENT"})
    write_verdict(folder, {"kind": "FOUND"})
    assert read_verdict(folder) == {"kind": "FOUND"}
    assert {file.name for file in folder.iterdir()} - before == {"verdict.json"}


def test_a_verdict_that_is_no_json_leaves_the_old_one(folder: Path) -> None:
    """A failing write changes nothing."""
    write_verdict(folder, {"kind": "FOUND"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_verdict(folder, {"rps": float("nan")})
    assert read_verdict(folder) == {"kind": "FOUND"}
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


def test_a_folder_that_is_not_there_names_its_neighbours(folder: Path) -> None:
    """A slip in the name is answered with the nearest run."""
    with pytest.raises(RedlineError, match="there is no run folder") as caught:
        read_run(folder.with_name("20261122T205501Z-limit-churn-prd"))
    assert caught.value.hint == f"runs there: {folder}"


def test_a_folder_without_run_json_is_no_run_folder(tmp_path: Path) -> None:
    """Said in one line, with what to do."""
    with pytest.raises(RedlineError, match=r"is not a run folder: it holds no run\.json") as caught:
        read_attempts(tmp_path)
    assert caught.value.hint == "`redline limit` and `redline load` name the run folder when they end"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": {}, "anchor": {}}', '{"plan": 1, "anchor": null}'])
def test_a_damaged_run_json_is_told_in_one_line(folder: Path, text: str) -> None:
    """Whatever stands there, the error is ours and names the file."""
    (folder / "run.json").write_text(text)
    with pytest.raises(RedlineError, match=r"run\.json"):
        read_run(folder)


def test_a_plan_survives_json_and_newer_keys() -> None:
    """What is written is read back equal; a key of a later version is dropped."""
    document = json.loads(json.dumps(plan_as_json(PLAN)))
    assert plan_from({**document, "later": 1}) == PLAN


SAME = [
    pytest.param(replace(PLAN, seed=8), id="the seed"),
    pytest.param(replace(PLAN, harm_budget=1, budget_s=1.0, max_users=5), id="the budgets"),
    pytest.param(replace(PLAN, need=None), id="the need"),
    pytest.param(replace(PLAN, endpoint=replace(PLAN.endpoint, name="x", key_env="OTHER")), id="names and keys"),
]
OTHER = [
    pytest.param(replace(PLAN, goals=()), id="the goals"),
    pytest.param(replace(PLAN, payload="/a.json"), id="the payload"),
    pytest.param(replace(PLAN, deadline_ns=1), id="the deadline"),
    pytest.param(replace(PLAN, endpoint=replace(PLAN.endpoint, deployment="blue")), id="the deployment"),
]


@pytest.mark.parametrize("plan", SAME)
def test_what_does_not_change_the_measurement_keeps_the_hash(plan: Plan) -> None:
    """Runs that differ in this alone are compared with each other."""
    assert configuration_hash(plan) == configuration_hash(PLAN)


@pytest.mark.parametrize("plan", OTHER)
def test_what_changes_the_measurement_changes_the_hash(plan: Plan) -> None:
    """Runs that differ in this are not comparable."""
    assert configuration_hash(plan) != configuration_hash(PLAN)


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Cookie", "Ocp-Apim-Subscription-Key"])
def test_a_plan_refuses_credentials(name: str) -> None:
    """A plan is written to disk, so a header that holds a secret is refused without repeating its value."""
    with pytest.raises(RedlineError, match=f"header {name} holds a credential") as caught:
        replace(PLAN, headers=((name, "s3cret"),))
    assert "s3cret" not in f"{caught.value}{caught.value.hint}"
