"""Properties that hold for every log."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.servicelog.formats import FORMATS
from monitor.servicelog.wrappers import WRAPPERS
from scoring.told import Told
from tests.monitor.servicelog.readings import DATA, GENERATIONS, told_by
from tests.monitor.servicelog.written import Asked, asked, expected, written

LINES = [sample.line for format_ in FORMATS for sample in format_.samples]
FRONTS = ["", *(one.sample[: len(one.sample) - len(one.inner)].decode() for one in WRAPPERS)]
TRACEBACK = (
    b"2026-01-01 10:00:00,635 E [784] azmlinfsrv - Encountered Exception: Traceback (most recent call last):",
    b'  File "/var/azureml-app/score.py", line 5, in run',
    b"    data = json.loads(raw_data)",
    b"ValueError: no",
    b"",
    b"The above exception was the direct cause of the following exception:",
)
pieces = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(TRACEBACK),
    st.sampled_from([b"", b"\r", b"\x00\x00", b"\xff\xfe bad", b"Booting worker with pid: 5", b"hello"]),
    st.binary(max_size=40),
)
logs = st.lists(pieces, max_size=30).map(lambda lines: b"\n".join(lines))


def _cut(log: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(log) + 1) for place in places), len(log)]
    return [log[start:end] for start, end in itertools.pairwise(bounds)]


def _comparable(told: Told) -> Told:
    """Without what depends on nothing but how exactly a number of two equal bins is written."""
    return replace(told, accounts=tuple(replace(one, exact_ms=dict(one.exact_ms or {})) for one in told.accounts))


@settings(deadline=None)
@given(logs)
def test_no_log_makes_the_reader_raise(log: bytes) -> None:
    """Any bytes give an account, and every row of it is counted in its cells."""
    account = told_by([log]).accounts[0]
    assert account.requests == len(account.rows)


@settings(deadline=None)
@given(logs, st.lists(st.integers(0, 2_000), max_size=8))
def test_how_a_log_is_cut_does_not_matter(log: bytes, places: list[int]) -> None:
    """Chunks that end anywhere, also within a character, give the same as the whole."""
    assert _comparable(told_by(_cut(log, places))) == _comparable(told_by([log]))


@settings(deadline=None)
@given(logs)
def test_reading_at_once_and_line_by_line_agree(log: bytes) -> None:
    """What is read by columns means the same read by grammars."""
    assert _comparable(told_by([log])) == _comparable(told_by([log], lanes=False))


@settings(deadline=None)
@given(st.lists(asked, max_size=40), st.sampled_from(FRONTS))
def test_every_request_is_counted_once(requests: list[Asked], front: str) -> None:
    """Counts equal those of the slow twin, whatever a container puts in front of the lines."""
    account = told_by([written(requests, front)]).accounts[0]
    scored, others = expected(requests)
    assert account.by_label == scored
    assert account.other_count == others


@settings(deadline=None)
@given(st.lists(asked, max_size=40), st.sampled_from(FRONTS), st.integers(1, 500))
def test_a_written_log_reads_the_same_at_once_cut_and_by_line(requests: list[Asked], front: str, size: int) -> None:
    """Three ways to read the same log give the same."""
    log = written(requests, front)
    whole = _comparable(told_by([log]))
    assert _comparable(told_by([log[at : at + size] for at in range(0, len(log), size)])) == whole
    assert _comparable(told_by([log], lanes=False)) == whole


@settings(deadline=None)
@given(st.lists(asked, min_size=1, max_size=40))
def test_durations_are_those_that_were_written(requests: list[Asked]) -> None:
    """Each row has the duration of its line, to the microsecond."""
    requests = [replace(one, lines="both", method="POST", target="/score") for one in requests]
    account = told_by([written(requests)]).accounts[0]
    assert [row.duration_ms for row in account.rows] == [one.duration_us / 1000 for one in requests]


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_real_log_reads_the_same_in_any_pieces(version: str) -> None:
    """Pieces of 1,000 bytes, and line by line, give the same as the whole."""
    log = (DATA / f"mixed-{version}" / "server.log").read_bytes()
    whole = _comparable(told_by([log]))
    assert _comparable(told_by([log[at : at + 1_000] for at in range(0, len(log), 1_000)])) == whole
    assert _comparable(told_by([log], lanes=False)) == whole


@settings(deadline=None)
@given(
    st.lists(asked, min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(b'0159 .,:-[]"\n\rxPI\xff')), max_size=6),
)
def test_a_damaged_log_reads_the_same_at_once_and_by_line(requests: list[Asked], damage: list[tuple[int, int]]) -> None:
    """Bytes changed anywhere in ordinary lines are seen by both ways to read."""
    log = bytearray(written(requests))
    for place, byte in damage:
        log[place % len(log)] = byte
    assert _comparable(told_by([bytes(log)])) == _comparable(told_by([bytes(log)], lanes=False))
