"""The stable words that say why an endpoint is not well, what each means and what to do about it. Pure.

docs/checks.md shows them all: a word that has no row here, no `Failure` and no status cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.health.telemetry_reasons import OF_TELEMETRY
from scoring.attempt import Failure
from scoring.endpoint import Hosting
from scoring.health import REASON_NONE, Health
from scoring.status import failure_meaning, meaning

OURS = frozenset(
    {
        Failure.DNS_TIMEOUT,
        Failure.NETWORK_UNREACHABLE,
        Failure.OUT_OF_FILES,
        Failure.OUT_OF_PORTS,
        Failure.AUTH_FAILED,
        Failure.ABORTED,
    }
)
"""Failures that say something of this machine or its credential, and nothing of the endpoint."""
_NO_CHECK = frozenset({Failure.UNEXPECTED_STATUS, Failure.ABORTED})
"""The one is told by its status, and a check is never aborted."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`state` is what a check with this reason comes to. `{endpoint}` in a step stands for the endpoint's name."""

    word: str
    state: Health
    means: str
    next_step: str


_LATENCY = "redline report latency {endpoint}"
_CERTIFICATE = "renew the certificate of the scoring host"
_REFUSAL = "look at the answer: a refused caller should see 401"
_BUDGET = "redline report errors {endpoint} --since 24h"
_REASONS = (
    Reason("slow", Health.DEGRADED, "a good answer took longer than `latency`", _LATENCY),
    Reason("too_slow", Health.FAILED, "a good answer took longer than `latency_failed`", _LATENCY),
    Reason("slow_percentile", Health.DEGRADED, "the percentile of a window is above its bound", _LATENCY),
    Reason(
        "body_large",
        Health.DEGRADED,
        "a good answer is longer than `max_body_bytes`",
        "look at what the entry script returns, or raise max_body_bytes",
    ),
    Reason("certificate_expires_soon", Health.DEGRADED, "fewer days are left than `certificate_days`", _CERTIFICATE),
    Reason("certificate_expires", Health.FAILED, "fewer days are left than `certificate_failed_days`", _CERTIFICATE),
    Reason(
        "open_without_key",
        Health.FAILED,
        "a request without a key was answered (DEGRADED where `auth` is none)",
        "switch key auth on, or say `negative = []` where an open endpoint is meant",
    ),
    Reason(
        "open_to_wrong_key",
        Health.FAILED,
        "a request with a wrong key was answered",
        "look at the key check of the gateway; whoever knows the address can score",
    ),
    Reason("no_key_not_refused", Health.DEGRADED, "without a key something else than 401 or 403 came", _REFUSAL),
    Reason("wrong_key_not_refused", Health.DEGRADED, "with a wrong key something else than 401 or 403 came", _REFUSAL),
    Reason(
        "get_answered",
        Health.DEGRADED,
        "GET was answered with something else than 405",
        "close GET at the gateway, or leave get out of negative",
    ),
    Reason("budget_burn_1h", Health.FAILED, "the error budget burns too fast over 1 h and 5 min", _BUDGET),
    Reason("budget_burn_6h", Health.FAILED, "the same over 6 h and 30 min", _BUDGET),
    Reason("budget_burn_1d", Health.DEGRADED, "the same over 1 d and 2 h", _BUDGET),
    Reason("budget_burn_3d", Health.DEGRADED, "the same over 3 d and 6 h", _BUDGET),
    Reason(
        "own_network",
        Health.UNKNOWN,
        "no name server or no route for two hosts or more, and no other can be reached",
        "look at the network of the machine that watches: ip route; resolvectl status",
    ),
    Reason(
        REASON_NONE,
        Health.UNKNOWN,
        "nothing has been checked yet",
        "look at the watcher: redline report health --state DIR",
    ),
    *(Reason(*row) for row in OF_TELEMETRY),
)
_BY_WORD = {reason.word: reason for reason in _REASONS}


def reasons() -> Iterator[Reason]:
    """Every reason that is no status: failures in their order, then what else checks find."""
    for failure in Failure:
        if failure not in _NO_CHECK:
            said = failure_meaning(failure)
            yield Reason(str(failure), state_of(failure), said.cause, said.next_step)
    yield from _REASONS


def state_of(failure: Failure) -> Health:
    """UNKNOWN for what hinders this machine, FAILED for all else."""
    return Health.UNKNOWN if failure in OURS else Health.FAILED


def next_step(word: str, endpoint: str, hosting: Hosting | None) -> str | None:
    """What to do about a reason, in words that can be typed or done; None where nothing is known."""
    if word.startswith("status_") and word[7:].isdecimal():
        return meaning(int(word[7:]), hosting).next_step
    if word in set(Failure):
        return failure_meaning(Failure(word)).next_step
    found = _BY_WORD.get(word)
    return None if found is None else found.next_step.replace("{endpoint}", endpoint)
