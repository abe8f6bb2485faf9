"""Edge: one connection to an endpoint under a total deadline: name lookup, connect, TLS, and the time of each."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from scoring.attempt import Failure
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.units import S

T = TypeVar("T")
SockAddr = tuple[str | int | bytes, ...]
Address = tuple[socket.AddressFamily, SockAddr]

_OUR_WALL = {errno.EMFILE: Failure.OUT_OF_FILES, errno.ENFILE: Failure.OUT_OF_FILES}
_OUR_WALL |= {errno.EADDRNOTAVAIL: Failure.OUT_OF_PORTS}
_EXPIRED = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_WRONG_HOST = {62, 63, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, EMAIL, IP_ADDRESS


class WireError(Exception):
    """No connection: the exact failure, and the cause in words (not yet made harmless)."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class Wire:
    """Owns one socket and the watchdog that shuts it down at the deadline, so that no drip outlasts it."""

    def __init__(self, endpoint: Endpoint, deadline_ns: int) -> None:
        self.endpoint = endpoint
        self._context = tls_context(endpoint.ca_file) if endpoint.is_tls else None
        self.started_ns = time.monotonic_ns()
        self.deadline_ns = self.started_ns + deadline_ns
        self.phases_ns: dict[str, int] = {}
        self.certificate_expires_s: float | None = None  # seconds since 1970
        self.is_opening = False  # between the first look-up and a connection that can be used
        self._socket: socket.socket | None = None
        self._watchdog = threading.Timer(deadline_ns / S, self._shut_down)
        self._watchdog.daemon = True

    def __enter__(self) -> Wire:
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watchdog.cancel()
        if self._socket is not None:
            self._socket.close()

    @property
    def remaining_s(self) -> float:
        """Seconds to the deadline, never below a millisecond: sockets take 0 for "do not block"."""
        return max(0.001, (self.deadline_ns - time.monotonic_ns()) / S)

    @property
    def expired(self) -> bool:
        return time.monotonic_ns() >= self.deadline_ns

    def open(self) -> socket.socket:
        """A connected socket, with TLS done where the URI says https. WireError names the phase that failed."""
        self.is_opening = True
        addresses = self._timed("dns", self._looked_up)
        connected = self._timed("connect", lambda: self._connected(addresses))
        context = self._context
        if context is not None:
            plain = connected
            connected = self._timed("tls", lambda: self._secured(plain, context))
        self.is_opening = False
        return connected

    def _timed(self, phase: str, step: Callable[[], T]) -> T:
        began_ns = time.monotonic_ns()
        result = step()
        self.phases_ns[phase] = time.monotonic_ns() - began_ns
        return result

    def _looked_up(self) -> list[Address]:
        host, port = self.endpoint.host, self.endpoint.port
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return _addresses(host, port, socket.AI_NUMERICHOST)
        answers: list[list[Address] | Exception] = []
        asking = threading.Thread(target=lambda: answers.append(_addresses_or_error(host, port)), daemon=True)
        asking.start()
        asking.join(self.remaining_s)
        if not answers:
            raise WireError(Failure.DNS_TIMEOUT, f"no answer about the name {host} before the deadline")
        if isinstance(answers[0], Exception):
            raise WireError(dns_failure(answers[0]), f"{host}: {answers[0]}") from answers[0]
        return answers[0]

    def _connected(self, addresses: list[Address]) -> socket.socket:
        """The first address that takes the connection; each may use an equal share of the time that is left."""
        last: OSError | None = None
        for position, (family, address) in enumerate(addresses):
            try:
                return self._connected_to(family, address, self.remaining_s / (len(addresses) - position))
            except OSError as error:
                last = error
        if last is None:
            raise WireError(Failure.DNS_NOT_FOUND, f"{self.endpoint.host} has no address")
        where = f"{self.endpoint.host}:{self.endpoint.port}"
        raise WireError(connect_failure(last), f"{where}: {last.strerror or last}") from last

    def _connected_to(self, family: socket.AddressFamily, address: SockAddr, timeout_s: float) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(timeout_s)
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            opened.close()
            raise
        opened.settimeout(self.remaining_s)
        self._socket = opened
        return opened

    def _secured(self, plain: socket.socket, context: ssl.SSLContext) -> socket.socket:
        try:
            secured = context.wrap_socket(plain, server_hostname=self.endpoint.host)
        except (OSError, ValueError) as error:
            if self.expired or isinstance(error, TimeoutError):
                raise WireError(Failure.TLS_FAILED, "the handshake was not finished before the deadline") from error
            raise WireError(tls_failure(error), _tls_detail(error)) from error
        self._socket = secured
        until = (secured.getpeercert() or {}).get("notAfter")
        if isinstance(until, str):
            self.certificate_expires_s = float(ssl.cert_time_to_seconds(until))
        return secured

    def _shut_down(self) -> None:
        """Wake whoever waits on the socket; below TLS, whose own shutdown would touch state of the waiting thread."""
        held = self._socket
        if held is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name, always: against `ca_file` alone, or the usual authorities."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise RedlineError(f"ca_file {ca_file} cannot be read: {reason}", f"ls -l {ca_file}") from error
    if ca_file is None:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def dns_failure(error: Exception) -> Failure:
    """DNS_TIMEOUT when asking again may help, else DNS_NOT_FOUND."""
    temporary = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    return Failure.DNS_TIMEOUT if temporary else Failure.DNS_NOT_FOUND


def connect_failure(error: OSError) -> Failure:
    """What kept a connection from being made. A refusal by this machine's own rules counts as unreachable."""
    if error.errno in _OUR_WALL:
        return _OUR_WALL[error.errno]
    if isinstance(error, TimeoutError):
        return Failure.CONNECT_TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Failure.CONNECT_REFUSED
    return Failure.CONN_RESET if isinstance(error, ConnectionError) else Failure.NETWORK_UNREACHABLE


def tls_failure(error: Exception) -> Failure:
    """What was wrong with the certificate, or TLS_FAILED when it did not come to that."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return Failure.TLS_FAILED
    if error.verify_code in _EXPIRED:
        return Failure.TLS_EXPIRED
    return Failure.TLS_WRONG_HOST if error.verify_code in _WRONG_HOST else Failure.TLS_UNTRUSTED


def _tls_detail(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    return f"handshake: {getattr(error, 'reason', None) or error}"


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _, _, _, address in found]


def _addresses_or_error(host: str, port: int) -> list[Address] | Exception:
    try:
        return _addresses(host, port)
    except (OSError, UnicodeError) as error:
        return error
