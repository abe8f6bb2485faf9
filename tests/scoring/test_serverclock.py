"""The endpoint's clock, told by Date headers of whole seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scoring.serverclock import ServerClock, own_clock, told_clock
from scoring.units import S


@given(
    offset_s=st.floats(-1e6, 1e6),
    answers=st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=20),
)
def test_the_true_clock_lies_within_the_bounds(offset_s: float, answers: list[tuple[float, float, float]]) -> None:
    """Whatever the delays on both ways, and however many answers came."""
    clock = own_clock(0.0, 0)
    for sent_s, took_s, share in sorted(answers):
        written_s = sent_s + share * took_s
        date_s = float((written_s + offset_s) // 1)
        clock = told_clock(clock, date_s, int(sent_s * S), int((sent_s + took_s) * S))
    assert clock.low_s - 1e-3 <= offset_s <= clock.high_s + 1e-3


def test_a_clock_that_was_set_is_believed_at_once() -> None:
    """An answer that contradicts all earlier ones takes their place."""
    before = told_clock(own_clock(0.0, 0), 1_000.0, 10 * S, 10 * S)
    after = told_clock(before, 1_600.0, 20 * S, 20 * S)
    assert (after.low_s, after.high_s) == (1_580.0, 1_581.0)


def test_our_own_clock_is_told_by_nobody() -> None:
    """Its bounds are one instant, and it says that it is a guess."""
    assert own_clock(1_000.0, 10 * S) == ServerClock(990.0, 990.0, is_told=False)


def test_an_instant_is_reached_at_the_earliest_and_passed_at_the_latest() -> None:
    """Between the two the clock over there may show either side of it."""
    clock = ServerClock(100.0, 101.0, is_told=True)
    assert clock.reaches_ns(200.0) == 99 * S
    assert clock.has_passed_ns(200.0) == 100 * S
