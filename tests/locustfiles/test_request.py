"""The request bytes: exactly what the endpoint's description asks for, with an id of its own each."""

from __future__ import annotations

import uuid
from itertools import islice

from locustfiles._request import request_bytes, request_ids, request_rests, request_start
from scoring.endpoint import Endpoint
from scoring.scenario import Payload, Scenario

ENDPOINT = Endpoint("one", "http://127.0.0.1:8080/score?version=2", deployment="blue")
SCENARIO = Scenario("two", (Payload("a", b'{"a":1}'), Payload("b", b"")), headers=(("x-team", "churn"),))
ID = bytes.fromhex("00112233445566778899aabbccddeeff")


def test_a_request_is_built_byte_by_byte() -> None:
    """Request line, the transport's headers, the endpoint's, the scenario's, the body."""
    start, rests = request_start(ENDPOINT, SCENARIO, "secret-key"), request_rests(ENDPOINT, SCENARIO)
    assert request_bytes(start, ID, rests[0]) == (
        b"POST /score?version=2 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:8080\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Authorization: Bearer secret-key\r\n"
        b"Accept: */*\r\n"
        b"User-Agent: redline\r\n"
        b"Content-Type: application/json\r\n"
        b"x-ms-client-request-id: 00112233445566778899aabbccddeeff\r\n"
        b"azureml-model-deployment: blue\r\n"
        b"x-team: churn\r\n"
        b"Content-Length: 7\r\n"
        b'\r\n{"a":1}'
    )


def test_each_payload_has_its_own_length() -> None:
    """The second payload is empty and says so."""
    assert request_rests(ENDPOINT, SCENARIO)[1].endswith(b"Content-Length: 0\r\n\r\n")


def test_without_a_key_nothing_is_authorized() -> None:
    """No empty Authorization header is sent."""
    start, rests = request_start(ENDPOINT, SCENARIO, None), request_rests(ENDPOINT, SCENARIO)
    assert b"uthorization" not in request_bytes(start, ID, rests[0])


def test_a_credential_stands_in_the_start_alone() -> None:
    """Another credential needs no copy of any body."""
    assert b"secret-key" in request_start(ENDPOINT, SCENARIO, "secret-key")
    assert all(b"secret-key" not in rest for rest in request_rests(ENDPOINT, SCENARIO))


def test_request_ids_are_random_uuids_and_all_different() -> None:
    """Version 4, RFC variant, and no two of a thousand alike."""
    ids = list(islice(request_ids(), 1_000))
    assert len(set(ids)) == 1_000
    assert all(uuid.UUID(bytes=one).version == 4 and uuid.UUID(bytes=one).variant == uuid.RFC_4122 for one in ids)
