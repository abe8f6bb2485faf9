"""The renewal process over its real pipes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.grant import Grant
from scoring.renewing import answered, asked, grant_as_json, grant_from, told_first

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A renewal process that has not been told anything yet."""
    command = [sys.executable, "-P", "-m", "scoring.renewing"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, **pipes) as child:  # type: ignore[call-overload]
        yield child
        child.kill()


def exchange(child: subprocess.Popen[bytes], number: int) -> tuple[int, Grant | RedlineError | None] | None:
    """What the process answers to one question."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(asked(number))
    child.stdin.flush()
    return answered(child.stdout.readline())


def tell(child: subprocess.Popen[bytes], endpoint: Endpoint, environ: dict[str, str]) -> None:
    assert child.stdin is not None
    child.stdin.write(told_first(endpoint, environ))


def test_each_question_is_answered_with_what_holds_at_that_moment(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    """A file read twice, missing, and there again: numbers match, errors come with their hint, and it goes on."""
    file = tmp_path / "key"
    tell(process, Endpoint("one", "http://127.0.0.1/score", auth="key", key_file=str(file)), {})
    file.write_text("first")
    assert exchange(process, 1) == (1, Grant("first", f"file {file}"))
    file.write_text("second")
    assert exchange(process, 2) == (2, Grant("second", f"file {file}"))
    file.unlink()
    number, error = exchange(process, 7) or (0, None)
    assert number == 7
    assert isinstance(error, RedlineError)
    assert "cannot be read" in error.message
    assert error.hint == f"ls -l {file}"
    file.write_text("third")
    assert exchange(process, 8) == (8, Grant("third", f"file {file}"))


def test_it_ends_when_nobody_can_ask_any_more(process: subprocess.Popen[bytes]) -> None:
    """Its input closes, and it is gone."""
    tell(process, Endpoint("one", "http://127.0.0.1/score"), {})
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


def test_what_it_was_told_stands_neither_in_its_environment_nor_in_its_arguments(
    process: subprocess.Popen[bytes],
) -> None:
    """The variable arrives through the pipe and is used, but a process list does not show it."""
    tell(
        process, Endpoint("one", "http://127.0.0.1/score", auth="key", key_env="SCORING_KEY"), {"SCORING_KEY": "s3cr3t"}
    )
    assert exchange(process, 1) == (1, Grant("s3cr3t", "environment variable SCORING_KEY"))
    shown = [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("environ", "cmdline")]
    assert all(b"s3cr3t" not in text for text in shown)


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}", b"[1]", b'{"number": 1}', b'{"number": 1, "grant": {"x": 1}}', b"\xff"]
)
def test_a_line_that_is_no_answer_is_none(line: bytes) -> None:
    """A library that prints, or a line cut by a kill."""
    assert answered(line) is None


def test_a_grant_survives_the_pipe() -> None:
    """Every field, and the absence of a grant too."""
    grant = Grant("secret", "somewhere", renew_from_s=1.5, expires_s=2.5, spare="other")
    assert grant_from(grant_as_json(grant)) == grant
    assert grant_from(grant_as_json(None)) is None
