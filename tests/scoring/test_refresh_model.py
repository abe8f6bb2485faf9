"""The conversation about a credential against a model of endpoint, issuer and users, with faults at any moment."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scoring.grant import Grant
from scoring.refresh import Policy, Refusal, Renewal, Step
from scoring.units import S

POLICY = Policy()
USERS = 4
SKEWS_S = (-600.0, 0.0, 600.0)
STEP_S = 0.25


@dataclass
class User:
    """One request at a time: free, in flight with a generation, or waiting since an instant."""

    in_flight: int | None = None
    secret: str | None = None  # of the request in flight
    waiting_from_s: float | None = None
    again: bool = False
    refused_s: float | None = None  # the 401 for which it waited


class Conversation(RuleBasedStateMachine):
    """Users send, the endpoint refuses what is not good over there, the issuer answers, fails or hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.users = [User() for _ in range(USERS)]
        self.asked_s: list[float] = []
        self.ended_s: list[tuple[float, bool]] = []  # when renewals ended, and whether they had failed
        self.running = False
        self.known_refused: set[int] = set()
        self.numbers = 0
        self.good: dict[str | None, float] = {}  # secret → expiry in the endpoint's clock
        self.key = "key 0"

    @initialize(
        skew_s=st.sampled_from(SKEWS_S),
        life_s=st.sampled_from([None, 3.0, 20.0, 300.0]),
        has_spare=st.booleans(),
        renews=st.booleans(),
        tells_date=st.booleans(),
    )
    def begin(self, skew_s: float, life_s: float | None, has_spare: bool, renews: bool, tells_date: bool) -> None:
        self.skew_s, self.life_s, self.tells_date = skew_s, life_s, tells_date
        self.spare = "spare" if has_spare and life_s is None else None
        self.renewal = Renewal(renews=renews, spread_ratio=0.3, policy=POLICY)
        self._drive()
        self._answer()

    @property
    def now_ns(self) -> int:
        return int(self.now_s * S)

    @property
    def there_s(self) -> float:
        """The endpoint's and the issuer's clock; ours shows `now_s` plus a thousand."""
        return self.now_s + 1_000.0 + self.skew_s

    def _drive(self) -> None:
        """What whoever drives the conversation does, after every event."""
        while (step := self.renewal.step(self.now_ns)) is not None:
            if step is Step.ASK:
                assert not self.running
                self.running = True
                self.asked_s.append(self.now_s)
            else:
                assert self.running
                self.running = False
                self.ended_s.append((self.now_s, True))
        if not self.renewal.must_wait:
            for user in self.users:
                user.waiting_from_s = None

    def _answer(self) -> None:
        """The issuer gives what is good at this moment."""
        self.running = False
        self.ended_s.append((self.now_s, False))
        self.numbers += 1
        secret = self.key if self.life_s is None else f"token {self.numbers}"
        expires_s = None if self.life_s is None else self.there_s + self.life_s
        self.good[secret] = expires_s or float("inf")
        if self.spare is not None:
            self.good[self.spare] = float("inf")
        grant = Grant(secret, "model", expires_s=expires_s, spare=self.spare)
        self.renewal.granted(grant, self.now_ns, self.now_s + 1_000.0)
        self._drive()

    @rule(place=st.integers(0, USERS - 1))
    def send(self, place: int) -> None:
        user = self.users[place]
        if user.in_flight is not None or self.renewal.must_wait or self.renewal.lost is not None:
            return
        assert self.renewal.bearer is not None
        assert self.renewal.bearer.generation not in self.known_refused
        user.in_flight, user.waiting_from_s = self.renewal.bearer.generation, None
        user.secret = self.renewal.bearer.secret

    @rule(place=st.integers(0, USERS - 1))
    def answer(self, place: int) -> None:
        user = self.users[place]
        if user.in_flight is None:
            return
        generation, user.in_flight = user.in_flight, None
        if self.tells_date:
            self.renewal.dated(float(self.there_s // 1), self.now_ns, self.now_ns)
        if self.good.get(user.secret, 0.0) > self.there_s:
            user.again, user.refused_s = False, None
            return
        meaning = self.renewal.refused(generation, self.now_ns, again=user.again)
        if meaning is Refusal.REAL and self.renewal.renews and self.renewal.lost is None and user.again:
            assert user.refused_s is not None
            assert self.asked_s[-1] >= user.refused_s
            assert not self.running
        user.again = meaning is Refusal.WAIT
        user.refused_s = self.now_s if user.again else None
        if meaning is not Refusal.REAL:
            self.known_refused.add(generation)
        if meaning is Refusal.AGAIN:
            assert not self.renewal.must_wait
            assert self.renewal.bearer is not None
            assert self.renewal.bearer.generation > generation
        if meaning is Refusal.WAIT:
            assert self.renewal.must_wait
            user.waiting_from_s = self.now_s
        self._drive()

    @rule()
    def rotate(self) -> None:
        """Everything given so far is refused from now on, but for the spare key."""
        self.good = {secret: at for secret, at in self.good.items() if secret == "spare"}
        self.key = f"key {self.numbers + 1} of {self.now_s}"

    @precondition(lambda self: self.running)
    @rule()
    def issuer_answers(self) -> None:
        self._answer()

    @precondition(lambda self: self.running)
    @rule()
    def issuer_fails(self) -> None:
        self.running = False
        self.ended_s.append((self.now_s, True))
        self.renewal.failed("no", self.now_ns)
        self._drive()

    @rule(steps=st.integers(1, 60))
    def time_passes(self, steps: int) -> None:
        for _ in range(steps):
            self.now_s += STEP_S
            self._drive()

    @invariant()
    def renewals_keep_their_distance(self) -> None:
        """Never two within the gap, and none within the back-off after a failure."""
        gaps = [later - before for before, later in pairwise(self.asked_s)]
        assert all(gap >= POLICY.least_gap_s for gap in gaps)
        failed_s = [at for at, failed in self.ended_s if failed]
        assert all(not at < asked < at + POLICY.first_backoff_s for at in failed_s for asked in self.asked_s)

    @invariant()
    def a_renewal_that_runs_is_known_to_run(self) -> None:
        if self.asked_s:
            assert self.renewal.is_asking == self.running
            assert not self.running or self.now_s - self.asked_s[-1] <= POLICY.hang_s

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """A user either may send, or has waited no longer than the patience."""
        waited_s = [self.now_s - user.waiting_from_s for user in self.users if user.waiting_from_s is not None]
        if self.asked_s and self.renewal.must_wait:
            assert all(seconds <= POLICY.patience_s for seconds in waited_s)

    @invariant()
    def it_says_when_it_has_to_be_asked_again(self) -> None:
        """Whoever waits until `next_ns` misses nothing: before it there is nothing to do."""
        if self.asked_s and self.renewal.must_wait:
            assert self.renewal.next_ns() is not None


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)
