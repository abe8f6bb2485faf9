"""`redline limit` and `redline report limit`, from the command line to the run folder."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from capacity.local_endpoint import Local, local_endpoint
from tests.cli.terminal import ROOT, Told, ended, files_with, redline, run_folder, scoring_server, started

TRIES = 3
RENDERINGS = {"report.html", "report.css", "report.json", "summary.md", "junit.xml", "levels.csv", "trials.csv"}


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with local_endpoint(["--hosting", "aks", "--instances", "3", "--service-time", "10ms", "--for", "4m"]) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def found(local: Local, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Path]:
    """One search for the limit of an endpoint that admits 3. A busy machine may make no fair one, and begins anew."""
    arguments = ["limit", "local", "--config", local.config, "--payload", local.payload, "--need", "9users", "--json"]
    for _ in range(TRIES):
        folder = tmp_path_factory.mktemp("found")
        told = redline(folder, *arguments, "--max-users", "16", "--budget", "40s")
        if told.json["verdict"] != "CLIENT_LIMITED":
            break
    return told, folder


def test_the_limit_of_an_endpoint_that_admits_3_is_3(found: tuple[Told, Path]) -> None:
    """The search finds the cliff exactly; the first 503 comes at 4."""
    document = found[0].json
    assert document["verdict"] == "FOUND"
    assert document["limits"][0]["users"] == 3
    assert document["first_rejected_users"] == 4


def test_a_need_above_the_limit_is_no_go_and_exits_1(found: tuple[Told, Path]) -> None:
    """9 users are needed, 3 are carried."""
    told, _folder = found
    assert told.json["decision"] == "NO-GO"
    assert told.code == 1


def test_the_json_fits_its_committed_schema(found: tuple[Told, Path]) -> None:
    """Programs may rely on docs/schemas/limit.schema.json."""
    schema = json.loads((ROOT / "docs/schemas/limit.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(found[0].json)) == []


def test_the_run_folder_holds_every_rendering_and_no_secret(found: tuple[Told, Path], local: Local) -> None:
    """Reports stand beside the records; the key of the endpoint is in none of them."""
    folder = run_folder(found[1])
    assert {path.name for path in folder.iterdir()} >= {*RENDERINGS, "run.json", "verdict.json", "attempts.bin"}
    key = next(Path(local.config).parent.glob("*.key")).read_text().strip()
    assert len(key) >= 16
    assert files_with(key, found[1]) == []


def test_a_report_made_again_is_the_same(found: tuple[Told, Path]) -> None:
    """The run folder alone decides the report."""
    told, folder = found
    again = redline(folder, "report", "limit", told.json["run"], "--json", "--out", "again")
    assert again.code == told.code
    assert again.out == told.out
    assert {path.name for path in (folder / "again").iterdir()} == RENDERINGS


def test_a_killed_search_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    """Without a verdict on disk the trials so far give one, marked as interrupted; it decides nothing: exit 3."""
    with scoring_server(enough=200) as server:
        process = started(tmp_path, ["limit", "--url", server.uri, "--budget", "60s"])
        assert server.asked.wait(30)
        process.kill()
        ended(process)
    told = redline(tmp_path, "report", "limit", str(run_folder(tmp_path)), "--json")
    assert told.code == 3, told.err
    assert told.json["interrupted"] is True
    assert told.json["verdict"] == "BUDGET_SPENT"


def test_an_interrupted_search_reports_and_exits_130(tmp_path: Path) -> None:
    """Ctrl-C ends the trial under way; the verdict says that it was interrupted."""
    with scoring_server(enough=200) as server:
        process = started(tmp_path, ["limit", "--url", server.uri, "--budget", "60s", "--json"])
        assert server.asked.wait(30)
        process.send_signal(signal.SIGINT)
        told = ended(process)
    assert told.code == 130, told.err
    assert told.json["interrupted"] is True
    assert (run_folder(tmp_path) / "report.html").is_file()
    assert "Traceback" not in told.err


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 120 KB."""
    place = tmp_path / "tiny"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_does_not_swallow_the_verdict(local: Local, tiny_disk: Path, tmp_path: Path) -> None:
    """The limit is found and told; then one line says what could not be written, and what was recorded is readable."""
    arguments = ["limit", "local", "--config", local.config, "--out", str(tiny_disk / "run"), "--max-users", "16"]
    told = redline(tmp_path, *arguments, "--json", "--quiet")
    assert (told.json["verdict"], told.json["limits"][0]["users"]) == ("FOUND", 3), told.err
    assert told.err.count("error: ") == 1
    assert "No space left on device" in told.err
    assert told.code == 2
    kept = redline(tmp_path, "report", "limit", str(tiny_disk / "run"), "--json", "--out", str(tmp_path / "again"))
    assert kept.json["levels"]
