"""Loads whose tokens live two seconds, fetched by the real azure-identity from the stand-in for Azure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from subprocess import Popen
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from capacity.runfolder import read_attempts
from capacity.summary import label_counts
from scoring.attempt import FLAG_RENEWED
from tests.cli.terminal import Told, ended, files_with, redline, started
from tests.scoring.standin import StandIn, stand_in

USERS = 3
PAUSE = Event()  # never set


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A managed endpoint with keys, one with tokens, one with Entra, whose tokens live two seconds."""
    flags = ("--hosting", "managed", "--instances", "4", "--service-time", "20ms", "--token-life", "2s")
    with stand_in(tmp_path_factory.mktemp("azure"), *flags) as served:
        yield served


def load(azure: StandIn, folder: Path, endpoint: str, *flags: str) -> Told:
    """`redline load` for four seconds into the folder `run`."""
    words = ("load", endpoint, "--config", config(azure, folder), "--users", str(USERS), "--for", "4s", "--json")
    return redline(folder, *words, "--out", "run", *flags)


def config(azure: StandIn, folder: Path) -> str:
    """The stand-in's redline.toml, where no endpoint has its key in a file: all credentials come from Azure."""
    text = Path(azure.ready["config"]).read_text()
    known = re.search(r'arm_id = "(.*)/local-token"', text)
    assert known is not None
    arm_id = f'arm_id = "{known[1]}/local"'
    file = folder / "redline.toml"
    file.write_text(re.sub("^key_file.*$", "" if arm_id in text else arm_id, text, flags=re.MULTILINE))
    return str(file)


def answered(azure: StandIn, endpoint: str) -> int:
    """How many scoring requests all entrances of the stand-in have answered."""
    (uri,) = (one["scoring_uri"] for one in azure.ready["endpoints"] if one["name"] == endpoint)
    with closing(HTTPConnection("127.0.0.1", urlsplit(uri).port, timeout=30)) as connection:
        connection.request("GET", "/redline/stats")
        return int(json.load(connection.getresponse())["requests"])


def checked_run(azure: StandIn, folder: Path, endpoint: str, before: int) -> Any:
    """The run's rows: the stand-in answered these and one request before the load; flagged 401s alone are bad."""
    rows = read_attempts(folder / "run")
    assert answered(azure, endpoint) - before == len(rows) + 1
    flagged = (rows["flags"] & FLAG_RENEWED) != 0
    assert label_counts(rows[~flagged]) == {"200": int((~flagged).sum())}
    assert set(label_counts(rows[flagged])) <= {"401"}
    return rows


@pytest.mark.parametrize("endpoint", ["local-token", "local-entra"])
def test_tokens_that_live_two_seconds_are_renewed_before_they_end(
    tmp_path: Path, azure: StandIn, endpoint: str
) -> None:
    """A load longer than its token is answered to its end, at most one 401 a user and token; no file holds a secret."""
    before = answered(azure, endpoint)
    told = load(azure, tmp_path, endpoint)
    assert told.code in (0, 3), told.err
    rows = checked_run(azure, tmp_path, endpoint, before)
    (level,) = told.json["levels"]
    renewal = told.json["renewal"]
    assert renewal["lost"] is None
    assert renewal["renewed_count"] == len(rows) - level["attempt_count"] <= 2 * USERS
    assert level["attempt_count"] > 50
    for secret in (azure.ready["client_secret"], "eyJ"):  # every token begins like the second
        assert files_with(secret, tmp_path / "run") == []


def test_keys_made_anew_in_the_middle_cost_nobody_an_attempt(tmp_path: Path, azure: StandIn) -> None:
    """First one key, which the other stands in for, then both at once: listKeys brings the next ones."""
    before = answered(azure, "local")
    words = ("load", "local", "--config", config(azure, tmp_path), "--users", str(USERS), "--for", "4s", "--json")
    child = started(tmp_path, (*words, "--out", "run"))
    for _ in range(2):
        until_recorded(tmp_path / "run" / "attempts.bin", child)
        azure.command("regenerate", b'{"endpoint": "local", "key": "Primary"}')
    azure.command("regenerate", b'{"endpoint": "local", "key": "Secondary"}')
    told = ended(child)
    assert told.code in (0, 3), told.err
    checked_run(azure, tmp_path, "local", before)
    assert 1 <= told.json["renewal"]["renewed_count"] <= 3 * USERS


def until_recorded(file: Path, child: Popen[str]) -> None:
    """Returns once the file has grown by some attempts; fails after a bounded number of looks."""
    size = file.stat().st_size if file.exists() else 0
    for _ in range(600):
        if file.exists() and file.stat().st_size >= size + 64 * 20:
            return
        assert child.poll() is None, child.communicate()
        PAUSE.wait(0.05)
    raise AssertionError("no attempt was recorded")
