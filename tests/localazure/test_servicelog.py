"""Lines of both generations read back by their grammar."""

from __future__ import annotations

import re
from dataclasses import replace

from localazure.model import SCRIPT_TRACEBACK, ModelAnswer
from localazure.servicelog import Served, ServiceLog, azmlinfsrv_lines, legacy_lines

PREFIX = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [DIWEC] \[\d+\] [\w.]+ - ")
LEGACY_PREFIX = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| root \| (INFO|ERROR) \| ")
SERVED = Served(
    at_ns=1_767_261_600_617_000_000,  # 2026-01-01 10:00:00.617 UTC
    pid=784,
    master_pid=780,
    method="POST",
    target="/score",
    headers=(("authorization", "Bearer planted-key"), ("user-agent", "curl/7.88.1")),
    body=b'{"data":\n[]}',
    answer=ModelAnswer(200, b"x" * 18),
    spent_ns=984_000,
    timeout_ns=60 * 10**9,
)
FAILED = replace(SERVED, answer=ModelAnswer(500, b"", traceback=SCRIPT_TRACEBACK))


def test_a_request_is_an_app_line_and_an_access_line():
    """Exactly the two lines of the documented format, times in UTC."""
    assert azmlinfsrv_lines(SERVED) == [
        "2026-01-01 10:00:00,617 I [784] azmlinfsrv - POST /score 200 0.984ms 18",
        "2026-01-01 10:00:00,617 I [784] gunicorn.access - "
        '127.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "POST /score HTTP/1.1" 200 18 "-" "curl/7.88.1"',
    ]


def test_a_script_exception_is_a_traceback_before_its_request_line():
    """The first line has the prefix and level E; the frames have none and end with the exception."""
    first, *rest = "\n".join(azmlinfsrv_lines(FAILED)).split("\n")
    assert PREFIX.match(first)
    assert first.endswith("E [784] azmlinfsrv - Encountered Exception: Traceback (most recent call last):")
    assert rest[2].startswith("ValueError: ")
    assert rest[3].endswith("POST /score 500 0.984ms 0")


def test_a_worker_that_died_leaves_no_request_line():
    """Only gunicorn's own line and the next worker's."""
    lines = azmlinfsrv_lines(replace(SERVED, answer=ModelAnswer(None)))
    assert lines[0].endswith("E [780] gunicorn.error - Worker (pid:784) exited with code 1.")
    assert all("POST" not in line for line in lines)


def test_the_older_generation_has_a_bare_status_and_no_duration():
    """Every unindented line but the access line has the prefix; the status stands alone."""
    *lines, access = legacy_lines(SERVED)
    assert all(LEGACY_PREFIX.match(line) for line in lines if not line.startswith("    "))
    assert lines[-1].endswith("| root | INFO | 200")
    assert any(line.endswith("Scoring Timer is set to 60.0 seconds") for line in lines)
    assert access.startswith("127.0.0.1 - - [")
    assert "ms" not in access


def test_no_generation_writes_the_key():
    """The header's value is left out, where the servers of that time wrote it."""
    written = "\n".join(legacy_lines(SERVED) + azmlinfsrv_lines(SERVED))
    assert "planted-key" not in written
    assert "Authorization: (left out)" in written


def test_the_body_shown_stays_on_one_line():
    """A line break in the payload does not make a line of the log."""
    assert any(line.endswith('Received input: {"data":\\n[]}') for line in legacy_lines(SERVED))


def test_the_log_file_holds_what_was_added_and_nothing_of_the_front_end(tmp_path):
    """Two requests are four lines once flushed."""
    path = tmp_path / "service.log"
    log = ServiceLog(str(path), "azmlinfsrv")
    log.add(SERVED)
    log.add(SERVED)
    log.close()
    assert len(path.read_text().splitlines()) == 4


def test_a_running_endpoint_logs_each_request_that_reached_the_model(serve, tmp_path):
    """Two good requests and one with a wrong key: two app lines, in the generation asked for."""
    path = tmp_path / "service.log"
    endpoint = serve("--hosting", "aks", "--log-file", str(path), "--service-time", "1ms")
    endpoint.score()
    endpoint.score()
    endpoint.call("POST", "/score", b"{}", {"Authorization": "Bearer other"})
    endpoint.stop()
    lines = path.read_text().splitlines()
    assert sum(" azmlinfsrv - POST /score 200 " in line for line in lines) == 2
    assert all(PREFIX.match(line) for line in lines)
    assert endpoint.ready["key"] not in path.read_text()
