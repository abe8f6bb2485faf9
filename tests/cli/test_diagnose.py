"""`redline diagnose`: of runs that are whole, cut short, spread over workers, spoilt, or none at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli import schemas
from tests.cli.terminal import Told, redline, scoring_server


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one second against a server that answers 500 only."""
    folder = tmp_path_factory.mktemp("recorded")
    with scoring_server(status=500, body=b"ValueError: Input contains NaN") as server:
        load = ("--url", server.uri, "--users", "2", "--for", "1s", "--out", "run")
        assert redline(folder, "load", *load).code in (0, 1, 3)
    return folder / "run"


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(recorded, tmp_path / "run")
    return tmp_path / "run"


def _diagnosed(run: Path) -> Told:
    told = redline(run.parent, "diagnose", run.name, "--json")
    assert told.err == ""
    assert told.code == 0
    assert schemas.faults("diagnose", told.json) == []
    return told


def test_every_failure_of_a_run_has_a_finding_and_a_group(run: Path) -> None:
    """As many as the client counted, each with what to do next."""
    sent = json.loads((run / "report.json").read_text())["levels"][0]["status_count"]
    document = _diagnosed(run).json
    assert document["failed"] == sum(one["count"] for one in document["findings"]) == sum(sent.values())
    assert sum(one["count"] for one in document["groups"]) == sum(sent.values())
    assert all(one["next_step"] for one in document["findings"])


def test_a_torn_record_and_a_half_line_are_left_out(run: Path) -> None:
    """A run whose writer was killed is read up to its last whole record, and has no verdict."""
    whole = _diagnosed(run).json["requests"]
    with (run / "attempts.bin").open("ab") as records, (run / "failures.jsonl").open("ab") as failures:
        records.write(b"torn")
        failures.write(b'{"request_id": "half')
    (run / "verdict.json").unlink(missing_ok=True)
    assert _diagnosed(run).json["requests"] == whole


def test_the_files_of_workers_are_read_together(run: Path) -> None:
    """Two workers that recorded the same number of attempts have twice as many."""
    whole = _diagnosed(run).json["requests"]
    shutil.copy(run / "attempts.bin", run / "attempts-1.bin")
    (run / "attempts.bin").rename(run / "attempts-2.bin")
    assert _diagnosed(run).json["requests"] == 2 * whole


def test_a_run_without_an_attempt_is_not_a_run_without_failures(run: Path) -> None:
    """Nothing is known, and no zero says otherwise."""
    (run / "attempts.bin").write_bytes(b"")
    document = redline(run.parent, "diagnose", "run", "--json").json
    assert schemas.faults("diagnose", document) == []
    assert document["requests"] is None
    assert document["findings"] == []


@pytest.mark.parametrize("text", ["", "[1]\n3\nnull\n", "\0\xff\n"])
def test_details_that_are_no_details_change_no_count(text: str, run: Path) -> None:
    """failures.jsonl may be empty, spoilt or of another shape."""
    whole = _diagnosed(run).json["requests"]
    (run / "failures.jsonl").write_text(text, encoding="latin-1")
    assert _diagnosed(run).json["requests"] == whole


def test_headers_of_another_shape_change_no_count(run: Path) -> None:
    """A line that belongs to an attempt may hold anything."""
    rows = [json.loads(line) for line in (run / "failures.jsonl").read_text().splitlines()]
    spoilt = [{**row, "headers": [1], "body": {"a": 1}, "detail": 7, "users": "x"} for row in rows]
    (run / "failures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spoilt))
    told = redline(run.parent, "diagnose", "run", "--json")
    assert told.code in (0, 2), told.err
    assert "itself failed" not in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument"),
        (("missing",), "no run folder missing"),
        (("run/run.json",), "no run folder"),
        (("run", "--service-log", "missing.log"), "no such file"),
        (("run", "--wait", "soon"), "`soon` is not a duration"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(arguments: tuple[str, ...], words: str, run: Path) -> None:
    """Exit code 2, and what to type next."""
    told = redline(run.parent, "diagnose", *arguments)
    assert told.code == 2, told.err
    error, _, hint = told.err.partition("\n\nhint: ")
    assert error.startswith("error: ")
    assert words in error
    assert hint.strip()
    assert told.out == ""


def test_sixty_columns_and_no_colour_are_enough(run: Path) -> None:
    """The text fits, says the cause, and holds no escape sequence."""
    told = redline(run.parent, "diagnose", "run", COLUMNS="60", NO_COLOR="1")
    assert "\x1b" not in told.out
    assert "500" in told.out
    assert [line for line in told.out.splitlines() if len(line) > 60 and " " in line.strip()[:50]] == []
