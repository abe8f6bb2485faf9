"""What answers say of health: bounds, certificates, requests that must be refused, wishes for silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.judging import (
    MOST_RETRY_AFTER_S,
    answer_check,
    certificate_check,
    kept_out,
    latency_check,
    negative_check,
    negative_kinds,
    percentile_check,
    retry_after_s,
)
from scoring.attempt import Attempt, Failure
from scoring.checkplan import CheckPlan, parse_percentile
from scoring.client import Answer
from scoring.endpoint import Endpoint
from scoring.health import Health
from scoring.units import MS

DAY_S = 86_400.0
REMOTE = "https://churn.example/score"
LOCAL = "http://127.0.0.1:5001/score"


def answer(status: int | None, failure: Failure | None = None, **headers: str) -> Answer:
    attempt = Attempt("0" * 32, 0, 0, None, 5 * MS, status, failure)
    return Answer(attempt, status, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("failure", [one for one in Failure if one is not Failure.UNEXPECTED_STATUS])
def test_every_failure_is_a_reason_of_its_own(failure: Failure) -> None:
    """The reason is the failure's name, with words and a next step; it is UNKNOWN where this machine is the cause."""
    check = answer_check(Endpoint("a", REMOTE), "payload", answer(None, failure))
    assert (check.reason, check.outcome is Health.OK) == (str(failure), False)
    assert check.evidence
    assert check.next_step


@pytest.mark.parametrize(
    "failure",
    [Failure.DNS_TIMEOUT, Failure.NETWORK_UNREACHABLE, Failure.OUT_OF_FILES, Failure.OUT_OF_PORTS, Failure.AUTH_FAILED],
)
def test_what_hinders_this_machine_is_unknown_not_failed(failure: Failure) -> None:
    """Our own network down is no outage of the endpoint, and not OK either."""
    assert answer_check(Endpoint("a", REMOTE), "payload", answer(None, failure)).outcome is Health.UNKNOWN


@pytest.mark.parametrize(
    ("latency_ms", "outcome"), [(100, Health.OK), (300, Health.OK), (301, Health.DEGRADED), (2001, Health.FAILED)]
)
def test_latency_has_two_bounds(latency_ms: int, outcome: Health) -> None:
    """At the bound is within it."""
    check = latency_check(CheckPlan(latency_ns=300 * MS, latency_failed_ns=2000 * MS), latency_ms * MS)
    assert check is not None
    assert check.outcome is outcome


@pytest.mark.parametrize(
    ("days", "reason"), [(90, "ok"), (14, "ok"), (13.9, "certificate_expires_soon"), (2.9, "certificate_expires")]
)
def test_a_certificate_is_told_of_before_it_expires(days: float, reason: str) -> None:
    """Two weeks and three days, unless the file says otherwise."""
    check = certificate_check(CheckPlan(), 1_000 + days * DAY_S, 1_000)
    assert check is not None
    assert check.reason == reason


@pytest.mark.parametrize(
    ("uri", "auth", "kinds"),
    [
        (REMOTE, "key", ("no_key", "wrong_key")),
        (LOCAL, "key", ("no_key", "wrong_key")),
        (REMOTE, "none", ("no_key",)),
        (LOCAL, "none", ()),
    ],
)
def test_what_must_be_refused_follows_from_auth_and_place(uri: str, auth: str, kinds: tuple[str, ...]) -> None:
    """An endpoint without auth that others can reach is asked whether it is open."""
    assert negative_kinds(Endpoint("a", uri, auth=auth), CheckPlan()) == kinds
    assert negative_kinds(Endpoint("a", uri, auth=auth), CheckPlan(negative=("get",))) == ("get",)


@pytest.mark.parametrize(
    ("kind", "auth", "status", "outcome", "reason"),
    [
        ("no_key", "key", 401, Health.OK, "ok"),
        ("wrong_key", "key", 403, Health.OK, "ok"),
        ("no_key", "key", 200, Health.FAILED, "open_without_key"),
        ("wrong_key", "key", 200, Health.FAILED, "open_to_wrong_key"),
        ("no_key", "none", 200, Health.DEGRADED, "open_without_key"),
        ("no_key", "key", 500, Health.DEGRADED, "no_key_not_refused"),
        ("no_key", "key", 503, Health.UNKNOWN, "status_503"),
        ("wrong_key", "key", None, Health.UNKNOWN, "conn_reset"),
        ("get", "key", 405, Health.OK, "ok"),
        ("get", "key", 200, Health.DEGRADED, "get_answered"),
    ],
)
def test_a_request_that_must_be_refused(kind: str, auth: str, status: int | None, outcome: Health, reason: str) -> None:
    """Refused is well, answered is a finding, overload and silence say nothing."""
    failure = Failure.CONN_RESET if status is None else Failure.UNEXPECTED_STATUS
    check = negative_check(kind, Endpoint("a", REMOTE, auth=auth), answer(status, failure))
    assert (check.id, check.outcome, check.reason) == (kind, outcome, reason)


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("99999999999999999999", MOST_RETRY_AFTER_S),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 1970 00:17:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_RETRY_AFTER_S),
        ("٣٠", None),
    ],
)
def test_a_wish_for_silence_is_kept_within_bounds(said: str, wait_s: float | None) -> None:
    """Seconds or a date; what is absurd is cut, what is none is ignored. The clock says 1,000 s after 1970."""
    assert retry_after_s(answer(429, Failure.UNEXPECTED_STATUS, retry_after=said), 1_000.0) == wait_s


@given(st.text(max_size=40))
def test_no_header_breaks_the_reading_of_a_wish(said: str) -> None:
    """Whatever stands there gives seconds within bounds, or nothing."""
    wait_s = retry_after_s(answer(503, Failure.UNEXPECTED_STATUS, retry_after=said), 1_000.0)
    assert wait_s is None or 0 <= wait_s <= MOST_RETRY_AFTER_S


def test_an_answer_that_is_no_rejection_wishes_nothing() -> None:
    """A Retry-After beside a 200 holds nobody back."""
    assert retry_after_s(answer(200, None, retry_after="30"), 1_000.0) is None


def test_kept_out_is_when_no_answer_came_from_the_model() -> None:
    """401, 403 and no connection; one answer of the model is enough to have been inside."""
    refused, reset = answer(401, Failure.UNEXPECTED_STATUS), answer(None, Failure.CONNECT_REFUSED)
    assert kept_out([refused, reset])
    assert not kept_out([refused, answer(500, Failure.UNEXPECTED_STATUS)])
    assert not kept_out([])


@pytest.mark.parametrize(
    ("q", "bound", "reason"), [("p50", "30ms", "ok"), ("p50", "29ms", "slow_percentile"), ("p95", "50ms", "ok")]
)
def test_a_percentile_is_the_nearest_rank(q: str, bound: str, reason: str) -> None:
    """Of 10, 20, 30, 40, 50 ms the median is 30 and the 95th percentile 50."""
    goal = parse_percentile(f"{q}(10m)<{bound}")
    (check,) = percentile_check(goal, [50 * MS, 10 * MS, 30 * MS, 20 * MS, 40 * MS])
    assert check.reason == reason
