"""monitor.diagnosis.slots and .first against slow twins: what is given away, and what counts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.diagnosis.first import failures
from monitor.diagnosis.slots import Slots
from scoring.account import Account, Cell, is_good, told_first
from scoring.served import Served, Source
from scoring.told import Told

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def _row(seconds: int, status: int, count: int = 1) -> Served:
    return Served(Source.SERVICE_LOG, at(seconds), status, count=count)


_ROWS = st.lists(st.builds(_row, st.integers(0, 20), st.sampled_from([500, 502]), st.integers(1, 2)), max_size=15)
_ASKED = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6), st.sampled_from([500, 502])), max_size=20)


class _SlowSlots:
    """The nearest accepted one by looking at all; of equally near ones the earlier."""

    def __init__(self, rows: list[Served]) -> None:
        self._left = [[row, row.count] for row in rows]

    def take(self, start: datetime, end: datetime, near: datetime, status: int) -> float | None:
        fits = [
            entry
            for entry in self._left
            if entry[1] > 0 and start <= entry[0].at <= end and entry[0].status == status  # type: ignore[operator]
        ]
        if not fits:
            return None
        best = min(fits, key=lambda entry: (abs(entry[0].at - near), entry[0].at))  # type: ignore[operator]
        best[1] -= 1  # type: ignore[operator]
        return abs(best[0].at - near).total_seconds()  # type: ignore[operator]


@given(_ROWS, _ASKED)
def test_the_nearest_one_left_is_given(rows: list[Served], asked: list[tuple[int, int, int]]) -> None:
    """Each question is answered with one as near as the slow twin's, and nothing is given more often than it counts."""
    slots, slow = Slots(rows), _SlowSlots(rows)
    given_away: Counter[int] = Counter()
    for near, width, status in asked:
        start, end = at(near - width), at(near + width)
        found = slots.take(start, end, at(near), lambda row, status=status: row.status == status)
        expected = slow.take(start, end, at(near), status)
        assert (found is None) == (expected is None)
        if found is not None:
            assert found.at is not None
            assert abs(found.at - at(near)).total_seconds() == expected
            given_away[id(found)] += 1
    assert all(given_away[id(row)] <= row.count for row in rows)


_CELLS = st.lists(
    st.builds(
        Cell,
        st.one_of(st.none(), st.integers(0, 5).map(lambda minute: at(60 * minute))),
        st.sampled_from(["200", "500", "503", "conn_reset"]),
        st.integers(1, 5),
    ),
    max_size=12,
)
_FAILED = st.lists(
    st.tuples(st.integers(0, 359), st.sampled_from([500, 503])).map(lambda pair: _row(*pair)), max_size=10
)


@given(_CELLS, _FAILED, st.sampled_from([Source.CLIENT, Source.TRAFFIC_LOG, Source.SERVICE_LOG]))
def test_kept_and_counted_failures_add_up_to_the_cells(cells: list[Cell], rows: list[Served], source: Source) -> None:
    """Per outcome: what the cells say, or the rows where they are more."""
    times = [cell.at for cell in cells if cell.at is not None]
    span = {"first_at": min(times, default=None), "last_at": max(times, default=None)}
    account = Account(source, tuple(cells), rows=tuple(rows), **span)  # type: ignore[arg-type]
    found = failures(Told(None, None, None, accounts=(account,)))
    by_cells = Counter[str]()
    for cell in cells:
        if not is_good(cell.label):
            by_cells[cell.label] += cell.count
    by_rows = Counter(row.label for row in rows) if cells else Counter[str]()
    counted = Counter[str]()
    for row in (*found.kept, *found.counted):
        counted[row.label] += row.count
    assert counted == by_cells | by_rows


@given(_CELLS, _CELLS)
def test_two_sources_count_no_period_twice(first: list[Cell], second: list[Cell]) -> None:
    """Without rows, the failures are those that the reports count: the first source's of each period."""
    accounts = []
    for source, cells in ((Source.CLIENT, first), (Source.APP_INSIGHTS, second)):
        times = [cell.at for cell in cells if cell.at is not None]
        accounts.append(
            Account(source, tuple(cells), first_at=min(times, default=None), last_at=max(times, default=None))
        )
    told = Told(None, None, None, accounts=tuple(accounts))
    expected = sum(cell.count for cells in told_first(accounts).values() for cell in cells if not is_good(cell.label))
    assert failures(told).total == expected
