"""`redline logs`: what it shows, what it leaves out, how it ends, and what a person who mistypes is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unicodedata import category

import pytest

from tests.cli import schemas
from tests.cli.terminal import ROOT, ended, redline, started

LOG = ROOT / "tests" / "data" / "logs" / "mixed-1.5.1" / "server.log"
TRUTH = json.loads((LOG.parent / "truth.json").read_text())
LINE = b"2026-01-01 10:00:00,632 I [784] azmlinfsrv - POST /score 500 12.5ms 90\n"
MISTAKES = [
    ("logs", "Missing argument"),
    ("logs missing.log", "no such file"),
    ("logs .", "is a directory"),
    ("logs good.log --status 5zz", "`5zz` is not a status"),
    ("logs good.log --grep (", "is not a regular expression"),
    ("logs good.log --since soon", "--since: `soon`"),
    ("logs nobody --config one.toml", "no endpoint `nobody`"),
    ("logs one --config one.toml", "neither workspace_id nor"),
]


@pytest.mark.parametrize(("command", "words"), MISTAKES)
def test_a_mistake_is_one_line_and_a_hint(command: str, words: str, tmp_path: Path) -> None:
    """What is wrong and with which value, what to type next, and exit code 2; nothing on stdout."""
    (tmp_path / "good.log").write_bytes(LINE)
    (tmp_path / "one.toml").write_text('[endpoints.one]\nscoring_uri = "http://127.0.0.1:9/score"\nauth = "none"\n')
    told = redline(tmp_path, *command.split())
    assert told.code == 2, told.err
    error, _, hint = told.err.partition("\n\nhint: ")
    assert error.startswith("error: ")
    assert error.count("\n") == 0
    assert words in error
    assert hint.strip()
    assert told.out == ""


@pytest.mark.parametrize("status", ["5xx", "429", "4xx,5xx"])
def test_each_failed_request_is_shown_once(status: str, tmp_path: Path) -> None:
    """As often as the client saw it, whatever number of lines tell of it."""
    told = redline(tmp_path, "logs", str(LOG), "--status", status, "--json")
    entries = [json.loads(line) for line in told.out.splitlines()]
    wanted = status.replace("xx", "").split(",")
    assert [fault for one in entries for fault in schemas.faults("logs", one)] == []
    assert all(str(one["status"]).startswith(tuple(wanted)) for one in entries)
    if status == "429":
        assert len(entries) == TRUTH["counts"]["POST /score 429"]


def test_a_pipe_gives_what_the_file_gives(tmp_path: Path) -> None:
    """`-` is standard input."""
    command = [sys.executable, "-m", "cli", "logs", "-", "--json"]
    piped = subprocess.run(command, cwd=ROOT, input=LOG.read_bytes(), capture_output=True, timeout=60, check=True)
    assert piped.stdout.decode() == redline(tmp_path, "logs", str(LOG), "--json").out
    assert piped.stderr == b""


def test_a_closed_pipe_ends_a_log_without_end(tmp_path: Path) -> None:
    """`yes LINE | redline logs - | head -1` is over when head has its line."""
    reading, writing = os.pipe()
    endless = subprocess.Popen(["yes", LINE.decode().strip()], stdout=writing, stderr=subprocess.DEVNULL)
    os.close(writing)
    shown = subprocess.Popen(
        [sys.executable, "-m", "cli", "logs", "-"],
        cwd=ROOT,
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(reading)
    assert shown.stdout is not None
    assert shown.stderr is not None
    with shown.stdout, shown.stderr:
        assert "500" in shown.stdout.readline()
        shown.stdout.close()
        assert shown.wait(timeout=30) == 0
        assert shown.stderr.read() == ""
    assert endless.wait(timeout=30) == -signal.SIGPIPE


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_following_ends_with_a_signal(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """What came until then was shown as it came; the end is without a traceback."""
    (tmp_path / "grows.log").write_bytes(LINE + LINE)
    process = started(tmp_path, ["logs", "grows.log", "--follow", "--json"])
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == 500
    with (tmp_path / "grows.log").open("ab") as grows:
        grows.write(LINE.replace(b"500", b"503") * 2)
    rest = [json.loads(process.stdout.readline())["status"] for _ in range(2)]
    process.send_signal(number)
    told = ended(process)
    assert rest == [500, 503]
    assert told.code == code, told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "data", [b"", b"\n\n\n", b"\xff\xfe\0" * 999, b"\0" * 100_000, "200 OK\n".encode("utf-16")], ids=range(5)
)
def test_bytes_that_are_no_log_are_shown_harmless(data: bytes, tmp_path: Path) -> None:
    """Empty, binary or of another encoding: no fault, and nothing that a terminal would obey."""
    (tmp_path / "odd.log").write_bytes(data)
    told = redline(tmp_path, "logs", "odd.log")
    assert (told.code, told.err) == (0, "")
    assert {category(char) for char in told.out.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


def test_a_line_of_ten_megabytes_is_cut_and_says_so(tmp_path: Path) -> None:
    """The next line is shown as ever."""
    (tmp_path / "long.log").write_bytes(
        b"2026-01-01 10:00:00,632 I [7] azmlinfsrv.print - " + b"x" * 10**7 + b"\n" + LINE
    )
    told = redline(tmp_path, "logs", "long.log", "--json")
    first, second = (json.loads(line) for line in told.out.splitlines())
    assert len(first["text"]) < 100_000
    assert "more" in first["text"]
    assert second["status"] == 500


def test_a_colourless_world_gets_no_colour(tmp_path: Path) -> None:
    """Neither a pipe nor NO_COLOR sees an escape sequence, a foreign one included."""
    (tmp_path / "red.log").write_bytes(LINE + b"2026-01-01 10:00:00,632 E [7] azmlinfsrv.print - \x1b[31mred\x1b[0m\n")
    told = redline(tmp_path, "logs", "red.log", NO_COLOR="1")
    assert "\x1b" not in told.out
    assert "red" in told.out


def test_a_name_that_is_no_text_is_shown_harmless(tmp_path: Path) -> None:
    """A file name of any bytes can be read, and named in an error."""
    name = os.fsdecode(b"a\xff\x1b[31m.log")
    (tmp_path / name).write_bytes(LINE)
    assert redline(tmp_path, "logs", name).code == 0
    told = redline(tmp_path, "logs", f"not-{name}")
    assert told.code == 2
    assert "\x1b" not in told.err
