"""What a log tells besides requests: exceptions, events, templates and leaks."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.servicelog.happenings import happening
from scoring.served import EventKind
from scoring.told import Told
from tests.monitor.servicelog.readings import lines_of, told_by

FIRST = "2026-01-01 10:00:00,635 E [{}] azmlinfsrv - Encountered Exception: Traceback (most recent call last):"
REST = (
    '  File "/var/azureml-app/score.py", line {0}, in run',
    "    work(data)",
    "{1}: {2}",
    "",
    "The above exception was the direct cause of the following exception:",
    "",
    "Traceback (most recent call last):",
    '  File "/opt/python3.11/site-packages/azureml_inference_server_http/server/routes.py", line 9, in handle_score',
    "    raise UserScriptException(ex) from ex",
    "azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception",
)
REQUEST = "2026-01-01 10:00:00,636 I [{}] azmlinfsrv - POST /score 500 0.984ms 18"


def _rest(line: int, type_: str, message: str) -> list[str]:
    return [part.format(line, type_, message) for part in REST]


def _causes(told: Told) -> Counter[tuple[str, str]]:
    return Counter((one.type, one.message) for one in told.thrown)


def test_tracebacks_of_two_workers_that_write_in_turns_are_two() -> None:
    """Line by line in turns, or one inside the other: both causes are found, with a frame each."""
    one, two = _rest(3, "ValueError", "first"), _rest(7, "KeyError", "'second'")
    in_turns = [line for pair in zip(one, two, strict=True) for line in pair]
    nested = [*one[:2], FIRST.format(2), *two, *one[2:]]
    for lines in ([FIRST.format(2), *in_turns], nested):
        told = told_by([lines_of(FIRST.format(1), *lines, REQUEST.format(1), REQUEST.format(2))])
        assert _causes(told) == {("ValueError", "first"): 1, ("KeyError", "'second'"): 1}
        assert {one.frame for one in told.thrown} == {"score.py:3 in run", "score.py:7 in run"}


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2 * len(REST), max_size=2 * len(REST)))
def test_no_exception_is_lost_whatever_the_turns(turns: list[bool]) -> None:
    """Two tracebacks shuffled in any way stay two exceptions."""
    one, two = _rest(3, "ValueError", "first"), _rest(7, "KeyError", "'second'")
    lines = [(one if turn and one else two or one).pop(0) for turn in turns]
    told = told_by([lines_of(FIRST.format(1), FIRST.format(2), *lines, REQUEST.format(1), REQUEST.format(2))])
    assert len(told.thrown) == 2


def test_an_exception_names_its_process_time_and_place() -> None:
    """What diagnosis joins it to requests by."""
    thrown = told_by([lines_of(FIRST.format(12), *_rest(3, "ValueError", "no"), "", REQUEST.format(12))]).thrown[0]
    assert (thrown.instance, thrown.where, thrown.kind) == ("12", "app.log:1", "script")
    assert thrown.at is not None
    assert thrown.at.isoformat() == "2026-01-01T10:00:00.635000+00:00"


def test_thousands_of_exceptions_are_kept_in_bounded_memory() -> None:
    """6,000 of one cause: 5,000 one by one, the rest as one with its count."""
    one = lines_of(FIRST.format(1), *_rest(3, "ValueError", "no"), "", REQUEST.format(1))
    told = told_by([one * 6_000])
    assert sum(thrown.count for thrown in told.thrown) == 6_000
    assert len(told.thrown) == 5_001


def test_a_script_that_does_not_load_is_an_event() -> None:
    """`User's init function failed` and its traceback: no request failed, the service did not start."""
    log = lines_of(
        "2021-02-07 08:21:31,073 | root | ERROR | User's init function failed",
        "2021-02-07 08:21:31,073 | root | ERROR | Encountered Exception Traceback (most recent call last):",
        '  File "/var/azureml-app/score.py", line 4, in init',
        "    joblib.load(path)",
        "FileNotFoundError: model.pkl",
        "",
        "2021-02-07 08:21:31,074 | root | INFO | Waiting 30 seconds for upload.",
    )
    told = told_by([log])
    assert told.thrown == ()
    assert [(one.kind, one.text) for one in told.events] == [
        (EventKind.SCRIPT_FAILED_TO_LOAD, "FileNotFoundError: model.pkl (score.py:4 in init)")
    ]


@pytest.mark.parametrize(
    ("line", "kind", "pid", "code"),
    [
        ("Starting gunicorn 20.1.0", EventKind.SERVER_STARTED, None, None),
        ("Booting worker with pid: 15", EventKind.WORKER_BOOTED, 15, None),
        ("Worker exiting (pid: 15)", EventKind.WORKER_EXITED, 15, None),
        ("Worker (pid:15) exited with code 3.", EventKind.WORKER_EXITED, 15, 3),
        ("Worker (pid:15) exited with code 1", EventKind.WORKER_EXITED, 15, 1),
        ("Worker (pid:15) was sent SIGKILL! Perhaps out of memory?", EventKind.WORKER_KILLED, 15, 9),
        ("Worker (pid:15) was sent SIGSEGV!", EventKind.WORKER_KILLED, 15, 11),
        ("Worker with pid 15 was terminated due to signal 9", EventKind.WORKER_KILLED, 15, 9),
        ("WORKER TIMEOUT (pid:15)", EventKind.WORKER_TIMED_OUT, 15, None),
        ("Shutting down: Master", EventKind.SERVER_STOPPED, None, None),
        ("Handling signal: term", EventKind.OTHER, None, None),
        ("Out of memory: Killed process 15 (python) total-vm:1kB", EventKind.OUT_OF_MEMORY, 15, None),
        ("[123.4] Memory cgroup out of memory: Killed process 15 (python)", EventKind.OUT_OF_MEMORY, 15, None),
    ],
)
def test_a_line_of_a_process_is_an_event(line: str, kind: EventKind, pid: int | None, code: int | None) -> None:
    """Kind, process and code come out of the text."""
    found = happening(line.encode())
    assert found is not None
    assert (found.kind, found.pid, found.code) == (kind, pid, code)


def test_events_stand_in_every_format() -> None:
    """gunicorn's own lines, those of the inference server, bare ones and wrapped ones."""
    text = "WORKER TIMEOUT (pid:15)"
    log = lines_of(
        f"[2021-02-07 08:21:31 +0000] [12] [CRITICAL] {text}",
        f"2026-01-01 10:00:00,635 C [12] gunicorn.error - {text}",
        f"2021-02-07T08:21:30,123456789+00:00 | gunicorn/run | {text}",
        text,
    )
    events = told_by([log]).events
    assert [(one.kind, one.instance) for one in events] == [(EventKind.WORKER_TIMED_OUT, "15")] * 4
    assert [one.at.year for one in events if one.at] == [2021, 2026, 2021, 2021]


def test_a_worker_that_is_ready_is_told_once() -> None:
    """`ready for serving traffic` after `Booting worker` is the same start; alone it is a start."""
    ready = "2026-01-01 10:00:00,635 I [{0}] azmlinfsrv - Worker with pid {0} ready for serving traffic"
    log = lines_of("Booting worker with pid: 5", ready.format(5), ready.format(6))
    assert [one.instance for one in told_by([log]).events] == ["5", "6"]


def test_warnings_that_no_rule_knows_are_templates() -> None:
    """Alike lines are one template with its count and level."""
    line = "2026-01-01 10:00:00,786 W [7] azmlinfsrv - cache miss for key {} in shard {}"
    (found,) = told_by([lines_of(*[line.format(n, n % 3) for n in range(40)])]).templates
    assert (found.count, found.level) == (40, "W")


def test_a_secret_is_a_finding_with_count_and_first_place() -> None:
    """The value is hashed; it stands in no part of what is told."""
    key = "q8szMDbCoNlxDZCpiGI8tnqaxtC1yDiy"
    line = f"2026-01-01 10:00:00,652 I [7] azmlinfsrv.print - Authorization: Bearer {key}"
    told = told_by([lines_of("200", *[line] * 3)])
    assert [(leak.type, leak.count, leak.where) for leak in told.leaks] == [
        ("bearer_token", 3, "service_log app.log:2")
    ]
    assert key not in repr(told)


def test_a_secret_in_an_access_line_is_found_among_clean_ones() -> None:
    """Lines that are passed over at speed are those in which nothing can stand."""
    line = (
        "2026-01-01 10:00:00,618 I [7] gunicorn.access - 127.0.0.1 - - [01/Jan/2026:10:00:00 +0000]"
        ' "POST /score HTTP/1.1" 200 18 "-" "{}"'
    )
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    told = told_by(
        [lines_of(*[line.format("curl/7.88.1")] * 500, line.format(token), *[line.format("curl/7.88.1")] * 500)]
    )
    assert [(leak.count, leak.where) for leak in told.leaks] == [(1, "service_log app.log:501")]
    assert told.accounts[0].by_label == {"200": 1001}


def test_a_private_key_over_many_lines_is_one_finding() -> None:
    """The lines of a key are judged together."""
    body = [("MIIEvQ" + "aB3/" * 15)[:64] for _ in range(5)]
    log = lines_of("hello", "-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----", "200")
    told = told_by([log])
    assert [(leak.type, leak.count, leak.where) for leak in told.leaks] == [("private_key", 1, "service_log app.log:2")]
