"""Every fault of an endpoint that a check can meet: how it is made, its reason, and the check at which it is told."""

from __future__ import annotations

import datetime
import gzip
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import cache
from time import time
from typing import Any

import trustme

from scoring.checkplan import CheckPlan
from scoring.health import Health
from scoring.scenario import Expectation, Payload, Scenario
from scoring.units import MIN, MS, S
from tests.monitor.health.faulty import Faulty, empty
from tests.scoring.fault_server import Play, answering, dripping, good, resetting, silent

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EVERY_S = 60.0
PLAN = CheckPlan(every_ns=MIN, deadline_ns=5 * S)
SHORT = replace(PLAN, deadline_ns=500 * MS)
BOUND_NS = 400 * MS
AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
PAYLOAD = Payload("one", b"{}")
PLAIN = Scenario("plain", (PAYLOAD,))
GOLDEN = Scenario("golden", (replace(PAYLOAD, golden={"result": [1]}, has_golden=True),))
SCHEMA = Scenario("schema", (PAYLOAD,), expectation=Expectation(schema={"required": ["result"]}))
SMALL = Scenario("small", (PAYLOAD,), expectation=Expectation(max_bytes=1000))
HUGE_BYTES = 100_000_000
BOMB = gzip.compress(b" " * HUGE_BYTES, 9)
LONG = b'"' + b"a" * 2000 + b'"'
Switch = Callable[[Faulty], None]


@dataclass(frozen=True)
class Fault:
    """It is told at the check number `after`, and its end at the check number `well_after` without it.

    `asks_s`: the pause that the endpoint asks for, before the second of those checks and the first without the fault.
    """

    name: str
    reason: str
    switch: Switch
    state: Health = Health.FAILED
    after: int = 2
    well_after: int = 2
    asks_s: float = EVERY_S
    is_tls: bool = False
    plan: CheckPlan = PLAN
    scenario: Scenario = PLAIN


def plays(play: Play) -> Switch:
    return lambda server: setattr(server, "play", play)


def says(**replies: bytes) -> Switch:
    """Answers to a kind of caller."""
    return lambda server: server.replies.update(replies)


def shows(host: str = "127.0.0.1", days: float = 60, authority: trustme.CA = AUTHORITY) -> Switch:
    return lambda server: setattr(server, "tls", context(host, days, authority))


@cache
def context(host: str = "127.0.0.1", days: float = 60, authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    """What a server shows whose certificate is for this host, with so many days left."""
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host, not_after=until, not_before=until - datetime.timedelta(days=90)).configure_cert(found)
    return found


def aged(server: Faulty) -> None:
    """A server that speaks nothing after TLS 1.1."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found.minimum_version = ssl.TLSVersion.TLSv1
        found.maximum_version = ssl.TLSVersion.TLSv1_1
    found.set_ciphers("DEFAULT:@SECLEVEL=0")
    server.tls = found


def without_tls(server: Faulty) -> None:
    """The port speaks plain HTTP, and takes the handshake for a bad request."""

    def play(taken: socket.socket) -> None:
        taken.recv(65_536)
        taken.sendall(empty("400 Bad Request"))

    server.tls, server.play = None, play


def stalled(server: Faulty) -> None:
    """The port takes the connection, and says nothing to a handshake."""
    server.tls, server.play = None, silent


def resetting_at_once(taken: socket.socket) -> None:
    """The connection is reset before a byte of the request is read."""
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless(taken: socket.socket) -> None:
    """A hundred megabytes without a length."""
    taken.recv(65_536)
    taken.sendall(HEAD + b"\r\n")
    for _ in range(HUGE_BYTES // 100_000):
        taken.sendall(b" " * 100_000)


def late(server: Faulty) -> None:
    server.play = server.late


def date_in(wait_s: float) -> str:
    """A point in time, as a header writes it."""
    return formatdate(time() + wait_s, usegmt=True)


def busy(name: str, wish: str | None, asks_s: float = EVERY_S, status: str = "429 Slow") -> Fault:
    """A rejection with this Retry-After; `+300` is the date in 300 s."""

    def switch(server: Faulty) -> None:
        said = date_in(float(wish)) if wish is not None and wish.startswith("+") else wish
        server.replies["key"] = empty(status, "" if said is None else f"Retry-After: {said}\r\n")

    return Fault(f"{status[:3]} {name}", f"status_{status[:3]}", switch, asks_s=asks_s)


def degraded(name: str, reason: str, switch: Switch, **more: Any) -> Fault:
    return Fault(name, reason, switch, Health.DEGRADED, **{"after": 3, **more})


CUT = (
    Fault("a reset before the request is read", "conn_reset", plays(resetting_at_once)),
    Fault("a reset before the header", "conn_reset", plays(resetting())),
    Fault("a reset inside the header", "conn_reset", plays(resetting(HEAD + b"Conte"))),
    Fault("a reset inside the body", "conn_reset", plays(resetting(HEAD + b"Content-Length: 9\r\n\r\n{"))),
    Fault("a close without a byte", "empty_reply", plays(answering(b""))),
    Fault("a body short of its length", "body_truncated", plays(answering(HEAD + b"Content-Length: 9\r\n\r\n{}"))),
    Fault("a chunked body cut short", "body_truncated", plays(answering(CHUNKED + b"5\r\n{}"))),
    Fault("close-delimited JSON cut short", "body_invalid", plays(answering(HEAD + b'\r\n{"result": ['))),
    Fault("bytes that are no HTTP", "protocol_error", plays(answering(b"\x16\x03\x01rubbish\r\n\r\n"))),
    Fault("a hundred megabytes", "body_too_large", plays(endless)),
    Fault("a length of a hundred megabytes", "body_too_large", says(key=HEAD + b"Content-Length: 100000000\r\n\r\n")),
    Fault("a gzip bomb", "body_invalid", says(key=good(BOMB, b"Content-Encoding: gzip\r\n"))),
)
SLOW = (
    Fault("silence", "deadline_exceeded", plays(silent), plan=SHORT),
    Fault("a dripped header", "deadline_exceeded", plays(dripping(HEAD, b"a")), plan=SHORT),
    Fault("a dripped body", "deadline_exceeded", plays(dripping(HEAD + b"\r\n", b" ")), plan=SHORT),
    Fault("a port that takes no connection", "connect_timeout", Faulty.deaf, plan=SHORT),
    Fault("a port where nobody listens", "connect_refused", Faulty.gone),
    Fault("slower than latency_failed", "too_slow", late, plan=replace(PLAN, latency_failed_ns=BOUND_NS)),
    degraded("slower than latency", "slow", late, plan=replace(PLAN, latency_ns=BOUND_NS)),
)
SECURED = (
    Fault("a stalled handshake", "tls_failed", stalled, is_tls=True, plan=SHORT),
    Fault("a port without TLS", "tls_failed", without_tls, is_tls=True),
    Fault("TLS 1.1 at most", "tls_failed", aged, is_tls=True),
    Fault("an expired certificate", "tls_expired", shows(days=-1), is_tls=True),
    Fault("a certificate of another host", "tls_wrong_host", shows("other.example"), is_tls=True),
    Fault("a certificate of nobody we trust", "tls_untrusted", shows(authority=STRANGER), is_tls=True),
    Fault("a certificate with 2 days left", "certificate_expires", shows(days=2), is_tls=True),
    degraded("a certificate with 10 days left", "certificate_expires_soon", shows(days=10), is_tls=True),
)
BUSY = (
    busy("without Retry-After", None),
    busy("with Retry-After in seconds", "120", 120.0),
    busy("with Retry-After as a date", "+300", 300.0),
    busy("with a date that is past", "Thu, 01 Jan 1970 00:00:00 GMT"),
    busy("with an absurd Retry-After", "99999999999", 600.0),
    busy("with a negative Retry-After", "-5"),
    busy("with a Retry-After that is none", "soon"),
    busy("without Retry-After", None, status="503 Busy"),
    busy("with Retry-After in seconds", "600", 600.0, "503 Busy"),
    Fault("500", "status_500", says(key=empty("500 E"))),
    Fault("502", "status_502", says(key=empty("502 B"))),
    Fault("504", "status_504", says(key=empty("504 T"))),
    Fault("424", "status_424", says(key=empty("424 M"))),
    Fault("404", "status_404", says(key=empty("404 N"))),
    Fault("401 to the right key", "status_401", says(key=empty("401 N"))),
    Fault("403 to the right key", "status_403", says(key=empty("403 F"))),
)
WRONG = (
    Fault("another answer than the golden one", "golden_mismatch", says(key=good(b'{"result": [2]}')), scenario=GOLDEN),
    Fault("an answer that does not fit the schema", "schema_mismatch", says(key=good(b'{"x": 1}')), scenario=SCHEMA),
    Fault("an error inside a 200", "error_in_body", says(key=good(b'{"error": "no model"}'))),
    Fault("a page instead of JSON", "body_invalid", says(key=good(b"<html>"))),
    Fault("a body longer than the scenario reads", "body_too_large", says(key=good(b" " * 2000)), scenario=SMALL),
    degraded("a body above the bound", "body_large", says(key=good(LONG)), plan=replace(PLAN, max_body_bytes=1000)),
    Fault("an answer without a key", "open_without_key", says(none=good())),
    Fault("an answer to a wrong key", "open_to_wrong_key", says(wrong=good())),
    degraded("500 without a key", "no_key_not_refused", says(none=empty("500 E"))),
    degraded("400 to a wrong key", "wrong_key_not_refused", says(wrong=empty("400 B"))),
    degraded("an answer to GET", "get_answered", says(get=good()), plan=replace(PLAN, negative=("get",))),
)
FAULTS = (*CUT, *SLOW, *SECURED, *BUSY, *WRONG)
