"""The gate: who may send, when it closes, when it is drained."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from locustfiles._gate import Gate, Hold, allowance_share, hold_as_json, hold_from, share_of

HOLD = Hold(number=3, level=4, ramp_s=0.0, transient_s=0.5, max_s=10.0, allowance=2, backoff_s=0.02)


class Noted:
    """A gate and what it called."""

    def __init__(self, hold: Hold = HOLD) -> None:
        self.calls: list[str] = []
        self.gate = Gate(lambda: self.calls.append("closed"), lambda: self.calls.append("drained"))
        self.gate.open(hold, now_ns=1_000)


def test_an_opened_gate_admits_nobody_by_itself() -> None:
    """Users are let in one by one, after the opening."""
    gate = Noted().gate
    assert gate.admitted == 0
    gate.admit(2)
    assert gate.admitted == 2


def test_attempts_are_transient_until_the_hold_has_settled() -> None:
    """The transient ends half a second after the opening at 1,000 ns."""
    assert Noted().gate.settled_ns == 500_001_000


def test_the_last_rejection_allowed_closes_the_gate() -> None:
    """With an allowance of two, the second 503 or 429 closes; the first does not."""
    noted = Noted()
    noted.gate.admit(4)
    noted.gate.count_bad(503)
    assert noted.gate.closed_by is None
    noted.gate.count_bad(429)
    assert (noted.gate.closed_by, noted.gate.admitted, noted.gate.rejected_count) == ("allowance", 0, 2)


def test_other_failures_do_not_use_up_the_rejections() -> None:
    """A 500 is bad, but no rejection."""
    noted = Noted()
    for _ in range(10):
        noted.gate.count_bad(500)
    assert noted.gate.closed_by is None


def test_bad_answers_of_any_kind_close_at_the_stop_total() -> None:
    """With a stop total of three, a 500, a dead connection and a 404 together close."""
    noted = Noted(replace(HOLD, stop_total=3))
    for status in (500, 0, 404):
        assert noted.gate.closed_by is None
        noted.gate.count_bad(status)
    assert noted.gate.closed_by == "allowance"


def test_an_allowance_of_nothing_never_opens() -> None:
    """A hold that may cause no rejection at all admits nobody."""
    noted = Noted(replace(HOLD, allowance=0))
    noted.gate.admit(4)
    assert (noted.gate.admitted, noted.calls) == (0, ["closed", "drained"])


def test_the_first_reason_to_close_stands() -> None:
    """Later reasons are ignored and nothing is called twice."""
    noted = Noted()
    noted.gate.close("tick")
    noted.gate.close("max_s")
    assert (noted.gate.closed_by, noted.calls) == ("tick", ["closed", "drained"])


def test_a_closed_gate_lets_nobody_in() -> None:
    """A ramp that is still running when the gate closes has no effect."""
    noted = Noted()
    noted.gate.close("tick")
    noted.gate.admit(4)
    assert noted.gate.admitted == 0


def test_a_gate_is_drained_when_the_last_attempt_has_ended() -> None:
    """Closing with two in flight drains at the second leave."""
    noted = Noted()
    noted.gate.in_flight = 2
    noted.gate.close("tick")
    assert noted.calls == ["closed"]
    noted.gate.leave()
    assert noted.calls == ["closed"]
    noted.gate.leave()
    assert noted.calls == ["closed", "drained"]


def test_a_gate_does_not_open_over_requests_in_flight() -> None:
    """Records of two holds never mix."""
    noted = Noted()
    noted.gate.in_flight = 1
    with pytest.raises(ValueError, match="1 requests of trial 3 are still in flight"):
        noted.gate.open(HOLD, now_ns=2_000)


PAUSES = [
    pytest.param(503, None, 20_000_000, id="a 503 waits the back-off"),
    pytest.param(429, None, 20_000_000, id="a 429 too"),
    pytest.param(503, 2_000_000_000, 2_000_000_000, id="Retry-After takes its place"),
    pytest.param(503, 0, 0, id="a Retry-After of 0 is obeyed"),
    pytest.param(500, 2_000_000_000, 0, id="a 500 does not wait"),
    pytest.param(0, None, 0, id="a dead connection does not wait here"),
]


@pytest.mark.parametrize(("status", "wish_ns", "pause_ns"), PAUSES)
def test_a_rejected_user_waits_and_no_other(status: int, wish_ns: int | None, pause_ns: int) -> None:
    """The pause is fixed, or what the endpoint asks for."""
    assert Noted().gate.pause_ns(status, wish_ns) == pause_ns


def test_a_hold_survives_the_way_to_a_worker() -> None:
    """What is written as JSON is read back equal."""
    hold = replace(HOLD, slow_ns=(300_000_000, 1_000_000_000), share=2, stop_total=7)
    assert hold_from(hold_as_json(hold)) == hold


@pytest.mark.parametrize(("total", "workers"), [(0, 1), (1, 3), (7, 3), (8, 2), (100, 7)])
def test_shares_add_up(total: int, workers: int) -> None:
    """No user is lost or invented, and no two shares differ by more than one."""
    shares = [share_of(total, worker, workers) for worker in range(workers)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("allowance", "share", "level", "part"), [(300, 4, 8, 150), (1, 1, 8, 1), (7, 3, 8, 3), (5, 0, 8, 0)]
)
def test_a_worker_gets_its_part_of_the_rejections_rounded_up(allowance: int, share: int, level: int, part: int) -> None:
    """Three of eight users get 7 x 3/8 = 2.6, so three, of seven rejections."""
    assert allowance_share(allowance, share, level) == part


class GateMachine(RuleBasedStateMachine):
    """Users come and go at the gate in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.drained = 0
        self.closings = 0
        self.gate = Gate(self._closed, self._drained)
        self.holds = 0

    def _closed(self) -> None:
        self.closings += 1

    def _drained(self) -> None:
        self.drained += 1
        assert self.gate.in_flight == 0

    @precondition(lambda self: self.gate.closed_by is not None and self.gate.in_flight == 0)
    @rule(level=st.integers(1, 8), allowance=st.integers(1, 5))
    def open(self, level: int, allowance: int) -> None:
        self.holds += 1
        self.gate.open(replace(HOLD, number=self.holds, level=level, allowance=allowance), self.holds)
        self.gate.admit(level)

    @precondition(lambda self: self.gate.in_flight < self.gate.admitted)
    @rule()
    def enter(self) -> None:
        self.gate.in_flight += 1

    @precondition(lambda self: self.gate.in_flight > 0)
    @rule(status=st.sampled_from([200, 200, 200, 429, 500, 503]))
    def answer(self, status: int) -> None:
        if status != 200:
            self.gate.count_bad(status)
        self.gate.leave()

    @rule()
    def close(self) -> None:
        self.gate.close("tick")

    @invariant()
    def every_hold_closes_and_drains_once(self) -> None:
        """An opened hold is open, closed and draining, or closed and drained."""
        is_open = self.gate.closed_by is None
        assert self.closings == self.holds - is_open
        assert self.drained == self.closings - (not is_open and self.gate.in_flight > 0)

    @invariant()
    def rejections_stay_within_reach_of_the_allowance(self) -> None:
        """What was in flight when the gate closed is all that can exceed it."""
        assert self.gate.closed_by is not None or self.gate.rejections_left > 0


TestGateMachine = GateMachine.TestCase


def test_a_paused_gate_lets_nobody_send_and_gives_their_places_back() -> None:
    """Whoever was let in before or during the pause may send after it, and the time is known."""
    gate = Noted().gate
    gate.admit(2)
    gate.pause(5_000)
    assert gate.admitted == 0
    gate.admit(3)
    assert gate.admitted == 0
    assert gate.waited_ns(6_000) == 1_000
    gate.resume(9_000)
    assert gate.admitted == 3
    assert gate.waited_ns(20_000) == 4_000


def test_a_gate_that_closed_during_a_pause_stays_closed() -> None:
    """The end of the pause opens nothing."""
    gate = Noted().gate
    gate.admit(2)
    gate.pause(5_000)
    gate.close("max_s")
    gate.resume(9_000)
    assert gate.admitted == 0


def test_a_hold_that_begins_in_a_pause_waits_from_its_own_beginning() -> None:
    """What users waited before is the earlier hold's."""
    noted = Noted()
    noted.gate.pause(2_000)
    noted.gate.close("max_s")
    noted.gate.open(HOLD, now_ns=10_000)
    noted.gate.admit(4)
    noted.gate.resume(13_000)
    assert noted.gate.waited_ns(99_000) == 3_000
    assert noted.gate.admitted == 4
