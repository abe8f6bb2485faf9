"""Who may send: the state of the hold that is running in this process. No clock and no waiting; times are arguments.

A user passes while its index is below `admitted`. Closing is one assignment, so it takes effect before the next request
of any user. A user in flight when the gate closes finishes its attempt; the gate is drained when the last one has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from capacity.arrivals import Rate
from scoring.status import REJECTED

OPEN_TO_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class Hold:
    """One level, held for a while. Seconds count from the opening of the gate."""

    number: int  # of the trial; stands in every record
    level: int  # users that may have a request in flight
    ramp_s: float  # the users are let in one by one, spread evenly over this time
    transient_s: float  # attempts sent before this are harm, but no evidence
    max_s: float
    allowance: int  # rejections, transient included: the gate closes with the last of them
    stop_total: int | None = None  # bad answers of any kind, transient included; None: no limit
    backoff_s: float = 0.0  # a rejected user waits this long, or what Retry-After says
    slow_ns: tuple[int, ...] = ()  # latency thresholds of the goals
    share: int | None = None  # how many of the users are in this process; None: all
    rate: Rate | None = None  # an open loop: requests are due at this rate, whatever the answers do
    spacing: str = "poisson"
    seed: int = 1
    replay: str | None = None  # an open loop: requests are due as this file tells
    speed: float = 1.0
    part: int = 0  # of an open loop, this process has every `parts`-th request
    parts: int = 1

    @property
    def is_open(self) -> bool:
        """An open loop."""
        return self.rate is not None or self.replay is not None

    @property
    def users_here(self) -> int:
        return self.level if self.share is None else self.share


def hold_as_json(hold: Hold) -> dict[str, Any]:
    """Plain values; `hold_from` reads them back."""
    return asdict(hold)


def hold_from(document: dict[str, Any]) -> Hold:
    """The hold that `hold_as_json` wrote."""
    rate = document["rate"]
    return Hold(**{**document, "slow_ns": tuple(document["slow_ns"]), "rate": None if rate is None else Rate(**rate)})


def share_of(total: int, worker: int, worker_count: int) -> int:
    """The part of `total` users that one of the workers holds; the parts of all workers add up to it.

    >>> [share_of(8, worker, 3) for worker in range(3)]
    [3, 3, 2]
    """
    return total // worker_count + (worker < total % worker_count)


def allowance_share(allowance: int, share: int, level: int) -> int:
    """Rejections that a worker with `share` of the `level` users may see: rounded up, so that none is left without.

    >>> allowance_share(10, 3, 8)
    4
    """
    return -(-allowance * share // level) if level else 0


class Gate:
    """The hold of this process. `closed_by` is None while the gate is open."""

    def __init__(self, on_closed: Callable[[], None], on_drained: Callable[[], None]) -> None:
        self._on_closed = on_closed
        self._on_drained = on_drained
        self.trial = 0
        self.level = 0  # users of all processes together
        self.is_open_loop = False
        self.opened_ns = 0
        self.settled_ns = 0
        self.backoff_ns = 0
        self.rejections_left = OPEN_TO_ALL
        self.bad_left = OPEN_TO_ALL
        self.rejected_count = 0
        self.admitted = 0  # users below this index may send
        self.in_flight = 0
        self.is_paused = False
        self._let_in = 0  # users that may send, or may as soon as the pause is over
        self._paused_ns = 0  # since when
        self._waited_ns = 0  # in earlier pauses of the hold
        self.closed_by: str | None = "not opened"

    def open(self, hold: Hold, now_ns: int) -> None:
        """A hold begins; nobody is admitted yet. Must not be called while requests of another are in flight."""
        if self.in_flight:
            raise ValueError(f"{self.in_flight} requests of trial {self.trial} are still in flight")
        self.trial = hold.number
        self.level = hold.level
        self.is_open_loop = hold.is_open
        self.opened_ns = now_ns
        self.settled_ns = now_ns + int(hold.transient_s * 1e9)
        self.backoff_ns = int(hold.backoff_s * 1e9)
        self.rejections_left = hold.allowance
        self.bad_left = OPEN_TO_ALL if hold.stop_total is None else hold.stop_total
        self.rejected_count = 0
        self._let_in = 0
        self._waited_ns = 0
        self._paused_ns = now_ns
        self.closed_by = None
        if hold.allowance <= 0:
            self.close("allowance")

    def open_to_all(self, now_ns: int) -> None:
        """Every user may send until the gate closes: what a plain Locust run wants."""
        self.open(Hold(0, OPEN_TO_ALL, 0.0, 0.0, 0.0, allowance=OPEN_TO_ALL), now_ns)
        self.admit(OPEN_TO_ALL)

    def admit(self, users: int) -> None:
        """Users 0 … users-1 may send, unless the gate has closed meanwhile."""
        if self.closed_by is None:
            self._let_in = users
            self.admitted = 0 if self.is_paused else users

    def pause(self, now_ns: int) -> None:
        """Nobody sends until `resume`; the hold goes on."""
        if not self.is_paused:
            self.is_paused = True
            self._paused_ns = now_ns
            self.admitted = 0

    def resume(self, now_ns: int) -> None:
        """Whoever had been let in may send again."""
        if self.is_paused:
            self._waited_ns = self.waited_ns(now_ns)
            self.is_paused = False
            self.admitted = 0 if self.closed_by is not None else self._let_in

    def waited_ns(self, now_ns: int) -> int:
        """How long pauses have kept the users of this hold waiting; asked at the latest when the gate closes."""
        return self._waited_ns + (now_ns - self._paused_ns if self.is_paused else 0)

    def close(self, why: str) -> None:
        """Nobody sends any more. The first reason stands."""
        if self.closed_by is not None:
            return
        self.closed_by = why
        self.admitted = 0
        self._let_in = 0
        self._on_closed()
        if not self.in_flight:
            self._on_drained()

    def leave(self) -> None:
        """An attempt has ended."""
        self.in_flight -= 1
        if self.closed_by is not None and not self.in_flight:
            self._on_drained()

    def count_bad(self, status: int) -> None:
        """A bad answer of any kind came; status 0 stands for none. The last one allowed closes the gate at once."""
        if status in REJECTED:
            self.rejected_count += 1
            self.rejections_left -= 1
        self.bad_left -= 1
        if self.rejections_left <= 0 or self.bad_left <= 0:
            self.close("allowance")

    def pause_ns(self, status: int, retry_after_ns: int | None) -> int:
        """How long a user waits after that status before it is free to send again."""
        if status not in REJECTED:
            return 0
        return self.backoff_ns if retry_after_ns is None else retry_after_ns
