"""What one answer says of an endpoint's health, as checks with stable reasons. Pure: answers come in, results go out.

Reasons are words to rely on (docs/checks.md). An answer that is not good gives the name of its
failure, `golden_mismatch`, or `status_503`; what hinders this machine and not the endpoint is UNKNOWN, never FAILED.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.health.reasons import OURS, next_step, state_of
from scoring.attempt import UNREACHED, Failure
from scoring.checkplan import CheckPlan, PercentileGoal
from scoring.client import Answer
from scoring.endpoint import Endpoint
from scoring.health import REASON_OK, CheckResult, Health
from scoring.status import AUTH, REJECTED, failure_meaning, meaning
from scoring.units import DAY, S, show_ms

_CERTIFICATE = frozenset({Failure.TLS_EXPIRED, Failure.TLS_WRONG_HOST, Failure.TLS_UNTRUSTED, Failure.TLS_FAILED})
REFUSED = frozenset({401, 403})
FEWEST_IN_WINDOW = 5
MOST_RETRY_AFTER_S = 600.0
"""An endpoint that asks for more silence is asked again after ten minutes all the same."""


def answer_check(endpoint: Endpoint, payload: str, answer: Answer) -> CheckResult:
    """Whether the scenario's expectation is met."""
    failure, status = answer.attempt.failure, answer.status
    phases, request_id = answer.phases_ns, answer.attempt.request_id
    if failure is None:
        evidence = f"{payload}: {status} in {show_ms(answer.attempt.latency_ns / 1e6)}, {len(answer.body):,} bytes"
        return CheckResult("answer", Health.OK, REASON_OK, evidence, phases, request_id=request_id)
    outcome = state_of(failure)
    if failure is Failure.UNEXPECTED_STATUS and status is not None:
        said = meaning(status, endpoint.hosting)
        evidence = f"{payload}: answered {status}, {said.name}: {said.cause}"
        return CheckResult("answer", outcome, f"status_{status}", evidence, phases, said.next_step, request_id)
    said = failure_meaning(failure)
    detail = f": {answer.detail}" if answer.detail else ""
    evidence = f"{payload}: {said.name}{detail}"
    return CheckResult("answer", outcome, str(failure), evidence, phases, said.next_step, request_id)


def latency_check(plan: CheckPlan, latency_ns: int) -> CheckResult | None:
    """Whether a good answer came soon enough; None where no bound is set."""
    if plan.latency_ns is None and plan.latency_failed_ns is None:
        return None
    took = show_ms(latency_ns / 1e6)
    for bound_ns, outcome, reason in (
        (plan.latency_failed_ns, Health.FAILED, "too_slow"),
        (plan.latency_ns, Health.DEGRADED, "slow"),
    ):
        if bound_ns is not None and latency_ns > bound_ns:
            evidence = f"{took}, the bound is {show_ms(bound_ns / 1e6)}"
            return _bad("latency", outcome, reason, evidence)
    bound_ns = plan.latency_ns or plan.latency_failed_ns or 0
    return CheckResult("latency", Health.OK, REASON_OK, f"{took}, the bound is {show_ms(bound_ns / 1e6)}")


def percentile_check(goal: PercentileGoal, latencies_ns: Sequence[int]) -> list[CheckResult]:
    """Whether the percentile (nearest rank) of the window's good answers is within its bound; empty for too few."""
    count = len(latencies_ns)
    if count < FEWEST_IN_WINDOW:
        return []
    found_ns = sorted(latencies_ns)[max(math.ceil(goal.q * count) - 1, 0)]
    evidence = f"{show_ms(found_ns / 1e6)} of {count} answers, the bound is {show_ms(goal.bound_ns / 1e6)}"
    if found_ns > goal.bound_ns:
        return [_bad(goal.text, Health.DEGRADED, "slow_percentile", evidence)]
    return [CheckResult(goal.text, Health.OK, REASON_OK, evidence)]


def size_check(plan: CheckPlan, received_bytes: int) -> CheckResult | None:
    """Whether the body is as small as it should be; None where no bound is set."""
    if plan.max_body_bytes is None:
        return None
    evidence = f"{received_bytes:,} bytes, the bound is {plan.max_body_bytes:,}"
    if received_bytes > plan.max_body_bytes:
        return _bad("size", Health.DEGRADED, "body_large", evidence)
    return CheckResult("size", Health.OK, REASON_OK, evidence)


def certificate_check(plan: CheckPlan, expires_s: float | None, now_s: float) -> CheckResult | None:
    """Whether the certificate lasts long enough; None without TLS. One that is refused fails the answer itself."""
    if expires_s is None:
        return None
    days = (expires_s - now_s) / (DAY / S)
    evidence = f"the certificate has {days:.1f} days left"
    if days < plan.certificate_failed_days:
        return _bad("certificate", Health.FAILED, "certificate_expires", evidence)
    if days < plan.certificate_days:
        return _bad("certificate", Health.DEGRADED, "certificate_expires_soon", evidence)
    return CheckResult("certificate", Health.OK, REASON_OK, evidence)


def negative_kinds(endpoint: Endpoint, plan: CheckPlan) -> tuple[str, ...]:
    """Which requests must be refused: as the plan says, else what the endpoint's auth makes sense of.

    An endpoint without auth is asked without a key only where others can reach it: open to the world is a finding.
    """
    if plan.negative is not None:
        return plan.negative
    if endpoint.auth == "none":
        return () if endpoint.is_loopback else ("no_key",)
    return ("no_key", "wrong_key")


def negative_check(kind: str, endpoint: Endpoint, answer: Answer) -> CheckResult:
    """Whether a request that must be refused was. A 429 or 503 and no answer at all leave it unknown."""
    words = {"no_key": "without a key", "wrong_key": "with a wrong key", "get": "to GET"}[kind]
    status, phases, request_id = answer.status, answer.phases_ns, answer.attempt.request_id
    if status is None or status in REJECTED:
        reason = str(answer.attempt.failure) if status is None else f"status_{status}"
        return CheckResult(kind, Health.UNKNOWN, reason, f"no answer that tells {words}: {reason}", phases)
    wanted = "405" if kind == "get" else "401 or 403"
    evidence = f"answered {status} {words}, expected {wanted}"
    if (status == 405) if kind == "get" else (status in REFUSED):
        return CheckResult(kind, Health.OK, REASON_OK, f"refused with {status} {words}", phases, request_id=request_id)
    outcome, reason = _answered(kind, status, endpoint)
    return CheckResult(kind, outcome, reason, evidence, phases, next_step(reason, "ENDPOINT", None), request_id)


def _answered(kind: str, status: int, endpoint: Endpoint) -> tuple[Health, str]:
    """What it means that a request was not refused."""
    if kind == "get":
        return Health.DEGRADED, "get_answered"
    if status >= 300:
        return Health.DEGRADED, f"{kind}_not_refused"
    outcome = Health.DEGRADED if endpoint.auth == "none" else Health.FAILED
    return outcome, "open_without_key" if kind == "no_key" else "open_to_wrong_key"


def _bad(check: str, outcome: Health, reason: str, evidence: str) -> CheckResult:
    return CheckResult(check, outcome, reason, evidence, next_step=next_step(reason, "ENDPOINT", None))


def unasked_check(kind: str, answer: CheckResult) -> CheckResult:
    """Stands for a request that was not sent, because the answer before it makes it pointless."""
    return CheckResult(kind, Health.UNKNOWN, answer.reason, f"not asked: {answer.reason}")


def is_pointless(answer: Answer) -> bool:
    """True when further requests would meet the same end: not reached, hung, refused for auth or for load."""
    failure = answer.attempt.failure
    return (
        failure in UNREACHED
        or failure in OURS
        or failure is Failure.DEADLINE_EXCEEDED
        or (answer.status is not None and answer.status in AUTH | REJECTED)
    )


def kept_out(answers: Sequence[Answer]) -> bool:
    """True when auth or the network kept every answer from the model."""
    return bool(answers) and all(
        answer.attempt.failure in UNREACHED | {Failure.AUTH_FAILED} or answer.status in AUTH for answer in answers
    )


def retry_after_s(answer: Answer, now_s: float) -> float | None:
    """Seconds for which the endpoint asks not to be called, from 0 to MOST_RETRY_AFTER_S; None where it does not ask.

    `Retry-After` is a number of seconds or a date (RFC 9110, 10.2.3); whatever else stands there is no wish.
    """
    from email.utils import parsedate_to_datetime

    said = answer.headers.get("retry-after", "").strip()
    if answer.status not in REJECTED or not said:
        return None
    if said.isdecimal() and said.isascii():
        return min(float(said[:9]), MOST_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(said).timestamp() - now_s
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(wait_s, 0.0), MOST_RETRY_AFTER_S)
