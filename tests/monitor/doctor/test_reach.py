"""Name, connections and TLS as they are found over real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import trustme

from monitor.doctor.certificate import certificate_of
from monitor.doctor.facts import Address, Gap
from monitor.doctor.reach import connections, handshake, looked_up
from scoring.attempt import Failure
from scoring.endpoint import Endpoint

HERE = Address("127.0.0.1", False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def tls_server(leaf: trustme.LeafCert | None) -> Iterator[int]:
    """The port of a server that shakes hands and says no more; without a certificate it speaks no TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if leaf is not None:
        leaf.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        if leaf is None:
                            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                            continue
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        continue

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(20)


def _endpoint(port: int, host: str = "localhost", ca_file: Path | None = None) -> Endpoint:
    return Endpoint("churn", f"https://{host}:{port}/score", ca_file=None if ca_file is None else str(ca_file))


def _ca_file(authority: trustme.CA, folder: Path) -> Path:
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def test_a_trusted_certificate_is_told_with_its_names_and_its_life(authority: trustme.CA, tmp_path: Path) -> None:
    """Protocol, host names, issuer and the day it ends."""
    until_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=40)
    with tls_server(authority.issue_cert("localhost", "127.0.0.1", not_after=until_at)) as port:
        found = handshake(_endpoint(port, ca_file=_ca_file(authority, tmp_path)), HERE)
    assert (found.failure, found.protocol) == (None, "TLSv1.3")
    assert found.certificate is not None
    assert set(found.certificate.names) == {"localhost", "127.0.0.1"}
    assert found.certificate.expires_s == until_at.timestamp()


def test_an_expired_certificate_is_shown_all_the_same(authority: trustme.CA, tmp_path: Path) -> None:
    """The failure is told, with the day it ended."""
    ended_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    leaf = authority.issue_cert("localhost", not_before=ended_at - timedelta(days=9), not_after=ended_at)
    with tls_server(leaf) as port:
        found = handshake(_endpoint(port, ca_file=_ca_file(authority, tmp_path)), HERE)
    assert found.failure is Failure.TLS_EXPIRED
    assert found.certificate is not None
    assert found.certificate.expires_s == ended_at.timestamp()


def test_a_certificate_of_somebody_else_is_not_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    """Of an unknown authority, or for another host."""
    with tls_server(authority.issue_cert("localhost")) as port:
        assert handshake(_endpoint(port), HERE).failure is Failure.TLS_UNTRUSTED
    with tls_server(authority.issue_cert("other.example")) as port:
        found = handshake(_endpoint(port, ca_file=_ca_file(authority, tmp_path)), HERE)
    assert found.failure is Failure.TLS_WRONG_HOST
    assert found.certificate is not None
    assert found.certificate.names == ("other.example",)


def test_a_server_without_tls_is_told_as_such() -> None:
    """Its bytes are no handshake, and it has no certificate."""
    with tls_server(None) as port:
        found = handshake(_endpoint(port), HERE)
    assert (found.failure, found.certificate) == (Failure.TLS_FAILED, None)


def test_each_address_is_tried_on_its_own() -> None:
    """A server that listens on IPv4 alone takes no connection on IPv6."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        good, bad = connections((HERE, Address("::1", True)), int(server.getsockname()[1]))
    assert good.connect_ms is not None
    assert bad.connect_ms is None
    assert bad.failure in (Failure.CONNECT_REFUSED, Failure.NETWORK_UNREACHABLE)


def test_a_name_is_looked_up_and_an_address_is_itself() -> None:
    """A name that nobody has is a gap with a command that asks again."""
    assert looked_up("::1") == (Address("::1", True),)
    assert HERE in looked_up("localhost")  # type: ignore[operator]
    missing = looked_up("no-such-host.invalid")
    assert isinstance(missing, Gap)
    assert missing.is_error
    assert missing.fix == "getent ahosts no-such-host.invalid"


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x00", b"\xff" * 500])
def test_bytes_that_are_no_certificate_are_no_fault(der: bytes) -> None:
    """Nothing is known of it then."""
    assert certificate_of(der) is None
