"""Every fault of an endpoint, from the first check that meets it to the notice, and from its end to the all-clear."""

from __future__ import annotations

import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from monitor.health.checking import Subject, checked
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from tests.cli.watching import until
from tests.locustfiles.keyserver import put
from tests.monitor.health.faultlist import AUTHORITY, EVERY_S, FAULTS, PLAIN, PLAN, Fault, context, says
from tests.monitor.health.faulty import KEY, Faulty, empty, faulty
from tests.monitor.health.watched import Told

ENVIRON = {"SCORING_KEY": KEY}
NEXT_KEY = "kEy-9876543210abcdefghijkl"
MOST_HELD_BYTES = 50_000_000


def subject_of(server: Faulty, fault: Fault, folder: Path) -> Subject:
    AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
    scheme, ca_file = ("https", str(folder / "ca.pem")) if fault.is_tls else ("http", None)
    uri = f"{scheme}://127.0.0.1:{server.port}/score"
    endpoint = Endpoint("churn", uri, auth="key", key_env="SCORING_KEY", ca_file=ca_file)
    return Subject(endpoint, fault.scenario, fault.plan, ENVIRON)


def lived_through(fault: Fault, folder: Path) -> tuple[list[float], dict[str, Any], list[float], dict[str, Any]]:
    """Pauses before the checks with the fault, what was told then, and the same of its end."""
    with ExitStack() as stack:
        server = stack.enter_context(faulty(context() if fault.is_tls else None))
        world = Told(folder / "state", subject_of(server, fault, folder), stack)
        world.check()
        assert (world.state, world.hook.notices) == ("OK", [])
        fault.switch(server)
        bad_s, fire = world.checks_until("fire")
        server.back()
        return bad_s, fire, *world.checks_until("resolve")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_told_with_its_reason_and_so_is_its_end(fault: Fault, tmp_path: Path) -> None:
    """Well; with the fault one fire, at the check where it is proved; without it one resolve under the same key."""
    bad_s, fire, well_s, resolve = lived_through(fault, tmp_path)
    assert (fire["reason"], fire["state"], len(bad_s)) == (fault.reason, fault.state, fault.after)
    assert fire["next_step"]
    assert (resolve["key"], resolve["reason"], resolve["state"]) == (fire["key"], fault.reason, "OK")
    assert len(well_s) == 2
    assert [round(pause_s / 5) * 5 for pause_s in bad_s] == [EVERY_S, *[fault.asks_s] * (fault.after - 1)]
    assert round(well_s[0] / 5) * 5 == fault.asks_s


def test_a_redirect_is_told_and_the_key_goes_nowhere_else(tmp_path: Path) -> None:
    """The other place sees no connection, so no key; the notice names it."""
    with faulty() as other:
        place = f"http://127.0.0.1:{other.port}"
        moved = says(key=empty("307 T", f"Location: {place}/score\r\n"))
        _, fire, _, _ = lived_through(Fault("moved", "redirect_refused", moved), tmp_path)
        assert (fire["reason"], place in fire["evidence"]) == ("redirect_refused", True)
        assert other.seen == []


@pytest.mark.parametrize("fault", [one for one in FAULTS if "a hundred" in one.name or "bomb" in one.name])
def test_no_answer_fills_the_memory(fault: Fault, tmp_path: Path) -> None:
    """Of a hundred megabytes, packed or not, a tenth is read and a half never held."""
    with faulty() as server:
        subject = subject_of(server, fault, tmp_path)
        checked(subject)
        fault.switch(server)
        tracemalloc.start()
        found = checked(subject)
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.reason == fault.reason
    assert most_bytes < MOST_HELD_BYTES


def keyed(server: Faulty, folder: Path, stack: ExitStack, **said: str) -> Told:
    endpoint = Endpoint("churn", f"http://127.0.0.1:{server.port}/score", auth="key", **said)  # type: ignore[arg-type]
    return Told(folder / "state", Subject(endpoint, PLAIN, PLAN, {**ENVIRON, "OTHER": NEXT_KEY}), stack)


@pytest.mark.parametrize("said", [{}, {"key_env": "SCORING_KEY", "secondary_key_env": "OTHER"}], ids=["file", "second"])
def test_a_key_that_is_rotated_where_it_stands_is_no_incident(said: dict[str, str], tmp_path: Path) -> None:
    """A 401 makes the watcher read the file again, or take the secondary key; the check is good."""
    put(tmp_path / "key", KEY)
    with ExitStack() as stack:
        server = stack.enter_context(faulty())
        world = keyed(server, tmp_path, stack, **(said or {"key_file": str(tmp_path / "key")}))
        world.check()
        put(tmp_path / "key", NEXT_KEY)
        server.key = NEXT_KEY
        refused_count = len(server.seen)
        for _ in range(3):
            world.check()
            assert world.state == "OK"
        assert len(server.seen) == refused_count + 3 * 3 + 1
        assert world.hook.notices == []


def test_a_key_that_is_rotated_at_the_endpoint_alone_is_told_until_the_file_follows(tmp_path: Path) -> None:
    """401 twice is an incident; it is over when the file has the key that the endpoint takes."""
    put(tmp_path / "key", KEY)
    with ExitStack() as stack:
        server = stack.enter_context(faulty())
        world = keyed(server, tmp_path, stack, key_file=str(tmp_path / "key"))
        world.check()
        server.key = NEXT_KEY
        bad_s, fire = world.checks_until("fire")
        put(tmp_path / "key", NEXT_KEY)
        well_s, _ = world.checks_until("resolve")
    assert (fire["reason"], len(bad_s), len(well_s)) == ("status_401", 2, 2)


def has_key(world: Told) -> bool:
    """True once the file is read again, which is tried after half a second of real time."""
    try:
        return world.watcher.subjects[world.name].holder.secret() is not None
    except RedlineError:
        return False


def test_a_key_that_cannot_be_read_is_unknown_and_told_at_the_third_check(tmp_path: Path) -> None:
    """Nothing is sent; when the file is there, all is well."""
    with ExitStack() as stack:
        server = stack.enter_context(faulty())
        world = keyed(server, tmp_path, stack, key_file=str(tmp_path / "key"))
        bad_s, fire = world.checks_until("fire")
        assert (fire["state"], fire["reason"], len(bad_s), server.seen) == ("UNKNOWN", "auth_failed", 3, [])
        put(tmp_path / "key", KEY)
        until(lambda: has_key(world), "a key")
        well_s, _ = world.checks_until("resolve")
        assert len(well_s) == 2
