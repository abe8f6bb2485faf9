"""An endpoint whose tokens live two seconds, watched while its issuer answers and while it is down."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from monitor.health.checking import Subject, checked
from scoring.scenario import Payload, Scenario
from tests.cli.watching import until
from tests.monitor.health.faultlist import PLAN
from tests.monitor.health.watched import Told
from tests.scoring.standin import stand_in

FLAGS = ("--hosting", "managed", "--instances", "1", "--service-time", "5ms", "--token-life", "2s")
SCENARIO = Scenario("plain", (Payload("one", b'{"data": [[1, 2]]}'),))


def test_tokens_that_expire_are_renewed_and_an_issuer_that_is_down_is_unknown(tmp_path: Path) -> None:
    """While the issuer answers, tokens come and go unseen; without it the endpoint is UNKNOWN, not FAILED."""
    with stand_in(tmp_path / "azure", *FLAGS) as azure, ExitStack() as stack:
        endpoint = azure.endpoints["local-entra"]
        subject = Subject(endpoint, SCENARIO, PLAN, azure.environ("environment"))
        world = Told(tmp_path / "state", subject, stack)
        first = subject_of(world).holder.secret()
        world.check()
        until(lambda: subject_of(world).holder.secret() != first, "another token")
        world.check()
        assert (world.state, world.hook.notices) == ("OK", [])
        azure.command("faults", b'[{"api": "issuer", "status": 503, "count": 100000}]')
        until(lambda: checked(subject_of(world)).reason != "ok", "the end of the token")
        bad_s, fire = world.checks_until("fire")
        azure.command("clear")
        until(lambda: checked(subject_of(world)).reason == "ok", "another token")
        well_s, resolve = world.checks_until("resolve")
    assert (fire["state"], fire["reason"], len(bad_s)) == ("UNKNOWN", "auth_failed", 3)
    assert "the credential cannot be renewed" in fire["evidence"]
    assert (resolve["key"], len(well_s)) == (fire["key"], 2)


def subject_of(world: Told) -> Subject:
    return world.watcher.subjects[world.name]
