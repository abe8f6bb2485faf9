"""Edge: the credential of single requests: fetched once, renewed when it ages, and once more when it is refused.

The same rules as under load (scoring.refresh), for code that may block: whoever needs the credential fetches it, one at
a time, while others wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import RLock

from scoring.client import Answer, probe
from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.grant import Grant
from scoring.granting import scoring_source
from scoring.refresh import Policy, Refusal, Renewal, Step
from scoring.scenario import Payload, Scenario

UNAUTHORIZED = 401
PATIENT = Policy(least_gap_s=0.0, patience_s=1e9)
"""Single requests come one after the other: none of them has to be spread, and a later one may have better luck."""


class Holder:
    """The credential of one endpoint, for any number of threads."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._source = scoring_source(endpoint, environ)
        self._conversation = Renewal(renews=self._source.renews, policy=PATIENT)
        self._lock = RLock()
        self._secrets: dict[str, None] = {}
        self.grant: Grant | None = None  # the latest
        self.trouble: str | None = None  # why the latest renewal brought nothing

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that no output may hold: all credentials so far."""
        return tuple(self._secrets)

    def secret(self) -> str | None:
        """What a request carries at this moment; None where none is wanted. RedlineError (exit 4) when none is had."""
        return self._bearer()[1]

    def signed_probe(
        self, endpoint: Endpoint, scenario: Scenario, payload: Payload, *, deadline_ns: int | None = None
    ) -> Answer:
        """What came of one request; of a second one where the first was refused and there is another credential."""
        generation, secret = self._bearer()
        answer = probe(endpoint, scenario, payload, secret, deadline_ns=deadline_ns)
        if answer.status != UNAUTHORIZED:
            return answer
        following = self._after_refusal(generation)
        if following in (None, secret):
            return answer
        return probe(endpoint, scenario, payload, following, deadline_ns=deadline_ns)

    def _bearer(self) -> tuple[int, str | None]:
        """Generation and secret to send, renewed first if it is time."""
        with self._lock:
            conversation = self._conversation
            if conversation.step(time.monotonic_ns()) is Step.ASK:
                self._fetch(must=conversation.bearer is None)
            bearer = conversation.bearer
            if bearer is None:  # the first fetch has failed a moment ago
                raise RedlineError(self.trouble or "no credential could be had", None, Exit.NO_ENTRY)
            return bearer.generation, bearer.secret

    def _after_refusal(self, generation: int) -> str | None:
        """The credential to send after that generation was refused; None: there is no other."""
        with self._lock:
            meaning = self._conversation.refused(generation, time.monotonic_ns())
            _, secret = self._bearer()
            return None if meaning is Refusal.REAL or self._conversation.must_wait else secret

    def _fetch(self, *, must: bool) -> None:
        """The conversation knows of a new grant, or of the failure, which is raised where there `must` be a grant."""
        try:
            grant = self._source.fetch()
        except RedlineError as error:
            self.trouble = error.message
            self._conversation.failed(error.message, time.monotonic_ns())
            if must:
                raise
            return
        self.grant, self.trouble = grant, None
        self._secrets.update(dict.fromkeys(grant.secrets if grant else ()))
        self._conversation.granted(grant, time.monotonic_ns(), time.time())
