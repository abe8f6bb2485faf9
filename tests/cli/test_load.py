"""`redline load`, from the command line to the run folder, and what interrupts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import KEY, ROOT, ended, files_with, redline, run_folder, scoring_server, started


def test_a_load_that_keeps_its_thresholds_exits_0_if_it_was_fair(tmp_path: Path) -> None:
    """Counts of the report equal what the server saw, preflight aside; the key reaches the server and no file."""
    with scoring_server() as server:
        told = redline(
            tmp_path,
            *("load", "--url", server.uri, "--key-env", "SCORING_KEY", "--users", "2", "--for", "1s"),
            *("--threshold", "errors<=1%", "--json"),
        )
        assert told.code == (0 if told.json["client"]["valid"] else 3), told.err
        assert server.keys == {f"Bearer {KEY}"}
        assert told.json["levels"][0]["attempt_count"] == server.count - 1
    assert told.json["thresholds"][0]["outcome"] == "pass"
    assert KEY not in told.out + told.err
    assert files_with(KEY, tmp_path) == []


def test_a_missed_threshold_exits_1(tmp_path: Path) -> None:
    """No answer comes within a nanosecond."""
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--for", "1s", "--threshold", "p95<=1ns")
    assert told.code == 1
    assert "MISSED" in told.out


def test_the_run_folder_is_private(tmp_path: Path) -> None:
    """Nobody else on the machine reads what was measured."""
    with scoring_server() as server:
        redline(tmp_path, "load", "--url", server.uri, "--for", "1s", "--out", "run")
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "run").iterdir() if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_load_still_reports(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """The first signal lets requests in flight finish; what came until then is printed and written."""
    with scoring_server() as server:
        process = started(tmp_path, ["load", "--url", server.uri, "--users", "2", "--for", "50s", "--json"])
        assert server.asked.wait(30)
        process.send_signal(number)
        told = ended(process)
    assert told.code == code, told.err
    assert told.json["interrupted"] is True
    assert told.json["levels"][0]["attempt_count"] > 0
    assert (run_folder(tmp_path) / "report.json").is_file()
    assert "Traceback" not in told.err


def test_a_second_interrupt_leaves_at_once_and_the_record_stays_readable(tmp_path: Path) -> None:
    """After two Ctrl-C no report is printed, but `report limit` reads what was recorded."""
    with scoring_server() as server:
        process = started(tmp_path, ["load", "--url", server.uri, "--users", "2", "--for", "50s"])
        assert server.asked.wait(30)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        told = ended(process)
    assert told.code == 130
    assert "Traceback" not in told.err
    again = redline(tmp_path, "report", "limit", str(run_folder(tmp_path)), "--json")
    assert again.code in (0, 3)
    assert "Traceback" not in again.err


def test_no_process_shows_the_key(tmp_path: Path) -> None:
    """Neither redline nor the load generator has the key among its arguments."""
    with scoring_server() as server:
        arguments = ["load", "--url", server.uri, "--key-env", "SCORING_KEY", "--for", "50s"]
        process = started(tmp_path, arguments)
        assert server.asked.wait(30)
        shown = b"".join(_command_line(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        process.send_signal(signal.SIGTERM)
        ended(process)
    assert b"find_limit.py" in shown or b"closed_loop.py" in shown
    assert KEY.encode() not in shown


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_what_is_recorded_is_never_overwritten(tmp_path: Path) -> None:
    """--out names a folder that is missing or empty: exit 2 otherwise, and its files stay."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").write_text("mine")
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--for", "1s", "--out", "kept")
        assert server.count == 0
    assert told.code == 2
    assert "kept cannot become the run folder" in told.err
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "notes.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_files_is_told_before_any_load(tmp_path: Path) -> None:
    """A read-only place is an error of the command line."""
    tmp_path.chmod(0o500)
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--for", "1s")
        assert server.count == 0
    assert told.code == 2
    assert "Permission denied" in told.err


def test_a_run_folder_below_a_file_is_told_before_any_load(tmp_path: Path) -> None:
    """A place that cannot be a folder is an error of the command line."""
    (tmp_path / "file").write_text("")
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--for", "1s", "--out", "file/run")
        assert server.count == 0
    assert told.code == 2
    assert "error: no run folder can be made" in told.err


def test_a_record_that_the_disk_cut_short_is_no_fair_measurement(tmp_path: Path) -> None:
    """The load goes on without its disk, the report says how much is missing, and the exit code is 3."""
    with scoring_server() as server:
        words = f"ulimit -f 8; exec {sys.executable} -m cli load --url {server.uri} --users 8 --for 2s --json"
        done = subprocess.run(
            ["bash", "-c", words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 3, done.stderr
    assert "the disk refused the records of" in json.loads(done.stdout)["client"]["reasons"][-1]
    assert "Traceback" not in done.stderr
