"""The connection of a user against a server that misbehaves: each way to die has its exact failure."""

from __future__ import annotations

import errno
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic_ns

import gevent
import pytest
import trustme

from locustfiles._wire import Connection, Sweeper, Target
from scoring.attempt import Failure
from scoring.endpoint import Endpoint
from tests.locustfiles.faultserver import (
    GOOD_BODY,
    Behaviour,
    FaultServer,
    answer,
    drips,
    resets_after,
    sends,
    stalls,
)

MS = 1_000_000
REQUEST = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Exchange = Callable[..., Failure | None]


class Client:
    """One connection, used from a greenlet of its own, and what became of each exchange."""

    def __init__(self, endpoint: Endpoint, *, deadline_ms: int = 5_000, max_bytes: int = 100_000) -> None:
        self.sweeper = Sweeper()
        self.target = Target(endpoint)
        self.deadline_ns = deadline_ms * MS
        self.max_bytes = max_bytes
        self.connection: Connection

    def exchange(self, *requests: bytes, before: Callable[[int], None] = lambda _: None) -> list[Failure | None]:
        """The requests one after the other on one connection; `before` is called with each one's position."""
        return gevent.spawn(self._exchange, requests or (REQUEST,), before).get()  # type: ignore[no-any-return]

    def _exchange(self, requests: tuple[bytes, ...], before: Callable[[int], None]) -> list[Failure | None]:
        made = self.connection = Connection(self.target, deadline_ns=self.deadline_ns, max_bytes=self.max_bytes)
        self.sweeper.connections.add(made)
        found = []
        for place, request in enumerate(requests):
            before(place)
            self.sent_ns = monotonic_ns()
            found.append(made.exchange(request, self.sent_ns))
        self.is_new = made.is_new
        made.close()
        self.sweeper.stop()
        return found


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """Starts fault servers; they are gone after the test."""
    servers: list[FaultServer] = []

    def start(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> FaultServer:
        servers.append(FaultServer(behaviour, context))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


FAULTS = [
    pytest.param(sends(b""), Failure.EMPTY_REPLY, "before any byte", id="closed without a word"),
    pytest.param(resets_after(b""), Failure.CONN_RESET, "before any byte of the answer", id="reset without a word"),
    pytest.param(resets_after(b"HTTP/1.1 20"), Failure.CONN_RESET, "after 0 body bytes", id="reset within the headers"),
    pytest.param(resets_after(answer()[:-5]), Failure.CONN_RESET, "after 12 body bytes", id="reset within the body"),
    pytest.param(sends(answer()[:-5]), Failure.BODY_TRUNCATED, "after 12 body bytes", id="a length cut"),
    pytest.param(sends(CHUNKED + b"5\r\nab"), Failure.BODY_TRUNCATED, "after 2 body bytes", id="a chunk cut"),
    pytest.param(sends(b"\x16\x03\x01\x02\x00\x01"), Failure.PROTOCOL_ERROR, "HTTP/1.", id="garbage"),
    pytest.param(sends(answer(b"x" * 100_001)), Failure.BODY_TOO_LARGE, "100001 bytes", id="a large body"),
    pytest.param(sends(CHUNKED + b"ffffff\r\n" + b"x" * 200_000), Failure.BODY_TOO_LARGE, "100000", id="a large chunk"),
]


@pytest.mark.parametrize(("behaviour", "failure", "words"), FAULTS)
def test_each_fault_has_its_failure(
    serve: Callable[..., FaultServer], behaviour: Behaviour, failure: Failure, words: str
) -> None:
    """The failure names the fault, and the detail the point at which it struck."""
    client = Client(Endpoint("faulty", serve(behaviour).uri))
    assert client.exchange() == [failure]
    assert words in client.connection.detail


def test_a_good_answer_is_read_whole(serve: Callable[..., FaultServer]) -> None:
    """Status, body and times are there, and no failure."""
    client = Client(Endpoint("good", serve(sends(answer(), keep=True)).uri))
    assert client.exchange() == [None]
    made = client.connection
    assert (made.answer.status, made.answer.body) == (200, GOOD_BODY)
    assert client.sent_ns < made.first_ns <= made.done_ns
    assert made.is_new


def test_a_connection_is_kept(serve: Callable[..., FaultServer]) -> None:
    """Three requests need one connection, and only the first attempt is marked as having opened it."""
    server = serve(sends(answer(), keep=True))
    client = Client(Endpoint("good", server.uri))
    assert client.exchange(REQUEST, REQUEST, REQUEST) == [None, None, None]
    assert (server.connections, len(server.requests), client.is_new) == (1, 3, False)


def test_connection_close_is_honoured(serve: Callable[..., FaultServer]) -> None:
    """After an answer that says close the next attempt opens a connection, and nothing fails."""
    server = serve(sends(answer(GOOD_BODY, "200 OK", "Connection: close")))
    client = Client(Endpoint("closing", server.uri))
    assert client.exchange(REQUEST, REQUEST) == [None, None]
    assert (server.connections, client.is_new) == (2, True)


def test_a_connection_closed_while_idle_fails_no_attempt(serve: Callable[..., FaultServer]) -> None:
    """A server that closes a kept-alive connection between two requests costs a new connection, not a failure."""
    closed = threading.Event()

    def then_closes(peer: socket.socket, _request: bytes) -> bool:
        peer.sendall(answer())
        peer.shutdown(socket.SHUT_WR)
        closed.set()
        return False

    server = serve(then_closes)
    client = Client(Endpoint("idle", server.uri))

    def wait_for_the_close(place: int) -> None:
        if place:
            assert closed.wait(5)
            gevent.sleep(0.02)

    assert client.exchange(REQUEST, REQUEST, before=wait_for_the_close) == [None, None]
    assert server.connections == 2


DEADLINE_MS = 300


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(stalls, id="silence"),
        pytest.param(drips(answer()), id="dripped headers"),
        pytest.param(drips(answer(b"x" * 500)), id="a dripped body"),
        pytest.param(drips(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), id="dripped interim answers"),
    ],
)
def test_the_deadline_covers_the_whole_answer(serve: Callable[..., FaultServer], behaviour: Behaviour) -> None:
    """However busily a server drips, the attempt ends at its total deadline, and not before."""
    client = Client(Endpoint("slow", serve(behaviour).uri), deadline_ms=DEADLINE_MS)
    assert client.exchange() == [Failure.DEADLINE_EXCEEDED]
    assert client.connection.done_ns - client.sent_ns >= DEADLINE_MS * MS


def test_a_large_request_is_sent_in_as_many_pieces_as_it_takes(serve: Callable[..., FaultServer]) -> None:
    """Eight megabytes arrive whole."""
    server = serve(sends(answer(), keep=True))
    body = bytes(8_000_000)
    request = b"POST / HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n" + body
    assert Client(Endpoint("large", server.uri)).exchange(request, REQUEST) == [None, None]
    assert len(server.requests[0]) == len(request)


def test_an_answer_that_comes_before_the_request_is_complete_counts() -> None:
    """A 413 sent after the headers is the answer, and the connection is not used again."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        for _ in range(2):
            peers.append(listener.accept()[0])
            peers[-1].recv(100)
            peers[-1].sendall(answer(b"too large", "413 Content Too Large"))

    peers: list[socket.socket] = []
    threading.Thread(target=refuse, daemon=True).start()
    client = Client(Endpoint("early", f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    large = b"POST / HTTP/1.1\r\nContent-Length: 50000000\r\n\r\n" + bytes(50_000_000)
    assert client.exchange(large, REQUEST) == [None, None]
    assert (client.connection.answer.status, client.is_new) == (413, True)
    for opened in (listener, *peers):
        opened.close()


def test_a_closed_port_refuses() -> None:
    """Nothing listens: connect_refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert Client(Endpoint("gone", f"http://127.0.0.1:{port}/score")).exchange() == [Failure.CONNECT_REFUSED]


def test_the_address_that_answers_is_used_when_another_refuses(serve: Callable[..., FaultServer]) -> None:
    """A host with two addresses of which the first refuses costs the attempt nothing but time."""
    server = serve(sends(answer(), keep=True))
    client = Client(Endpoint("two", server.uri))
    good = (socket.AF_INET, ("127.0.0.1", server.port))
    client.target.addresses = [(socket.AF_INET, ("127.0.0.1", 1)), good]
    assert client.exchange() == [None]
    assert client.target.addresses[0] == good


def test_a_full_backlog_times_out_while_connecting() -> None:
    """A connect that nobody takes ends at the deadline as connect_timeout."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        assert one.connect_ex(address) in (0, errno.EINPROGRESS)
    client = Client(Endpoint("full", f"http://127.0.0.1:{address[1]}/"), deadline_ms=DEADLINE_MS)
    assert client.exchange() == [Failure.CONNECT_TIMEOUT]
    for one in (*waiting, listener):
        one.close()


def test_a_name_without_an_address_is_not_found() -> None:
    """RFC 6761 reserves .invalid: dns_not_found, or a time-out where no resolver answers."""
    found = Client(Endpoint("nowhere", "http://endpoint.invalid/score")).exchange()
    assert found[0] in (Failure.DNS_NOT_FOUND, Failure.DNS_TIMEOUT)


def test_running_out_of_files_is_the_clients_wall(serve: Callable[..., FaultServer]) -> None:
    """EMFILE is told apart from anything the endpoint does."""
    server = serve(sends(answer(), keep=True))
    client = Client(Endpoint("files", server.uri))
    client.target.addresses = [(socket.AF_INET, ("127.0.0.1", server.port))]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = socket.socket()
    lowest_free = probe.fileno()
    probe.close()

    def no_more_files(_place: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))

    try:
        assert client.exchange(before=no_more_files) == [Failure.OUT_OF_FILES]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_user_stopped_in_flight_leaves_an_aborted_attempt(serve: Callable[..., FaultServer]) -> None:
    """Killing the greenlet closes the connection and says what it was doing."""
    client = Client(Endpoint("stopped", serve(stalls).uri))
    greenlet = gevent.spawn(client._exchange, (REQUEST,), lambda _: None)
    gevent.sleep(0.1)
    greenlet.kill()
    client.sweeper.stop()
    assert client.connection.detail == "the run ended while waiting for the answer, before any byte of the answer"


class Authority:
    """A certificate authority, its file, and server contexts with certificates of all kinds."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.file = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.file)

    def context(self, host: str = "127.0.0.1", *, days: int = 30) -> ssl.SSLContext:
        now = datetime.now(UTC)
        certificate = self.ca.issue_cert(
            host, not_before=now - timedelta(days=90), not_after=now + timedelta(days=days)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh authority."""
    return Authority(tmp_path)


def test_tls_answers_are_read_like_others(serve: Callable[..., FaultServer], authority: Authority) -> None:
    """Over TLS a connection is kept, large requests and answers pass, and the authority's file suffices."""
    large = answer(b'"' + b"y" * 90_000 + b'"')
    server = serve(sends(large, keep=True), authority.context())
    client = Client(Endpoint("tls", server.uri, ca_file=authority.file))
    upload = b"POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    assert client.exchange(REQUEST, upload, REQUEST) == [None, None, None]
    assert (server.connections, len(client.connection.answer.body)) == (1, 90_002)


CERTIFICATES = [
    pytest.param("127.0.0.1", -1, True, Failure.TLS_EXPIRED, id="expired"),
    pytest.param("other.example", 30, True, Failure.TLS_WRONG_HOST, id="for another host"),
    pytest.param("127.0.0.1", 30, False, Failure.TLS_UNTRUSTED, id="of an unknown authority"),
]


@pytest.mark.parametrize(("host", "days", "trusted", "failure"), CERTIFICATES)
def test_a_bad_certificate_has_its_failure(
    serve: Callable[..., FaultServer], authority: Authority, host: str, days: int, trusted: bool, failure: Failure
) -> None:
    """Verification is always on, and nothing is sent to a server that fails it."""
    server = serve(sends(answer()), authority.context(host, days=days))
    endpoint = Endpoint("tls", server.uri, ca_file=authority.file if trusted else None)
    assert Client(endpoint).exchange() == [failure]
    assert server.requests == []


def test_an_old_tls_version_is_refused(serve: Callable[..., FaultServer], authority: Authority) -> None:
    """A server that speaks TLS 1.0 only gets tls_failed."""
    context = authority.context()
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    server = serve(sends(answer()), context)
    assert Client(Endpoint("old", server.uri, ca_file=authority.file)).exchange() == [Failure.TLS_FAILED]


def test_plain_http_on_a_tls_port_fails_the_handshake() -> None:
    """A server that answers the greeting with text is no TLS server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            stalls(peer, b"")

    threading.Thread(target=talk, daemon=True).start()
    client = Client(Endpoint("plain", f"https://127.0.0.1:{listener.getsockname()[1]}/"))
    assert client.exchange() == [Failure.TLS_FAILED]
    listener.close()


def test_a_stalled_handshake_fails_at_the_deadline() -> None:
    """A server that takes the connection and says nothing gets tls_failed, not an endless wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint("stalled", f"https://127.0.0.1:{listener.getsockname()[1]}/")
        client = Client(endpoint, deadline_ms=DEADLINE_MS)
        assert client.exchange() == [Failure.TLS_FAILED]
    assert client.connection.done_ns - client.sent_ns >= DEADLINE_MS * MS
