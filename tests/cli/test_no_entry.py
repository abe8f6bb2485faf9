"""What a person reads when load is not the question: one line, a hint, an exit code, and no load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from capacity.local_endpoint import Local, local_endpoint
from tests.cli.terminal import KEY, ROOT, Told, files_with, redline, run_folder, scoring_server

DEAD = "http://127.0.0.1:1/score"


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with local_endpoint(["--hosting", "aks", "--instances", "2", "--for", "2m"]) as endpoint:
        yield endpoint


def _is_one_clear_line(told: Told) -> None:
    error, blank, hint = told.err.strip().splitlines()[-3:]
    assert error.startswith("error: ")
    assert blank == ""
    assert hint.startswith("hint: ")
    assert "Traceback" not in told.err + told.out


def _uri(local: Local) -> str:
    return next(line for line in Path(local.config).read_text().splitlines() if "scoring_uri" in line).split('"')[1]


def test_a_wrong_key_is_told_at_once(local: Local, tmp_path: Path) -> None:
    """401 to the first request: exit 4, verdict NOT_A_LOAD_PROBLEM, and the key in no output and no file."""
    told = redline(
        tmp_path, "limit", "--url", _uri(local), "--key-env", "SCORING_KEY", "--payload", local.payload, "--json"
    )
    assert told.code == 4
    _is_one_clear_line(told)
    assert told.json["verdict"] == "NOT_A_LOAD_PROBLEM"
    assert told.json["cost"]["attempt_count"] == 1
    assert KEY not in told.out + told.err
    assert files_with(KEY, tmp_path) == []


def test_a_missing_key_variable_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Nothing can get in without a credential: exit 4, and no run folder is made."""
    with scoring_server() as server:
        told = redline(tmp_path, "limit", "--url", server.uri, "--key-env", "NOT_SET_ANYWHERE")
        assert server.count == 0
    assert told.code == 4
    _is_one_clear_line(told)
    assert "NOT_SET_ANYWHERE is not set" in told.err
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_path_is_told_at_once(local: Local, tmp_path: Path) -> None:
    """404 says nothing about load: exit 1, with the status and where to look."""
    wrong = redline(tmp_path, "limit", "--url", _uri(local) + "/none", "--payload", local.payload)
    assert wrong.code == 1
    _is_one_clear_line(wrong)
    assert "answered 404" in wrong.err


@pytest.mark.parametrize(
    ("uri", "words"),
    [(DEAD, "nothing listens on this port"), ("http://no-such-host.invalid/score", "gave no answer")],
    ids=["dead port", "no such host"],
)
def test_a_place_that_cannot_be_reached_is_told_at_once(uri: str, words: str, tmp_path: Path) -> None:
    """Network faults end before any load: exit 4, with what failed and where."""
    told = redline(tmp_path, "limit", "--url", uri, "--yes", "--json")
    assert told.code == 4
    _is_one_clear_line(told)
    assert words in told.err
    assert told.json["verdict"] == "NOT_A_LOAD_PROBLEM"


def test_a_payload_that_the_model_refuses_is_told_with_its_name(local: Local, tmp_path: Path) -> None:
    """A 400 to one's own payload: exit 1, and the sample stands in the run folder."""
    (tmp_path / "bad.json").write_text('{"rows": 1}')
    told = redline(tmp_path, "limit", "local", "--config", local.config, "--payload", "bad.json")
    assert told.code == 1
    _is_one_clear_line(told)
    assert "answered 400 to payload `bad.json`" in told.err
    assert "bad.json" in (run_folder(tmp_path) / "report.html").read_text()


@pytest.mark.parametrize(
    ("body", "words"),
    [(b'{"result": [1', "no JSON"), (b'{"error": "boom"}', "boom"), (b"<html>", "no JSON")],
    ids=["cut JSON", "an error inside", "HTML"],
)
def test_a_200_with_rubbish_is_no_good_answer(body: bytes, words: str, tmp_path: Path) -> None:
    """A status alone makes no answer good: exit 1 before any load, with what is wrong with the body."""
    with scoring_server(body=body) as server:
        told = redline(tmp_path, "load", "--url", server.uri, "--users", "4", "--for", "10s")
        assert server.count == 2
    assert told.code == 1
    _is_one_clear_line(told)
    assert words in told.err


def test_load_for_another_machine_is_asked_for(tmp_path: Path) -> None:
    """Without a terminal and without --yes nothing is sent: exit 2, and host, load and harm budget are shown."""
    told = redline(
        tmp_path, "limit", "--url", "https://churn.example/score", "--max-users", "40", "--harm-budget", "50"
    )
    assert told.code == 2
    _is_one_clear_line(told)
    for part in ("churn.example", "40 requests at a time", "50 have been rejected", "--yes"):
        assert part in told.err
    assert list(tmp_path.iterdir()) == []


def test_a_no_on_the_terminal_sends_nothing(tmp_path: Path) -> None:
    """Whoever does not say yes has sent nothing: exit 2."""
    screen, terminal = os.openpty()
    arguments = ["limit", "--url", "https://churn.example/score"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    os.write(screen, b"n\n")
    assert process.wait(30) == 2
    said = os.read(screen, 65_536).decode()
    os.close(screen)
    assert "up to 512 requests at a time to churn.example" in said
    assert "not confirmed, so no request was sent" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["limits"], "No such command"),
        (["limit", "--max-users", "many"], "--max-users"),
        (["limit"], "no endpoint is named"),
        (["limit", "churn"], "there is no redline.toml"),
        (["limit", "--url", DEAD, "--goal", "p95<=fast"], "`p95<=fast` is not a goal"),
        (["limit", "--url", DEAD, "--payload", "none.json"], "none.json"),
        (["limit", "--url", DEAD, "--header", f"Authorization: Bearer {KEY}"], "uthorization"),
        (["load", "--url", DEAD, "--for", "0s"], "leaves no time"),
        (["report", "limit", "nowhere"], "there is no run folder nowhere"),
        (["size", "--rps", "25", "--service-time", "soon"], "`soon` is not a duration"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    """Usage errors name the value seen, give a hint, never show a traceback or a secret, and send nothing."""
    told = redline(tmp_path, *arguments)
    assert told.code == 2
    _is_one_clear_line(told)
    assert words in told.err
    assert told.out == ""
    assert KEY not in told.err
