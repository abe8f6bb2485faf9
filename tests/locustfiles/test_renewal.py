"""Whole Locust runs whose credential ends in the middle: keys made anew, renewals that fail, hang or never come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capacity.runfolder import read_attempts, read_failures, read_levels, read_verdict
from capacity.summary import label_counts
from scoring.attempt import FLAG_RENEWED
from scoring.endpoint import Endpoint
from tests.locustfiles.keyserver import KeyServer, put
from tests.locustfiles.listening_proxy import ListeningProxy, free_port
from tests.locustfiles.test_run import ROOT, finished, locust, run_folder

IMPATIENT = str(ROOT / "tests" / "locustfiles" / "impatient.py")
IMPATIENT_SEARCH = str(ROOT / "tests" / "locustfiles" / "impatient_search.py")
FIRST, SECOND, THIRD = "first-key-0a1b2c", "second-key-3d4e5f", "third-key-6a7b8c"
USERS = 4


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """Takes the first key until told otherwise."""
    started = KeyServer(FIRST)
    yield started
    started.close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with the first key."""
    file = tmp_path / "key"
    put(file, FIRST)
    return file


def endpoint_at(server: KeyServer, key_file: Path, **more: Any) -> Endpoint:
    return Endpoint("local", server.uri, auth="key", key_file=str(key_file), **more)


def rotated_run(
    tmp_path: Path, server: KeyServer, endpoint: Endpoint, change: Any, *options: str, **plan: Any
) -> tuple[Path, str]:
    """The folder of a load in whose middle `change` happened, and what Locust said."""
    folder = run_folder(tmp_path, server, endpoint=endpoint, users=USERS, **plan)
    child = locust(folder, "--run-folder", str(folder), *options)
    server.until_asked(100)
    change()
    code, said = finished(child)
    assert code == 0, said
    return folder, said


def until_searching(folder: Path, server: KeyServer) -> None:
    """Returns once a search has ended its first trial."""
    for _ in range(2_000):
        if any(line["kind"] == "ended" for line in read_levels(folder)):
            return
        server.until_asked(len(server.requests) + 5)
    raise AssertionError("the search never ended a trial")


def check_every_401_is_a_renewals(folder: Path, server: KeyServer) -> int:
    """Each 401 of the server is on disk and flagged, nothing else is, no user had more than one per rotation."""
    rows = read_attempts(folder)
    flagged = rows[(rows["flags"] & FLAG_RENEWED) != 0]
    assert len(rows) == len(server.requests)
    assert label_counts(flagged) == {"401": server.refused_count}
    assert label_counts(rows[(rows["flags"] & FLAG_RENEWED) == 0]) == {"200": len(rows) - len(flagged)}
    return server.refused_count


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two processes"])
def test_a_key_made_anew_in_the_middle_costs_nobody_an_attempt(
    tmp_path: Path, server: KeyServer, key_file: Path, processes: tuple[str, ...]
) -> None:
    """At most one 401 for each user, sent again with the new key; later requests carry that alone, until the end."""

    def rotate() -> None:
        put(key_file, SECOND)
        server.keys = frozenset({SECOND})

    folder, _ = rotated_run(tmp_path, server, endpoint_at(server, key_file), rotate, *processes, duration_s=2.5)
    assert 1 <= check_every_401_is_a_renewals(folder, server) <= USERS
    assert server.carried(SECOND) > 50
    (level,) = read_levels(folder)
    assert (level["ended_by"], level["lost"], level["renewed_count"]) == ("max_s", None, server.refused_count)
    rows = read_attempts(folder)
    assert level["attempt_count"] == len(rows) - server.refused_count
    after = rows[rows["sent_ns"] > rows[rows["status"] == 401]["done_ns"].max()]
    assert label_counts(after) == {"200": len(after)}


def test_the_spare_key_takes_over_without_a_pause(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """While the first key is refused nobody waits, although the file still holds the old one."""
    spare_file = tmp_path / "spare"
    put(spare_file, SECOND)

    def rotate() -> None:
        server.keys = frozenset({SECOND})

    endpoint = endpoint_at(server, key_file, secondary_key_file=str(spare_file))
    folder, _ = rotated_run(tmp_path, server, endpoint, rotate, duration_s=2.0)
    assert 1 <= check_every_401_is_a_renewals(folder, server) <= USERS
    assert read_levels(folder)[0]["waited_s"] == 0.0
    assert server.carried(SECOND) > 100


def test_a_renewal_that_fails_and_then_hangs_is_waited_for(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """The key file is gone, then a pipe that nobody writes to, then holds the new key: the load goes on with it."""
    folder = run_folder(tmp_path, server, endpoint=endpoint_at(server, key_file), users=USERS, duration_s=6.0)
    child = locust(folder, "--run-folder", str(folder), files=IMPATIENT)
    server.until_asked(100)
    key_file.unlink()
    os.mkfifo(key_file)
    server.keys = frozenset({SECOND})
    pipe = os.open(key_file, os.O_RDWR)  # whoever opens it to read gets no end and no byte
    put(key_file, SECOND)
    code, said = finished(child)
    os.close(pipe)
    assert code == 0, said
    assert 1 <= check_every_401_is_a_renewals(folder, server) <= USERS
    assert server.carried(SECOND) > 100


def test_a_credential_that_cannot_be_renewed_ends_the_load(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """The run stops by itself, keeps what it measured, and says why."""

    def revoke() -> None:
        key_file.unlink()
        server.keys = frozenset()

    folder = run_folder(tmp_path, server, endpoint=endpoint_at(server, key_file), users=USERS, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder), files=IMPATIENT)
    server.until_asked(100)
    revoke()
    code, said = finished(child)
    assert code == 0, said
    assert 1 <= check_every_401_is_a_renewals(folder, server) <= USERS
    (level,) = read_levels(folder)
    assert level["ended_by"] == "lost"
    assert "cannot be read: No such file or directory" in level["lost"]


def test_a_search_that_loses_its_credential_says_so_and_keeps_what_it_found(
    tmp_path: Path, server: KeyServer, key_file: Path
) -> None:
    """The verdict is NOT_A_LOAD_PROBLEM with the reason in words, and every attempt sent until then is in it."""
    folder = run_folder(tmp_path, server, command="limit", endpoint=endpoint_at(server, key_file), max_users=8)
    child = locust(folder, "--run-folder", str(folder), files=IMPATIENT_SEARCH)
    until_searching(folder, server)
    key_file.unlink()
    server.keys = frozenset()
    code, said = finished(child)
    assert code == 0, said
    verdict = read_verdict(folder)
    assert verdict is not None
    assert verdict["kind"] == "NOT_A_LOAD_PROBLEM"
    assert "the credential could not be renewed" in verdict["reason"]
    assert "cannot be read: No such file" in verdict["lost"]
    assert "auth_failed" in verdict["first_seen"]
    assert "401" not in verdict["first_seen"]
    assert sum(trial["attempt_count"] for trial in verdict["trials"]) == len(server.requests)


def test_a_trial_in_which_users_waited_is_repeated(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """The rotation spoils the trial that ran, and no level shows a 401."""
    folder = run_folder(
        tmp_path, server, command="limit", endpoint=endpoint_at(server, key_file), max_users=4, budget_s=6.0
    )
    child = locust(folder, "--run-folder", str(folder), files=IMPATIENT_SEARCH)
    until_searching(folder, server)
    put(key_file, SECOND)
    server.keys = frozenset({SECOND})
    code, said = finished(child)
    assert code == 0, said
    check_every_401_is_a_renewals(folder, server)
    ended = [line for line in read_levels(folder) if line["kind"] == "ended"]
    spoilt = [line["number"] for line in ended if any("renewed credential" in reason for reason in line["invalid"])]
    assert spoilt
    verdict = read_verdict(folder)
    assert verdict is not None
    assert verdict["renewed_count"] == server.refused_count
    assert all(level["status_count"].keys() == {"200"} for level in verdict["levels"])


def test_no_output_of_a_run_shows_any_of_its_keys(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """Environment and arguments of generator and helper, log, files: first key, next one and spare are in none."""
    spare_file = tmp_path / "spare"
    put(spare_file, THIRD)
    endpoint = endpoint_at(server, key_file, secondary_key_file=str(spare_file))
    folder = run_folder(tmp_path, server, endpoint=endpoint, users=USERS, duration_s=4.0)
    child = locust(folder, "--run-folder", str(folder), "--csv", "out", "--html", "out.html", "--loglevel", "DEBUG")
    server.until_asked(50)
    put(key_file, SECOND)
    server.keys = frozenset({SECOND})
    server.until_asked(len(server.requests) + 200)
    helpers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert helpers
    of_processes = [
        Path(f"/proc/{pid}/{name}").read_bytes() for pid in (child.pid, *helpers) for name in ("cmdline", "environ")
    ]
    _, said = finished(child)
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    for key in (FIRST, SECOND, THIRD):
        assert all(key.encode() not in text for text in (*of_processes, said.encode(), *files))
    assert {line["label"] for line in read_failures(folder)} == {"401"}


def test_a_remote_worker_renews_for_itself_and_no_message_holds_a_key(
    tmp_path: Path, server: KeyServer, key_file: Path
) -> None:
    """Master and worker with a folder each; everything they say to each other is searched for both keys."""
    folder = run_folder(tmp_path / "master", server, endpoint=endpoint_at(server, key_file), duration_s=3.0)
    elsewhere = tmp_path / "worker"
    elsewhere.mkdir()
    port = free_port()
    proxy = ListeningProxy(port)
    master = locust(
        folder, "--run-folder", str(folder), "--master", "--master-bind-port", str(port), "--expect-workers", "1"
    )
    worker = locust(elsewhere, "--worker", "--master-host", "127.0.0.1", "--master-port", str(proxy.port))
    server.until_asked(100)
    put(key_file, SECOND)
    server.keys = frozenset({SECOND})
    code, said = finished(master)
    finished(worker)
    proxy.close()
    assert code == 0, said
    (level,) = read_levels(folder)
    assert (level["ended_by"], level["lost"], level["renewed_count"]) == ("max_s", None, server.refused_count)
    assert level["attempt_count"] + level["renewed_count"] == len(server.requests)
    assert server.carried(SECOND) > 50
    assert len(proxy.heard) > 10_000
    assert all(key.encode() not in proxy.heard for key in (FIRST, SECOND))


def test_a_worker_that_cannot_renew_tells_the_master_why(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """The run ends with the worker's reason, although the master itself needs no key."""
    folder = run_folder(tmp_path, server, endpoint=endpoint_at(server, key_file), users=USERS, duration_s=60.0)
    child = locust(folder, "--run-folder", str(folder), "--processes", "2", files=IMPATIENT)
    server.until_asked(100)
    key_file.unlink()
    server.keys = frozenset()
    code, said = finished(child)
    assert code == 0, said
    (level,) = read_levels(folder)
    assert level["ended_by"] == "lost"
    assert level["lost"].startswith("worker ")
    assert "cannot be read" in level["lost"]
    check_every_401_is_a_renewals(folder, server)


def test_a_worker_without_any_key_tells_the_master_why(tmp_path: Path, server: KeyServer, key_file: Path) -> None:
    """The run does not begin, and ends with exit code 4."""
    key_file.unlink()
    folder = run_folder(tmp_path, server, endpoint=endpoint_at(server, key_file), users=USERS)
    code, said = finished(locust(folder, "--run-folder", str(folder), "--processes", "2"))
    assert code == 4, said
    assert "cannot be read" in said
    assert server.requests == []
