"""`redline load --rps` and `--replay`, from the command line to the report."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

from capacity.runfolder import read_attempts
from tests.cli.schemas import faults
from tests.cli.terminal import ended, redline, run_folder, scoring_server, started


def test_every_request_due_is_in_the_report_and_at_the_server(tmp_path: Path) -> None:
    """Due, sent, attempts and the server's own count agree; the level is a rate, and the document fits its schema."""
    with scoring_server() as server:
        rate = ("--rps", "60", "--arrivals", "constant", "--for", "1s")
        told = redline(tmp_path, "load", "--url", server.uri, *rate, "--json")
        asked = server.count - 1  # the preflight
    assert told.code in (0, 3), told.err
    assert faults("load", told.json) == []
    schedule, (level,) = told.json["schedule"], told.json["levels"]
    assert (
        schedule["due_count"] == schedule["sent_count"] == level["attempt_count"] == level["due_count"] == asked == 60
    )
    assert (level["users"], level["rps"], schedule["pool_count"]) == (None, 60, 600)
    assert (schedule["unsent_count"], schedule["exhausted_count"]) == (0, 0)
    assert level["p99_from_due_ms"] >= level["p99_ms"]


def test_a_recorded_run_can_be_sent_again(tmp_path: Path) -> None:
    """Twice as fast: as many requests, at half their distances, told by the name of the run."""
    with scoring_server() as server:
        first = ("--rps", "20..80", "--for", "1s", "--out", "monday")
        redline(tmp_path, "load", "--url", server.uri, *first)
        again = ("--replay", "monday", "--speed", "2", "--out", "again")
        told = redline(tmp_path, "load", "--url", server.uri, *again, "--json")
    one, other = (sorted(read_attempts(tmp_path / name)["due_ns"].tolist()) for name in ("monday", "again"))
    assert len(one) == len(other) > 20
    for before, after in zip(one, other, strict=True):
        assert after - other[0] == pytest.approx((before - one[0]) / 2, abs=1)
    assert (told.json["schedule"]["replay"], told.json["schedule"]["speed"]) == ("monday", 2)
    assert "at a replay of monday at 2 times its speed" in told.json["headline"]


def test_the_command_of_a_report_does_the_run_again(tmp_path: Path) -> None:
    """Its words are understood, and ask for the same requests."""
    with scoring_server() as server:
        rate = ("--rps", "30..90", "--for", "0.5s", "--seed", "7", "--max-users", "9")
        told = redline(tmp_path, "load", "--url", server.uri, *rate, "--out", "one", "--json")
        words = shlex.split(told.json["run_facts"]["command"])
        more = redline(tmp_path, *words[1:], "--out", "two", "--json")
    assert more.json["run_facts"]["configuration_hash"] == told.json["run_facts"]["configuration_hash"]
    one, other = (read_attempts(tmp_path / name)["due_ns"] for name in ("one", "two"))
    assert (one - one.min()).tolist() == (other - other.min()).tolist()


def test_thresholds_of_an_open_load_are_judged_from_when_due(tmp_path: Path) -> None:
    """One connection and far more due than it carries: answers are quick once sent, and the threshold is missed."""
    with scoring_server() as server:
        rate = ("--rps", "20000", "--arrivals", "constant", "--max-users", "1", "--for", "0.5s")
        told = redline(tmp_path, "load", "--url", server.uri, *rate, "--threshold", "p50<=50ms", "--json")
    assert told.code == 1, told.err
    (threshold,) = told.json["thresholds"]
    assert threshold["outcome"] == "fail"
    schedule = told.json["schedule"]
    assert schedule["due_count"] == schedule["sent_count"] + schedule["unsent_count"] == 10_000
    assert "while the one connection was in use: raise --max-users" in told.err
    assert any("raise --max-users" in reason for reason in told.json["client"]["reasons"])
    assert told.json["client"]["valid"] is False


def test_an_interrupted_open_load_still_reports(tmp_path: Path) -> None:
    """After Ctrl-C what was due until then is told, sent or not."""
    with scoring_server() as server:
        process = started(tmp_path, ["load", "--url", server.uri, "--rps", "100", "--for", "50s", "--json"])
        assert server.asked.wait(30)
        process.send_signal(signal.SIGINT)
        told = ended(process)
        asked = server.count - 1
    assert told.code == 130, told.err
    schedule = told.json["schedule"]
    assert told.json["interrupted"] is True
    assert schedule["due_count"] == schedule["sent_count"] + schedule["unsent_count"]
    assert schedule["sent_count"] == asked
    assert (run_folder(tmp_path) / "report.json").is_file()


def test_the_question_before_a_load_elsewhere_tells_its_rate(tmp_path: Path) -> None:
    """Host, rate, connections and the budget of harm; nothing is sent without a yes."""
    told = redline(tmp_path, "load", "--url", "http://192.0.2.1/score", "--rps", "10..200", "--for", "9s")
    assert told.code == 2
    assert "this would send 200 requests a second, up to 1000 requests at a time to 192.0.2.1" in told.err


def test_wishes_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    """--users and --rps: exit 2, with a hint and no request."""
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--users", "2", "--rps", "5")
        assert server.count == 0
    assert told.code == 2
    assert "error: --users and --rps were given\n\nhint: one of them" in told.err


def test_a_replay_that_cannot_be_read_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """File, line and what stood there."""
    (tmp_path / "instants").write_text("1\nsoon\n")
    with scoring_server() as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--replay", "instants")
        assert server.count == 0
    assert told.code == 2
    assert "instants:2: `soon` is no instant" in told.err
