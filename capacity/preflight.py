"""Edge: one request per payload before any load, and the verdict when they say that load is not the question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from capacity.exits import NO_ENTRY_LABELS, exit_of
from capacity.recorded import append_failure
from capacity.runfolder import write_verdict
from capacity.verdict import Client, Cost, Kind, Verdict, verdict_as_json
from scoring.attempt import Failure
from scoring.client import Answer
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.holding import Holder
from scoring.scenario import Payload, Scenario
from scoring.status import NOT_LOAD, REJECTED, failure_meaning, meaning

PAYLOADS_TRIED = 10
TRIES = 2
"""A second try before a payload is given up, so that one unlucky answer stops nothing; auth and network need none."""

_NOT_LOAD_FAILURES = frozenset(
    {
        Failure.BODY_INVALID,
        Failure.ERROR_IN_BODY,
        Failure.SCHEMA_MISMATCH,
        Failure.GOLDEN_MISMATCH,
        Failure.REDIRECT_REFUSED,
        Failure.PROTOCOL_ERROR,
        Failure.BODY_TOO_LARGE,
    }
)


def preflight(endpoint: Endpoint, scenario: Scenario, holder: Holder, folder: Path) -> RedlineError | None:
    """None when load is worth sending: every payload tried was answered well, or with a refusal that load can explain.

    Else what to tell the person; the run folder then holds the verdict NOT_A_LOAD_PROBLEM and the answer it rests on.
    """
    started_s = monotonic()
    answers: list[Answer] = []
    for payload in scenario.payloads[:PAYLOADS_TRIED]:
        answer = _answer(endpoint, scenario, payload, holder, answers)
        if is_no_load_matter(answer):
            verdict = not_a_load_problem(endpoint, payload, answers, monotonic() - started_s)
            write_verdict(folder, verdict_as_json(verdict))
            append_failure(folder, _sample(answer))
            message = f"`{endpoint.name}` {what_it_did(endpoint, payload, answer)}"
            return RedlineError(message, next_step(endpoint, answer), exit_of(verdict, None))
    return None


def _answer(endpoint: Endpoint, scenario: Scenario, payload: Payload, holder: Holder, answers: list[Answer]) -> Answer:
    """The last answer to the payload; all of them are appended to `answers`."""
    for _ in range(TRIES):
        answer = holder.signed_probe(endpoint, scenario, payload, deadline_ns=scenario.deadline_ns)
        answers.append(answer)
        if not is_no_load_matter(answer) or answer.attempt.label in NO_ENTRY_LABELS:
            break
    return answers[-1]


def _sample(answer: Answer) -> dict[str, object]:
    """The row of failures.jsonl."""
    attempt = answer.attempt
    return {
        "request_id": attempt.request_id,
        "trial": 0,
        "users": 1,
        "label": attempt.label,
        "detail": answer.detail,
    }


def is_no_load_matter(answer: Answer) -> bool:
    """True when the answer would be the same at any load: 401, 404, a refused payload, rubbish in a 200, no network."""
    attempt = answer.attempt
    if attempt.label in NO_ENTRY_LABELS or attempt.failure in _NOT_LOAD_FAILURES:
        return True
    if attempt.failure is not Failure.UNEXPECTED_STATUS or answer.status is None:
        return False
    return answer.status in NOT_LOAD or answer.status < 400


def not_a_load_problem(endpoint: Endpoint, payload: Payload, answers: Sequence[Answer], seconds: float) -> Verdict:
    """The verdict of a run that sent no load; the last of the answers, to `payload`, is the reason."""
    labels = dict(Counter(answer.attempt.label for answer in answers))
    return Verdict(
        kind=Kind.NOT_A_LOAD_PROBLEM,
        reason=f"it {what_it_did(endpoint, payload, answers[-1])}",
        limits=(),
        binding_goal=None,
        first_rejected_users=None,
        knee_users=None,
        peak_rps=0.0,
        levels=(),
        rejected_count=sum(labels.get(str(status), 0) for status in REJECTED),
        client=Client(valid=True, reasons=()),
        cost=Cost(seconds=seconds, attempt_count=len(answers)),
        first_seen=dict.fromkeys(labels, 1),
    )


def what_it_did(endpoint: Endpoint, payload: Payload, answer: Answer) -> str:
    """What the endpoint did, and the cause as far as it is known: a sentence without its subject."""
    status, failure = answer.status, answer.attempt.failure
    if failure is Failure.UNEXPECTED_STATUS and status is not None:
        return f"answered {status} to payload `{payload.name}`: {meaning(status, endpoint.hosting).cause}"
    cause = failure_meaning(failure or Failure.UNEXPECTED_STATUS).cause
    detail = f" ({answer.detail})" if answer.detail else ""
    if status is None:
        return f"gave no answer at {endpoint.host}:{endpoint.port}: {cause}{detail}"
    return f"answered {status} to payload `{payload.name}`, but {cause}{detail}"


def next_step(endpoint: Endpoint, answer: Answer) -> str:
    """What to do about it, in words that can be typed or done."""
    status, failure = answer.status, answer.attempt.failure
    if failure in (None, Failure.UNEXPECTED_STATUS) and status is not None:
        return meaning(status, endpoint.hosting).next_step
    return failure_meaning(failure or Failure.UNEXPECTED_STATUS).next_step
