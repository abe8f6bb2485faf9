"""Availability rows: what a row says, and what becomes of rows that are not taken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from queue import SimpleQueue
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.health.availability import Post, Sender, sender_of
from monitor.health.availability_rows import (
    AT_ONCE,
    MOST_WAITING,
    AvailabilityRow,
    Posted,
    Waiting,
    checked_connection,
    left_of,
    row_of,
)
from scoring.alertplan import AlertPlan
from scoring.errors import RedlineError
from scoring.health import CheckResult, EndpointHealth, Health
from tests.cli.terminal import ROOT

MOST_STEPS = 12
KEY = "00000000-0000-0000-0000-000000000001"


def health(*outcomes: Health, checked_s: float = 1_700_000_000.25, latency_ns: int | None = None) -> EndpointHealth:
    checks = tuple(
        CheckResult(f"check:{place}", outcome, f"was_{outcome.value.lower()}", "figures")
        for place, outcome in enumerate(outcomes)
    )
    return EndpointHealth("churn", "churn.example", checks, checked_s, 250_000_000, latency_ns)


def rows(count: int) -> list[AvailabilityRow]:
    return [row_of(health(Health.OK, checked_s=float(number)), "here") for number in range(count)]


@pytest.mark.parametrize(
    ("outcome", "success", "why"),
    [
        (Health.OK, "true", "well"),
        (Health.DEGRADED, "true", "answers, and rightly"),
        (Health.FAILED, "false", "does not"),
        (Health.UNKNOWN, "false", "nobody knows, which is never success; the state says so"),
    ],
)
def test_a_check_is_a_row_with_its_reason(outcome: Health, success: str, why: str) -> None:
    """All texts, under the names that the exporter knows; the rest are dimensions."""
    found = row_of(health(outcome, latency_ns=1_500_000), "cellar").attributes
    assert found.pop("microsoft.availability.id") == row_of(health(outcome), "cellar").id, why
    assert found == {
        "microsoft.availability.name": "churn",
        "microsoft.availability.duration": "0.00:00:00.001500",
        "microsoft.availability.success": success,
        "microsoft.availability.runLocation": "cellar",
        "microsoft.availability.message": f"was_{outcome.value.lower()}",
        "state": outcome.value,
        "host": "churn.example",
        "evidence": "figures",
        "checks": f"check:0={outcome.value}",
    }


def test_what_the_telemetry_tells_is_no_availability() -> None:
    """A workspace that is down leaves an endpoint that answers available."""
    found = row_of(health(Health.OK, Health.UNKNOWN), "cellar", {"check:1"})
    assert (found.success, found.message, found.properties["checks"]) == (True, "was_ok", "check:0=OK")


def test_an_id_is_that_of_one_check_at_one_time_and_place() -> None:
    """The same check has the same id whenever it is told; another time, name or place has another."""
    one = health(Health.OK)
    others = [replace(one, checked_s=one.checked_s + 1e-3), replace(one, name="fraud")]
    ids = [row_of(one, "a").id, row_of(one, "b").id, *(row_of(other, "a").id for other in others)]
    assert len(set(ids)) == 4
    assert row_of(one, "a").id == ids[0]


def test_a_secret_in_the_evidence_does_not_leave() -> None:
    """Foreign words are redacted and made harmless on the way out too."""
    evil = CheckResult("a", Health.FAILED, "no", "x\x1b[31m Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345")
    text = row_of(replace(health(), checks=(evil,)), "here").properties["evidence"]
    assert "abcdefghijk" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "NAME=VALUE"),
        ("https://ingest.example", "NAME=VALUE"),
        ("IngestionEndpoint=https://x", "InstrumentationKey=GUID"),
        ("InstrumentationKey=short", "InstrumentationKey=GUID"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=http://ingest.example/", "no https address"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1.evil.example/", "no https address"),
        (f"InstrumentationKey={KEY};IngestionEndpoint=https://x/?a=b", "NAME=VALUE"),
    ],
)
def test_a_connection_string_that_cannot_be_one_is_refused_and_not_shown(text: str, words: str) -> None:
    """The message says what is missing; of the value nothing stands in it."""
    with pytest.raises(RedlineError, match=words) as caught:
        checked_connection(text, "OPS_AI")
    assert not text or text not in caught.value.message
    assert KEY not in caught.value.message


def test_what_the_service_takes_later_waits_and_what_it_never_takes_is_lost() -> None:
    """Item by item where it says so: 206 tells which were taken."""
    batch = rows(4)
    errors = [{"index": 1, "statusCode": 500, "message": ""}, {"index": 3, "statusCode": 400, "message": ""}]
    assert left_of(batch, Posted(206, json.dumps({"errors": errors}))) == ([batch[1]], 1)
    assert left_of(batch, Posted(200, '{"itemsReceived": 4, "itemsAccepted": 4, "errors": []}')) == ([], 0)
    assert left_of(batch, Posted(400, "")) == ([], 4)
    for status in (None, 403, 429, 439, 503):
        assert left_of(batch, Posted(status)) == (batch, 0)


@given(st.text(max_size=40) | st.just('{"errors": [{"index": 99, "statusCode": 500}]}'))
def test_a_foreign_account_of_the_items_breaks_nothing(body: str) -> None:
    """Whatever stands in a 206, each row waits or is gone."""
    again, _ = left_of(rows(2), Posted(206, body))
    assert again == []


POOL = rows(400 * MOST_STEPS)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from([None, 200, 206, 400, 429, 503])), max_size=MOST_STEPS))
def test_no_row_is_ever_lost_uncounted(steps: list[tuple[int, int | None]]) -> None:
    """Rows added = rows taken + rows dropped + rows that wait; and never more than MOST_WAITING wait."""
    waiting, added, taken, now_s = Waiting(), 0, 0, 0.0
    for count, status in steps:
        for row in POOL[added : added + count]:
            waiting.add(row)
        added += count
        batch = waiting.batch()
        taken += len(batch) if status in (200, 206) else 0
        waiting.settled(batch, Posted(status), now_s)
        now_s += 1.0
        assert added == taken + waiting.dropped_count + len(waiting.rows)
        assert len(waiting.rows) <= MOST_WAITING
        assert len(batch) <= AT_ONCE


def test_pauses_grow_and_heed_the_service() -> None:
    """1, 2, 4 … 300 s, or as long as Retry-After says, an hour at most; one that is taken begins anew."""
    waiting = Waiting()
    waiting.add(rows(1)[0])
    pauses_s = []
    for _ in range(11):
        waiting.settled(waiting.batch(), Posted(503), 0.0)
        pauses_s.append(waiting.due_s)
    assert pauses_s == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    for wanted_s, due_s in ((1200.0, 1200.0), (86_400.0, 3_600.0)):
        waiting.settled(waiting.batch(), Posted(429, "", wanted_s), 0.0)
        assert waiting.due_s == due_s
    waiting.settled(waiting.batch(), Posted(200), 0.0)
    assert (len(waiting.rows), waiting.failure_count) == (0, 0)


@contextmanager
def sending(*posted: Posted, gate: Event | None = None) -> Iterator[tuple[Sender, SimpleQueue[list[str]], list[str]]]:
    """A sender whose service answers so, in this order, and then takes everything; what came, and what was said."""
    came: SimpleQueue[list[str]] = SimpleQueue()
    said: list[str] = []
    left = list(posted)

    def connect() -> Post:
        def post(batch: Sequence[AvailabilityRow]) -> Posted:
            if gate is not None:
                gate.wait(30)
            came.put([row.id for row in batch])
            return left.pop(0) if left else Posted(200)

        return post

    sender = Sender(connect, "here", said.append)
    yield sender, came, said
    if gate is not None:
        gate.set()


def test_a_trouble_is_said_once_and_its_end_too() -> None:
    """A row that is refused once comes again under its id; two lines are said."""
    with sending(Posted(503)) as (sender, came, said):
        sender.add(health(Health.OK))
        sender.close(30.0)
        assert came.get_nowait() == came.get_nowait()
    assert said == ["availability rows: not taken: answered 503", "availability rows: taken again"]


def test_rows_that_are_refused_for_good_are_counted_and_said() -> None:
    """A 400 is not tried again."""
    with sending(Posted(400)) as (sender, came, said):
        sender.add(health(Health.OK))
        sender.close(30.0)
        assert len(came.get_nowait()) == 1
        assert came.empty()
    assert said == ["availability rows: not taken: answered 400", "availability rows: 1 lost"]


def test_a_service_that_hangs_delays_nobody_and_the_end_for_a_bounded_time() -> None:
    """`add` returns while a batch is under way; what is not known to have arrived is said at the end."""
    gate = Event()
    with sending(gate=gate) as (sender, came, said):
        for number in range(5):
            sender.add(health(Health.OK, checked_s=float(number)))
        sender.close(0.05)
        assert came.empty()
        assert said == ["5 availability rows were not sent: no answer within 0.05 s"]


def test_a_missing_package_is_one_clear_line() -> None:
    """Without the exporter the wish for rows is refused at the start, with what to install."""
    code = (
        "import sys; sys.modules['azure.monitor.opentelemetry'] = None\n"
        "from monitor.health.availability import sender_of\n"
        "from scoring.alertplan import AlertPlan\n"
        f"sender_of(AlertPlan(availability_env='AI'), {{'AI': 'InstrumentationKey={KEY}'}}, print)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "availability rows need azure-monitor-opentelemetry-exporter, which is not installed" in done.stderr


def test_a_variable_that_is_not_set_is_told() -> None:
    """The file names a variable that the environment lacks."""
    with pytest.raises(RedlineError, match="OPS_AI is not set"):
        sender_of(AlertPlan(availability_env="OPS_AI"), {}, print)
