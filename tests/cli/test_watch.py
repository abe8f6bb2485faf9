"""`redline watch` as a process: what arrives when endpoints and receivers fail, hang, come back, and after SIGKILL."""

from __future__ import annotations

from pathlib import Path

from tests.cli.schemas import faults
from tests.cli.terminal import KEY, redline
from tests.cli.watching import health_of, stopped, switched, until, watching


def toml_of(hook: str, **uris: str) -> str:
    """Endpoints that are checked every second, and one webhook."""
    checks = 'checks = { every = "1s", deadline = "20s", slo = "99%" }'
    endpoints = [f'[endpoints.{name}]\nscoring_uri = "{uri}"\n{checks}\n' for name, uri in uris.items()]
    return "".join(endpoints) + f'[alerts]\nwebhook = "{hook}"\n'


def test_an_outage_is_told_once_and_its_end_once_under_the_same_key(tmp_path: Path) -> None:
    """From OK to two 500s and back: one fire, one resolve, one incident that is over; SIGTERM ends it with 143."""
    with switched() as endpoint, switched("/hook") as hook:
        with watching(tmp_path, toml_of(hook.uri, churn=endpoint.uri)) as watch:
            until(lambda: watch.metric('redline_checks_total{endpoint="churn",state="OK"}'), "a good check")
            endpoint.status = 500
            until(lambda: hook.notices, "the fire")
            endpoint.status = 200
            until(lambda: len(hook.notices) == 2, "the resolve")
            assert watch.page("/healthz")[0] == 200
            told = stopped(watch)
        fire, resolve = hook.notices
    assert told.code == 143
    assert (fire["kind"], fire["state"], fire["reason"]) == ("fire", "FAILED", "status_500")
    assert (resolve["kind"], resolve["state"], resolve["key"]) == ("resolve", "OK", fire["key"])
    document = health_of(tmp_path)
    assert faults("health", document) == []
    (incident,) = document["incidents"]
    assert incident["closed_at"] is not None
    assert [(one["kind"], one["key"], one["attempt_count"]) for one in incident["notifications"]] == [
        ("fire", fire["key"], 1),
        ("resolve", fire["key"], 1),
    ]


def test_a_watcher_that_was_killed_is_taken_over_and_nothing_is_lost(tmp_path: Path) -> None:
    """SIGKILL while the receiver is down: the next watcher delivers the same incident, and its end, under its key."""
    with switched(status=500) as endpoint, switched("/hook", status=503) as hook:
        toml = toml_of(hook.uri, churn=endpoint.uri)
        with watching(tmp_path, toml) as first:
            until(lambda: hook.count, "an attempt")
            refused = redline(tmp_path, "watch", "--state", "state", "--for", "5s")
            first.process.kill()
            first.process.wait()
        before = health_of(tmp_path)["incidents"]
        hook.status, endpoint.status = 200, 200
        with watching(tmp_path, toml) as second:
            until(lambda: len(hook.notices) == 2, "fire and resolve")
            assert stopped(second).code == 143
        after = health_of(tmp_path)["incidents"]
    assert (refused.code, f"process {first.process.pid} on" in refused.err) == (3, True)
    assert [one["id"] for one in before] == [one["id"] for one in after] == [hook.notices[0]["key"]]
    assert [one["kind"] for one in hook.notices] == ["fire", "resolve"]
    assert {one["key"] for one in hook.notices} == {before[0]["id"]}


def test_an_endpoint_and_a_receiver_that_hang_delay_no_other(tmp_path: Path) -> None:
    """While one endpoint's first check is still under way, the other has been checked four times."""
    with switched() as well, switched() as hung, switched(status=500) as bad, switched("/hook") as hook:
        hung.goes_on.clear()
        hook.goes_on.clear()
        toml = toml_of(hook.uri, hung=hung.uri, well=well.uri, bad=bad.uri)
        with watching(tmp_path, toml) as watch:
            until(lambda: hook.count, "the delivery that hangs")
            seen = well.count
            until(lambda: well.count >= seen + 3, "more checks of the endpoint that is well")
            assert hung.count == 1
            assert watch.metric("redline_checks_under_way") >= 1
            assert watch.metric('redline_checks_missed_total{endpoint="hung"}') >= 1
            hook.goes_on.set()
            hung.goes_on.set()
            until(lambda: hook.notices, "the fire")


def test_nothing_is_told_in_maintenance(tmp_path: Path) -> None:
    """Checks go on and are kept, and the dead-man's ping with them, but no incident opens."""
    with switched(status=500) as endpoint, switched("/hook") as hook:
        window = "[maintenance.now]\nfrom = 2020-01-01T00:00:00Z\nuntil = 2100-01-01T00:00:00Z\n"
        dead_man = 'dead_man_env = "PING_URL"\ndead_man_every = "1s"\n'
        toml = toml_of(hook.uri, churn=endpoint.uri) + dead_man + window
        with watching(tmp_path, toml, PING_URL=hook.uri) as watch:
            until(lambda: hook.pings >= 2, "two pings")
            until(lambda: watch.metric('redline_checks_total{endpoint="churn",state="FAILED"}') >= 3, "three checks")
            assert stopped(watch).code == 143
        assert hook.count == 0
    document = health_of(tmp_path)
    assert document["incidents"] == []
    assert document["endpoints"][0]["check_count"]["FAILED"] == 0


def test_what_a_server_says_leaves_no_secret_in_state_or_notices(tmp_path: Path) -> None:
    """An answer that repeats the key reaches neither the receiver, the folder nor the terminal."""
    with switched() as endpoint, switched("/hook") as hook:
        endpoint.body = f'{{"error": "key {KEY} is wrong\\u001b[31m"}}'.encode()
        toml = toml_of(hook.uri, churn=endpoint.uri).replace("checks =", 'key_env = "SCORING_KEY"\nchecks =')
        with watching(tmp_path, toml) as watch:
            until(lambda: hook.notices, "the fire")
            told = stopped(watch)
        assert hook.notices[0]["reason"] == "error_in_body"
        everything = b"".join([*hook.got, *(path.read_bytes() for path in (tmp_path / "state").iterdir())])
    assert KEY.encode() not in everything
    assert b"\x1b[31m" not in everything
    assert KEY not in told.out + told.err


def test_a_watcher_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    """A variable that is not set and an address that is none are told at the start, without the value."""
    (tmp_path / "redline.toml").write_text(
        '[endpoints.a]\nscoring_uri = "http://127.0.0.1:9/score"\n[alerts]\nwebhook_env = "HOOK_URL"\n'
    )
    told = redline(tmp_path, "watch", "--state", "state", "--for", "5s")
    assert (told.code, "environment variable HOOK_URL is not set" in told.err) == (4, True)
    told = redline(tmp_path, "watch", "--state", "state", "--for", "5s", HOOK_URL="not-an-address-s3cr3t")
    assert (told.code, "s3cr3t" in told.err) == (2, False)
    told = redline(tmp_path, "watch", "--state", "state", "--listen", "nowhere", HOOK_URL="http://127.0.0.1:9/x")
    assert (told.code, "--listen nowhere is no address" in told.err) == (2, True)
