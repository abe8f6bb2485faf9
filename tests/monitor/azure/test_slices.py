"""Whatever the service answers, each instant of the period is read exactly once or told missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.slices import MOST_PARTS, PATIENCE, SHORTEST, Came, Slice, Slices

START_AT = datetime(2026, 11, 22, tzinfo=UTC)
LENGTHS = st.integers(1, 40 * 86_400_000_000).map(lambda number: timedelta(microseconds=number))


def period_of(length: timedelta) -> Slice:
    return Slice(START_AT, START_AT + length)


def tiled(period: Slice, parts: list[Slice]) -> bool:
    """The parts, in order of time, lie end to end and fill the period."""
    edges = [period.from_at]
    for part in sorted(parts):
        if part.from_at != edges[-1] or part.until_at <= part.from_at:
            return False
        edges.append(part.until_at)
    return edges[-1] == period.until_at


@given(LENGTHS, st.data())
def test_every_instant_is_in_exactly_one_place(length: timedelta, data: st.DataObject) -> None:
    """After each step, with up to five questions under way that end in any order, the four lists tile the period."""
    period = period_of(length)
    slices = Slices(period)
    under_way: list[Slice] = []
    for _ in range(60):
        if len(under_way) < 5 and (part := slices.next()) is not None:
            under_way.append(part)
        elif under_way:
            part = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
            slices.came(part, data.draw(st.sampled_from(Came)))
        assert tiled(period, [*slices.to_ask, *slices.under_way, *slices.whole, *slices.missing])
        assert slices.under_way == set(under_way)


@given(LENGTHS, st.lists(st.sampled_from(Came), min_size=1, max_size=50))
def test_it_ends(length: timedelta, answers: list[Came]) -> None:
    """Any answers, over and over: the questions run out, and what is kept and what is missing fill the period."""
    period = period_of(length)
    slices = Slices(period)
    asked = 0
    while (part := slices.next()) is not None:
        slices.came(part, answers[asked % len(answers)])
        asked += 1
    assert slices.is_done
    assert asked <= 2 * MOST_PARTS
    assert tiled(period, slices.whole + slices.missing)


@given(
    st.lists(st.integers(0, 3_599), max_size=60).map(sorted),
    st.integers(1, 10),
)
def test_a_service_that_cuts_at_a_row_limit_is_read_whole(seconds: list[int], most_rows: int) -> None:
    """Rows at whole seconds: those kept are each row once, unless more than the limit share one shortest slice."""
    rows = [START_AT + timedelta(seconds=number, milliseconds=500) for number in seconds]
    slices = Slices(period_of(timedelta(hours=1)))
    kept: list[datetime] = []
    while (part := slices.next()) is not None:
        found = [row for row in rows if part.from_at <= row < part.until_at]
        came = Came.CUT if len(found) > most_rows else Came.WHOLE
        if slices.came(part, came):
            kept += found[:most_rows]
    if not slices.missing:
        assert sorted(kept) == rows
    else:
        lost = [row for row in rows if any(part.from_at <= row < part.until_at for part in slices.missing)]
        assert sorted(set(rows) - set(kept)) == sorted(set(lost) - set(kept))
        assert all(part.length < 2 * SHORTEST for part in slices.missing)


def test_what_is_refused_is_not_asked_in_parts() -> None:
    """One refusal is the end: the whole period is missing, and one question was asked."""
    slices = Slices(period_of(timedelta(days=30)))
    part = slices.next()
    assert part is not None
    assert not slices.came(part, Came.REFUSED)
    assert (slices.is_done, slices.missing) == (True, [part])


def test_a_cut_slice_that_cannot_be_shorter_keeps_its_rows() -> None:
    """What came is used, and the slice is told missing."""
    slices = Slices(period_of(SHORTEST))
    part = slices.next()
    assert part is not None
    assert slices.came(part, Came.CUT)
    assert slices.missing == [part]


@pytest.mark.parametrize("length", [timedelta(hours=1), timedelta(days=400)])
def test_a_service_that_is_always_late_is_soon_given_up(length: timedelta) -> None:
    """Each such question lasts minutes: a handful, then the rest is missing."""
    slices = Slices(period_of(length))
    asked = 0
    while (part := slices.next()) is not None:
        slices.came(part, Came.LATE)
        asked += 1
    assert asked <= PATIENCE
    assert tiled(slices.period, slices.missing)
