"""Logs that real servers wrote, against what the client saw."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from monitor.servicelogs import tell
from scoring.account import Account
from scoring.served import EventKind
from scoring.told import Told
from tests.monitor.servicelog.readings import DATA, GENERATIONS, scored, truth_of


def _told(*names: str) -> Told:
    return tell([str(DATA / name) for name in names], since_at=None)


def _account(*names: str) -> Account:
    return _told(*names).accounts[0]


def test_each_request_of_0_8_4_2_is_counted_once_with_its_status() -> None:
    """32 scoring requests in 64 lines; the 404, the OPTIONS and the swagger document are counted apart."""
    account = _account("azmlinfsrv-0.8.4.2/stdout.log", "azmlinfsrv-0.8.4.2/stderr.log")
    assert account.by_label == scored(truth_of("azmlinfsrv-0.8.4.2")["counts"])
    assert account.by_label == {"200": 22, "400": 1, "429": 2, "500": 6, "503": 1}
    assert account.other_count == {"GET /nope 404": 1, "GET /swagger.json 200": 1, "OPTIONS /score 200": 1}


def test_durations_of_0_8_4_2_are_those_of_the_lines() -> None:
    """The scoring time-out of 2 s is the longest."""
    account = _account("azmlinfsrv-0.8.4.2/stdout.log")
    assert account.exact_ms is not None
    assert account.exact_ms["max"] == 2001.536
    assert account.exact_ms["p50"] == sorted(row.duration_ms or 0 for row in account.rows)[15]


def test_an_exception_that_is_printed_twice_is_told_once() -> None:
    """Six failures, twelve tracebacks: six exceptions, with the innermost cause and the script's line."""
    thrown = _told("azmlinfsrv-0.8.4.2/stdout.log").thrown
    assert Counter((one.kind, one.type, one.frame, one.outer_type) for one in thrown) == {
        ("script", "ValueError", "score.py:11 in run", "UserScriptException"): 4,
        ("script", "JSONDecodeError", "score.py:5 in run", "UserScriptException"): 1,
        ("timeout", "UserScriptTimeout", None, None): 1,
    }
    assert {one.instance for one in thrown} == {"24927"}


@pytest.mark.parametrize("version", GENERATIONS)
def test_each_generation_gives_what_the_client_saw(version: str) -> None:
    """Counts by status equal the client's answers; where none came, 1.5.1 alone has a line, of status 500."""
    truth = scored(truth_of(f"mixed-{version}")["counts"])
    assert _account(f"mixed-{version}/server.log").by_label == truth


@pytest.mark.parametrize("version", GENERATIONS)
def test_each_generation_tells_every_exception_once(version: str) -> None:
    """The script raised 20 times and timed out once: three ValueErrors, fourteen KeyErrors behind their wrappers …"""
    thrown = [one for one in _told(f"mixed-{version}/server.log").thrown if one.kind != "server"]
    assert Counter(one.type for one in thrown if one.kind == "script") == {
        "ValueError": 3,
        "KeyError": 14,
        "RuntimeError": 1,
        "MemoryError": 1,
        "JSONDecodeError": 1,
    }
    assert [one.type for one in thrown if one.kind == "timeout"] in (["UserScriptTimeout"], ["TimeoutException"])
    assert {one.frame for one in thrown if one.type == "KeyError"} == {"score.py:12 in lookup"}
    assert (
        next(one.message for one in thrown if one.type == "RuntimeError") == r"first line\nsecond line\n\nfourth line"
    )


@pytest.mark.parametrize("version", GENERATIONS)
def test_each_generation_tells_of_the_workers_that_ended(version: str) -> None:
    """A worker time-out, and a worker booted after it and one after the crash; 1.5.1 tells the exit code."""
    events = _told(f"mixed-{version}/server.log").events
    assert [one.kind for one in events].count(EventKind.WORKER_BOOTED) == 4
    assert [one.kind for one in events].count(EventKind.WORKER_TIMED_OUT) == 1
    assert [one.kind for one in events].count(EventKind.SERVER_STOPPED) == 1
    codes = [one.code for one in events if one.kind is EventKind.WORKER_EXITED and one.code is not None]
    assert codes == ([1] if version == "1.5.1" else [])


@pytest.mark.parametrize("version", GENERATIONS)
def test_payload_data_is_a_finding_without_its_value(version: str) -> None:
    """The script printed its input once, in whatever form; the value stands nowhere."""
    told = _told(f"mixed-{version}/server.log")
    assert [(leak.type, leak.count) for leak in told.leaks] == [("payload_data", 1)]
    assert "Lovelace" not in repr(told)


def test_the_lesson_extract_is_one_request_and_two_findings() -> None:
    """A bare 200; the bearer token of its header block and the printed payload are found, and neither is told."""
    told = _told("seed_scoring_extract.log")
    assert told.accounts[0].by_label == {"200": 1}
    assert {(leak.type, leak.count, leak.where) for leak in told.leaks} == {
        ("payload_data", 1, "service_log seed_scoring_extract.log:2"),
        ("bearer_token", 1, "service_log seed_scoring_extract.log:12"),
    }
    assert "q8szMDbCoNlxDZCpiGI8tnqaxtC1yDiy" not in repr(told)
    assert "0.344167" not in repr(told)


def test_all_logs_together_are_the_sum_of_each() -> None:
    """Files of five formats read as one account."""
    names = ("seed_scoring_extract.log", *(f"mixed-{version}/server.log" for version in GENERATIONS))
    total: Counter[str] = Counter()
    for name in names:
        total.update(_account(name).by_label)
    assert _account(*names).by_label == total


def test_a_packed_log_is_read_as_it_is(tmp_path: Path) -> None:
    """gzip changes nothing but the size."""
    packed = tmp_path / "server.log.gz"
    packed.write_bytes(gzip.compress((DATA / "mixed-1.5.1" / "server.log").read_bytes()))
    assert tell([str(packed)], since_at=None).accounts[0].by_label == _account("mixed-1.5.1/server.log").by_label
