"""Edge: name lookup, connections to every address, and TLS, each on its own and in a bounded time."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from monitor.doctor.certificate import certificate_of
from monitor.doctor.facts import Address, Connected, Gap, Handshake, Known
from scoring.attempt import Failure
from scoring.endpoint import Endpoint
from scoring.redact import redact
from scoring.text import harmless
from scoring.wire import connect_failure, dns_failure, tls_context, tls_failure

LOOKUP_S = 10.0
CONNECT_S = 5.0
HANDSHAKE_S = 10.0
MOST_ADDRESSES = 16
"""Addresses of one name that are tried."""


def looked_up(host: str) -> Known[tuple[Address, ...]]:
    """Every address of the host, of both families."""
    with contextlib.suppress(ValueError):
        return (Address(host, ipaddress.ip_address(host).version == 6),)
    answers: list[tuple[Address, ...] | Exception] = []
    Thread(target=lambda: answers.append(_addresses(host)), daemon=True).start()
    end_s = time.monotonic() + LOOKUP_S
    while not answers and time.monotonic() < end_s:
        time.sleep(0.005)
    if not answers:
        return Gap(f"no answer about the name {host} within {LOOKUP_S:.0f} s", f"getent ahosts {host}", is_error=True)
    answer = answers[0]
    if isinstance(answer, Exception):
        word = "is not known" if dns_failure(answer) is Failure.DNS_NOT_FOUND else "could not be looked up"
        return Gap(f"the name {host} {word}: {_safe(str(answer))}", f"getent ahosts {host}", is_error=True)
    return answer


def connections(addresses: tuple[Address, ...], port: int) -> tuple[Connected, ...]:
    """What came of one connection to each address, all at a time."""
    with ThreadPoolExecutor(MOST_ADDRESSES) as pool:
        return tuple(pool.map(lambda address: _connection(address, port), addresses[:MOST_ADDRESSES]))


def handshake(endpoint: Endpoint, address: Address) -> Handshake:
    """What came of TLS with the host at that address, and the certificate that it shows."""
    trusted = _shaken(endpoint, address, tls_context(endpoint.ca_file))
    if trusted.failure is None or trusted.failure is Failure.CONN_RESET:
        return trusted
    open_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to look at the certificate: nothing is sent over it
    open_context.check_hostname = False
    open_context.verify_mode = ssl.CERT_NONE
    shown = _shaken(endpoint, address, open_context)
    return Handshake(trusted.failure, trusted.detail, shown.protocol, shown.certificate)


def _addresses(host: str) -> tuple[Address, ...] | Exception:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return tuple(dict.fromkeys(Address(str(place[0]), family is socket.AF_INET6) for family, *_, place in found))


def _connection(address: Address, port: int) -> Connected:
    began_ns = time.monotonic_ns()
    try:
        with _opened(address, port):
            return Connected(address, (time.monotonic_ns() - began_ns) / 1e6)
    except OSError as error:
        return Connected(address, None, connect_failure(error), _safe(error.strerror or str(error)))


def _opened(address: Address, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if address.is_ipv6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.settimeout(CONNECT_S)
        opened.connect((address.text, port))
    except BaseException:
        opened.close()
        raise
    return opened


def _shaken(endpoint: Endpoint, address: Address, context: ssl.SSLContext) -> Handshake:
    try:
        with _opened(address, endpoint.port) as plain:
            plain.settimeout(HANDSHAKE_S)
            with context.wrap_socket(plain, server_hostname=endpoint.host) as secured:
                shown = secured.getpeercert(binary_form=True)
                certificate = None if shown is None else certificate_of(shown)
                return Handshake(None, "", secured.version(), certificate)
    except ssl.SSLCertVerificationError as error:
        return Handshake(tls_failure(error), _safe(error.verify_message), None, None)
    except (ssl.SSLError, ValueError) as error:
        detail = str(getattr(error, "reason", None) or error)
        return Handshake(Failure.TLS_FAILED, _safe(f"handshake: {detail}"), None, None)
    except TimeoutError:
        return Handshake(Failure.TLS_FAILED, f"no handshake within {HANDSHAKE_S:.0f} s", None, None)
    except OSError as error:
        return Handshake(Failure.TLS_FAILED, _safe(f"handshake: {error.strerror or error}"), None, None)


def _safe(text: str) -> str:
    return harmless(redact(text), max_chars=300)
