"""Logs of many lines of every generation, wrapped and cut anyhow: read all at once as line by line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.monitor.servicelog.readings import DATA, GENERATIONS, comparable, in_pieces, told_by

START = datetime(2026, 1, 1, 23, 59, 58, tzinfo=UTC)
STEPS_MS = [0, 0, 1, 7, 999, 61_000]
TRACEBACK = [
    "Encountered Exception: Traceback (most recent call last):",
    '  File "/var/azureml-app/score.py", line 5, in run',
    "    data = json.loads(raw_data)",
    "ValueError: no 17",
]
ACCESS = '{host} - - [{at:%d/%b/%Y:%H:%M:%S} {zone}] "{request} HTTP/1.{minor}" {status} {size} "-" "curl/7.88.1"{tail}'

said = st.sampled_from(
    [
        "Validation Request Content-Type",
        "Scoring Timer is set to 60.0 seconds",
        "Scoring Timer is set to 5.0 seconds",
        "Worker with pid 31 ready for serving traffic",
        "Worker with pid 32 ready for serving traffic",
        "Booting worker with pid: 15",
        "Traceback (most recent call last):",
        '  File "x.py", line 3, in f',
        "ValueError: 3",
        "Received input: [[1, 2]]",
        "token=abcdefgh12345678ABCDEFGH",
        "no request id,hello",
        "",
        " indented",
        "999",
        "7|",
        "Ünïcode ?",
    ]
)
statuses = st.sampled_from([200] * 6 + [400, 500, 503, 99, 700])
hosts = st.sampled_from(["127.0.0.1"] * 4 + ["10.0.0.12", "10.1.0.7", "::ffff:10.0.0.1", "node-1?"])
pids = st.sampled_from([7, 31, 784, 785])


@st.composite
def old_lines(draw: st.DrawFn, at: datetime) -> list[str]:
    """What a server 0.7 or older says, with or without its instant."""
    front = draw(st.sampled_from([f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} | root | INFO | ", ""]))
    kind = draw(st.sampled_from(["said", "status", "status", "both", "both", "access", "trace", "odd"]))
    status = draw(statuses)
    access = ACCESS.format(
        host=draw(hosts),
        at=at,
        zone=draw(st.sampled_from(["+0000"] * 8 + ["+0100"])),
        request=draw(st.sampled_from(["POST /score"] * 5 + ["GET /", "GET /.env", "POST /api/v1/service/bike/score"])),
        minor=draw(st.sampled_from([0, 1])),
        status=status,
        size=draw(st.sampled_from([2, 18, 1234567, "-"])),
        tail=draw(st.sampled_from(["", "", " 0.123", " 12ms"])),
    )
    if kind == "trace":
        return [front.replace("INFO", "ERROR") + TRACEBACK[0], *TRACEBACK[1 : draw(st.integers(1, 4))]]
    if kind == "odd":
        return [front.replace(":", ";") + draw(said), front.replace("-01-", "-13-") + draw(said)]
    lines = {"said": [front + draw(said)], "status": [front + str(status)], "access": [access]}
    return lines.get(kind, [front + str(status), access])


@st.composite
def server_lines(draw: st.DrawFn, at: datetime) -> list[str]:
    """What a server 0.8 or newer says."""
    start = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {draw(st.sampled_from('IIIIE'))} [{draw(pids)}]"
    status, host = draw(statuses), draw(hosts)
    kind = draw(st.sampled_from(["said", "both", "both", "both", "app", "access", "trace"]))
    if kind == "trace":
        return [f"{start} azmlinfsrv - {TRACEBACK[0]}", *TRACEBACK[1 : draw(st.integers(1, 4))]]
    stamp = f"{at:%d/%b/%Y:%H:%M:%S} +0000"
    request = draw(st.sampled_from(["POST /score"] * 6 + ["GET /swagger.json", "POST /score?v=1"]))
    took = f"{draw(st.sampled_from([0, 17, 99_999, 12_345_678]))}.{draw(st.sampled_from(['000', '984', '5', '1234']))}"
    app = f"{start} azmlinfsrv - {request} {status} {took}ms {draw(st.sampled_from([1, 18, 'N/A', 123456789]))}"
    access = f'{start} gunicorn.access - {host} - - [{stamp}] "{request} HTTP/1.1" {status} 18 "-" "curl/7.88.1"'
    lines = {"said": [f"{start} azmlinfsrv.print - {draw(said)}"], "app": [app], "access": [access]}
    return lines.get(kind, [app, access])


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """A log of one or several generations, of 60 to 300 lines, perhaps wrapped."""
    kinds = draw(st.sampled_from([[old_lines], [old_lines], [server_lines], [old_lines, server_lines]]))
    at, lines = START, []
    for _ in range(draw(st.integers(30, 90))):
        at += timedelta(milliseconds=draw(st.sampled_from(STEPS_MS)))
        lines += draw(draw(st.sampled_from(kinds))(at))
    front = draw(st.sampled_from(["", "", "", "cri", "json", "json, spaced", "compose"]))
    shown = [_wrapped(front, line, START + timedelta(milliseconds=n)) for n, line in enumerate(lines)]
    if front and draw(st.booleans()):
        shown[draw(st.integers(0, len(shown) - 1))] = draw(said)
    return "".join(f"{line}\n" for line in shown).encode()


def _wrapped(front: str, line: str, at: datetime) -> str:
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}789Z"
    if front == "cri":
        return f"{stamp} stdout F {line}"
    if front == "compose":
        return f"web_1  | {line}"
    if front:
        spaces = (", ", ": ") if "spaced" in front else (",", ":")
        return json.dumps({"log": line + "\n", "stream": "stdout", "time": stamp}, separators=spaces)
    return line


@settings(deadline=None, max_examples=25)
@given(logs(), st.integers(200, 30_000))
def test_a_mixed_log_reads_the_same_at_once_cut_and_by_line(log: bytes, size: int) -> None:
    """Every generation, wrapper and chunk: the same account, exceptions, events, leaks and templates."""
    by_line = comparable(told_by([log], lanes=False))
    assert comparable(told_by([log])) == by_line
    assert comparable(told_by(in_pieces(log, size))) == by_line


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize("front", ["", "cri", "json", "json, spaced"])
def test_a_real_log_again_and_again_reads_the_same_at_once_and_by_line(version: str, front: str) -> None:
    """Captured logs, repeated so that every lane is used, bare and as containers wrap them."""
    lines = (DATA / f"mixed-{version}" / "server.log").read_text("utf-8", "replace").splitlines() * 4
    shown = [_wrapped(front, line, START + timedelta(milliseconds=n)) for n, line in enumerate(lines)]
    log = "".join(f"{line}\n" for line in shown).encode()
    by_line = comparable(told_by([log], lanes=False))
    assert comparable(told_by([log])) == by_line
    assert comparable(told_by(in_pieces(log, 20_000))) == by_line
