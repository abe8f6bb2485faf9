"""The running endpoint over real sockets: admission, texts, headers, time-outs, keys and HTTP."""

from __future__ import annotations

import json
import re
import socket

import pytest

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SLOW = ("--service-time", "1500ms", "--request-timeout", "20s")


@pytest.fixture(scope="module")
def aks(serve):
    return serve("--hosting", "aks", "--instances", "2", "--max-concurrent", "2", "--service-time", "1ms")


@pytest.fixture(scope="module")
def managed(serve):
    return serve("--hosting", "managed", "--service-time", "1ms")


@pytest.mark.parametrize(
    ("hosting", "admitted", "refused_status"), [("aks", 4, 503), ("kubernetes", 4, 503), ("managed", 8, 429)]
)
def test_exactly_the_admitted_requests_are_answered_and_the_next_is_rejected(serve, hosting, admitted, refused_status):
    """2 instances of 2: with the admitted number in flight one more is rejected, and all the others are answered."""
    endpoint = serve("--hosting", hosting, "--instances", "2", "--max-concurrent", "2", *SLOW)
    pending = [endpoint.send() for _ in range(admitted)]
    endpoint.until_in_flight(admitted)
    assert endpoint.score().status == refused_status
    assert [endpoint.read(connection).status for connection in pending] == [200] * admitted
    assert endpoint.stats()["by_status"] == {"200": admitted, str(refused_status): 1}
    assert endpoint.stats()["in_flight_max"] == admitted


@pytest.mark.parametrize("hosting", ["aci", "local"])
def test_hostings_without_a_router_reject_nothing(serve, hosting):
    """Twenty requests at once to one worker are all answered."""
    endpoint = serve("--hosting", hosting, "--service-time", "5ms")
    pending = [endpoint.send() for _ in range(20)]
    assert {endpoint.read(connection).status for connection in pending} == {200}


def test_a_client_that_reads_its_answer_can_always_send_again(serve):
    """Two connections on two places, 500 requests each without a pause: none is rejected."""
    endpoint = serve("--hosting", "aks", "--max-concurrent", "2", "--service-time", "0ms")
    connections = [endpoint.connect() for _ in range(2)]
    for _ in range(500):
        for connection in connections:
            connection.request("POST", endpoint.path, b'{"data": [[1]]}', endpoint.headers())
        assert [endpoint.read(connection).status for connection in connections] == [200, 200]


def test_overload_on_aks_names_the_service_and_takes_retry_after(serve):
    """The 503 text of azureml-fe, and Retry-After in whole seconds when asked for."""
    endpoint = serve("--hosting", "aks", "--name", "churn", "--retry-after", "1500ms", *SLOW)
    pending = endpoint.send()
    endpoint.until_in_flight(1)
    rejected = endpoint.score()
    assert rejected.body == b"Too many requests for service churn (overloaded)"
    assert rejected.headers["retry-after"] == "2"
    assert endpoint.read(pending).status == 200


def test_overload_on_managed_has_its_reason_and_no_body(serve):
    """429 with too_many_pending_request, text/plain and nothing in it."""
    endpoint = serve("--hosting", "managed", *SLOW)
    pending = [endpoint.send() for _ in range(2)]
    endpoint.until_in_flight(2)
    rejected = endpoint.score()
    assert (rejected.status, rejected.body) == (429, b"")
    assert rejected.headers["ms-azureml-model-error-reason"] == "too_many_pending_request"
    assert rejected.headers["content-type"] == "text/plain"
    assert [endpoint.read(connection).status for connection in pending] == [200, 200]


def test_queue_wait_lets_the_excess_wait(serve):
    """With 20 s of queue wait the second request to one place is answered too."""
    endpoint = serve("--hosting", "aks", "--queue-wait", "20s", "--service-time", "50ms")
    pending = [endpoint.send() for _ in range(3)]
    assert [endpoint.read(connection).status for connection in pending] == [200, 200, 200]


def test_a_wait_that_is_over_ends_in_503(serve):
    """With 50 ms of queue wait before 1.5 s of work the second request is rejected."""
    endpoint = serve("--hosting", "kubernetes", "--queue-wait", "50ms", *SLOW)
    pending = endpoint.send()
    endpoint.until_in_flight(1)
    assert endpoint.score().status == 503
    assert endpoint.read(pending).status == 200


@pytest.mark.parametrize(
    ("hosting", "status", "body"),
    [
        ("aks", 504, b"The replica did not answer within 50 ms"),
        ("aci", 504, b"Post http://localhost:5001/score: net/http: request canceled"),
        ("managed", 408, b"upstream request timeout"),
        ("local", 500, b'{"message": "Scoring timeout after 50 ms"}'),
    ],
)
def test_a_model_slower_than_the_time_out_is_answered_as_the_hosting_does(serve, hosting, status, body):
    """Each hosting has its own status and text for a time-out."""
    reply = serve("--hosting", hosting, "--service-time", "300ms", "--request-timeout", "50ms").score()
    assert reply.status == status
    assert reply.body.startswith(body)


def test_abandoned_work_keeps_its_worker_but_not_its_place(serve):
    """After a 504 the next request is admitted at once, and waits for the worker until it times out itself."""
    endpoint = serve("--hosting", "aks", "--service-time", "10s", "--request-timeout", "50ms")
    assert [endpoint.score().status for _ in range(3)] == [504, 504, 504]


def test_a_caller_that_hangs_up_gives_its_place_back(serve):
    """One place: after its caller has gone, another request is admitted."""
    endpoint = serve("--hosting", "aks", "--service-time", "300ms", "--request-timeout", "20s")
    endpoint.send().close()
    endpoint.until_in_flight(0)
    while not endpoint.stats()["by_status"]:
        pass
    assert endpoint.stats()["by_status"] == {"client_gone": 1}
    assert endpoint.score().status == 200


@pytest.mark.parametrize(
    ("hosting", "status", "text"),
    [("aks", 503, b"No ready replicas for service local"), ("managed", 424, b"no healthy")],
)
def test_before_the_replicas_are_ready_the_router_says_so(serve, hosting, status, text):
    """A cold start of an hour: not ready, in the words of the hosting."""
    reply = serve("--hosting", hosting, "--cold-start", "1h").score()
    assert reply.status == status
    assert reply.body.startswith(text)
    if hosting == "managed":
        assert reply.headers["ms-azureml-model-error-reason"] == "model_not_ready"
        assert reply.headers["ms-azureml-model-error-statuscode"] == ""


def test_after_the_cold_start_the_replicas_answer(serve):
    """A cold start of 300 ms ends by itself."""
    endpoint = serve("--hosting", "aks", "--cold-start", "300ms", "--service-time", "1ms")
    statuses = [endpoint.score().status]
    while statuses[-1] == 503:
        statuses.append(endpoint.score().status)
    assert statuses[-1] == 200


def test_random_routing_rejects_while_another_replica_is_free(serve):
    """Eight replicas of one: drawn at random, eight requests do not find eight free ones (seed 1)."""
    endpoint = serve("--hosting", "aks", "--instances", "8", "--routing", "random", *SLOW)
    pending = [endpoint.send() for _ in range(8)]
    statuses = sorted(endpoint.read(connection).status for connection in pending)
    assert statuses[0] == 200
    assert statuses[-1] == 503


def test_the_rate_limit_answers_429(serve):
    """More than 5 requests within a second on one connection: some are 429 without the reason of a full queue."""
    endpoint = serve("--hosting", "managed", "--rate-limit", "5", "--service-time", "0ms")
    connection, replies = endpoint.connect(), []
    for _ in range(20):
        connection.request("POST", endpoint.path, b'{"data": [[1]]}', endpoint.headers())
        replies.append(endpoint.read(connection))
    limited = [reply for reply in replies if reply.status == 429]
    assert limited
    assert all("ms-azureml-model-error-reason" not in reply.headers for reply in limited)


FAULTS = [
    ("aks", "--error-ratio", 500, b'{"message": "An unexpected error occurred in scoring script.'),
    ("managed", "--error-ratio", 424, b'{"message": "An unexpected error occurred in scoring script.'),
    ("aks", "--crash-ratio", 502, b"Replica closed connection before replying"),
    ("managed", "--crash-ratio", 424, b"upstream closed the connection"),
    ("aks", "--wrong-ratio", 200, b'{"error": '),
    ("aks", "--rubbish-ratio", 200, b'{"result": '),
]


@pytest.mark.parametrize(("hosting", "flag", "status", "start"), FAULTS)
def test_each_fault_of_the_model_reaches_the_caller_as_the_hosting_passes_it_on(serve, hosting, flag, status, start):
    """With the fault in every request: its status and its text."""
    reply = serve("--hosting", hosting, flag, "100%", "--service-time", "1ms").score(b'{"data": [1, 2, 3, 4, 5, 6]}')
    assert reply.status == status
    assert reply.body.startswith(start)


def test_a_crash_on_local_closes_the_connection_without_a_word(serve):
    """No front end stands before a local container: the caller sees an empty reply."""
    endpoint = serve("--hosting", "local", "--crash-ratio", "100%", "--service-time", "1ms")
    request = b'POST /score HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"data": []}'
    assert endpoint.raw(request) == b""
    assert endpoint.stats()["by_status"] == {"closed": 1}


def test_a_good_answer_carries_the_headers_of_the_inference_server(aks):
    """The function's state and time, the server's version and the caller's id."""
    reply = aks.score(x_ms_client_request_id="abc")
    assert reply.json == {"result": [3.0]}
    assert reply.headers["x-ms-run-function-failed"] == "False"
    assert float(reply.headers["x-ms-run-fn-exec-ms"]) == 1.0
    assert reply.headers["x-ms-server-version"].startswith("azmlinfsrv/")
    assert reply.headers["x-ms-client-request-id"] == reply.headers["x-ms-request-id"] == "abc"
    assert UUID.fullmatch(reply.headers["x-request-id"])


def test_a_good_answer_of_a_managed_endpoint_names_its_deployment(managed):
    """server, deployment and session, and an x-request-id that is always the endpoint's own."""
    reply = managed.score(x_request_id="mine", x_ms_client_request_id="a" * 50)
    assert reply.headers["server"] == "azureml-frontdoor"
    assert reply.headers["azureml-model-deployment"] == reply.headers["azureml-model-session"] == "blue"
    assert UUID.fullmatch(reply.headers["x-request-id"])
    assert reply.headers["x-ms-client-request-id"] == "a" * 40
    assert "ms-azureml-model-time" in reply.headers


def test_a_model_error_on_managed_carries_the_real_status(managed):
    """A 400 of the container is a 424 with statuscode 400, and a body that ends with the pointer to the help page."""
    reply = managed.score(b"{")
    assert reply.status == 424
    assert reply.headers["ms-azureml-model-error-statuscode"] == "400"
    assert reply.headers["ms-azureml-model-error-reason"] == "model_error"
    assert reply.body.rstrip().endswith(b"#http-status-codes")


@pytest.mark.parametrize(
    ("body", "content_type", "status"), [(b"{", "application/json", 400), (b"{}", "text/csv", 415)]
)
def test_aks_passes_the_model_servers_refusals_through(aks, body, content_type, status):
    """400 for a body that cannot be read, 415 for another content type."""
    reply = aks.call("POST", aks.path, body, aks.headers() | {"Content-Type": content_type})
    assert reply.status == status
    assert "message" in reply.json


def test_a_pinned_deployment_that_does_not_exist_is_404(managed):
    """azureml-model-deployment with another name finds no traffic group."""
    reply = managed.score(azureml_model_deployment="green")
    assert (reply.status, reply.body) == (404, b"Specified traffic group could not be found")


def test_a_client_id_longer_than_the_inference_server_takes_is_431(aks):
    """101 characters are refused, 100 are echoed."""
    assert aks.score(x_ms_client_request_id="a" * 101).status == 431
    assert aks.score(x_ms_client_request_id="a" * 100).status == 200


def test_without_its_key_a_managed_endpoint_answers_401_in_its_words(managed):
    """Another key is denied; no key, or another scheme, is a bad header."""
    replies = [
        managed.call("POST", "/score", b"{}", headers)
        for headers in ({"Authorization": "Bearer nonsense"}, {}, {"Authorization": "Basic abc"})
    ]
    assert [reply.status for reply in replies] == [401, 401, 401]
    assert [reply.body for reply in replies] == [
        b"key_auth_access_denied",
        b"key_auth_bad_header_forbidden",
        b"key_auth_bad_header_forbidden",
    ]


def test_the_key_can_come_from_the_environment(serve):
    """--key-env: that key and no other is taken, on a hosting that has none by default too."""
    endpoint = serve("--hosting", "aci", "--key-env", "SCORING_KEY", environment={"SCORING_KEY": "planted-key"})
    assert endpoint.ready["key"] == "planted-key"
    assert endpoint.score().status == 200
    assert endpoint.call("POST", "/score", b"{}", {"Authorization": "Bearer other"}).status == 401


def test_aci_and_local_ask_for_no_key_by_default(serve):
    """Key authentication is off there on Azure."""
    endpoint = serve("--hosting", "aci")
    assert endpoint.ready["key"] is None
    assert endpoint.score().status == 200


def test_the_scoring_path_is_that_of_the_hosting_and_plain_score_works_too(aks, managed):
    """/api/v1/service/<name>/score on aks, /score on managed."""
    assert aks.path == "/api/v1/service/local/score"
    assert managed.path == "/score"
    assert aks.call("POST", "/score", b'{"data": []}', aks.headers()).status == 200


def test_health_unknown_paths_and_other_methods(aks):
    """GET / is Healthy; another path is 404 and another method 405, both JSON."""
    assert aks.call("GET", "/").body == b"Healthy"
    assert aks.call("GET", "/nothing").status == 404
    assert "message" in aks.call("GET", "/nothing").json
    put = aks.call("PUT", "/score", b"{}", aks.headers())
    assert (put.status, put.headers["allow"]) == (405, "GET, POST, OPTIONS")
    assert aks.call("DELETE", "/").status == 405
    assert aks.raw(b"HEAD / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [("", "swagger", "2.0"), ("?version=3", "openapi", "3.0.3"), ("?version=3.1", "openapi", "3.1.0")],
)
def test_swagger_is_served_in_three_versions(aks, query, field, value):
    """Beside the scoring path and at the root; each names the scoring path and an example payload."""
    for path in ("/swagger.json", "/api/v1/service/local/swagger.json"):
        document = aks.call("GET", path + query, None, aks.headers()).json
        assert document[field] == value
        assert aks.path in document["paths"]
    assert aks.call("GET", "/swagger.json?version=4", None, aks.headers()).status == 404
    assert aks.call("GET", "/swagger.json").status == 401


def test_the_swagger_example_is_a_good_payload(aks):
    """What the document shows as an example is scored with 200."""
    document = aks.call("GET", "/swagger.json", None, aks.headers()).json
    assert aks.score(json.dumps(document["definitions"]["ServiceInput"]["example"]).encode()).status == 200


def test_pipelined_requests_are_answered_in_order(aks):
    """Three requests in one packet: three answers, the last one closes."""
    key = aks.headers()["Authorization"]
    requests = b""
    for number, connection in ((1, "keep-alive"), (2, "keep-alive"), (3, "close")):
        body = b'{"data": [%d]}' % number
        head = f"POST /score HTTP/1.1\r\nAuthorization: {key}\r\nContent-Type: application/json\r\n"
        requests += f"{head}Connection: {connection}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    assert re.findall(rb'"result": \[(\d)', aks.raw(requests)) == [b"1", b"2", b"3"]


def test_a_chunked_body_after_100_continue_is_scored(aks):
    """The head is answered with 100, the chunks that follow with 200."""
    key = aks.headers()["Authorization"]
    head = f"POST /score HTTP/1.1\r\nAuthorization: {key}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", aks.port), timeout=30) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'6\r\n{"data\r\n7\r\n": [5]}\r\n0\r\n\r\n')
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert received.endswith(b'{"result": [5.0]}')


def test_a_body_over_100_mb_is_refused_before_it_is_sent(aks):
    """413 as JSON, to the head alone."""
    answer = aks.raw(b"POST /score HTTP/1.1\r\nContent-Length: 100000001\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'{"message": ' in answer


def test_http_1_0_is_closed_unless_it_asks_to_be_kept(aks):
    """The answer to a plain 1.0 request ends with the connection; with keep-alive the answer says so."""
    assert b"Connection: close" in aks.raw(b"GET / HTTP/1.0\r\n\r\n")
    kept = aks.raw(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    assert kept.count(b"Healthy") == 2
    assert b"Connection: keep-alive" in kept


def test_stalls_hold_requests_and_lose_none(serve):
    """All workers stand still 50 ms of every 100 ms: every request is answered all the same."""
    endpoint = serve("--hosting", "aks", "--stall-every", "100ms", "--stall-for", "50ms", "--service-time", "10ms")
    assert {endpoint.score().status for _ in range(20)} == {200}


def test_statistics_say_how_busy_the_server_itself_was(aks):
    """Counts by status, and figures of the event loop that are null until they are measured."""
    figures = aks.stats()
    assert figures["requests"] == sum(figures["by_status"].values())
    assert {"lag_p99_ms", "cpu_ratio", "overloaded", "in_flight_max"} <= set(figures)
