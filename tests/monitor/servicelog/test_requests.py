"""One scoring request is counted once, in each format and mixture."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.servicelog.pairing import Pairing
from monitor.servicelog.tally import MOST_BUCKETS, Batch, Tally
from scoring.account import FINE_BIN_RATIO, percentile_ms
from tests.monitor.servicelog.readings import account_of, lines_of, told_by

ACCESS = '127.0.0.1 - - [07/Feb/2021:08:21:31 +0000] "{} HTTP/1.1" {} 22 "-" "curl/7.88.1"'
STATUS = "2021-02-07 08:21:31,{:03d} | root | INFO | {}"
NEW = "2026-01-01 10:00:00,617 I [{}] azmlinfsrv - POST /score {} 0.984ms 18"
NEW_ACCESS = (
    "2026-01-01 10:00:00,618 I [{}] gunicorn.access - 127.0.0.1 - -"
    ' [01/Jan/2026:10:00:00 +0000] "POST /score HTTP/1.1" {} 18 "-" "curl/7.88.1"'
)

CASES: list[tuple[str, bytes, dict[str, int]]] = [
    (
        "a status and its access line are one",
        lines_of(STATUS.format(1, 200), ACCESS.format("POST /score", 200)),
        {"200": 1},
    ),
    (
        "a status without access line counts",
        lines_of(STATUS.format(1, 200), STATUS.format(2, 500)),
        {"200": 1, "500": 1},
    ),
    (
        "statuses of two workers and then their access lines are two",
        lines_of(
            STATUS.format(1, 200),
            STATUS.format(2, 500),
            ACCESS.format("POST /score", 500),
            ACCESS.format("POST /score", 200),
        ),
        {"200": 1, "500": 1},
    ),
    ("the same status by two handlers is one", lines_of("200", STATUS.format(1, 200)), {"200": 1}),
    (
        "doubled lines and one access line are one",
        lines_of(STATUS.format(1, 200), STATUS.format(1, 200), ACCESS.format("POST /score", 200)),
        {"200": 1},
    ),
    (
        "two requests in one millisecond, each with its access line, are two",
        lines_of(STATUS.format(1, 200), STATUS.format(1, 200), *[ACCESS.format("POST /score", 200)] * 2),
        {"200": 2},
    ),
    ("a log in which every status is doubled", lines_of(*[STATUS.format(n // 2, 200) for n in range(20)]), {"200": 10}),
    (
        "two of many statuses in one millisecond are two",
        lines_of(*[STATUS.format(max(n, 1), 200) for n in range(20)]),
        {"200": 20},
    ),
    ("access lines alone count", lines_of(*[ACCESS.format("POST /score", 503)] * 3), {"503": 3}),
    ("a print with a request id in front is no status", lines_of("no request id,200", "200"), {"200": 1}),
    ("a scanner's request is no scoring request", lines_of(ACCESS.format("GET /.env", 404)), {}),
    (
        "the status of a swagger request goes with it",
        lines_of(STATUS.format(1, 200), ACCESS.format("GET /swagger.json", 200)),
        {},
    ),
    (
        "interleaved workers",
        lines_of(NEW.format(1, 200), NEW.format(2, 200), NEW_ACCESS.format(2, 200), NEW_ACCESS.format(1, 200)),
        {"200": 2},
    ),
    (
        "gunicorn's own 500 has an access line only",
        lines_of(NEW.format(1, 200), NEW_ACCESS.format(1, 200), NEW_ACCESS.format(1, 500)),
        {"200": 1, "500": 1},
    ),
    (
        "an access line of another status is another request",
        lines_of(NEW.format(1, 200), NEW_ACCESS.format(1, 503)),
        {"200": 1, "503": 1},
    ),
    (
        "generations mixed in one file",
        lines_of(
            NEW.format(1, 200),
            NEW_ACCESS.format(1, 200),
            STATUS.format(1, 500),
            ACCESS.format("POST /score", 500),
            "200",
        ),
        {"200": 2, "500": 1},
    ),
    ("no line feed at the end", NEW.format(1, 200).encode(), {"200": 1}),
    (
        "carriage returns",
        lines_of(NEW.format(1, 200), STATUS.format(1, 404)).replace(b"\n", b"\r\n"),
        {"200": 1, "404": 1},
    ),
    ("a byte order mark", b"\xef\xbb\xbf" + lines_of(STATUS.format(1, 200)), {"200": 1}),
    ("UTF-16, little end first", lines_of(STATUS.format(1, 200)).decode().encode("utf-16"), {"200": 1}),
    ("UTF-16, big end first", b"\xfe\xff" + lines_of("200").decode().encode("utf-16-be"), {"200": 1}),
    ("uvicorn", lines_of('INFO:     127.0.0.1:54321 - "POST /score HTTP/1.1" 422 Unprocessable Entity'), {"422": 1}),
    (
        "docker's JSON",
        lines_of('{"log":"' + NEW.format(1, 200) + '\\n","stream":"stdout","time":"2026-01-01T10:00:00Z"}'),
        {"200": 1},
    ),
]


@pytest.mark.parametrize(("log", "counts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_request_is_counted_once(log: bytes, counts: dict[str, int]) -> None:
    """The counts by status are those of the sentence."""
    assert account_of(log).by_label == counts


def test_an_access_line_with_a_request_time_has_a_duration() -> None:
    """nginx tells seconds after the user agent."""
    account = account_of(lines_of(*[ACCESS.format("POST /score", 200) + f" 0.{n:03d}" for n in range(100)]))
    assert [row.duration_ms for row in account.rows] == [float(n) for n in range(100)]


def test_a_request_starts_its_duration_before_its_line() -> None:
    """The line is written at the end of the request."""
    row = account_of(lines_of(NEW.format(1, 200).replace("0.984ms", "1500.000ms"))).rows[0]
    assert row.at == datetime(2026, 1, 1, 9, 59, 59, 117_000, tzinfo=UTC)
    assert (row.duration_ms, row.instance, row.where) == (1500.0, "1", "app.log:1")


def test_times_without_a_zone_take_that_of_the_access_lines() -> None:
    """A status that no access line follows is an hour earlier in UTC where the access lines say +0100."""
    log = lines_of(
        STATUS.format(1, 200), ACCESS.format("POST /score", 200).replace("+0000", "+0100"), STATUS.format(2, 500)
    )
    assert [row.at and row.at.hour for row in account_of(log).rows] == [7, 7]


def test_a_status_waits_for_256_requests_at_most() -> None:
    """An access line much later is another request."""
    log = lines_of("404", *[ACCESS.format("POST /score", 200)] * 300, ACCESS.format("POST /score", 404))
    assert account_of(log).by_label == {"200": 300, "404": 2}


def test_lines_that_are_no_utf_8_are_counted() -> None:
    """Two of four lines cannot be decoded; they are read all the same."""
    told = told_by([b"caf\xc3\xa9\n\xff\xfe\n200\n\xe9 " + NEW.format(1, 200).encode() + b"\n"])
    assert told.accounts[0].undecodable_lines == 2


def test_a_line_of_ten_megabytes_takes_no_more_memory_than_it_may() -> None:
    """What follows in a long line is not read; the lines around it are."""
    long = b"x" * 10_000_000
    log = b"200\n" + long + b"\n" + NEW.format(1, 500).encode() + b"\n"
    chunks = [log[at : at + 65_536] for at in range(0, len(log), 65_536)]
    assert told_by(chunks).accounts[0].by_label == {"200": 1, "500": 1}


def test_other_requests_are_bounded() -> None:
    """A scan of 5,000 paths is told as 1,000 of them and a rest."""
    account = account_of(lines_of(*[ACCESS.format(f"GET /{n}", 404) for n in range(5_000)]))
    assert sum(account.other_count.values()) == 5_000
    assert len(account.other_count) == 1_001


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.integers(1, 60))
def test_pairing_is_the_balance_counted_by_hand(lines: list[tuple[int, bool]], size: int) -> None:
    """Over any blocks, an access line is unpaired exactly when no line of its key waits."""
    waiting: Counter[int] = Counter()
    expected = []
    for key, is_access in lines:
        expected.append(is_access and not waiting[key])
        waiting[key] += -1 if is_access and waiting[key] else 0 if is_access else 1
    pairing, found = Pairing(), []
    for start in range(0, len(lines), size):
        part = lines[start : start + size]
        keys = np.array([key for key, _ in part], np.int64)
        found += pairing.unpaired(keys, np.array([is_access for _, is_access in part], np.bool_)).tolist()
    assert found == expected


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(-1, 10**8)), min_size=1, max_size=50), st.integers(1, 50))
def test_cells_add_up_whatever_the_period(rows: list[tuple[int, int]], size: int) -> None:
    """Each request is in the cell of its time and duration, in at most 120 buckets."""
    tally = Tally()
    for start in range(0, len(rows), size):
        part = np.array(rows[start : start + size], np.int64)
        nothing = np.zeros(len(part), np.int64)
        tally.add(Batch(nothing, part[:, 0] + 10**12, nothing + 200, part[:, 1], nothing))
    cells, bucket_s, ratio = tally.cells()
    assert ratio == FINE_BIN_RATIO
    assert sum(cell.count for cell in cells) == len(rows)
    assert len({cell.at for cell in cells}) <= MOST_BUCKETS
    assert max((cell.max_ms or 0 for cell in cells), default=0) == max(0, *(us / 1000 for _, us in rows), 0)
    starts = Counter(
        datetime.fromtimestamp((10**12 + at - max(us, 0) // 1000) // (1000 * bucket_s) * bucket_s, UTC)
        for at, us in rows
    )
    assert Counter({at: sum(cell.count for cell in cells if cell.at == at) for at in starts}) == starts


def test_percentiles_are_exact_where_all_durations_are_kept() -> None:
    """Nearest rank over 1 … 200 ms, and the cells give the same within half a bin."""
    log = lines_of(*[NEW.format(1, 200).replace("0.984ms", f"{n}.000ms") for n in range(1, 201)])
    account = account_of(log)
    assert account.exact_ms == {"p50": 100.0, "p95": 190.0, "p99": 198.0, "max": 200.0}
    assert percentile_ms(account.cells, 0.95, account.bin_ratio) == pytest.approx(190.0, rel=0.001)


def test_a_long_period_has_wide_buckets() -> None:
    """Four months of one request a day fit into 120 buckets of a week at most."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [NEW.format(1, 200).replace("2026-01-01", f"{start + timedelta(days=n):%Y-%m-%d}") for n in range(125)]
    account = account_of(lines_of(*lines))
    assert (account.bucket_s, account.requests) == (604_800, 125)
