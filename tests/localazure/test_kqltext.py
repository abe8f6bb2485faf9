"""KQL as text, and the time spans of queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.telemetry.kqltext import is_command, names_in, parts, position, rendering, with_ingestion_column
from localazure.telemetry.spans import BadSpanError, bounds_us

PIECES = st.sampled_from(
    ["requests", " ", "| ", "// x\n", "'a'", '"b\\""', "@'c''d'", "ingestion_time()", "\n", "==", "'", "1"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_the_parts_of_a_query_are_the_whole_query(kql):
    """Whatever it holds, nothing is lost or doubled."""
    assert "".join(text for _, text in parts(kql)) == kql


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("requests | extend i = ingestion_time()", "requests | extend i = ['$c']"),
        ("requests | where ingestion_time ( ) > ago(1h)", "requests | where ['$c'] > ago(1h)"),
        ("print 'ingestion_time()' // ingestion_time()", "print 'ingestion_time()' // ingestion_time()"),
        ('print "a\\"ingestion_time()", ingestion_time()', 'print "a\\"ingestion_time()", [\'$c\']'),
        ("print @'\\', ingestion_time()", "print @'\\', ['$c']"),
        ("requests | extend my_ingestion_time()", "requests | extend my_ingestion_time()"),
    ],
)
def test_ingestion_time_is_replaced_in_code_only(kql, expected):
    """Literals and comments stay as they are; so do longer names."""
    assert with_ingestion_column(kql, "$c") == expected


def test_names_are_found_in_code_and_in_brackets():
    """Words of a comment are no names."""
    assert names_in("requests | where ['my col'] == x // traces") >= {"requests", "where", "my col", "x"}
    assert "traces" not in names_in("requests // traces")


def test_a_position_counts_lines_and_columns_from_one():
    """Of the first identifier of that name, not of a part of another one."""
    assert position("requests\n| where xy == 1 or x == 2", "x") == (2, 20)
    assert position("requests", "nope") is None


@pytest.mark.parametrize(("kql", "expected"), [(".show tables", True), ("  // a\n.drop x", True), ("print .5", False)])
def test_a_control_command_begins_with_a_dot(kql, expected):
    """After any comments and spaces."""
    assert is_command(kql) is expected


def test_render_is_told_in_lower_case():
    """A word of a literal is none."""
    assert (rendering("requests | render TimeChart"), rendering("print '| render pie'")) == ("timechart", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (None, None)),
        ("PT2.5S", (7_500_000, 10_000_000)),
        ("P1D", (-86_390_000_000, 10_000_000)),
        ("1970-01-01T00:00:01.000Z/1970-01-01T00:00:03.000Z", (1_000_000, 3_000_000)),
        ("1970-01-01T00:00:01.000Z/PT1S", (1_000_000, 2_000_000)),
        ("PT1S/1970-01-01T00:00:03Z", (2_000_000, 3_000_000)),
        ("1970-01-01/1970-01-02", (0, 86_400_000_000)),
    ],
)
def test_a_time_span_is_two_bounds(text, expected):
    """A duration alone ends now, which is ten seconds after the epoch here."""
    assert bounds_us(text, 10_000_000) == expected


@pytest.mark.parametrize("text", ["soon", "P", "PT", "1970-01-02/1970-01-01", "PT1S/PT1S", "1970-13-01/PT1S"])
def test_a_text_that_is_no_time_span_is_refused(text):
    """And told with its value."""
    with pytest.raises(BadSpanError):
        bounds_us(text, 0)
