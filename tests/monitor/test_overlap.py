"""What a log has that it did not have when it was last looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.overlap import fresh_lines

LINES = st.lists(st.sampled_from("abc"), max_size=12)


def _slow(before: list[str], now: list[str]) -> list[str]:
    """The same by trying every length, the longest first."""
    for length in range(min(len(before), len(now)), 0, -1):
        if before[-length:] == now[:length]:
            return now[length:]
    return now


@given(LINES, LINES)
def test_what_is_shared_is_the_longest_end_that_is_a_beginning(before: list[str], now: list[str]) -> None:
    """As trying every length finds it."""
    assert list(fresh_lines(before, now)[0]) == _slow(before, now)


@given(st.integers(1, 8), st.integers(0, 20), st.integers(0, 20))
def test_of_a_log_whose_lines_differ_nothing_is_lost_or_doubled(tail: int, had: int, came: int) -> None:
    """Each look sees the last lines alone; a gap is told exactly when lines passed between two looks."""
    log = [str(number) for number in range(had + came)]
    before, now = log[:had][-tail:], log[-tail:]
    fresh, has_gap = fresh_lines(before, now)
    assert list(fresh) == log[max(had, len(log) - tail) :]
    assert has_gap == (bool(before) and came >= tail)
