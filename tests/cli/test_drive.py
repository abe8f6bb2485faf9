"""The child process that sends the load: its arguments, its environment, its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capacity.drive import child_environment, command, handover, last_words
from scoring.endpoint import Endpoint
from scoring.grant import Grant


@pytest.mark.parametrize("kind", ["limit", "load"])
def test_the_childs_arguments_name_no_endpoint_and_no_folder(kind: str) -> None:
    """What a process list shows is the same for every run."""
    arguments = command(kind)
    assert arguments[1:4] == ["-P", "-m", "locust"]
    assert all(not word.startswith("http") for word in arguments)
    assert Path(arguments[5]).name in ("find_limit.py", "closed_loop.py")


def test_the_childs_environment_holds_no_key_and_no_setting_of_locust() -> None:
    """LOCUST_* variables of the shell, which would change the measurement, stay behind, and so does every secret."""
    shell = {"PATH": "/bin", "SCORING_KEY": "k", "LOCUST_PROCESSES": "4", "HTTPS_PROXY": "http://proxy", "OTHER": "1"}
    seen = child_environment(shell, Path("/runs/one"), 7, 8, 42)
    assert seen["REDLINE_RUN"] == "/runs/one"
    assert (seen["REDLINE_PROGRESS_FD"], seen["REDLINE_HANDOVER_FD"], seen["REDLINE_PARENT"]) == ("7", "8", "42")
    assert not {"SCORING_KEY", "LOCUST_PROCESSES", "HTTPS_PROXY", "OTHER"} & seen.keys()


def test_what_the_credential_needs_is_handed_over_and_nothing_else() -> None:
    """The first grant, and the variable that the endpoint names for its key."""
    endpoint = Endpoint("one", "http://127.0.0.1/score", auth="key", key_env="SCORING_KEY")
    handed = json.loads(handover(endpoint, {"SCORING_KEY": "k", "OTHER": "1"}, Grant("k", "somewhere")))
    assert handed["environ"] == {"SCORING_KEY": "k"}
    assert handed["grant"]["secret"] == "k"


def test_the_child_reads_no_settings_from_the_home_folder() -> None:
    """HOME is the run folder, where no .locust.conf lies."""
    assert child_environment({"HOME": "/somebody"}, Path("/runs/one"), 7, 8, 42)["HOME"] == "/runs/one"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", "it said nothing"),
        ("\n \n", "it said nothing"),
        ("Traceback (most recent call last):\n  File x\nOSError: no\n", "OSError: no"),
        ("error: no key\n----|----\n  0 0\n", "error: no key"),
        ("\x1b[31mred\n", "␛red"),
    ],
    ids=["empty", "blank", "traceback", "a table's rule is no word", "control characters are shown"],
)
def test_the_last_words_of_a_log_are_its_last_line_that_tells_something(log: str, words: str) -> None:
    """Blank lines, rules and indented lines say nothing."""
    assert last_words(log) == words
