"""The bytes of a scoring request, built once; only the request id differs from one request to the next. Pure.

A renewed credential changes the start alone, whatever the number and size of the payloads.
"""

from __future__ import annotations

import os
from binascii import hexlify
from collections.abc import Callable, Iterator

from scoring.endpoint import Endpoint, request_headers
from scoring.scenario import Scenario

ID_BYTES = 16
_ID_MARK = "0123456789abcdef" * 2
_IDS_AT_ONCE = 256
_VERSION_4 = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT_1 = bytes(byte & 0x3F | 0x80 for byte in range(256))


def request_start(endpoint: Endpoint, scenario: Scenario, secret: str | None) -> bytes:
    """The bytes up to the request id, the same for every payload. The credential is in these alone."""
    return _parts(endpoint, scenario, secret)[0]


def request_rests(endpoint: Endpoint, scenario: Scenario) -> tuple[bytes, ...]:
    """Per payload the bytes after the 32 hex digits of the request id."""
    after = _parts(endpoint, scenario, None)[1]
    return tuple(
        after + f"Content-Length: {len(payload.body)}\r\n\r\n".encode("ascii") + payload.body
        for payload in scenario.payloads
    )


def request_bytes(start: bytes, raw_id: bytes, rest: bytes) -> bytes:
    """The whole request with that id."""
    return b"".join((start, hexlify(raw_id), rest))


def request_ids(random_bytes: Callable[[int], bytes] = os.urandom) -> Iterator[bytes]:
    """Random UUIDs of version 4, 16 bytes each, without end."""
    while True:
        block = bytearray(random_bytes(ID_BYTES * _IDS_AT_ONCE))
        block[6::ID_BYTES] = block[6::ID_BYTES].translate(_VERSION_4)
        block[8::ID_BYTES] = block[8::ID_BYTES].translate(_VARIANT_1)
        ids = bytes(block)
        yield from [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]


def _parts(endpoint: Endpoint, scenario: Scenario, secret: str | None) -> tuple[bytes, bytes]:
    """The lines up to the request id, and those after it but for the length of the body."""
    headers = request_headers(endpoint, scenario, secret, _ID_MARK)
    lines = [
        f"{scenario.method} {endpoint.path} HTTP/1.1",
        f"Host: {endpoint.host_header}",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in sorted(headers, key=_is_after_the_credential)),
    ]
    start, _, rest = ("\r\n".join(lines) + "\r\n").partition(_ID_MARK)
    return start.encode("ascii"), rest.encode("ascii")


def _is_after_the_credential(header: tuple[str, str]) -> bool:
    """Sorted by this, the credential comes first and the others keep their order."""
    return header[0] != "Authorization"
