"""`redline limit --beyond`, from the command line to the run folder, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from capacity.local_endpoint import Local, local_endpoint
from tests.cli.phases import came_to
from tests.cli.terminal import ROOT, Told, ended, redline, started

TRIES = 3
LOCAL = ["--hosting", "aks", "--instances", "3", "--max-concurrent", "1", "--service-time", "10ms", "--for", "3m"]


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with local_endpoint(LOCAL) as endpoint:
        yield endpoint


def _words(local: Local) -> list[str]:
    words = ["limit", "local", "--config", local.config, "--payload", local.payload, "--max-users", "16"]
    return [*words, "--budget", "40s", "--beyond", "--out", "run", "--json"]


@pytest.fixture(scope="module")
def found(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """One search that goes beyond the limit. On a busy machine it may find none, and is tried again, twice."""
    for _ in range(TRIES):
        told = redline(tmp_path_factory.mktemp("beyond"), *_words(local), "--beyond-budget", "300")
        if told.json["verdict"] != "CLIENT_LIMITED":
            break
    return told


def test_beyond_a_cliff_the_endpoint_is_seen_to_recover(found: Told) -> None:
    """The limit is found as ever; after twice as much load it is good again below it."""
    document = found.json
    assert (document["verdict"], document["limits"][0]["users"]) == ("FOUND", 3), found.err
    assert [step["users"] for step in document["overload"]["steps"]] == [5, 6]
    assert document["overload"]["recovery"]["good_after_s"] is not None
    assert document["overload"]["class"] != "metastable"


def test_its_harm_has_a_budget_of_its_own(found: Told) -> None:
    """Rejections beyond the limit stay within --beyond-budget, but for those in flight when a phase ended."""
    document = found.json
    assert 0 < document["harm"]["beyond_rejected_count"] <= 300 + 6 * 9
    assert document["harm"]["rejected_count"] > document["harm"]["beyond_rejected_count"]


def test_the_wall_of_a_cliff_is_what_the_settings_let_in(found: Told) -> None:
    """One at once in three instances: the limit is 3, with high confidence."""
    assert (found.json["wall"]["kind"], found.json["wall"]["confidence"]) == ("server_concurrency", "high")


def test_the_json_fits_its_committed_schema(found: Told) -> None:
    """Programs may rely on docs/schemas/limit.schema.json."""
    schema = json.loads((ROOT / "docs/schemas/limit.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(found.json)) == []


def test_a_run_killed_beyond_the_limit_keeps_its_verdict(local: Local, tmp_path: Path) -> None:
    """The verdict is on disk before the first overload; a kill then costs only what was still to come."""
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = started(folder, _words(local))
        came = came_to(process, folder / "run", "overload")
        process.kill()
        ended(process)
        if came:
            break
    told = redline(folder, "report", "limit", "run", "--json")
    assert (told.json["verdict"], told.json["limits"][0]["users"]) == ("FOUND", 3), told.err
    assert told.json["overload"]["interrupted"] is True
    assert "stopped" in " ".join(told.json["overload"]["left_out"])


def test_a_budget_for_nothing_is_refused(tmp_path: Path) -> None:
    """--beyond-budget without --beyond is a mistake of the command line."""
    told = redline(tmp_path, "limit", "--url", "http://127.0.0.1:9/score", "--beyond-budget", "5")
    assert told.code == 2
    assert "add --beyond" in told.err
