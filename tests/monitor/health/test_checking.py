"""One check over real sockets, against every way in which a server misbehaves."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme

from monitor.health.checking import Subject, checked
from scoring.checkplan import CheckPlan
from scoring.endpoint import Endpoint
from scoring.health import EndpointHealth, Health
from scoring.scenario import Payload, Scenario
from scoring.units import MS, S
from tests.scoring.fault_server import Play, answering, dripping, good, resetting, serving, silent

SCENARIO = Scenario("plain", (Payload("one", b"{}"),), deadline_ns=5 * S)
HEAD = b"HTTP/1.1 200 OK\r\n"


def found(play: Play, plan: CheckPlan | None = None) -> EndpointHealth:
    with serving(play) as port:
        endpoint = Endpoint("one", f"http://127.0.0.1:{port}/score")
        return checked(Subject(endpoint, SCENARIO, plan or CheckPlan(), {}))


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        pytest.param(answering(good()), "ok", id="a good answer"),
        pytest.param(resetting(), "conn_reset", id="a reset"),
        pytest.param(answering(b""), "empty_reply", id="a close without a byte"),
        pytest.param(answering(HEAD + b"Content-Length: 9\r\n\r\n{}"), "body_truncated", id="a body cut short"),
        pytest.param(answering(b"rubbish\r\n\r\n"), "protocol_error", id="no HTTP"),
        pytest.param(answering(good(b"<html>")), "body_invalid", id="no JSON"),
        pytest.param(answering(good(b'{"error": "x"}')), "error_in_body", id="an error inside a 200"),
        pytest.param(
            answering(b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"),
            "redirect_refused",
            id="a redirect to another place",
        ),
        pytest.param(answering(b"HTTP/1.1 502 B\r\nContent-Length: 0\r\n\r\n"), "status_502", id="a status"),
        pytest.param(
            answering(HEAD + b"Content-Length: 99999999\r\n\r\n"), "body_too_large", id="a body that is not read"
        ),
    ],
)
def test_every_fault_has_its_reason(play: Play, reason: str) -> None:
    """FAILED with the stable word, OK only for the good answer."""
    health = found(play)
    assert (health.reason, health.state) == (reason, Health.OK if reason == "ok" else Health.FAILED)
    assert health.could_enter


@pytest.mark.parametrize("play", [silent, dripping(HEAD + b"\r\n", b" ")], ids=["silence", "a drip"])
def test_an_endpoint_that_never_ends_is_told_at_the_deadline(play: Play) -> None:
    """Neither silence nor a byte now and then holds a check longer."""
    assert found(play, CheckPlan(deadline_ns=200 * MS)).reason == "deadline_exceeded"


def test_retry_after_is_passed_on() -> None:
    """The watcher waits as long as the endpoint asks for."""
    busy = b"HTTP/1.1 429 Slow\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n"
    assert found(answering(busy)).retry_after_s == 77.0


@pytest.mark.parametrize(
    ("host", "days", "trusted", "reason"),
    [
        pytest.param("127.0.0.1", 60, True, "ok", id="a certificate with 60 days left"),
        pytest.param("127.0.0.1", 10, True, "certificate_expires_soon", id="with 10"),
        pytest.param("127.0.0.1", 2, True, "certificate_expires", id="with 2"),
        pytest.param("127.0.0.1", -1, True, "tls_expired", id="expired yesterday"),
        pytest.param("other.example", 60, True, "tls_wrong_host", id="of another host"),
        pytest.param("127.0.0.1", 60, False, "tls_untrusted", id="of nobody we trust"),
    ],
)
def test_certificates(tmp_path: Path, host: str, days: float, trusted: bool, reason: str) -> None:
    """Told before it expires; refused when it has, and never taken on trust."""
    authority, stranger = trustme.CA(), trustme.CA()
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    issued = authority.issue_cert(host, not_after=until, not_before=until - datetime.timedelta(days=90))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    (authority if trusted else stranger).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serving(answering(good()), context) as port:
        endpoint = Endpoint("one", f"https://127.0.0.1:{port}/score", ca_file=str(tmp_path / "ca.pem"))
        health = checked(Subject(endpoint, SCENARIO, CheckPlan(), {}))
    assert health.reason == reason
    assert health.could_enter is (not reason.startswith("tls_"))


def test_a_name_without_an_address_is_failed_and_nobody_got_in() -> None:
    """`.invalid` never resolves (RFC 6761)."""
    health = checked(Subject(Endpoint("one", "http://nowhere.invalid/score"), SCENARIO, CheckPlan(), {}))
    assert health.reason in ("dns_not_found", "dns_timeout")  # a machine without a name server cannot tell
    assert not health.could_enter
