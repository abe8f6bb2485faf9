"""The bytes of a scoring request, built once; only the request id differs from one request to the next. Pure."""

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


def request_templates(endpoint: Endpoint, scenario: Scenario, key: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """Per payload the bytes before and after the 32 hex digits of the request id. The key is in them."""
    headers = request_headers(endpoint, scenario, key, _ID_MARK)
    return tuple(_template(endpoint, scenario, headers, payload.body) for payload in scenario.payloads)


def request_bytes(template: tuple[bytes, bytes], raw_id: bytes) -> bytes:
    """The whole request with that id."""
    before, after = template
    return b"".join((before, hexlify(raw_id), after))


def request_ids(random_bytes: Callable[[int], bytes] = os.urandom) -> Iterator[bytes]:
    """Random UUIDs of version 4, 16 bytes each, without end."""
    while True:
        block = bytearray(random_bytes(ID_BYTES * _IDS_AT_ONCE))
        block[6::ID_BYTES] = block[6::ID_BYTES].translate(_VERSION_4)
        block[8::ID_BYTES] = block[8::ID_BYTES].translate(_VARIANT_1)
        ids = bytes(block)
        yield from [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]


def _template(
    endpoint: Endpoint, scenario: Scenario, headers: list[tuple[str, str]], body: bytes
) -> tuple[bytes, bytes]:
    lines = [
        f"{scenario.method} {endpoint.path} HTTP/1.1",
        f"Host: {endpoint.host_header}",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in headers),
        f"Content-Length: {len(body)}",
    ]
    head = "\r\n".join(lines) + "\r\n\r\n"
    name, mark, after = head.partition(f"x-ms-client-request-id: {_ID_MARK}")
    return (name + mark.removesuffix(_ID_MARK)).encode("ascii"), after.encode("ascii") + body
