"""The store in process: what becomes visible when, what a crash takes with it, and faults of the way."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.telemetry.batches import Batches
from localazure.telemetry.consolefile import ConsoleFile, ConsoleLine
from localazure.telemetry.queries import QueryError, Span
from localazure.telemetry.records import Happened, Launched, Modelled, Passed, frame_of, records_of
from localazure.telemetry.settings import Names, Settings, from_line, to_line
from localazure.telemetry.store import Store

S = 10**9
MS = 10**6
NOW_NS = time.time_ns()
NAMES = Names("churn", "blue", str(UUID(int=1)), str(UUID(int=2)), str(UUID(int=3)), str(UUID(int=4)))
SETTINGS = Settings(NAMES, max_concurrent=2)
TRACEBACK = 'Traceback (most recent call last):\n  File "score.py", line 17, in run\n    x\nValueError: no'


def modelled(at_s: float, status: int | None = 200, worker: int = 0, *, raised: bool = False) -> Modelled:
    """A request that was done so long before NOW."""
    ids = (f"00000000-0000-4000-8000-{round(at_s * 1000):012d}", "client-1")
    shown = b'{"result": [1.0]}'
    text = TRACEBACK if raised else None
    start = (NOW_NS - round(at_s * S), 25 * MS, worker, "POST", "/score", "")
    return Modelled(*start, *ids, "curl", status, shown, len(shown), raised, text)


def store_with(*records: Any, **settings: Any) -> Store:
    letters = {Modelled: "m", Passed: "p", Happened: "h", Launched: "s"}
    store = Store(replace(SETTINGS, **settings))
    store.add_frame(frame_of([(letters[type(record)], *record) for record in records])[4:])
    return store


def rows(store: Store, kql: str, now_ns: int | None = None) -> list[list[Any]]:
    span = Span(None, None, (time.time_ns() if now_ns is None else now_ns) // 1000)
    return [list(row) for row in store.query(kql, span, 10.0).rows]


CODE = "tostring(customDimensions['resultCode'])"


def test_settings_cross_the_pipe_whole():
    """What is read is what was written, lists and ids included."""
    settings = replace(SETTINGS, dropped=("traces", "console"), sampling_ratio=0.25, max_items_per_s=5)
    assert from_line(to_line(settings)) == settings


@given(
    st.lists(st.builds(lambda at, worker: modelled(at, worker=worker), st.floats(0, 9), st.integers(0, 5)), max_size=5)
)
def test_records_cross_the_pipe_whole(records):
    """What is read is what was written."""
    frame = frame_of([("m", *record) for record in records])
    assert int.from_bytes(frame[:4]) == len(frame) - 4
    assert records_of(frame[4:]) == records


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("otel", ["/score", "0", "True", 0.0, "500", "00:00:00.025", "churn"]),
        ("opencensus", ["", "0", "True", 25.0, "500", "00:00:00.025", "azmlinfsrv"]),
        ("legacy", ["/score", "500", "False", 25.0, "", "", ""]),
    ],
)
def test_each_generation_of_the_server_lies_in_its_own_way(format, expected):
    """Name, code, success, duration; code and duration in the dimensions; role. The request took 25 ms and failed."""
    store = store_with(modelled(5, 500, raised=True), format=format)
    columns = f"name, resultCode, success, duration, {CODE}, tostring(customDimensions['duration']), cloud_RoleName"
    assert rows(store, f"requests | project {columns}") == [expected]


@pytest.mark.parametrize("format", ["otel", "opencensus", "legacy"])
def test_an_exception_is_a_wrapper_whose_stack_tells_the_cause(format):
    """The request's id stands in the dimensions: one Python text from 1.5 on, properties of their own before."""
    store = store_with(modelled(5, 500, raised=True), format=format)
    ((kind, cause, dimensions),) = rows(
        store, "exceptions | project type, tostring(details), tostring(customDimensions)"
    )
    assert kind == "UserScriptException"
    assert "ValueError: no" in cause
    assert "score.py" in cause
    assert ("{'Container Id'" in dimensions) == (format == "otel")
    assert modelled(5).request_id in dimensions


def test_a_request_is_not_visible_before_its_worker_sends():
    """The flush is a second after the first request of the batch."""
    store = store_with(modelled(0.0), flush_ns=3_600 * S)
    assert rows(store, "requests | count") == [[0]]


def test_a_crash_takes_what_its_worker_had_not_sent():
    """Worker 0 had two requests waiting when the third killed it; worker 1 and the batch before are complete."""
    batch_before, lost = [modelled(9)], [modelled(5.5), modelled(5.4)]
    other = modelled(5.3, worker=1)
    store = store_with(*batch_before, *lost, other, modelled(5.2, None))
    ids = {row[0] for row in rows(store, "requests | project tostring(customDimensions['Request Id'])")}
    assert ids == {batch_before[0].request_id, other.request_id}
    assert rows(store, "AmlOnlineEndpointConsoleLog | where Message has 'exited with code 1' | count") == [[1]]


class SlowBatches:
    """The rule by the letter: a batch is the requests within `flush_ns` of its first; a crash empties the open one."""

    def __init__(self, records: list[Modelled], flush_ns: int, now_ns: int) -> None:
        self.sent: list[tuple[int, int]] = []
        for worker in {record.worker for record in records}:
            own = [record for record in records if record.worker == worker]
            while own:
                end_ns = own[0].done_ns + flush_ns
                batch = [record for record in own if record.done_ns < end_ns]
                crash = next((number for number, record in enumerate(batch) if record.status is None), None)
                if crash is not None:
                    own = own[crash + 1 :]
                    continue
                own = own[len(batch) :]
                if end_ns <= now_ns:
                    self.sent += [(end_ns, record.done_ns) for record in batch]


REQUESTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 2), st.sampled_from([200, 200, 500, None])), max_size=30
)


@given(REQUESTS, st.integers(1, 120))
def test_batches_are_those_of_the_rule_by_the_letter(given_requests, flush_ns):
    """Any requests of three workers, in the order of their ends."""
    records = [
        modelled(0, status, worker)._replace(done_ns=done_ns)
        for done_ns, worker, status in sorted(given_requests, key=lambda one: one[0])
    ]
    batches = Batches(flush_ns)
    sent: list[tuple[int, int]] = []
    for record in records:
        flushed = batches.add(record)
        sent += [] if flushed is None else [(flushed[0], one.done_ns) for one in flushed[1]]
    sent += [(at_ns, one.done_ns) for at_ns, batch in batches.due(450) for one in batch]
    assert sorted(sent) == sorted(SlowBatches(records, flush_ns, 450).sent)


def test_a_delay_hides_rows_until_it_has_passed():
    """Sent a second after the request: with a minute's delay the row is there 61 s after it, and not before."""
    store = store_with(modelled(5), delay_ns=60 * S)
    sent_ns = NOW_NS - 5 * S + S
    assert rows(store, "requests | count", sent_ns + 59 * S) == [[0]]
    assert rows(store, "requests | count", sent_ns + 61 * S) == [[1]]


def test_ingestion_time_is_when_a_row_could_first_be_read():
    """Not its timestamp: flush and delay later."""
    store = store_with(modelled(5), delay_ns=60 * S)
    late_ns = NOW_NS + 100 * S
    kql = "requests | where ingestion_time() > timestamp + 60s and ingestion_time() < timestamp + 62s | count"
    assert rows(store, kql, late_ns) == [[1]]


def test_sampling_keeps_a_share_whose_weights_add_up():
    """A quarter of 2,000 requests, each counting for four: 2,000 again, within five standard deviations."""
    store = store_with(*(modelled(10 - number / 1000) for number in range(2_000)), sampling_ratio=0.25)
    ((kept, total, weight),) = rows(store, "requests | summarize count(), sum(itemCount), max(itemCount)")
    assert (weight, total) == (4, 4 * kept)
    assert abs(kept - 500) < 5 * (2_000 * 0.25 * 0.75) ** 0.5


def test_a_weighted_percentile_counts_each_row_as_often_as_it_weighs():
    """Ranks of 1 ms five times, 2 ms once and 3 ms four times: the median is 1, the 60th 2, the 61st 3."""
    store = store_with()
    for ms, rate in ((1, 20), (2, 100), (3, 25)):
        body = {"name": "x", "duration": f"00:00:00.00{ms}", "responseCode": "0", "success": True}
        store.add_item(envelope("Request", body) | {"sampleRate": rate})
    columns = ", ".join(f"percentilew(duration, itemCount, {share})" for share in (50, 60, 61))
    assert rows(store, f"requests | summarize {columns}") == [[1.0, 2.0, 3.0]]


def test_metrics_are_never_sampled():
    """A metric item is stored as it came."""
    store = store_with(sampling_ratio=0.01)
    metric = {"metrics": [{"name": "queue", "value": 1}]}
    for _ in range(20):
        store.add_item(envelope("Metric", metric))
    assert rows(store, "customMetrics | summarize sum(valueCount)") == [[20]]


def envelope(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    data = {"baseType": f"{kind}Data", "baseData": body}
    return {"time": "2026-01-01T00:00:00Z", "iKey": NAMES.instrumentation_key, "data": data}


def test_duplicates_have_the_item_id_of_their_originals():
    """Every row twice when the ratio is 1; distinct ids count the originals."""
    store = store_with(modelled(5), modelled(4), duplicate_ratio=1.0)
    assert rows(store, "requests | summarize count(), dcount(itemId)") == [[4, 2]]


def test_a_dropped_table_of_app_insights_is_empty():
    """The table exists, as in every component."""
    store = store_with(modelled(5), dropped=("requests",))
    assert rows(store, "requests | count") == [[0]]


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ("traffic", "AmlOnlineEndpointTrafficLog"),
        ("console", "AmlOnlineEndpointConsoleLog"),
        ("events", "AmlOnlineEndpointEventLog"),
    ],
)
def test_a_dropped_log_of_the_endpoint_does_not_exist(source, table):
    """Nobody's diagnostic setting sends it."""
    with pytest.raises(QueryError) as raised:
        rows(store_with(dropped=(source,)), f"{table} | count")
    assert raised.value.code == "SEM0100"


def test_a_traffic_row_has_what_the_front_end_knew():
    """Durations in whole milliseconds, an agent of 70 characters, the final and the model's own status."""
    passed = Passed(
        *(NOW_NS, 1_234_567_890, 1_200_999_999, "POST", "/score", "HTTP/1.1", "Key", 424, "model_error", 500),
        *(10, 20, "a" * 100, "server-id", "client-id"),
    )
    columns = (
        "ResponseCode, ResponseCodeReason, ModelStatusCode, ModelStatusReason, TotalDurationMs, ResponseDurationMs"
    )
    columns += ", strlen(UserAgent), XRequestId, XMSClientRequestId, AuthType, EndpointName, DeploymentName"
    expected = [
        424,
        "model_error",
        500,
        "Internal Server Error",
        1234,
        1200,
        70,
        "server-id",
        "client-id",
        "Key",
        "churn",
        "blue",
    ]
    assert rows(store_with(passed), f"AmlOnlineEndpointTrafficLog | project {columns}") == [expected]


def test_a_request_that_never_reached_the_model_has_no_model_status():
    """Null, not 0."""
    ids = ("curl", "id", None)
    passed = Passed(NOW_NS, 0, None, "POST", "/score", "HTTP/1.1", "", 401, "key_auth_access_denied", None, 1, 1, *ids)
    kql = "AmlOnlineEndpointTrafficLog | project isnull(ModelStatusCode), AuthType"
    assert rows(store_with(passed), kql) == [[True, ""]]


def test_a_launched_container_is_three_events():
    """Pulled, Created, Started; then what befell it."""
    store = store_with(Launched(NOW_NS, 0, 77), Happened(NOW_NS + 1_000, 0, "Killing", "Stopping container"))
    kql = "AmlOnlineEndpointEventLog | project Name, InstanceId"
    assert [tuple(row) for row in rows(store, kql)] == [
        (name, "churn-blue-0") for name in ("Pulled", "Created", "Started", "Killing")
    ]


def test_a_line_of_a_real_server_is_told_of_its_own_instance():
    """By the pid that the line begins with; a line without one belongs to the line before."""
    store = store_with(Launched(NOW_NS, 0, 70), Launched(NOW_NS, 1, 71))
    store.add_lines(
        [ConsoleLine(NOW_NS, 71, "one"), ConsoleLine(NOW_NS, None, "  two"), ConsoleLine(NOW_NS, 70, "three")]
    )
    kql = "AmlOnlineEndpointConsoleLog | project Message, InstanceId | sort by Message asc"
    assert rows(store, kql) == [["  two", "churn-blue-1"], ["one", "churn-blue-1"], ["three", "churn-blue-0"]]


def test_the_console_file_is_read_as_it_grows(tmp_path):
    """From its end at the start, whole lines only, bytes that are no text included."""
    path = tmp_path / "service.log"
    path.write_bytes(b"before\n")
    file = ConsoleFile(str(path))
    with path.open("ab") as log:
        log.write(b"one\ntw")
        log.flush()
        assert [line.text for line in file.new_lines(1)] == ["one"]
        log.write(b"o \xff\n\n")
        log.flush()
        assert [line.text for line in file.new_lines(2)] == ["two \ufffd"]
    assert file.new_lines(3) == []


def test_rows_that_arrive_after_a_query_are_in_the_next():
    """The tables grow; nothing is told twice."""
    store = store_with(modelled(9))
    assert rows(store, "requests | count") == [[1]]
    store.add_frame(frame_of([("m", *modelled(5))])[4:])
    assert rows(store, "requests | count") == [[2]]


def test_a_lone_surrogate_is_stored_as_a_question_mark():
    """Texts that UTF-8 has no form for break nothing."""
    store = store_with()
    store.add_item(envelope("Message", {"message": "a\ud800b"}))
    assert rows(store, "traces | project message") == [["a?b"]]
