"""Notices by mail, through Apprise, to a mail server: what arrives, and what is tried again when none does."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from monitor.health.deciding import Notice
from monitor.health.delivery import channels_of
from monitor.health.outbox import Outcome
from monitor.health.wording import Context
from scoring.alertplan import AlertPlan
from scoring.endpoint import Hosting
from scoring.health import Health, NoticeKind
from tests.cli.watching import stopped, switched, until, watching
from tests.monitor.health.mailserver import Mailbox, mailbox

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it
FIRE = Notice(NoticeKind.FIRE, "key1", 1, "churn", Health.FAILED, "status_503", "answered 503 <b>&amp;</b>", 0.0, 90.0)
CONTEXT = Context({"churn": Hosting.AKS}, "https://wiki.example/churn")
PASSWORD = "s3cr3t-password-0123"
PEOPLE = "from=redline@example.com&to=ops@example.com"


def told(box: Mailbox, *notices: Notice, scheme: str = "mailto", more: str = "") -> Outcome:
    """What came of one message to the mail server."""
    address = f"{scheme}://redline:{PASSWORD}@127.0.0.1:{box.port}?{PEOPLE}{more}"
    (channel,) = channels_of(AlertPlan(apprise_env="MAIL"), {"MAIL": address}, print)
    return channel.tell(notices or (FIRE,), CONTEXT)


def test_a_mail_says_what_since_when_the_evidence_what_to_do_and_where() -> None:
    """The title is the subject; the text is plain, line by line, with no letter of it taken for HTML."""
    with mailbox() as box:
        assert told(box) == Outcome()
        (message,) = box.messages
    assert (message["Subject"], message["From"], message["To"]) == (
        "FAILED: churn: status_503",
        "redline@example.com",
        "ops@example.com",
    )
    assert message.get_content_type() == "text/plain"
    assert message.get_content().rstrip().splitlines() == [
        "since 1970-01-01 00:00:00 UTC, 90.0 s",
        "answered 503 <b>&amp;</b>",
        "next: raise autoscale_min_replicas or num_replicas, or lower autoscale_target_utilization",
        "https://wiki.example/churn",
        "incident key1",
    ]


def test_the_end_of_an_incident_names_the_same_incident() -> None:
    """Whoever reads both mails sees that they belong together."""
    with mailbox() as box:
        told(box)
        told(box, replace(FIRE, kind=NoticeKind.RESOLVE, number=2, state=Health.OK))
        first, last = box.messages
    assert last["Subject"] == "OK: churn is OK again after 90.0 s"
    assert first.get_content().rstrip().splitlines()[-1] == last.get_content().rstrip().splitlines()[-1]


def test_what_waited_comes_as_one_mail() -> None:
    """A digest has a line for each notice."""
    with mailbox() as box:
        told(box, *[replace(FIRE, number=number) for number in range(1, 6)])
        (message,) = box.messages
    assert message["Subject"] == "redline: 5 notices that could not be delivered earlier"
    assert len(message.get_content().rstrip().splitlines()) == 5


@pytest.mark.parametrize("hostile", ["x\r\nBcc: thief@example.net", "x\nBcc: thief@example.net\n\n.\r\nQUIT"])
def test_no_text_of_an_endpoint_becomes_a_header_or_a_recipient(hostile: str) -> None:
    """Wherever a line break stands, in the reason, the evidence or the name, it is none in the mail."""
    with mailbox() as box:
        assert told(box, replace(FIRE, reason=hostile, evidence=hostile, subject=hostile.replace(":", ""))) == Outcome()
        (message,) = box.messages
    assert box.recipients == ["rcpt TO:<ops@example.com>"]
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    assert not any(line.startswith(("Bcc", "QUIT", ".")) for line in message.get_content().splitlines())


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param({"": "421 busy"}, id="busy at the door"),
        pytest.param({"AUTH": "535 wrong password"}, id="a wrong password"),
        pytest.param({"RCPT": "550 unknown"}, id="an unknown recipient"),
        pytest.param({"RCPT": "450 later"}, id="come again later"),
        pytest.param({"DATA.": "552 full"}, id="a full mailbox"),
        pytest.param({"DATA.": None}, id="a hang-up after the text"),
    ],
)
def test_a_mail_that_is_not_taken_is_tried_again_and_the_error_says_why(replies: dict[str, str | None]) -> None:
    """Apprise's own words, without the password; the notice is kept."""
    with mailbox() as box:
        box.replies = replies
        outcome = told(box)
        assert box.got == []
    assert (outcome.error or "").startswith("Apprise could not deliver it: ")
    assert "it does not say why" not in (outcome.error or "")
    assert not outcome.is_refused
    assert PASSWORD not in (outcome.error or "")


def test_a_mail_server_that_hangs_or_is_gone_is_tried_again() -> None:
    """Neither a silent server nor a closed port is a delivery."""
    with mailbox() as box:
        box.replies = {"": ""}
        hung = told(box, more="&cto=0.3")
    gone = told(box)
    assert hung.error is not None
    assert gone.error is not None


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_mail_travels_by_tls_or_not_at_all(is_trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS with a certificate of an authority that we know; with another one nothing is said."""
    authority, stranger = trustme.CA(), trustme.CA()
    (authority if is_trusted else stranger).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with mailbox(context) as box:
        outcome = told(box, scheme="mailtos", more="&mode=starttls")
    assert (outcome.error is None, box.secured_count, len(box.got)) == (is_trusted, is_trusted, is_trusted)


def test_a_mail_server_that_hangs_does_not_hold_up_the_end_of_the_watcher(tmp_path: Path) -> None:
    """SIGTERM ends it with 143 before the mail server's fifteen seconds are over; the notice is still to be sent."""
    with mailbox() as box, switched(status=500) as endpoint:
        box.replies = {"DATA.": ""}
        toml = f'[endpoints.churn]\nscoring_uri = "{endpoint.uri}"\nchecks = {{ every = "1s" }}\n'
        address = f"mailto://127.0.0.1:{box.port}?{PEOPLE}"
        with watching(tmp_path, toml + '[alerts]\napprise_env = "MAIL"\n', MAIL=address) as watch:
            until(lambda: box.recipients, "a mail")
            code = stopped(watch).code
            assert (code, box.goes_on.is_set(), box.got) == (143, False, [])
