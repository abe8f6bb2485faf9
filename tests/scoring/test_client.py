"""The single probe against a server that misbehaves: every way to fail has its own name."""

from __future__ import annotations

import datetime
import errno
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import pytest
import trustme

from scoring.attempt import FLAG_NEW_CONNECTION, Failure
from scoring.client import Answer, probe
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.scenario import Expectation, Payload, Scenario
from scoring.units import MS, S
from scoring.wire import connect_failure, dns_failure
from tests.scoring.fault_server import Play, answering, dripping, good, request_of, resetting, serving, silent

KEY = "kEy-0123456789abcdefghijkl"
SCENARIO = Scenario(
    "plain", (Payload("first", b'{"data": []}'), Payload("second", b'{"data": [1]}')), deadline_ns=5 * S
)
SHORT_NS = 300 * MS
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def asked(play: Play, *, scenario: Scenario = SCENARIO, deadline_ns: int | None = None, **of_endpoint: Any) -> Answer:
    with serving(play) as port:
        endpoint = Endpoint("one", f"http://127.0.0.1:{port}/score", **of_endpoint)
        return probe(endpoint, scenario, scenario.payloads[0], KEY, deadline_ns=deadline_ns)


@pytest.mark.parametrize(
    ("play", "status", "failure"),
    [
        pytest.param(answering(good()), 200, None, id="a complete answer is good"),
        pytest.param(answering(CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"), 200, None, id="a chunked answer is good"),
        pytest.param(answering(HEAD + b"\r\n{}"), 200, None, id="a close-delimited answer is good"),
        pytest.param(
            answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
            503,
            Failure.UNEXPECTED_STATUS,
            id="a rejection keeps its status",
        ),
        pytest.param(resetting(), None, Failure.CONN_RESET, id="a reset before the header"),
        pytest.param(resetting(HEAD + b"Conte"), None, Failure.CONN_RESET, id="a reset inside the header"),
        pytest.param(
            resetting(HEAD + b"Content-Length: 9\r\n\r\n{"), 200, Failure.CONN_RESET, id="a reset inside the body"
        ),
        pytest.param(answering(b""), None, Failure.EMPTY_REPLY, id="a close without a byte"),
        pytest.param(
            answering(HEAD + b"Content-Length: 9\r\n\r\n{}"),
            200,
            Failure.BODY_TRUNCATED,
            id="a body short of its length",
        ),
        pytest.param(answering(CHUNKED + b"5\r\n{}"), 200, Failure.BODY_TRUNCATED, id="a chunk cut short"),
        pytest.param(answering(CHUNKED + b"2\r\n{}\r\n"), 200, Failure.BODY_TRUNCATED, id="the last chunk missing"),
        pytest.param(answering(CHUNKED + b"zz\r\n{}\r\n"), 200, Failure.PROTOCOL_ERROR, id="a chunk without a size"),
        pytest.param(answering(HEAD + b"Conte"), None, Failure.PROTOCOL_ERROR, id="a close inside the header"),
        pytest.param(
            answering(b"\x16\x03\x01nonsense\r\n\r\n"), None, Failure.PROTOCOL_ERROR, id="bytes that are no HTTP"
        ),
        pytest.param(
            answering(HEAD + b"Content-Length: x\r\n\r\n{}"),
            200,
            Failure.PROTOCOL_ERROR,
            id="a length that is no number",
        ),
        pytest.param(answering(HEAD + b'\r\n{"a":'), 200, Failure.BODY_INVALID, id="close-delimited JSON cut short"),
        pytest.param(answering(good(b'{"error": "no"}')), 200, Failure.ERROR_IN_BODY, id="an error inside a 200"),
    ],
)
def test_every_way_to_answer_has_its_outcome(play: Play, status: int | None, failure: Failure | None) -> None:
    """What the server does decides status and failure, and a status is kept where one was seen."""
    answer = asked(play)
    assert (answer.status, answer.attempt.failure) == (status, failure), answer.detail
    assert (answer.attempt.status, bool(answer.detail)) == (status, failure is not None)


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_reset_while_the_request_is_sent_is_conn_reset(size: int) -> None:
    """The server reads nothing and resets; whether our sending or our reading meets it, it is no empty reply."""

    def play(taken: socket.socket) -> None:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    large = Scenario("large", (Payload("one", b" " * size),), deadline_ns=5 * S)
    assert {asked(play, scenario=large).attempt.failure for _ in range(20)} == {Failure.CONN_RESET}


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(silent, id="silence"),
        pytest.param(dripping(HEAD, b"a"), id="a dripped header"),
        pytest.param(dripping(HEAD + b"Content-Length: 99999\r\n\r\n", b" "), id="a dripped body"),
        pytest.param(dripping(CHUNKED, b"1\r\n \r\n"), id="a dripped chunked body"),
        pytest.param(dripping(HEAD + b"\r\n", b" "), id="a dripped close-delimited body"),
    ],
)
def test_no_drip_outlasts_the_total_deadline(play: Play) -> None:
    """An answer that trickles in ends at the deadline as deadline_exceeded, however often a byte comes."""
    answer = asked(play, deadline_ns=SHORT_NS)
    assert answer.attempt.failure is Failure.DEADLINE_EXCEEDED
    assert answer.attempt.latency_ns >= SHORT_NS


def test_the_request_carries_the_key_the_id_and_the_deployment() -> None:
    """The server sees the payload byte for byte, our request id, the bearer key and the pinned deployment."""
    received: list[bytes] = []

    def play(taken: socket.socket) -> None:
        received.append(request_of(taken))
        taken.sendall(good())

    answer = asked(play, deployment="blue", scenario=Scenario("s", SCENARIO.payloads, headers=(("X-Team", "churn"),)))
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /score HTTP/1.1"
    assert {
        f"Authorization: Bearer {KEY}",
        f"x-ms-client-request-id: {answer.attempt.request_id}",
        "azureml-model-deployment: blue",
        "Content-Type: application/json",
        "X-Team: churn",
    } <= set(lines)
    assert len([line for line in lines if line.lower().startswith("host:")]) == 1
    assert body == b'{"data": []}'


def test_a_redirect_is_refused_and_never_followed() -> None:
    """A 307 to another port ends the attempt, and that port sees no connection, so no key."""
    seen: list[bytes] = []

    def elsewhere(taken: socket.socket) -> None:
        seen.append(taken.recv(65_536))

    with serving(elsewhere) as other:
        location = f"Location: http://127.0.0.1:{other}/score\r\n".encode()
        answer = asked(answering(b"HTTP/1.1 307 T\r\n" + location + b"Content-Length: 0\r\n\r\n"))
    assert answer.attempt.failure is Failure.REDIRECT_REFUSED
    assert answer.detail == f"307 to another origin, http://127.0.0.1:{other}"
    assert seen == []


def test_proxies_and_netrc_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable that points at a closed port changes nothing."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked(answering(good())).attempt.good


@pytest.mark.parametrize("head", [HEAD + b"Content-Length: 50\r\n\r\n", HEAD + b"\r\n"])
def test_a_body_past_the_cap_is_not_read_to_its_end(head: bytes) -> None:
    """A body longer than the expectation reads is body_too_large, announced or not."""
    small = Scenario("small", SCENARIO.payloads, expectation=Expectation(max_bytes=10))
    assert asked(answering(head + b" " * 50), scenario=small).attempt.failure is Failure.BODY_TOO_LARGE


def test_the_answer_keeps_what_the_service_says_of_itself() -> None:
    """Lower-case header names, the model's own time in microseconds, phases that add up, the clock's skew."""
    headers = b"X-Ms-Run-Fn-Exec-Ms: 12.925\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    answer = asked(answering(good(headers=headers)))
    assert answer.headers["x-ms-run-fn-exec-ms"] == "12.925"
    assert (answer.attempt.server_us, answer.attempt.flags) == (12_925, FLAG_NEW_CONNECTION)
    assert answer.attempt.received_bytes == len(answer.body) == 15
    assert answer.date_skew_s is not None
    assert answer.date_skew_s < -1e9
    phases = answer.phases_ns
    assert phases["dns"] + phases["connect"] + phases["wait"] + phases["transfer"] == phases["total"]


def test_a_long_answer_is_kept_up_to_64_kib_and_counted_whole() -> None:
    """A good answer of 100,000 bytes is judged whole; 65,536 bytes of it are kept."""
    answer = asked(answering(good(b'"' + b"a" * 99_998 + b'"')))
    assert answer.attempt.good
    assert (len(answer.body), answer.attempt.received_bytes) == (65_536, 100_000)


def test_the_detail_shows_neither_the_key_nor_a_control_character() -> None:
    """A server that echoes the key and escape sequences in its error leaves a harmless, redacted line."""
    echoed = b'{"error": "\\u001b[31m bad key %s"}' % KEY.encode()
    answer = asked(answering(good(echoed)))
    assert KEY not in answer.detail
    assert "[redacted]" in answer.detail
    assert answer.detail.isprintable()


def test_a_closed_port_is_connect_refused() -> None:
    """Nobody listens: connect_refused, and nothing but the connection was tried."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = probe(Endpoint("one", f"http://127.0.0.1:{port}/score"), SCENARIO, SCENARIO.payloads[0], None)
    assert answer.attempt.failure is Failure.CONNECT_REFUSED
    assert (answer.status, answer.attempt.first_byte_ns) == (None, None)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), Failure.CONNECT_REFUSED),
        (TimeoutError(errno.ETIMEDOUT, ""), Failure.CONNECT_TIMEOUT),
        (TimeoutError("timed out"), Failure.CONNECT_TIMEOUT),
        (OSError(errno.ENETUNREACH, ""), Failure.NETWORK_UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, ""), Failure.NETWORK_UNREACHABLE),
        (ConnectionResetError(errno.ECONNRESET, ""), Failure.CONN_RESET),
        (OSError(errno.EMFILE, ""), Failure.OUT_OF_FILES),
        (OSError(errno.EADDRNOTAVAIL, ""), Failure.OUT_OF_PORTS),
    ],
)
def test_what_kept_a_connection_from_being_made_is_named(error: OSError, failure: Failure) -> None:
    """Each errno of connect has one failure; our own walls are told apart from the endpoint's."""
    assert connect_failure(error) is failure


def test_only_a_temporary_lookup_error_is_a_time_out() -> None:
    """EAI_AGAIN may pass when asked again; an unknown name or an impossible one does not."""
    assert dns_failure(socket.gaierror(socket.EAI_AGAIN, "")) is Failure.DNS_TIMEOUT
    assert dns_failure(socket.gaierror(socket.EAI_NONAME, "")) is Failure.DNS_NOT_FOUND
    assert dns_failure(UnicodeError("label too long")) is Failure.DNS_NOT_FOUND


AUTHORITY = trustme.CA()
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def tls_answer(
    tmp_path: Path, certificate: trustme.LeafCert, *, trusted: bool = True, play: Play | None = None
) -> Answer:
    ca_file = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with serving(play or answering(good()), context) as port:
        uri = f"https://127.0.0.1:{port}/score"
        endpoint = Endpoint("one", uri, ca_file=str(ca_file) if trusted else None)
        return probe(endpoint, SCENARIO, SCENARIO.payloads[0], KEY)


def test_a_certificate_of_the_named_authority_is_accepted(tmp_path: Path) -> None:
    """With ca_file the answer is good, TLS has its own phase and the certificate's end is known."""
    answer = tls_answer(tmp_path, AUTHORITY.issue_cert("127.0.0.1"))
    assert answer.attempt.good, answer.detail
    assert "tls" in answer.phases_ns
    assert answer.certificate_expires_s is not None


def test_an_unknown_authority_is_tls_untrusted(tmp_path: Path) -> None:
    """Without ca_file the same certificate is refused, and nothing is sent."""
    answer = tls_answer(tmp_path, AUTHORITY.issue_cert("127.0.0.1"), trusted=False)
    assert answer.attempt.failure is Failure.TLS_UNTRUSTED


def test_another_name_in_the_certificate_is_tls_wrong_host(tmp_path: Path) -> None:
    """A certificate for another host is refused although its authority is trusted."""
    assert tls_answer(tmp_path, AUTHORITY.issue_cert("other.example")).attempt.failure is Failure.TLS_WRONG_HOST


def test_a_certificate_past_its_date_is_tls_expired(tmp_path: Path) -> None:
    """A certificate that ended in 2020 is refused as expired, not as untrusted."""
    certificate = AUTHORITY.issue_cert(
        "127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=1)
    )
    assert tls_answer(tmp_path, certificate).attempt.failure is Failure.TLS_EXPIRED


def test_a_body_cut_below_tls_is_not_good(tmp_path: Path) -> None:
    """A TLS answer short of its length is body_truncated, as it is without TLS."""
    play = answering(HEAD + b"Content-Length: 9\r\n\r\n{}")
    answer = tls_answer(tmp_path, AUTHORITY.issue_cert("127.0.0.1"), play=play)
    assert answer.attempt.failure in (Failure.BODY_TRUNCATED, Failure.CONN_RESET)


def test_a_port_that_speaks_no_tls_is_tls_failed() -> None:
    """https to a plain-text port fails in the handshake; the key is not sent."""
    with serving(answering(good())) as port:
        answer = probe(
            Endpoint("one", f"https://127.0.0.1:{port}/"), SCENARIO, SCENARIO.payloads[0], KEY, deadline_ns=2 * S
        )
    assert answer.attempt.failure is Failure.TLS_FAILED


def test_a_stalled_handshake_is_tls_failed_at_the_deadline() -> None:
    """A server that accepts and then says nothing fails the handshake, not the answer."""
    with serving(silent) as port:
        endpoint = Endpoint("one", f"https://127.0.0.1:{port}/")
        answer = probe(endpoint, SCENARIO, SCENARIO.payloads[0], KEY, deadline_ns=SHORT_NS)
    assert answer.attempt.failure is Failure.TLS_FAILED
    assert answer.detail == "the handshake was not finished before the deadline"


def test_an_unreadable_authority_file_is_told_before_anything_is_sent() -> None:
    """A ca_file that is not there is a mistake of the settings: RedlineError, with its path."""
    with pytest.raises(RedlineError, match=r"ca_file /nowhere/ca\.pem cannot be read"):
        probe(Endpoint("one", "https://127.0.0.1:1/", ca_file="/nowhere/ca.pem"), SCENARIO, SCENARIO.payloads[0], KEY)
