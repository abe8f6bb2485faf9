"""Edge: endpoints checked by real requests, each in a thread of its own, so that one that hangs delays no other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from queue import SimpleQueue
from threading import Thread

from monitor.health.judging import (
    answer_check,
    certificate_check,
    is_pointless,
    kept_out,
    latency_check,
    negative_check,
    negative_kinds,
    retry_after_s,
    size_check,
    unasked_check,
)
from monitor.health.reasons import next_step
from monitor.health.telemetry_checks import Asker, SignIns
from scoring.attempt import Failure
from scoring.checkplan import CheckPlan
from scoring.client import Answer, probe
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.health import CheckResult, EndpointHealth, Health
from scoring.holding import UNAUTHORIZED, Holder
from scoring.redact import redact
from scoring.scenario import Payload, Scenario
from scoring.status import REJECTED
from scoring.text import harmless

AT_ONCE = 64
ASK_AGAIN_S = 1.0
LONGEST_PAUSE_S = 10.0
WRONG_KEY = "redline-wrong-key-0000000000000000"
"""Sent where a wrong key must be refused; it opens nothing and is no secret."""


@dataclass(frozen=True)
class Subject:
    """An endpoint to check, and the environment in which its credential is found."""

    endpoint: Endpoint
    scenario: Scenario
    plan: CheckPlan
    environ: Mapping[str, str] = field(repr=False)
    sign_ins: SignIns = field(default_factory=SignIns, repr=False)  # shared by the endpoints of one command

    @cached_property
    def holder(self) -> Holder:
        """Its credential, kept and renewed from one check to the next. RedlineError where none can be had."""
        return Holder(self.endpoint, self.environ)

    @cached_property
    def asker(self) -> Asker:
        """Who asks Azure Monitor about it, from one time to the next."""
        return Asker(self.endpoint, self.plan, self.sign_ins)

    @property
    def deadline_ns(self) -> int:
        return self.plan.deadline_ns or self.scenario.deadline_ns


def checked(subject: Subject, *, tries: int = 1) -> EndpointHealth:
    """The health of the endpoint now. Lasts about one deadline when it hangs; never raises RedlineError.

    A request answered 429 or 503 is sent `tries` times at most, after as long as the endpoint asks for.
    """
    began_s, began_ns = time.time(), time.monotonic_ns()
    try:
        subject.holder.secret()
    except RedlineError as error:
        return _without_key(subject, error, began_s)
    answers, checks = _answers(subject, tries)
    checks += _negatives(subject, checks[-1], is_pointless(answers[-1]))
    good = [answer for answer in answers if answer.attempt.good]
    return EndpointHealth(
        name=subject.endpoint.name,
        host=subject.endpoint.host,
        checks=tuple(checks),
        checked_s=began_s,
        took_ns=time.monotonic_ns() - began_ns,
        latency_ns=good[0].attempt.latency_ns if good else None,
        could_enter=not kept_out(answers),
        retry_after_s=retry_after_s(answers[-1], time.time()),
    )


def checked_all(subjects: Sequence[Subject], *, tries: int = 1) -> list[EndpointHealth]:
    """The health of every endpoint, in their order; at most AT_ONCE are asked at a time."""
    found = dict(_as_they_come(subjects, tries))
    return [found[place] for place in range(len(subjects))]


def _as_they_come(subjects: Sequence[Subject], tries: int) -> Iterator[tuple[int, EndpointHealth]]:
    done: SimpleQueue[tuple[int, EndpointHealth | None]] = SimpleQueue()
    waiting = list(enumerate(subjects))
    under_way = 0
    while waiting or under_way:
        while waiting and under_way < AT_ONCE:
            place, subject = waiting.pop(0)
            Thread(target=_into, args=(done, place, subject, tries), daemon=True).start()
            under_way += 1
        place, health = done.get()
        under_way -= 1
        if health is None:
            raise RuntimeError(f"checking {subjects[place].endpoint.name} failed; the thread's own words stand above")
        yield place, health


def _into(done: SimpleQueue[tuple[int, EndpointHealth | None]], place: int, subject: Subject, tries: int) -> None:
    """In a thread that nobody waits for: Ctrl-C ends redline although an answer is still out."""
    health = None
    asking = subject.asker.begun()
    try:
        health = checked(subject, tries=tries)
        health = replace(health, checks=(*health.checks, *subject.asker.ended(asking).checks))
    finally:
        done.put((place, health))


def _answers(subject: Subject, tries: int) -> tuple[list[Answer], list[CheckResult]]:
    """The answers to the scenario's payloads, and the checks that they make; at least one of each."""
    answers: list[Answer] = []
    checks: list[CheckResult] = []
    payloads = subject.scenario.payloads[: subject.plan.payloads]
    for payload in payloads:
        answer = _answer(subject, payload, tries)
        answers.append(answer)
        of_answer = [_answer_check(subject, payload, answer)]
        if answer.attempt.good:
            of_answer += [
                check
                for check in (
                    latency_check(subject.plan, answer.attempt.latency_ns),
                    size_check(subject.plan, answer.attempt.received_bytes),
                )
                if check is not None
            ]
        suffix = f":{len(answers)}" if len(payloads) > 1 else ""
        checks += [replace(check, id=check.id + suffix) for check in of_answer]
        if is_pointless(answer):
            break
    expires = certificate_check(subject.plan, answers[0].certificate_expires_s, time.time())
    return answers, ([] if expires is None else [expires]) + checks


def _answer_check(subject: Subject, payload: Payload, answer: Answer) -> CheckResult:
    """What the answer says of the endpoint: nothing, where it refuses a credential that could not be renewed."""
    check = answer_check(subject.endpoint, harmless(payload.name, max_chars=60), answer)
    trouble = subject.holder.trouble
    if answer.status != UNAUTHORIZED or trouble is None:
        return check
    evidence = harmless(redact(f"answered 401, and the credential cannot be renewed: {trouble}"), max_chars=500)
    reason = str(Failure.AUTH_FAILED)
    step = next_step(reason, subject.endpoint.name, subject.endpoint.hosting)
    return replace(check, outcome=Health.UNKNOWN, reason=reason, evidence=evidence, next_step=step)


def _answer(subject: Subject, payload: Payload, tries: int) -> Answer:
    """The last answer of up to `tries`; only a rejection is worth another."""
    while True:
        answer = subject.holder.signed_probe(
            subject.endpoint, subject.scenario, payload, deadline_ns=subject.deadline_ns
        )
        tries -= 1
        if answer.attempt.good or answer.status not in REJECTED or tries < 1:
            return answer
        wanted_s = retry_after_s(answer, time.time())
        time.sleep(min(ASK_AGAIN_S if wanted_s is None else wanted_s, LONGEST_PAUSE_S))


def _negatives(subject: Subject, last: CheckResult, pointless: bool) -> list[CheckResult]:
    found = []
    for kind in negative_kinds(subject.endpoint, subject.plan):
        if pointless:
            found.append(unasked_check(kind, last))
        else:
            found.append(negative_check(kind, subject.endpoint, _refusable(subject, kind)))
    return found


def _refusable(subject: Subject, kind: str) -> Answer:
    """The answer to a request that must be refused."""
    payload, scenario = subject.scenario.payloads[0], subject.scenario
    if kind == "get":
        payload, scenario = Payload("nothing", b""), replace(scenario, method="GET")
    sent = subject.holder.secret() if kind == "get" else {"no_key": None, "wrong_key": WRONG_KEY}[kind]
    return probe(subject.endpoint, scenario, payload, sent, deadline_ns=subject.deadline_ns)


def _without_key(subject: Subject, error: RedlineError, began_s: float) -> EndpointHealth:
    """Nothing was sent: there is no credential to send."""
    said = harmless(redact(error.message), max_chars=500)
    check = CheckResult("answer", Health.UNKNOWN, "auth_failed", said, next_step=error.hint)
    endpoint = subject.endpoint
    return EndpointHealth(endpoint.name, endpoint.host, (check,), began_s, 0, could_enter=False)
