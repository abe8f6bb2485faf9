"""When a credential is renewed, and what a request does that was refused: a conversation without I/O.

Events go in: a grant came, a renewal failed, an answer was 401, an answer had a Date, time went by. Out come what to
send with, and steps for whoever can act: begin a renewal, give one up. Monotonic nanoseconds, as arguments.

- Ahead of expiry, in the server's clock: between `renew_from_s` and a margin before `expires_s`, at a share of that
  time which differs from process to process.
- One renewal at a time. Two never begin within `least_gap_s`, and after failures the gap grows.
- A 401 to a credential that has a successor: again, at once. To the present one: again with the spare key where there
  is one, else everybody waits for one renewal. A second 401, to what was just renewed, is the endpoint's true answer.
- While the present credential serves, a renewal that fails or hangs disturbs nobody.
- Who waits does not wait for ever: after `patience_s` the credential is lost, with the last reason.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from scoring.grant import Grant
from scoring.serverclock import ServerClock, own_clock, told_clock
from scoring.units import S

REFUSED_KEPT = 8
"""How many refused secrets are remembered, so that a renewal that brings one of them back is known for it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Bounds of the conversation, in seconds."""

    least_gap_s: float = 1.0  # between the beginnings of two renewals
    first_backoff_s: float = 0.5  # after the first failure, from its end; twice as long after each further one
    most_backoff_s: float = 60.0
    most_backoff_awaited_s: float = 2.0  # while somebody waits
    hang_s: float = 10.0  # a renewal without an answer for so long is given up
    patience_s: float = 30.0  # that users wait, before the credential is lost
    fresh_s: float = 10.0  # refused within so long of its grant, a credential was of no use
    useless_most: int = 3  # so many in a row: renewing does not help


class Step(Enum):
    """What whoever drives the conversation has to do."""

    ASK = auto()  # begin a renewal
    ABANDON = auto()  # the running renewal hangs: end it; no answer of it counts any more


class Refusal(Enum):
    """What a 401 means to the request that got it."""

    AGAIN = auto()  # send it again with the present credential
    WAIT = auto()  # send it again once there is a credential that may be sent
    REAL = auto()  # it is the endpoint's answer


@dataclass(frozen=True, slots=True)
class Bearer:
    """What requests carry. Each change of it has the next generation; the first is 1."""

    generation: int
    secret: str | None = field(repr=False)


class Renewal:
    """The conversation about one credential. `bearer` is None before the first grant."""

    def __init__(self, *, renews: bool = True, spread_ratio: float = 0.0, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.renews = renews
        self.bearer: Bearer | None = None
        self.source = ""  # where the present credential came from, in words
        self.lost: str | None = None  # why nothing can be sent any more
        self.granted_count = 0
        self.failed_count = 0
        self.last_failure: str | None = None
        self._spread_ratio = min(max(spread_ratio, 0.0), 1.0)
        self._clock: ServerClock | None = None
        self._grant: Grant | None = None
        self._spare: str | None = None
        self._granted_ns = 0
        self._due_ns: int | None = None  # ahead of expiry
        self._is_needed = True  # by a refusal, an expiry, or because there is nothing yet
        self._waiting_from_ns: int | None = None
        self._asked_ns: int | None = None  # the running renewal began
        self._last_asked_ns: int | None = None
        self._not_before_ns = 0  # back-off
        self._failures = 0  # in a row
        self._useless = 0  # credentials in a row that were refused while fresh
        self._refused: deque[str] = deque(maxlen=REFUSED_KEPT)
        self._refused_ns = 0

    # what may be sent

    @property
    def must_wait(self) -> bool:
        """Nothing may be sent: the present credential is known to be of no use, or there is none yet."""
        return self.lost is None and (self.bearer is None or self._waiting_from_ns is not None)

    @property
    def is_asking(self) -> bool:
        """A renewal is running."""
        return self._asked_ns is not None

    @property
    def ages(self) -> bool:
        """The present credential will have to be renewed even if nobody refuses it."""
        return self._due_ns is not None

    # events

    def granted(self, grant: Grant | None, now_ns: int, wall_s: float) -> None:
        """A renewal, or the first fetch, brought this; None: the endpoint takes no credential."""
        asked_ns = self._asked_ns
        self._asked_ns = None
        if self._clock is None or not self._clock.is_told:
            self._clock = own_clock(wall_s, now_ns)
        if grant is not None and self._is_stale(grant, asked_ns):
            return self._be_needed(now_ns)
        self._failures = 0
        self._not_before_ns = 0
        self.granted_count += 1
        self._is_needed = False
        if grant is not None and self._serves_better(grant):
            return None
        self._take(grant, now_ns)
        self._waiting_from_ns = None
        return None

    def failed(self, reason: str, now_ns: int) -> None:
        """The running renewal brought nothing."""
        self._asked_ns = None
        self._failures += 1
        self.failed_count += 1
        self.last_failure = reason
        most_s = self.policy.most_backoff_s if self._waiting_from_ns is None else self.policy.most_backoff_awaited_s
        pause_s = min(self.policy.first_backoff_s * 2 ** min(self._failures - 1, 20), most_s)
        self._not_before_ns = now_ns + int(pause_s * S)

    def refused(self, generation: int, now_ns: int, *, again: bool = False) -> Refusal:
        """A request that carried that generation was answered 401; `again`: it has waited for a renewal since its last.

        After AGAIN and WAIT that generation is sent by nobody any more.
        """
        bearer = self.bearer
        if self.lost is not None or bearer is None or bearer.secret is None:
            return Refusal.REAL
        if self._waiting_from_ns is not None:
            return Refusal.WAIT
        if generation < bearer.generation:
            return Refusal.AGAIN
        return self._refused_now(bearer.secret, now_ns, again)

    def dated(self, date_s: float, sent_ns: int, received_ns: int) -> None:
        """An answer of the endpoint said that it is `date_s` there, in whole seconds."""
        if self._clock is not None:
            self._clock = told_clock(self._clock, date_s, sent_ns, received_ns)
            self._due_ns = self._due(self._grant)

    def step(self, now_ns: int) -> Step | None:
        """What has to be done now. Call again until it is None, and again at `next_ns`."""
        if self.lost is not None:
            return None
        self._expire(now_ns)
        if self._asked_ns is not None and now_ns - self._asked_ns >= self.policy.hang_s * S:
            self.failed(f"no answer within {self.policy.hang_s:g} s", now_ns)
            return Step.ABANDON
        if self._is_out_of_patience(now_ns):
            return Step.ABANDON if self._lose() else None
        if self._asked_ns is None and self._may_ask_ns() is not None and now_ns >= (self._may_ask_ns() or 0):
            self._asked_ns = self._last_asked_ns = now_ns
            return Step.ASK
        return None

    def next_ns(self) -> int | None:
        """The instant from which `step` may have something to say; None: not before the next event."""
        if self.lost is not None:
            return None
        hang_ns = None if self._asked_ns is None else self._asked_ns + int(self.policy.hang_s * S)
        ask_ns = self._may_ask_ns() if self._asked_ns is None else None
        patience_ns = None if self._waiting_from_ns is None else self._waiting_from_ns + int(self.policy.patience_s * S)
        return min((at for at in (hang_ns, ask_ns, patience_ns, self._expires_ns()) if at is not None), default=None)

    # how it decides

    def _refused_now(self, secret: str, now_ns: int, again: bool) -> Refusal:
        is_fresh = now_ns - self._granted_ns < self.policy.fresh_s * S
        if not self.renews and self._spare is None:
            return Refusal.REAL
        is_renewed = is_fresh and self._spare is None and not self._is_needed and not self.is_asking
        if is_renewed and (again or self._useless >= self.policy.useless_most):
            return Refusal.REAL
        self._useless = self._useless + 1 if is_fresh else 0
        self._refused.append(secret)
        self._refused_ns = now_ns
        if self.renews:
            self._be_needed(now_ns)
        if self._spare is None:
            self._waiting_from_ns = now_ns
            return Refusal.WAIT
        self._set(self._spare)
        self._spare = None
        return Refusal.AGAIN

    def _be_needed(self, now_ns: int) -> None:
        """A renewal is to begin as soon as the gap and the back-off allow."""
        self._is_needed = True
        if self._waiting_from_ns is not None:
            self._not_before_ns = min(self._not_before_ns, now_ns + int(self.policy.most_backoff_awaited_s * S))

    def _is_stale(self, grant: Grant, asked_ns: int | None) -> bool:
        """Asked before the refusal, it brought the refused secret once more."""
        return grant.secret in self._refused and asked_ns is not None and asked_ns < self._refused_ns

    def _serves_better(self, grant: Grant) -> bool:
        """The grant is known to be refused, and what is there is not."""
        return grant.secret in self._refused and self._waiting_from_ns is None and self.bearer is not None

    def _take(self, grant: Grant | None, now_ns: int) -> None:
        self._grant = grant
        self._granted_ns = now_ns
        secret, spare = (None, None) if grant is None else (grant.secret, grant.spare)
        if secret in self._refused and spare is not None and spare not in self._refused:
            secret, spare = spare, None
        self._spare = None if spare in self._refused else spare
        self.source = "" if grant is None else grant.source
        if self.bearer is None or self._waiting_from_ns is not None or self.bearer.secret != secret:
            self._set(secret)
        self._due_ns = self._due(grant)

    def _set(self, secret: str | None) -> None:
        self.bearer = Bearer(self.bearer.generation + 1 if self.bearer else 1, secret)

    def _due(self, grant: Grant | None) -> int | None:
        """The instant for the renewal ahead of expiry; None where the credential does not age, or is over by a clock
        that nobody vouches for: then a 401 tells when."""
        clock = self._clock
        if grant is None or clock is None or not self.renews:
            return None
        if grant.renew_from_s is None and grant.expires_s is None:
            return None
        now_s = clock.latest_s(self._granted_ns)
        if grant.expires_s is not None and grant.expires_s <= now_s:
            return self._granted_ns + int(self.policy.most_backoff_s * S)
        from_s, until_s = renewal_window(grant, now_s)
        return clock.reaches_ns(from_s + self._spread_ratio * (until_s - from_s))

    def _may_ask_ns(self) -> int | None:
        """The instant from which a renewal may begin; None: none is wanted."""
        wanted_ns = 0 if self._is_needed else self._due_ns
        if wanted_ns is None or (not self.renews and self.bearer is not None):
            return None
        gap_ns = 0 if self._last_asked_ns is None else self._last_asked_ns + int(self.policy.least_gap_s * S)
        return max(wanted_ns, gap_ns, self._not_before_ns)

    def _expires_ns(self) -> int | None:
        """The instant from which the credential is surely over; None while the endpoint's clock is not told."""
        clock, grant = self._clock, self._grant
        if grant is None or grant.expires_s is None or clock is None or not clock.is_told or not self.renews:
            return None
        return None if self._waiting_from_ns is not None else clock.has_passed_ns(grant.expires_s)

    def _expire(self, now_ns: int) -> None:
        """Nobody sends what is surely over."""
        expires_ns = self._expires_ns()
        if expires_ns is not None and now_ns >= expires_ns and self._granted_ns < expires_ns:
            self._waiting_from_ns = now_ns
            self._be_needed(now_ns)

    def _is_out_of_patience(self, now_ns: int) -> bool:
        from_ns = self._waiting_from_ns
        return from_ns is not None and now_ns - from_ns >= self.policy.patience_s * S

    def _lose(self) -> bool:
        """The credential is lost; whether a renewal was still running."""
        was_asking, self._asked_ns = self._asked_ns is not None, None
        self._waiting_from_ns = None
        self.lost = self.last_failure or "no renewal came in time"
        return was_asking


def renewal_window(grant: Grant, now_s: float) -> tuple[float, float]:
    """From when and until when a grant that came at `now_s` is to be renewed, in seconds of the server's clock.

    It begins at `renew_from_s`, without one at three quarters of the life. It ends a margin before expiry: a fifth of
    the life, at most a minute; and in any case five minutes after its begin.

    >>> renewal_window(Grant("s", "token", expires_s=1020.0), now_s=1000.0)
    (1015.0, 1016.0)
    """
    if grant.expires_s is None:
        from_s = max(grant.renew_from_s or now_s, now_s)
        return from_s, from_s + 60.0
    life_s = grant.expires_s - now_s
    last_s = grant.expires_s - min(60.0, 0.2 * life_s)
    wanted_s = now_s + 0.75 * life_s if grant.renew_from_s is None else max(grant.renew_from_s, now_s)
    from_s = min(wanted_s, last_s)
    return from_s, min(last_s, from_s + 300.0)
