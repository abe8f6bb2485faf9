"""How notices leave: what counts as delivered, what is tried again, what a message says, and what no error repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.health.deciding import Notice
from monitor.health.delivery import channels_of
from monitor.health.outbox import Outcome
from monitor.health.reasons import next_step
from monitor.health.wording import Context, message_of
from scoring.alertplan import AlertPlan
from scoring.endpoint import Hosting
from scoring.errors import RedlineError
from scoring.health import Health, NoticeKind
from tests.cli.watching import switched
from tests.scoring.fault_server import Play, answering, resetting, serving

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it
NOTICE = Notice(NoticeKind.FIRE, "abc", 1, "churn", Health.FAILED, "status_503", "answered 503", 0.0, 90.0)
CONTEXT = Context({"churn": Hosting.AKS}, "https://wiki.example/churn")
SECRET = "s3cr3t-path-0123456789abcdef"


def told(play: Play) -> Outcome:
    """What came of one notice to a webhook whose address is a secret."""
    with serving(play) as port:
        environ = {"HOOK": f"http://127.0.0.1:{port}/{SECRET}?sig={SECRET}"}
        (channel,) = channels_of(AlertPlan(webhook_env="HOOK"), environ, print)
        return channel.tell([NOTICE], CONTEXT)


def raw(status: str, headers: str = "") -> Play:
    return answering(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n".encode())


@pytest.mark.parametrize(
    ("play", "outcome"),
    [
        pytest.param(raw("204 No Content"), Outcome(), id="2xx is a delivery"),
        pytest.param(raw("400 Bad"), Outcome("answered 400", is_refused=True), id="400 refuses this notice"),
        pytest.param(raw("404 Gone"), Outcome("answered 404", is_refused=True), id="so does 404"),
        pytest.param(raw("302 Found", "Location: http://127.0.0.1:9/\r\n"), Outcome("answered 302"), id="no redirect"),
        pytest.param(raw("503 Busy"), Outcome("answered 503"), id="503 is tried again"),
        pytest.param(
            raw("429 Slow", "Retry-After: 120\r\n"), Outcome("answered 429", retry_after_s=120.0), id="429 with a wish"
        ),
        pytest.param(raw("429 Slow", "Retry-After: -5\r\n"), Outcome("answered 429"), id="a wish that is none"),
        pytest.param(
            raw("429 Slow", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            Outcome("answered 429", retry_after_s=0.0),
            id="a date that is past",
        ),
    ],
)
def test_what_a_webhook_answers_decides(play: Play, outcome: Outcome) -> None:
    """Delivered, refused, or to be tried again."""
    assert told(play) == outcome


@pytest.mark.parametrize("play", [resetting(), answering(b""), answering(b"no HTTP at all\r\n\r\n")])
def test_a_broken_receiver_is_tried_again_and_its_address_stays_secret(play: Play) -> None:
    """The error has words, and not the address."""
    outcome = told(play)
    assert (outcome.error or "").startswith("no answer: ")
    assert not outcome.is_refused
    assert SECRET not in (outcome.error or "")


def test_a_receiver_that_is_gone_is_tried_again() -> None:
    """Connection refused is no refusal of the notice."""
    with serving(raw("200 OK")) as port:
        pass
    environ = {"HOOK": f"http://127.0.0.1:{port}/{SECRET}"}
    (channel,) = channels_of(AlertPlan(webhook_env="HOOK"), environ, print)
    assert channel.tell([NOTICE], CONTEXT) == Outcome("no answer: Connection refused")


def test_apprise_delivers_to_every_address_of_its_variable_and_file(tmp_path: Path) -> None:
    """Each address is a channel of its own, so one that is down holds up no other."""
    with switched("/hook") as up, switched("/hook", status=500) as down:
        (tmp_path / "apprise.txt").write_text(f"# ours\n{up.uri.replace('http', 'json')}\n")
        alerts = AlertPlan(apprise_env="WHERE", apprise_file=str(tmp_path / "apprise.txt"))
        environ = {"WHERE": f"{up.uri.replace('http', 'json')} {down.uri.replace('http', 'json')}"}
        channels = channels_of(alerts, environ, print)
        outcomes = [channel.tell([NOTICE], CONTEXT).error for channel in channels]
    assert [channel.name for channel in channels] == ["apprise_env:1", "apprise_env:2", "apprise_file:1"]
    assert (outcomes[0], outcomes[2]) == (None, None)
    assert (outcomes[1] or "").startswith("Apprise could not deliver it: Failed to send JSON POST notification")
    assert b"FAILED: churn: status_503" in up.got[0]


def test_without_a_channel_notices_go_to_the_log() -> None:
    """Nobody who starts a watcher is told nothing."""
    said: list[str] = []
    (channel,) = channels_of(AlertPlan(), {}, said.append)
    assert (channel.name, channel.tell([NOTICE], CONTEXT)) == ("log", Outcome())
    assert said[0].startswith("FAILED: churn: status_503\n")


@pytest.mark.parametrize(
    ("alerts", "environ"),
    [
        (AlertPlan(webhook_env="HOOK"), {}),
        (AlertPlan(webhook_env="HOOK"), {"HOOK": SECRET}),
        (AlertPlan(apprise_env="HOOK"), {"HOOK": f"nothing://{SECRET}"}),
        (AlertPlan(apprise_file="/nowhere/at/all"), {}),
    ],
)
def test_an_address_that_is_none_is_told_at_the_start_without_its_value(
    alerts: AlertPlan, environ: dict[str, str]
) -> None:
    """One line and a hint, and no secret in either."""
    with pytest.raises(RedlineError) as caught:
        channels_of(alerts, environ, print)
    assert caught.value.hint
    assert SECRET not in caught.value.message + caught.value.hint


def test_a_message_says_what_since_when_the_evidence_what_to_do_and_where() -> None:
    """Five lines that can be acted on."""
    message = message_of([NOTICE], CONTEXT)
    assert message.title == "FAILED: churn: status_503"
    assert message.lines == (
        "since 1970-01-01 00:00:00 UTC, 90.0 s",
        "answered 503",
        "next: raise autoscale_min_replicas or num_replicas, or lower autoscale_target_utilization",
        "https://wiki.example/churn",
        "incident abc",
    )


def test_a_digest_names_every_notice_and_carries_all_of_them() -> None:
    """A hundred notices are forty lines and a hundred documents."""
    message = message_of([NOTICE] * 100, CONTEXT)
    assert len(message.lines) == 41
    assert len(message.document["notices"]) == 100
    assert message.document["notices"][0]["key"] == "abc"


def test_what_a_server_said_is_harmless_in_a_message() -> None:
    """No control character, no secret, one line."""
    evidence = "\x1b[31mAuthorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789\nsecond line"
    document = message_of(
        [Notice(NoticeKind.FIRE, "a", 1, "churn", Health.FAILED, "x", evidence, 0, 0)], CONTEXT
    ).document
    assert "\x1b" not in document["text"]
    assert "abcdefghijklmnopqrstuvwxyz" not in document["text"]
    assert "\nsecond line" not in document["evidence"]


@pytest.mark.parametrize(
    "reason", ["status_503", "connect_refused", "golden_mismatch", "slow", "budget_burn_1h", "open_without_key"]
)
def test_every_kind_of_reason_has_a_next_step(reason: str) -> None:
    """Whoever is woken is told what to do first."""
    assert next_step(reason, "churn", None)
