"""capacity.replay: instants as people and programs write them, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.replay import COLUMNS, FARTHEST_NS, instant_ns, read_instants
from scoring.errors import RedlineError
from scoring.units import MS, S

DATES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
ZONES = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def told(tmp_path: Path, text: str) -> list[int]:
    """The instants of a file with that text."""
    file = tmp_path / "instants.csv"
    file.write_text(text, encoding="utf-8")
    return read_instants(file).tolist()


@given(DATES, ZONES)
def test_a_date_is_the_time_since_1970_in_whatever_zone(date: datetime, zone: timezone) -> None:
    """To the microsecond, as datetime itself counts; without a zone it is UTC."""
    there = date.replace(tzinfo=zone)
    expected = (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert instant_ns(there.isoformat()) == expected
    assert instant_ns(date.isoformat(" ")) == instant_ns(date.replace(tzinfo=UTC).isoformat())


@given(st.integers(10**8, 4 * 10**9))
def test_a_number_since_1970_says_its_unit_by_its_size(seconds: int) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds of one instant between 1973 and 2096 are one instant."""
    texts = [str(seconds), f"{seconds}.000", f"{seconds}000", f"{seconds}000000", f"{seconds}000000000"]
    assert {instant_ns(text) for text in texts} == {seconds * S}


@given(st.integers(0, 10**9), st.integers(0, S - 1))
def test_no_digit_of_a_second_is_lost(seconds: int, nanoseconds: int) -> None:
    """Nine decimals are nanoseconds exactly: a float would round them."""
    assert instant_ns(f"{seconds}.{nanoseconds:09d}") == seconds * S + nanoseconds


@given(st.text(max_size=30))
def test_any_text_is_an_instant_or_refused(text: str) -> None:
    """Nothing but ValueError, and nothing that 64 bits cannot hold."""
    try:
        found = instant_ns(text)
    except ValueError:
        return
    assert abs(found) <= FARTHEST_NS


def test_one_instant_a_line_in_any_order(tmp_path: Path) -> None:
    """Blank lines are passed over; the result ascends."""
    assert told(tmp_path, "2.5\n\n0.001\r\n1\n") == [MS, S, 2 * S + 500 * MS]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_table_is_read_by_the_name_of_its_column(tmp_path: Path, column: str) -> None:
    """Wherever it stands, in whatever case, after a byte order mark."""
    text = f'\ufeffstatus,"{column.title()}",name\n200,12.5,"a, b"\n503,11,c\n'
    assert told(tmp_path, text) == [11 * S, 12 * S + 500 * MS]


WRONG = [
    ("", "tells of no request"),
    ("timestamp\n", "tells of no request"),
    (
        "status,duration\n200,3\n",
        ":1: neither an instant nor the names of columns with one of time: `stat",
    ),
    ("1\nsoon\n", ":2: `soon` is no instant"),
    ("timestamp,status\n\n1,200\n,503\n", ":4: `` is no instant"),
    ("1\n-5\n", ":2: `-5` is no instant"),
    ("1\nnan\n", ":2: `nan` is no instant"),
    ("1\n1e40\n", ":2: `1e40` is no instant"),
    ("1\n9999-01-01\n", ":2: `9999-01-01` is no instant"),
    ("1\n\x1b[31mred\n", ":2: `"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_line_that_is_no_instant_is_named(tmp_path: Path, text: str, words: str) -> None:
    """File, line and what stood there; no byte of it can steer a terminal."""
    with pytest.raises(RedlineError) as error:
        told(tmp_path, text)
    assert words in str(error.value)
    assert "\x1b" not in str(error.value)
    assert error.value.hint


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """The message says what is missing in it."""
    with pytest.raises(RedlineError, match="is no run folder"):
        read_instants(tmp_path)
