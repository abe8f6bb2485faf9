"""Edge: one keep-alive HTTP/1.1 connection per user, on a plain non-blocking socket that libev watches.

No retries, no redirects, no decompression. The deadline covers the whole attempt, from connecting to the last byte.
A connection that its peer closed while it lay idle has failed nobody: it is replaced before sending. What happens after
the first byte is sent belongs to the attempt and is recorded, even on a kept-alive connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import getaddrinfo
from greenlet import greenlet

from locustfiles._answer import AnswerReader, Broken
from locustfiles._tls import Tls
from scoring.attempt import Failure
from scoring.endpoint import Endpoint
from scoring.wire import connect_failure, dns_failure, tls_context, tls_failure

RECEIVE_BYTES = 65_536
SWEEP_S = 0.02
IDLE_NS = 1_000_000  # a connection unused for longer is looked at before it is used again
_READ, _WRITE = 1, 2
_SOCKET: type[socket.socket] = get_original("socket", "socket")  # not the one that gevent makes cooperative

_CONNECTING, _SHAKING_HANDS = "connecting", "shaking hands for TLS"
_TOO_LATE = {_CONNECTING: Failure.CONNECT_TIMEOUT, _SHAKING_HANDS: Failure.TLS_FAILED}
_OTHER_ADDRESS_MAY_HELP = frozenset({Failure.CONNECT_REFUSED, Failure.NETWORK_UNREACHABLE})
Address = tuple[int, Any]  # family, socket address


class _Expired(Exception):
    """The deadline has passed while waiting."""


class Target:
    """Where connections go: the addresses of the endpoint's host, resolved once, the one that answers first in line."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.host = endpoint.host
        self.port = endpoint.port
        self.context = tls_context(endpoint.ca_file) if endpoint.is_tls else None
        self.addresses: list[Address] = []

    def resolve(self) -> None:
        """The addresses are known. Raises Broken with the DNS failure otherwise."""
        try:
            found = getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Broken(dns_failure(error), f"the name {self.host} has no address: {error}") from error
        self.addresses = list(dict.fromkeys((entry[0], entry[4]) for entry in found))

    def prefer(self, address: Address) -> None:
        """The next connection tries this address first."""
        if self.addresses and self.addresses[0] != address:
            self.addresses.remove(address)
            self.addresses.insert(0, address)


class Connection:
    """The connection of one user: the greenlet that makes it calls `exchange`. What an exchange found stays on it."""

    def __init__(self, target: Target, *, deadline_ns: int, max_bytes: int) -> None:
        self.target = target
        self.total_ns = deadline_ns
        self.answer = AnswerReader(max_bytes)
        self.waiting = False
        self.deadline_ns = 0
        self.first_ns = 0  # monotonic; 0: no byte came
        self.done_ns = 0
        self.is_new = False
        self.detail = ""
        self._expired = False
        self._stale = False
        self._sock: socket.socket | None = None
        self._tls: Tls | None = None
        self._watcher: Any = None
        self._give: Callable[[bytes], int]  # send and receive of what is open: the socket, or TLS on it
        self._take: Callable[[int], bytes]
        self._early = b""
        self._doing = ""
        hub = gevent.get_hub()
        self._loop = hub.loop
        self._to_hub: Callable[[], object] = greenlet.switch.__get__(
            hub
        )  # past gevent's own hooks, which we do not use
        self._to_user: Callable[[], object] = gevent.getcurrent().switch

    def exchange(self, request: bytes, sent_ns: int) -> Failure | None:
        """None when a whole answer is in `answer`, else why there is none. `sent_ns` starts the deadline."""
        self.deadline_ns = sent_ns + self.total_ns
        self.first_ns = 0
        self.detail = ""
        answer = self.answer
        answer.start()
        try:
            if self._sock is None or self._stale or (sent_ns - self.done_ns > IDLE_NS and self._is_dead()):
                self._open()
            else:
                self.is_new = False
            self._send_all(request)
            self._receive(answer)
        except Broken as broken:
            return self._failed(broken.failure, broken.detail)
        except _Expired:
            failure = _TOO_LATE.get(self._doing, Failure.DEADLINE_EXCEEDED)
            return self._failed(failure, f"the deadline passed while {self._doing}, {self._seen()}")
        except OSError as error:
            return self._failed(self._failure_of(error), f"{_reason(error)} while {self._doing}, {self._seen()}")
        except BaseException:  # the user is being stopped
            self._failed(Failure.ABORTED, f"the run ended while {self._doing}, {self._seen()}")
            raise
        if not answer.keep_alive:
            self.close()
        return None

    @property
    def sent_ns(self) -> int:
        """When the latest exchange began."""
        return self.deadline_ns - self.total_ns

    def expire(self) -> None:
        """Ends the wait: called in the hub once the deadline has passed."""
        self._expired = True
        self._to_user()

    def close(self) -> None:
        """Nothing is open; the next exchange connects."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
        if self._sock is not None:
            self._sock.close()
        self._sock = self._tls = None
        self._stale = False
        self._early = b""

    def _receive(self, answer: AnswerReader) -> None:
        """The answer is complete, or an exception says why not."""
        self._doing = "waiting for the answer"
        receive = self._take
        data = self._early
        while True:
            if not data:
                self._pause()
                try:
                    data = receive(RECEIVE_BYTES)
                except BlockingIOError:
                    continue
            self.done_ns = now_ns = monotonic_ns()
            if not self.first_ns:
                self.first_ns = now_ns
            if not data:
                return answer.end()
            if answer.feed(data):
                return None
            data = b""

    def _pause(self) -> None:
        """Control comes back when the socket is ready. Raises _Expired when the deadline passes first."""
        self.waiting = True
        try:
            self._to_hub()
        finally:
            self.waiting = False
        if self._expired:
            self._expired = False
            raise _Expired

    def _on_ready(self) -> None:
        if self.waiting:
            self._to_user()
        else:
            self._stale = True  # closed, or spoken to, while nothing was asked
            self._watcher.stop()

    def _is_dead(self) -> bool:
        """Whether the idle connection has been closed by its peer."""
        assert self._sock is not None  # noqa: S101
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _open(self) -> None:
        self._doing = _CONNECTING
        self.is_new = True
        self.close()
        if not self.target.addresses:
            self.target.resolve()
        self._connect_any()
        assert self._sock is not None  # noqa: S101
        self._watcher = self._loop.io(self._sock.fileno(), _READ)
        self._watcher.start(self._on_ready)
        self._give, self._take = self._sock.send, self._sock.recv
        if self.target.context is not None:
            self._doing = _SHAKING_HANDS
            self._tls = Tls(self._sock, self.target.context, self.target.host)
            self._shake_hands(self._tls)
            self._give, self._take = self._tls.send, self._tls.recv

    def _connect_any(self) -> None:
        """Connected to the first address that takes us; the first refusal is raised when none does."""
        first: OSError | None = None
        for address in tuple(self.target.addresses):
            try:
                self._connect(address)
            except OSError as error:
                first = first or error
                self.close()
                if connect_failure(error) not in _OTHER_ADDRESS_MAY_HELP:
                    raise
            else:
                return self.target.prefer(address)
        assert first is not None  # noqa: S101
        raise first

    def _connect(self, address: Address) -> None:
        family, socket_address = address
        self._sock = sock = _SOCKET(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(socket_address)
        if code == errno.EINPROGRESS:
            self._pause_for(sock, _WRITE)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))

    def _shake_hands(self, tls: Tls) -> None:
        while True:
            try:
                if tls.handshake():
                    return
            except BlockingIOError:
                self._pause()

    def _send_all(self, request: bytes) -> None:
        """The socket has taken the request, or the peer has begun to answer before it was complete."""
        self._doing = "sending"
        try:
            try:
                sent = self._give(request)
            except BlockingIOError:
                sent = 0
            if sent < len(request) or (self._tls is not None and self._tls.unsent):
                self._send_rest(memoryview(request)[sent:])
        except (BrokenPipeError, ConnectionResetError):
            return  # the peer may have answered before it closed: what can still be read decides

    def _send_rest(self, rest: memoryview) -> None:
        """Waits for room as often as needed; an answer that comes before the end of the request ends the sending."""
        assert self._sock is not None  # noqa: S101
        while rest or (self._tls is not None and self._tls.unsent):
            self._pause_for(self._sock, _WRITE)
            if self._tls is not None:
                self._tls.flush()
            else:
                with contextlib.suppress(BlockingIOError):
                    rest = rest[self._sock.send(rest) :]
            try:
                self._early = (self._tls or self._sock).recv(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            self._stale = True
            return

    def _pause_for(self, sock: socket.socket, events: int) -> None:
        watcher = self._loop.io(sock.fileno(), events)
        watcher.start(self._on_ready)
        try:
            self._pause()
        finally:
            watcher.stop()
            watcher.close()

    def _failure_of(self, error: OSError) -> Failure:
        if self._doing == _CONNECTING:
            return connect_failure(error)
        if self._doing == _SHAKING_HANDS or isinstance(error, ssl.SSLError):
            return tls_failure(error)
        return Failure.CONN_RESET

    def _failed(self, failure: Failure, detail: str) -> Failure:
        self.done_ns = monotonic_ns()
        self.detail = detail
        self.close()
        return failure

    def _seen(self) -> str:
        if not self.first_ns:
            return "before any byte of the answer"
        return f"after {self.answer.received_bytes} body bytes"


def _reason(error: OSError) -> str:
    return str(getattr(error, "verify_message", "") or error.strerror or error)


class Sweeper:
    """Ends the wait of every connection whose deadline has passed, up to 20 ms late: one timer for all of them."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._timer: Any = gevent.get_hub().loop.timer(SWEEP_S, SWEEP_S)
        self._timer.start(self._sweep)

    def stop(self) -> None:
        """No deadline is watched any more."""
        self._timer.stop()
        self._timer.close()

    def _sweep(self) -> None:
        now_ns = monotonic_ns()
        for connection in [one for one in self.connections if one.waiting and one.deadline_ns <= now_ns]:
            connection.expire()
