"""Edge: keeps the credential of a load-carrying process good. What to do and when is scoring.refresh's to say.

A first key in the environment or a file is read here. Everything else is fetched by a process beside this one, so that
no import, no TLS handshake and no file that blocks can hold up a generator that is measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns, time

import gevent
from gevent.event import Event

from locustfiles import _progress
from locustfiles._answer import date_s
from locustfiles._helper import Answer, Helper
from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.grant import Grant
from scoring.granting import environment_of, scoring_source
from scoring.refresh import Policy, Refusal, Renewal, Step

POLICY = Policy()
SECRETS_KEPT = 32
FIRST_WITHIN_S = 60.0
"""Signing in for the first time may take longer than a renewal: several kinds of credential are tried in turn."""


class Keeper:
    """The credential that this process sends with. `start` returns once there is one."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str], *, spread_ratio: float = 0.0) -> None:
        self._source = scoring_source(endpoint, environ)
        self._conversation = Renewal(renews=self._source.renews, spread_ratio=spread_ratio, policy=POLICY)
        self._is_at_hand = is_at_hand(endpoint)
        self._secrets: dict[str, None] = {}
        self._number = 0  # of the latest question
        self._news = Event()
        self._first_answer: Answer = None
        self._on_change: Callable[[], None] = _nothing
        self._on_wait: Callable[[], None] = _nothing
        self._told = (0, False, False)  # generation, waiting, lost
        self._driver: gevent.Greenlet | None = None
        self._helper: Helper | None = None
        if self._source.renews:
            needed = {name: environ[name] for name in environment_of(endpoint) if name in environ}
            self._helper = Helper(endpoint, needed, self._on_answer, self._on_end)

    @property
    def secret(self) -> str | None:
        """What requests carry; None where the endpoint takes no credential."""
        bearer = self._conversation.bearer
        return None if bearer is None else bearer.secret

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no output may hold: all credentials so far, the latest SECRETS_KEPT of a long run."""
        return tuple(self._secrets)

    @property
    def must_wait(self) -> bool:
        """No request may be sent for now."""
        return self._conversation.must_wait

    @property
    def lost(self) -> str | None:
        """Why no request can be sent any more."""
        return self._conversation.lost

    @property
    def ages(self) -> bool:
        """The endpoint's clock matters: the credential is renewed before it expires."""
        return self._conversation.ages

    def start(self, first: Grant | None = None, *, has_first: bool = False) -> None:
        """There is a credential, `first` or a fetched one. RedlineError (exit 4) when none can be had."""
        conversation = self._conversation
        if not has_first:
            conversation.step(monotonic_ns())
            first = self._fetched()
        self._granted(first)
        self._told = self._state()
        if self._helper is not None:
            if conversation.ages:
                self._helper.start()
            self._driver = gevent.spawn(self._drive)

    def watch(self, on_change: Callable[[], None], on_wait: Callable[[], None]) -> None:
        """`on_change` is called when requests carry another credential, `on_wait` when waiting begins or ends."""
        self._on_change, self._on_wait = on_change, on_wait

    def refused(self, is_present: bool, *, again: bool) -> Refusal:
        """What a 401 means to the request that got it; `is_present`: it carried the present credential."""
        bearer = self._conversation.bearer
        generation = 0 if bearer is None else bearer.generation - (not is_present)
        meaning = self._conversation.refused(generation, monotonic_ns(), again=again)
        self._settle()
        self._news.set()
        return meaning

    def dated(self, date: bytes | None, sent_ns: int, received_ns: int) -> None:
        """An answer had this Date header."""
        told_s = date_s(date)
        if told_s is not None:
            self._conversation.dated(told_s, sent_ns, received_ns)
            self._news.set()

    def close(self) -> None:
        """Nothing is renewed any more."""
        if self._driver is not None:
            self._driver.kill(block=False)
        if self._helper is not None:
            self._helper.kill()

    def _fetched(self) -> Grant | None:
        """The first grant."""
        if self._helper is None or self._is_at_hand:
            return self._source.fetch()
        self._helper.ask(self._number)
        if not self._news.wait(FIRST_WITHIN_S):
            self._helper.kill()
            raise RedlineError(
                f"signing in took longer than {FIRST_WITHIN_S:.0f} s, and was given up",
                "redline doctor shows which credential serves",
                Exit.NO_ENTRY,
            )
        self._news.clear()
        if isinstance(self._first_answer, RedlineError):
            self._helper.kill()
            raise self._first_answer
        return self._first_answer

    def _drive(self) -> None:
        conversation = self._conversation
        while conversation.lost is None:
            self._news.clear()
            step = conversation.step(monotonic_ns())
            if step is Step.ASK:
                self._ask()
            elif step is Step.ABANDON and self._helper is not None:
                self._helper.kill()
            self._settle()
            if step is None:
                next_ns = conversation.next_ns()
                self._news.wait(None if next_ns is None else max(next_ns - monotonic_ns(), 0) / 1e9)

    def _ask(self) -> None:
        self._number += 1
        assert self._helper is not None  # noqa: S101
        self._helper.ask(self._number)

    def _granted(self, grant: Grant | None) -> None:
        for secret in grant.secrets if grant else ():
            self._secrets.pop(secret, None)
            self._secrets[secret] = None
        for secret in tuple(self._secrets)[:-SECRETS_KEPT]:
            del self._secrets[secret]
        self._conversation.granted(grant, monotonic_ns(), time())

    def _failed(self, reason: str) -> None:
        self._conversation.failed(reason, monotonic_ns())
        _progress.send("note", text=f"the credential could not be renewed: {reason}")

    def _on_answer(self, number: int, answer: Answer) -> None:
        if self._driver is None:
            self._first_answer = answer
        elif number == self._number and self._conversation.is_asking:
            if isinstance(answer, RedlineError):
                self._failed(answer.message)
            else:
                self._granted(answer)
            self._settle()
        self._news.set()

    def _on_end(self) -> None:
        self._on_answer(self._number, RedlineError("the renewal process has ended", None, Exit.NO_ENTRY))

    def _state(self) -> tuple[int, bool, bool]:
        bearer = self._conversation.bearer
        return (0 if bearer is None else bearer.generation), self.must_wait, self.lost is not None

    def _settle(self) -> None:
        """Whoever watches knows what has changed: the credential first, so that who is let go has the present one."""
        before, self._told = self._told, self._state()
        if before[0] != self._told[0]:
            self._on_change()
        if before[1:] != self._told[1:]:
            self._on_wait()


def is_at_hand(endpoint: Endpoint) -> bool:
    """Whether the credential, if any, stands in the environment or a file: reading it takes no time."""
    if endpoint.key_env is not None or endpoint.key_file is not None:
        return True
    return endpoint.auth == "none" and endpoint.key_keyring is None and endpoint.key_vault is None


def _nothing() -> None:
    """Nobody watches."""
