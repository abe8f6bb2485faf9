"""Cells as the SDK leaves them become typed values, and what is no value is None."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rows import rows_of, timespan_ms


def cell(kind: str, value: object) -> Any:
    """The typed value of one cell."""
    return rows_of(["x"], [kind], [[value]])[0]["x"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("real", 1.5, 1.5),
        ("real", "NaN", None),
        ("real", "Infinity", None),
        ("real", "-Infinity", None),
        ("real", "1e3", 1000.0),
        ("real", math.nan, None),
        ("real", None, None),
        ("real", "", None),
        ("real", "many", None),
        ("long", 2**62, 2**62),
        ("long", "9007199254740993", 9007199254740993),
        ("long", 3.0, 3),
        ("long", "NaN", None),
        ("long", "Infinity", None),
        ("long", "1e999999999", None),
        ("long", None, None),
        ("int", "7", 7),
        ("decimal", "0.1", 0.1),
        ("decimal", "1e400", None),
        ("bool", True, True),
        ("bool", 0, False),
        ("bool", "False", False),
        ("bool", "1", True),
        ("bool", "perhaps", None),
        ("bool", None, None),
        ("string", "", ""),
        ("string", "None", "None"),
        ("string", None, None),
        ("string", 5, "5"),
        ("guid", "None", None),
        ("guid", "7f3c", "7f3c"),
        ("timespan", "None", None),
        ("timespan", "00:00:00.0005000", 0.5),
        ("timespan", "1.02:03:04", 93_784_000.0),
        ("timespan", "-00:00:01", -1000.0),
        ("timespan", "1 day", None),
        ("dynamic", '{"a": [1, null]}', {"a": [1, None]}),
        ("dynamic", "", ""),
        ("dynamic", "{'python': 'repr'}", "{'python': 'repr'}"),
        ("dynamic", {"a": 1}, {"a": 1}),
        ("dynamic", "[" * 200_000, "[" * 200_000),
        ("dynamic", None, None),
        ("datetime", "2026-11-22T10:00:00.1234567Z", datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)),
        ("datetime", datetime(2026, 11, 22, 10), datetime(2026, 11, 22, 10, tzinfo=UTC)),  # noqa: DTZ001
        ("datetime", "None", None),
        ("datetime", "0001-01-01T00:00:00+14:00", None),
        ("datetime", "0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("a type of the future", "x", "x"),
    ],
)
def test_a_cell_has_the_type_of_its_column(kind: str, value: object, expected: object) -> None:
    """Each kind, with the texts that the SDK leaves for what JSON cannot say."""
    found = cell(kind, value)
    assert found == expected
    assert type(found) is type(expected)


def test_an_instant_is_in_utc() -> None:
    """Another zone's clock is turned to UTC."""
    found = cell("datetime", "2026-11-22T10:00:00+02:00")
    assert (found, found.utcoffset()) == (datetime(2026, 11, 22, 8, tzinfo=UTC), timedelta(0))


@given(st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)))
def test_a_timespan_is_what_kusto_wrote(span: timedelta) -> None:
    """`[-][d.]hh:mm:ss[.fffffff]` reads as the milliseconds it was written from."""
    size = abs(span)
    hours, rest = divmod(size.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours:02}:{minutes:02}:{seconds:02}"
    text = f"{size.days}.{text}" if size.days else text
    text = f"{text}.{size.microseconds:06}0" if size.microseconds else text
    found = timespan_ms(f"-{text}" if span < timedelta(0) else text)
    assert found == pytest.approx(span / timedelta(milliseconds=1), abs=1e-3)


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("None"))
KINDS = ("bool", "datetime", "dynamic", "int", "long", "real", "string", "guid", "decimal", "timespan", "odd")


@given(st.sampled_from(KINDS), CELLS)
def test_no_cell_breaks_the_reading(kind: str, value: object) -> None:
    """Any value under any type is read or is None, and no number is NaN or infinite."""
    found = cell(kind, value)
    if kind in ("real", "decimal", "timespan", "int", "long") and found is not None:
        assert math.isfinite(found)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_a_dynamic_cell_is_the_value_of_its_json(value: object) -> None:
    """JSON text in, the value out; JSON's null is None."""
    assert cell("dynamic", json.dumps(value)) == value


def test_rows_keep_their_columns() -> None:
    """A row shorter than its columns lacks the last ones; no row, no dictionary."""
    assert rows_of(["a", "b"], ["long", "string"], [[1, "x"], [2]]) == [{"a": 1, "b": "x"}, {"a": 2}]
    assert rows_of(["a"], ["long"], []) == []
