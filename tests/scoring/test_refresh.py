"""The conversation about a credential, event by event; times in seconds of the test's own clock."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scoring.grant import Grant
from scoring.refresh import Refusal, Renewal, Step, renewal_window
from scoring.units import S

WALL_S = 1_000_000.0  # what our own clock shows when the test's clock shows 0


class Talk:
    """A conversation whose events are given in seconds."""

    def __init__(self, *, renews: bool = True, spread_ratio: float = 0.0) -> None:
        self.renewal = Renewal(renews=renews, spread_ratio=spread_ratio)
        assert self.step(0) is Step.ASK

    def step(self, at_s: float) -> Step | None:
        return self.renewal.step(int(at_s * S))

    def granted(self, at_s: float, secret: str, **more: object) -> None:
        self.renewal.granted(Grant(secret, "test", **more), int(at_s * S), WALL_S + at_s)  # type: ignore[arg-type]

    def failed(self, at_s: float) -> None:
        self.renewal.failed("refused by the issuer", int(at_s * S))

    def refused(self, at_s: float, generation: int, *, again: bool = False) -> Refusal:
        return self.renewal.refused(generation, int(at_s * S), again=again)

    @property
    def next_s(self) -> float | None:
        at_ns = self.renewal.next_ns()
        return None if at_ns is None else at_ns / S

    @property
    def bearer(self) -> tuple[int, str | None]:
        assert self.renewal.bearer is not None
        return self.renewal.bearer.generation, self.renewal.bearer.secret


def begun(**more: object) -> Talk:
    """A conversation that has its first credential."""
    talk = Talk()
    talk.granted(0, "one", **more)
    return talk


def test_nothing_may_be_sent_before_the_first_grant() -> None:
    """There is nothing to send with."""
    talk = Talk()
    assert talk.renewal.must_wait
    talk.granted(1, "one")
    assert not talk.renewal.must_wait
    assert talk.bearer == (1, "one")


def test_a_key_that_does_not_age_is_left_alone() -> None:
    """Without an expiry there is nothing to do until somebody refuses it."""
    talk = begun()
    assert talk.step(10_000) is None
    assert talk.next_s is None


@pytest.mark.parametrize(
    ("spread_ratio", "due_s"),
    [(0.0, 1_000.0), (0.5, 1_150.0), (1.0, 1_300.0)],
    ids=["the first process", "one in the middle", "the last"],
)
def test_processes_renew_one_after_the_other(spread_ratio: float, due_s: float) -> None:
    """From the instant the issuer names on, over at most five minutes."""
    talk = Talk(spread_ratio=spread_ratio)
    talk.granted(0, "one", renew_from_s=WALL_S + 1_000, expires_s=WALL_S + 40_000)
    assert talk.next_s == pytest.approx(due_s)
    assert talk.step(due_s - 0.01) is None
    assert talk.step(due_s + 0.01) is Step.ASK
    assert not talk.renewal.must_wait


WINDOWS = [
    pytest.param(Grant("s", "x", renew_from_s=1_500.0, expires_s=4_600.0), (1_500.0, 1_800.0), id="an Entra token"),
    pytest.param(Grant("s", "x", renew_from_s=1_010.0, expires_s=1_020.0), (1_010.0, 1_016.0), id="twenty seconds"),
    pytest.param(Grant("s", "x", expires_s=1_100.0), (1_075.0, 1_080.0), id="nobody says when"),
    pytest.param(Grant("s", "x", renew_from_s=1_200.0), (1_200.0, 1_260.0), id="nobody says how long it holds"),
    pytest.param(Grant("s", "x", renew_from_s=2_000.0, expires_s=2_000.0), (1_940.0, 1_940.0), id="a minute before"),
]


@pytest.mark.parametrize(("grant", "window"), WINDOWS)
def test_the_window_of_a_renewal(grant: Grant, window: tuple[float, float]) -> None:
    """Begin and end, for a grant that came at 1,000 s."""
    assert renewal_window(grant, 1_000.0) == pytest.approx(window)


def test_the_first_401_waits_for_one_renewal_and_is_sent_again() -> None:
    """Thousands of 401s ask once, and everybody has the new credential afterwards."""
    talk = begun()
    assert [talk.refused(100, 1) for _ in range(5_000)] == [Refusal.WAIT] * 5_000
    assert [talk.step(100 + n / 1_000) for n in range(3)] == [Step.ASK, None, None]
    talk.granted(101, "two")
    assert not talk.renewal.must_wait
    assert talk.bearer == (2, "two")
    assert talk.refused(101, 1) is Refusal.AGAIN


def test_a_second_401_with_what_was_just_renewed_is_real() -> None:
    """The endpoint refuses whoever asks: that is its answer."""
    talk = begun()
    talk.refused(100, 1)
    talk.step(100)
    talk.granted(101, "two")
    assert talk.refused(102, 2, again=True) is Refusal.REAL


def test_a_key_that_cannot_change_has_real_401s() -> None:
    """A variable of the environment reads the same for ever."""
    talk = Talk(renews=False)
    talk.granted(0, "one")
    assert talk.refused(1, 1) is Refusal.REAL
    assert talk.step(1) is None


def test_the_spare_key_takes_over_at_once() -> None:
    """No request waits, and a renewal brings the regenerated key behind it."""
    talk = begun(spare="second")
    assert talk.refused(100, 1) is Refusal.AGAIN
    assert talk.bearer == (2, "second")
    assert not talk.renewal.must_wait
    assert talk.step(100) is Step.ASK
    talk.granted(101, "new first", spare="second")
    assert talk.bearer == (3, "new first")


def test_a_renewal_that_brings_the_refused_key_back_leaves_the_spare_in_place() -> None:
    """What serves is not given up for what is known not to."""
    talk = begun(spare="second")
    talk.refused(100, 1)
    talk.step(100)
    talk.granted(101, "one", spare="second")
    assert talk.bearer == (2, "second")
    assert talk.step(200) is None


def test_a_spare_that_is_refused_too_waits_for_the_renewal_behind_it() -> None:
    """Both keys were made anew: the second 401 is not yet the answer to a renewed credential."""
    talk = begun(spare="second")
    assert talk.refused(5, 1) is Refusal.AGAIN
    assert talk.refused(5.1, 2, again=True) is Refusal.WAIT
    assert talk.step(5.1) is Step.ASK
    talk.granted(5.5, "new first", spare="new second")
    assert talk.bearer == (3, "new first")


def test_a_spare_without_renewal_is_tried_and_then_believed() -> None:
    """Two fixed keys: the second one's refusal is the answer."""
    talk = Talk(renews=False)
    talk.granted(0, "one", spare="two")
    assert talk.refused(1, 1) is Refusal.AGAIN
    assert talk.refused(2, 2, again=True) is Refusal.REAL


def test_what_was_asked_before_the_refusal_and_brings_the_same_is_asked_again() -> None:
    """The answer was on its way when the key was made anew."""
    talk = begun(renew_from_s=WALL_S + 100, expires_s=WALL_S + 1_000)
    assert talk.step(100.01) is Step.ASK
    assert talk.refused(100.2, 1) is Refusal.WAIT
    talk.granted(100.3, "one", expires_s=WALL_S + 1_000)
    assert talk.renewal.must_wait
    assert talk.step(101.1) is Step.ASK
    talk.granted(101.5, "two")
    assert talk.bearer == (2, "two")


def test_a_failed_renewal_disturbs_nobody_while_the_present_one_serves() -> None:
    """It is asked again after 0.5, 1, 2, 4 … s."""
    talk = begun(renew_from_s=WALL_S + 100, expires_s=WALL_S + 1_000)
    asked_s, at_s = [], 100.01
    for _ in range(5):
        assert talk.step(at_s) is Step.ASK
        asked_s.append(at_s)
        talk.failed(at_s)
        assert not talk.renewal.must_wait
        at_s = (talk.next_s or 0) + 1e-6
    assert [round(b - a, 2) for a, b in pairwise(asked_s)] == [1.0, 1.0, 2.0, 4.0]


def test_a_renewal_that_hangs_is_given_up_and_asked_anew() -> None:
    """Ten seconds are enough."""
    talk = begun()
    talk.refused(100, 1)
    assert talk.step(100) is Step.ASK
    assert talk.step(109.9) is None
    assert talk.step(110) is Step.ABANDON
    assert talk.step(110.6) is Step.ASK


def test_who_waits_is_released_when_no_renewal_comes() -> None:
    """After half a minute the credential is lost, with the last reason, and every 401 is real."""
    talk = begun()
    talk.refused(100, 1)
    at_s = 100.0
    while at_s < 140:
        if talk.step(at_s) is Step.ASK:
            talk.failed(at_s)
        at_s += 0.05
    assert talk.renewal.lost == "refused by the issuer"
    assert not talk.renewal.must_wait
    assert talk.refused(141, 1) is Refusal.REAL


def test_nothing_is_sent_once_it_is_surely_over() -> None:
    """The endpoint's Date says that the token has expired, whatever our own clock shows."""
    talk = begun(renew_from_s=WALL_S + 610, expires_s=WALL_S + 620)
    talk.renewal.dated(WALL_S + 600, 1 * S, 1 * S)  # over there it is ten minutes later
    assert talk.step(11) is Step.ASK
    talk.failed(11)
    assert not talk.renewal.must_wait
    talk.step(22)
    assert talk.renewal.must_wait


def test_a_token_that_our_own_clock_takes_for_over_is_sent_all_the_same() -> None:
    """Our clock may be wrong; a 401 would tell. It is not renewed all the time either."""
    talk = begun(renew_from_s=WALL_S - 700, expires_s=WALL_S - 600)
    assert not talk.renewal.must_wait
    assert [talk.step(second) for second in range(1, 59)] == [None] * 58


def test_an_endpoint_that_refuses_everything_again_and_again_is_believed() -> None:
    """After three credentials that were refused within seconds nobody waits for a fourth."""
    talk, answers = begun(), []
    for generation in range(1, 5):
        at_s = 4.0 * generation
        answers.append(talk.refused(at_s, generation))
        if talk.step(at_s) is Step.ASK:
            talk.granted(at_s + 1, f"secret {generation}")
    assert answers == [Refusal.WAIT, Refusal.WAIT, Refusal.WAIT, Refusal.REAL]


def test_no_text_of_a_conversation_shows_the_secret() -> None:
    """The value that requests carry hides it."""
    talk = Talk()
    talk.granted(0, "the-secret")
    assert "the-secret" not in repr(talk.renewal.bearer)
