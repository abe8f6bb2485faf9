"""Logs written from a list of requests, so that the truth is known; and the slow twin that counts them by hand."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

START = datetime(2026, 1, 1, 23, 59, 50, tzinfo=UTC)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the server saw it. `lines`: which of its two lines the log has, "both", "app" or "access"."""

    ms_later: int
    pid: int
    method: str
    target: str
    status: int
    duration_us: int
    lines: str
    said: str  # what the script printed


asked = st.builds(
    Asked,
    st.sampled_from([0, 1, 7, 999, 61_000]),
    st.sampled_from([7, 784, 785, 4_194_303]),
    st.sampled_from(["POST"] * 6 + ["GET", "OPTIONS"]),
    st.sampled_from(["/score"] * 6 + ["/score?verbose=1", "/swagger.json", "/api/v1/service/bike/score", "/.env"]),
    st.sampled_from([200] * 4 + [400, 429, 500, 503]),
    st.integers(0, 99_999_999),
    st.sampled_from(["both"] * 5 + ["app", "access"]),
    st.sampled_from(["", "scoring ok 1", "200", "Traceback", "temp=0.34 Ünïcode", "| x", "POST /score 200 1.000ms 3"]),
)


def written(requests: list[Asked], front: str = "") -> bytes:
    """The log of a server 0.8 or newer, each line with `front` before it."""
    at, lines = START, []
    for one in requests:
        at += timedelta(milliseconds=one.ms_later)
        start = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} I [{one.pid}]"
        if one.said:
            lines.append(f"{start} azmlinfsrv.print - {one.said}")
        if one.lines in ("both", "app"):
            duration = f"{one.duration_us // 1000}.{one.duration_us % 1000:03d}ms"
            lines.append(f"{start} azmlinfsrv - {one.method} {one.target} {one.status} {duration} 18")
        if one.lines in ("both", "access"):
            stamp = f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"
            request = f'"{one.method} {one.target} HTTP/1.1" {one.status} 18 "-" "curl/7.88.1"'
            lines.append(f"{start} gunicorn.access - 127.0.0.1 - - [{stamp}] {request}")
    return "".join(f"{front}{line}\n" for line in lines).encode()


def expected(requests: list[Asked]) -> tuple[Counter[str], Counter[str]]:
    """Scoring requests by status, and the others, as the server's lines and the access lines without one give them.

    Where a request lacks its access line, the next access line of the same process, method, path and status is taken
    for its own: the log has nothing that tells them apart.
    """
    waiting: Counter[tuple[object, ...]] = Counter()
    scored: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for one in requests:
        path = one.target.partition("?")[0]
        key = (one.pid, one.method, path, one.status)
        counted = one.lines in ("both", "app")
        waiting[key] += counted
        if one.lines in ("both", "access"):
            if waiting[key]:
                waiting[key] -= 1
            else:
                counted = True
        if not counted:
            continue
        if one.method == "POST" and re.search("/score$", path):
            scored[str(one.status)] += 1
        else:
            others[f"{one.method} {path} {one.status}"] += 1
    return scored, others
