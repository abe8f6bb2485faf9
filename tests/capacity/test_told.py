"""What a run folder tells: counts, durations and failed attempts as the client saw them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.plan import Plan
from capacity.recorded import Recorded, recorded
from capacity.runfolder import ATTEMPTS, FAILURES, Anchor, Run, append_level, create
from capacity.told import MAX_BUCKETS, RENEWED, bucket_s_for, told_by
from scoring.account import durations_ms, is_good, percentile_ms
from scoring.attempt import FLAG_RENEWED, RECORD_FIELDS, Attempt, Failure, label_of, to_record
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Source
from scoring.units import MS, S

START_AT = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
ZERO_NS = 5 * S
PLAN = Plan(command="load", endpoint=Endpoint("churn", "http://127.0.0.1:8080/score", Hosting.AKS), users=2)


def attempt(number: int, sent_ms: float, took_ms: float, status: int = 200, failure: Failure | None = None) -> Attempt:
    """An attempt sent so long after the start of the run."""
    sent_ns = ZERO_NS + int(sent_ms * MS)
    done_ns = sent_ns + int(took_ms * MS)
    return Attempt(f"{number:032x}", sent_ns, sent_ns, done_ns - 1, done_ns, status or None, failure)


def run_of(tmp_path: Path, attempts: list[Attempt]) -> Recorded:
    """A run folder with these attempts, read back."""
    folder = create(tmp_path, PLAN, versions={}, anchor=Anchor(START_AT, ZERO_NS))
    (folder / ATTEMPTS).write_bytes(b"".join(to_record(one) for one in attempts))
    return recorded(folder)


REJECTED = Failure.UNEXPECTED_STATUS


def test_every_answered_attempt_is_counted_under_its_label(tmp_path: Path) -> None:
    """Statuses and failure classes add up to the attempts; those in flight at the end are no outcome."""
    attempts = [attempt(n, n, 20) for n in range(5)]
    attempts += [attempt(5, 5, 1, 503, REJECTED), attempt(6, 6, 9, 0, Failure.CONN_RESET)]
    attempts += [attempt(7, 7, 9, 200, Failure.BODY_INVALID), attempt(8, 8, 0, 0, Failure.ABORTED)]
    account = told_by(run_of(tmp_path, attempts)).accounts[0]
    assert account.by_label == {"200": 5, "503": 1, "body_invalid": 1, "conn_reset": 1}
    assert account.requests == 8


def test_times_are_wall_times_of_the_anchor(tmp_path: Path) -> None:
    """An attempt sent 1.5 s after the start happened 1.5 s after the anchor's instant."""
    told = told_by(run_of(tmp_path, [attempt(1, 1500, 20, 503, REJECTED)]))
    assert told.failed[0].at == START_AT + timedelta(seconds=1.5)
    assert told.accounts[0].first_at == START_AT + timedelta(seconds=1.5)
    assert told.until_at == START_AT + timedelta(seconds=1.52)


def test_in_an_open_loop_a_request_begins_when_it_is_due(tmp_path: Path) -> None:
    """One that was due 2 s before it could be sent took 2 s longer, and happened then."""
    late = replace(attempt(1, 2500, 20, 503, REJECTED), due_ns=ZERO_NS + 500 * MS)
    found = run_of(tmp_path, [attempt(0, 0, 20), late])
    opened = replace(found, run=replace(found.run, plan=replace(PLAN, users=None, rps=5.0, is_open=True)))
    for told, took_ms, at_s in ((told_by(found), 20, 2.5), (told_by(opened), 2020, 0.5)):
        assert told.accounts[0].exact_ms["max"] == took_ms
        assert told.failed[0].duration_ms == told.slowest[0].duration_ms == took_ms
        assert told.failed[0].at == START_AT + timedelta(seconds=at_s)


def test_a_failed_attempt_carries_what_it_said_of_itself(tmp_path: Path) -> None:
    """Headers and body of failures.jsonl stand with the attempt of the same id."""
    folder = run_of(tmp_path, [attempt(1, 0, 20, 424, REJECTED)]).run.folder
    said = {
        "request_id": f"{1:032x}",
        "users": 4,
        "detail": "",
        "body": "model error",
        "headers": {
            "ms-azureml-model-error-statuscode": "500",
            "ms-azureml-model-error-reason": "model_error",
            "x-ms-run-function-failed": "True",
            "x-request-id": "server-1",
        },
    }
    (folder / FAILURES).write_text(json.dumps(said) + "\n")
    failed = told_by(recorded(folder)).failed[0]
    assert (failed.label, failed.model_status, failed.reason) == ("424", 500, "model_error")
    assert (failed.function_failed, failed.server_id, failed.body, failed.users) == (True, "server-1", "model error", 4)


def test_durations_are_exact(tmp_path: Path) -> None:
    """Nearest-rank percentiles of 1 … 100 ms are the numbers themselves."""
    told = told_by(run_of(tmp_path, [attempt(n, n, n) for n in range(1, 101)]))
    assert durations_ms(told.accounts[0]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_an_empty_run_says_that_it_holds_nothing(tmp_path: Path) -> None:
    """No attempt: no account, and a problem that says so."""
    told = told_by(run_of(tmp_path, []))
    assert told.accounts == ()
    assert [problem.outcome for problem in told.problems] == ["no_data"]


def test_the_instant_from_which_all_are_refused_is_told(tmp_path: Path) -> None:
    """Good answers, then 401 to the end: the first 401 marks the change."""
    attempts = [attempt(n, n, 1) for n in range(3)] + [attempt(n, n, 1, 401, REJECTED) for n in range(3, 6)]
    client = told_by(run_of(tmp_path, attempts)).client
    assert client is not None
    assert client.refused_from_at == START_AT + timedelta(milliseconds=3)


def test_the_loads_held_are_told_with_their_times(tmp_path: Path) -> None:
    """Each trial of levels.jsonl is a stretch of its users, ended by its own length."""
    folder = run_of(tmp_path, [attempt(1, 0, 20), attempt(2, 9000, 20)]).run.folder
    for number, start_s, users in ((1, 0, 2), (2, 5, 4)):
        opened = {"kind": "opened", "number": number, "users": users, "opened_ns": ZERO_NS + start_s * S}
        append_level(folder, opened)
        append_level(folder, {"kind": "ended", "number": number, "users": users, "seconds": 3.0, "invalid": []})
    client = told_by(recorded(folder)).client
    assert client is not None
    told = [(one.from_at - START_AT, one.until_at - START_AT, one.users) for one in client.stretches]
    assert told == [
        (timedelta(seconds=0), timedelta(seconds=3), 2),
        (timedelta(seconds=5), timedelta(seconds=8), 4),
    ]


@given(st.lists(st.tuples(st.floats(0, 3e5), st.floats(0, 2e4), st.sampled_from([200, 500, 503])), min_size=1))
@settings(max_examples=50, deadline=None)
def test_cells_say_the_same_as_the_attempts(sent: list[tuple[float, float, int]]) -> None:
    """Counts are exact, a percentile from the bins is within 1 %, and there are few buckets."""
    attempts = [
        attempt(n, at, took, status, None if status == 200 else REJECTED) for n, (at, took, status) in enumerate(sent)
    ]
    rows = np.frombuffer(b"".join(to_record(one) for one in attempts), dtype=list(RECORD_FIELDS))
    run = Run(Path("run"), PLAN, {}, "", Anchor(START_AT, ZERO_NS))
    account = told_by(Recorded(run, rows, [], [], None)).accounts[0]
    assert account.requests == len(attempts)
    assert sum(cell.count for cell in account.cells if not is_good(cell.label)) == sum(
        1 for one in attempts if label_of(one.status, one.failure) != "200"
    )
    exact = durations_ms(account)["p95"]
    binned = percentile_ms(account.cells, 0.95, account.bin_ratio)
    assert exact is not None
    assert binned is not None
    assert abs(binned - exact) <= max(0.0101 * exact, 0.01)
    assert len({cell.at for cell in account.cells}) <= MAX_BUCKETS + 1


def test_a_period_is_divided_into_at_most_120_buckets() -> None:
    """Any length has a bucket that keeps the plot readable."""
    assert all(seconds / bucket_s_for(seconds) <= MAX_BUCKETS for seconds in (1, 120, 121, 3600, 86_400, 7 * 86_400))


def test_the_account_is_the_client_s(tmp_path: Path) -> None:
    """The source is the first in the order of trust."""
    told = told_by(run_of(tmp_path, [attempt(1, 0, 20)]))
    assert (told.accounts[0].source, told.asked) == (Source.CLIENT, (Source.CLIENT,))


def test_an_attempt_that_a_renewal_explains_is_counted_and_says_so(tmp_path: Path) -> None:
    """The endpoint saw it, so the account has it; its reason is our own, and no period of refusals begins with it."""
    refused = replace(attempt(1, 1, 5, 401, REJECTED), flags=FLAG_RENEWED)
    told = told_by(run_of(tmp_path, [attempt(0, 0, 5), refused]))
    assert told.accounts[0].by_label == {"200": 1, "401": 1}
    assert [one.reason for one in told.failed] == [RENEWED]
    assert told.client is not None
    assert told.client.refused_from_at is None
