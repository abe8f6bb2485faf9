"""The credential of single requests, against a server that takes some keys and refuses others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.holding import Holder
from scoring.scenario import Payload, Scenario
from tests.locustfiles.keyserver import KeyServer, put

SCENARIO = Scenario("plain", (Payload("first", b'{"data": []}'),))


@pytest.fixture
def server() -> Iterator[KeyServer]:
    """Takes the key `one`."""
    started = KeyServer("one")
    yield started
    started.close()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with the key `one`."""
    put(tmp_path / "key", "one")
    return tmp_path / "key"


def holder_of(server: KeyServer, **said: str | None) -> Holder:
    return Holder(Endpoint("local", server.uri, auth="key", **said), {"KEY": "one", "OTHER": "two"})  # type: ignore[arg-type]


def status_of(holder: Holder) -> int | None:
    return holder.signed_probe(holder.endpoint, SCENARIO, SCENARIO.payloads[0]).status


def test_a_refused_probe_is_sent_again_with_the_key_that_the_file_holds_by_then(
    server: KeyServer, key_file: Path
) -> None:
    """One 401, one more request, and later probes carry the new key at once."""
    holder = holder_of(server, key_file=str(key_file))
    assert status_of(holder) == 200
    put(key_file, "two")
    server.keys = frozenset({"two"})
    assert [status_of(holder) for _ in range(3)] == [200, 200, 200]
    assert server.refused_count == 1
    assert holder.secrets == ("one", "two")


def test_a_wrong_key_is_answered_as_it_was(server: KeyServer) -> None:
    """There is nothing else to send, so nothing is sent a second time."""
    assert status_of(holder_of(server, key_env="OTHER")) == 401
    assert len(server.requests) == 1


def test_a_key_file_that_still_holds_the_refused_key_is_not_sent_again(server: KeyServer, key_file: Path) -> None:
    """It was read once more, and brought the same."""
    server.keys = frozenset({"two"})
    assert status_of(holder_of(server, key_file=str(key_file))) == 401
    assert len(server.requests) == 1


def test_the_secondary_key_serves_where_the_first_is_refused(server: KeyServer) -> None:
    """Two fixed keys, the second of which is good."""
    server.keys = frozenset({"two"})
    holder = holder_of(server, key_env="KEY", secondary_key_env="OTHER")
    assert status_of(holder) == 200
    assert holder.secret() == "two"


def test_a_renewal_that_fails_leaves_the_answer_as_it_was(server: KeyServer, key_file: Path) -> None:
    """The 401 stands, and why there is no other credential is known."""
    holder = holder_of(server, key_file=str(key_file))
    assert status_of(holder) == 200
    key_file.unlink()
    server.keys = frozenset()
    assert status_of(holder) == 401
    assert holder.trouble is not None
    assert "cannot be read" in holder.trouble


def test_without_any_credential_there_is_an_error_and_no_request(server: KeyServer) -> None:
    """Exit code 4, each time it is asked for."""
    holder = holder_of(server, key_env="MISSING")
    for _ in range(2):
        with pytest.raises(RedlineError, match="MISSING is not set") as caught:
            holder.secret()
        assert caught.value.exit_code is Exit.NO_ENTRY
    assert server.requests == []


def test_an_endpoint_that_wants_none_gets_none(server: KeyServer) -> None:
    """No credential is looked for."""
    assert Holder(Endpoint("open", server.uri), {}).secret() is None


def test_many_threads_renew_once(server: KeyServer, key_file: Path) -> None:
    """All are answered well, and each was refused at most once."""
    holder = holder_of(server, key_file=str(key_file))
    holder.secret()
    put(key_file, "two")
    server.keys = frozenset({"two"})
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: status_of(holder), range(32)))
    assert statuses == [200] * 32
    assert server.refused_count <= 8
