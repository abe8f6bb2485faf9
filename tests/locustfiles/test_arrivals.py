"""Who gets which request of an open loop, without sockets; and the alarm that wakes for the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import monotonic_ns

import pytest
from gevent.event import Event
from hypothesis import given
from hypothesis import strategies as st

from capacity.arrivals import Rate
from locustfiles import _alarm
from locustfiles._arrivals import Arrivals
from locustfiles._gate import Hold
from scoring.units import MS, S

COUNT = 40
HOLD = Hold(1, 8, ramp_s=0.0, transient_s=0.0, max_s=COUNT / 1000, allowance=9, rate=Rate(1000.0), spacing="constant")
STEPS = st.lists(st.sampled_from(["free", "ask", "hand out", "pause", "resume", "refused", "again"]), max_size=80)


@contextmanager
def overdue() -> Iterator[tuple[Arrivals, int]]:
    """A hold of COUNT requests 1 ms apart, all of them due already, and the instant of its opening."""
    arrivals, opened_ns = Arrivals(), monotonic_ns() - 10 * S
    try:
        arrivals.prepare(HOLD)
        arrivals.open(opened_ns)
        yield arrivals, opened_ns
    finally:
        arrivals.stop()


@given(STEPS)
def test_every_request_due_is_handed_out_once_and_in_order_or_counted(steps: list[str]) -> None:
    """Whatever comes when: due is handed out and never sent together, in the order of the schedule."""
    handed: list[int | None] = []
    again = lost = 0
    with overdue() as (arrivals, opened_ns):
        for step in steps:
            if step == "free":
                arrivals.wait(lambda due_ns: handed.append(due_ns))
            elif step == "ask" and (due_ns := arrivals.next_due()) is not None:
                handed.append(due_ns)
            elif step == "hand out":
                arrivals.hand_out()
            elif step == "pause":
                arrivals.pause()
            elif step == "resume":
                arrivals.resume()
            elif step == "refused" and handed:
                arrivals.refused(is_open=True)
                again += 1
            elif step == "again" and again > lost:
                arrivals.again()
                lost += 1
        arrivals.close(monotonic_ns())
    assert handed == [opened_ns + place * MS for place in range(len(handed))]
    assert len(handed) + arrivals.unsent_count == COUNT + again - lost


def test_the_connection_used_last_is_used_next() -> None:
    """Of two that are free the one that became free last; the other keeps waiting."""
    first: list[int | None] = []
    second: list[int | None] = []
    with overdue() as (arrivals, opened_ns):
        arrivals.wait(first.append)
        arrivals.wait(second.append)
        arrivals.leave(first.append)
        arrivals.hand_out()
        assert (first, second) == ([], [opened_ns])


def test_a_pause_holds_requests_back_and_does_not_count_as_a_pool_that_ran_out() -> None:
    """They wait with a free connection beside them; afterwards the first goes to it, the others found none."""
    handed: list[int | None] = []
    with overdue() as (arrivals, opened_ns):
        arrivals.pause()
        arrivals.wait(handed.append)
        arrivals.hand_out()
        assert (handed, arrivals.exhausted_count) == ([], 0)
        arrivals.resume()
        arrivals.hand_out()
        assert handed == [opened_ns]


def test_what_is_not_due_is_not_handed_out() -> None:
    """A hold that opens in an hour has nothing for a free connection, and nothing unsent."""
    handed: list[int | None] = []
    arrivals = Arrivals()
    try:
        arrivals.prepare(HOLD)
        arrivals.open(monotonic_ns() + 3600 * S)
        arrivals.wait(handed.append)
        arrivals.hand_out()
        arrivals.close(monotonic_ns())
    finally:
        arrivals.stop()
    assert (handed, arrivals.unsent_count, arrivals.exhausted_count) == ([], 0, 0)


MAKERS = [pytest.param(_alarm.alarm, id="of the system"), pytest.param(_alarm._LoopAlarm, id="of the loop")]


@pytest.mark.parametrize("make", MAKERS)
def test_an_alarm_rings_for_what_was_set_last(make: Callable[[Callable[[], None]], _alarm.Alarm]) -> None:
    """An hour ahead, cleared, then 20 ms ahead: it rings. Set anew from within it rings again, at once for the past."""
    rung: list[int] = []
    twice = Event()

    def ring() -> None:
        rung.append(monotonic_ns())
        if len(rung) == 1:
            bell.set(1)
        else:
            bell.clear()
            twice.set()

    with closing(make(ring)) as bell:
        bell.set(monotonic_ns() + 3600 * S)
        bell.clear()
        at_ns = monotonic_ns() + 20 * MS
        bell.set(at_ns)
        assert twice.wait(10)
    assert len(rung) == 2
    assert rung[0] >= at_ns - MS, "a timer of the loop may be early by its grain"
