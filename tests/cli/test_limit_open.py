"""`redline limit --open`, from the command line to the run folder and back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from capacity.local_endpoint import Local, local_endpoint
from capacity.runfolder import read_attempts, read_levels, read_run
from tests.cli.schemas import faults
from tests.cli.terminal import Told, ended, redline, run_folder, scoring_server, started

SERVED = ("--hosting", "managed", "--instances", "1", "--max-concurrent", "2", "--service-time", "20ms", "--for", "2m")


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with local_endpoint(SERVED) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def searched(local: Local, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Path]:
    """A search whose time is too short for its limit: it holds a few rates. A busy machine may have to begin anew."""
    arguments = ["limit", "local", "--config", local.config, "--payload", local.payload, "--out", "run", "--open"]
    for _ in range(3):
        folder = tmp_path_factory.mktemp("open")
        told = redline(folder, *arguments, "--max-rps", "40", "--budget", "10s", "--need", "5rps", "--json")
        if told.json["levels"]:
            break
    return told, folder


def test_the_json_of_rates_fits_its_committed_schema(searched: tuple[Told, Path]) -> None:
    """limits is empty, and what is found stands in rate_limits."""
    document = searched[0].json
    assert faults("limit", document) == []
    assert document["limits"] == []
    assert [one["goal"] for one in document["rate_limits"]] == ["rejected<=0.1%", "errors<=1%"]


def test_levels_are_rates_with_what_was_due(searched: tuple[Told, Path]) -> None:
    """No level has users; what was sent was due, and latency from the due time is never the shorter one."""
    levels = searched[0].json["levels"]
    assert levels
    for level in levels:
        assert (level["users"], level["rps"] <= 40) == (None, True)
        assert level["late_count"] <= level["attempt_count"] <= level["due_count"]
        assert level["p99_from_due_ms"] >= level["p99_ms"] > 0
        assert sum(level["status_count"].values()) == level["attempt_count"]


def test_requests_of_a_search_come_at_random_and_every_trial_anew(searched: tuple[Told, Path]) -> None:
    """Two trials of one rate have other due times; within a trial the distances differ."""
    folder = searched[1] / "run"
    rows = read_attempts(folder)
    opened = {line["number"]: line["opened_ns"] for line in read_levels(folder) if line["kind"] == "opened"}
    due = {number: rows["due_ns"][rows["trial"] == number] - at_ns for number, at_ns in opened.items()}
    schedules = [tuple(sorted(times.tolist())) for times in due.values() if len(times) > 2]
    assert len(set(schedules)) == len(schedules) >= 2
    assert all(min(times) >= 0 for times in schedules)
    assert all(len({b - a for a, b in pairwise(times)}) == len(times) - 1 for times in schedules)


def test_a_report_of_rates_made_again_is_the_same(searched: tuple[Told, Path]) -> None:
    """The run folder alone decides the report, and its command asks for the same search."""
    told, folder = searched
    again = redline(folder, "report", "limit", "run", "--json")
    assert (again.out, again.code) == (told.out, told.code)
    words = shlex.split(told.json["run_facts"]["command"])
    assert words[words.index("--open") :][:5] == ["--open", "--max-rps", "40", "--arrivals", "poisson"]
    assert read_run(folder / "run").plan.is_open


def test_two_searches_of_rates_can_be_compared(searched: tuple[Told, Path]) -> None:
    """A run beside its own baseline: its levels are rates, and nothing changed."""
    folder = searched[1]
    assert redline(folder, "compare", "run", "--save-baseline", "kept.json").code == 0
    told = redline(folder, "compare", "kept.json", "run", "--json")
    assert faults("compare", told.json) == []
    assert {one["unit"] for one in told.json["changes"] if one["kind"] == "limit"} <= {"rps"}
    assert all(one["users"] is None for one in told.json["changes"])


def test_rates_are_not_compared_with_users(searched: tuple[Told, Path], local: Local) -> None:
    """The line says which run is which."""
    folder = searched[1]
    arguments = ["--config", local.config, "--payload", local.payload, "--users", "1", "--for", "1s", "--out", "load"]
    redline(folder, "load", "local", *arguments)
    told = redline(folder, "compare", "load", "run")
    assert told.code == 2
    assert "load is a closed loop and run is an open loop" in told.err


def test_a_killed_search_of_rates_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    """The trials so far are rates, although no verdict was written."""
    with scoring_server(enough=20) as server:
        process = started(tmp_path, ["limit", "--url", server.uri, "--open", "--budget", "60s"])
        assert server.asked.wait(30)
        process.kill()
        ended(process)
    told = redline(tmp_path, "report", "limit", str(run_folder(tmp_path)), "--json")
    assert (told.code, told.json["verdict"], told.json["interrupted"]) == (3, "BUDGET_SPENT", True), told.err
    assert {one["users"] for one in told.json["trials"]} == {None}
    assert told.json["trials"][0]["rps"] == 4


def test_connections_that_run_out_are_told_at_once_and_no_measurement(local: Local, tmp_path: Path) -> None:
    """One connection, 20 ms a request: two of some random arrivals at 8 a second and more come within 20 ms."""
    arguments = ["limit", "local", "--config", local.config, "--payload", local.payload, "--max-users", "1"]
    told = redline(tmp_path, *arguments, "--open", "--max-rps", "40", "--budget", "9s", "--json")
    assert "connection was in use: raise --max-users" in told.err
    spoiled = [line for line in read_levels(run_folder(tmp_path)) if line["kind"] == "ended" and line.get("exhausted")]
    assert spoiled
    assert all(line["exhausted"] in line["invalid"] for line in spoiled)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-rps", "100"), "--max-rps belongs to an open loop"),
        (("--open", "--arrivals", "bursty"), "--arrivals `bursty` is not known"),
        (("--open", "--max-rps", "-1"), "--max-rps `-1` is no rate"),
    ],
)
def test_wishes_that_do_not_agree_exit_2(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """Before anything is sent or written."""
    told = redline(tmp_path, "limit", "--url", "http://127.0.0.1:9/score", *options)
    assert told.code == 2
    assert said in told.err
    assert list(tmp_path.iterdir()) == []


def test_consent_shows_the_rate_and_the_connections(tmp_path: Path) -> None:
    """To another machine nothing is sent without a yes."""
    told = redline(tmp_path, "limit", "--url", "https://churn.example.com/score", "--open", "--max-rps", "90/min")
    assert told.code == 2
    assert "1.5 requests a second, up to 512 requests at a time to churn.example.com" in told.err
