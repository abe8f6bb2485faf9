"""One scoring request as the client saw it, and the 64 bytes it takes on disk.

All times are monotonic nanoseconds of one process; a difference of two is a duration, a single one means nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why an attempt is not a good answer. The order is the number on disk, from 1: append, never reorder."""

    UNEXPECTED_STATUS = "unexpected_status"  # a complete answer, with a status the scenario does not expect
    DNS_NOT_FOUND = "dns_not_found"
    DNS_TIMEOUT = "dns_timeout"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    NETWORK_UNREACHABLE = "network_unreachable"
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_FAILED = "tls_failed"
    CONN_RESET = "conn_reset"
    EMPTY_REPLY = "empty_reply"
    BODY_TRUNCATED = "body_truncated"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    PROTOCOL_ERROR = "protocol_error"
    BODY_TOO_LARGE = "body_too_large"
    BODY_INVALID = "body_invalid"  # expected JSON, got something else
    ERROR_IN_BODY = "error_in_body"  # the expected status around {"error": …}
    SCHEMA_MISMATCH = "schema_mismatch"
    GOLDEN_MISMATCH = "golden_mismatch"
    REDIRECT_REFUSED = "redirect_refused"
    OUT_OF_FILES = "out_of_files"  # EMFILE, ENFILE: the client's wall
    OUT_OF_PORTS = "out_of_ports"  # EADDRNOTAVAIL: the client's wall
    AUTH_FAILED = "auth_failed"  # no credential could be had; nothing was sent
    ABORTED = "aborted"  # the run ended while the request was in flight


FAILURES: tuple[Failure | None, ...] = (None, *Failure)
"""Failure by its number on disk; position 0 is "no failure"."""
FAILURE_NUMBER: dict[Failure | None, int] = {failure: number for number, failure in enumerate(FAILURES)}

UNREACHED = frozenset(
    {
        Failure.DNS_NOT_FOUND,
        Failure.DNS_TIMEOUT,
        Failure.CONNECT_REFUSED,
        Failure.CONNECT_TIMEOUT,
        Failure.NETWORK_UNREACHABLE,
        Failure.TLS_EXPIRED,
        Failure.TLS_WRONG_HOST,
        Failure.TLS_UNTRUSTED,
        Failure.TLS_FAILED,
    }
)
"""No connection was had: nothing of the request reached the endpoint."""

FLAG_TRANSIENT = 1  # sent before its level had settled; kept, but no evidence
FLAG_NEW_CONNECTION = 2  # the first request of its connection: connect and TLS are in its latency
FLAG_RENEWED = 4  # answered 401 to a credential that was then renewed: harm to nobody and no evidence
FLAG_CANARY = 8  # sent by another process in the place of a user; with FLAG_TRANSIENT, since it is no evidence

RECORD = struct.Struct("<16sqqqqHBBHHII")
"""id, due_ns, sent_ns, first_byte_ns, done_ns, status, failure, flags, trial, payload, received_bytes, server_us.

0 stands for "none" in first_byte_ns, status and server_us. numpy reads the same bytes with `RECORD_FIELDS`.
"""
RECORD_FIELDS: tuple[tuple[str, str], ...] = (
    ("id", "V16"),
    ("due_ns", "<i8"),
    ("sent_ns", "<i8"),
    ("first_byte_ns", "<i8"),
    ("done_ns", "<i8"),
    ("status", "<u2"),
    ("failure", "u1"),
    ("flags", "u1"),
    ("trial", "<u2"),
    ("payload", "<u2"),
    ("received_bytes", "<u4"),
    ("server_us", "<u4"),
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One scoring request. `failure is None` means a good answer: expected status, complete body, expectation met."""

    request_id: str  # 32 hex digits, sent as x-ms-client-request-id
    due_ns: int
    sent_ns: int
    first_byte_ns: int | None
    done_ns: int
    status: int | None
    failure: Failure | None
    flags: int = 0
    trial: int = 0
    payload: int = 0  # position in the scenario
    received_bytes: int = 0  # body bytes
    server_us: int | None = None  # x-ms-run-fn-exec-ms, in microseconds

    @property
    def good(self) -> bool:
        return self.failure is None

    @property
    def latency_ns(self) -> int:
        """From sent to done. Connect and TLS are inside when the attempt opened its connection."""
        return self.done_ns - self.sent_ns

    @property
    def label(self) -> str:
        """The key under which the attempt is counted: its status, or its failure where the status does not say it."""
        return label_of(self.status, self.failure)


def label_of(status: int | None, failure: Failure | None) -> str:
    """`"200"`, `"503"`, or the failure class: a 200 with rubbish inside counts as `body_invalid`, not as a 200."""
    if status is not None and failure in (None, Failure.UNEXPECTED_STATUS):
        return str(status)
    return str(failure)


def to_record(attempt: Attempt) -> bytes:
    """The attempt as `RECORD.size` bytes."""
    return RECORD.pack(
        bytes.fromhex(attempt.request_id),
        attempt.due_ns,
        attempt.sent_ns,
        attempt.first_byte_ns or 0,
        attempt.done_ns,
        attempt.status or 0,
        FAILURE_NUMBER[attempt.failure],
        attempt.flags,
        attempt.trial,
        attempt.payload,
        min(attempt.received_bytes, 0xFFFFFFFF),
        min(attempt.server_us or 0, 0xFFFFFFFF),
    )


def from_record(record: bytes) -> Attempt:
    """The attempt that `to_record` wrote. Raises struct.error unless exactly `RECORD.size` bytes are given."""
    (raw_id, due, sent, first, done, status, failure, flags, trial, payload, received, server_us) = RECORD.unpack(
        record
    )
    return Attempt(
        request_id=raw_id.hex(),
        due_ns=due,
        sent_ns=sent,
        first_byte_ns=first or None,
        done_ns=done,
        status=status or None,
        failure=FAILURES[failure],
        flags=flags,
        trial=trial,
        payload=payload,
        received_bytes=received,
        server_us=server_us or None,
    )
