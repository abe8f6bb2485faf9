"""monitor.groups, seen through diagnose: failures alike are one group, and it says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.diagnosis import diagnose
from monitor.groups import MOST_GROUPS
from scoring.account import Account, Cell
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Served, Source, Thrown
from scoring.told import Group, Told

T0 = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
AKS = Endpoint("churn", "http://127.0.0.1:1/score", Hosting.AKS)
MANAGED = replace(AKS, hosting=Hosting.MANAGED)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def client(number: int, status: int | None, **fields: object) -> Served:
    given = {"failure": "unexpected_status", "duration_ms": 20.0, "request_id": f"{number:032x}", **fields}
    return Served(Source.CLIENT, at(number), status, **given)  # type: ignore[arg-type]


def thrown(number: int, message: str, **fields: object) -> Thrown:
    given = {"frame": "score.py:11 in run", **fields}
    return Thrown(Source.APP_INSIGHTS, at(number), "script", "ValueError", message, **given)  # type: ignore[arg-type]


def groups(*failed: Served, endpoint: Endpoint = AKS, **fields: object) -> tuple[Group, ...]:
    return diagnose(Told(endpoint, None, None, failed=failed, **fields)).groups  # type: ignore[arg-type]


def test_messages_that_differ_in_values_are_one_group() -> None:
    """Numbers and quoted values make no cause of their own."""
    failed = [client(i, 500, function_failed=True) for i in range(4)]
    told = tuple(thrown(i, f"row {i} has 'x{i}'", request_id=f"{i:032x}") for i in range(4))
    (group,) = groups(*failed, thrown=told)
    assert (group.cause, group.count, group.frame) == ("ValueError: row 0 has 'x0'", 4, "score.py:11 in run")
    assert group.why == (
        "the same ValueError, raised in score.py:run, with the same message but for values; matched by request id (4)"
    )


def test_a_group_says_how_its_exceptions_were_matched() -> None:
    """An exception without an id is matched by time and status, and the group says so."""
    failed = [client(i, 500, function_failed=True) for i in (0, 60)]
    told = (thrown(0, "bad", request_id=f"{0:032x}"), thrown(60, "bad"))
    (group,) = groups(*failed, thrown=told)
    assert group.why.endswith("matched by request id (1), by time and status, for want of an id (1)")


def test_an_exception_whose_text_is_the_answer_is_matched_by_it() -> None:
    """Servers up to 0.7 answer with the text of the exception."""
    failed = [client(0, 500, body="no column 7"), client(1, 500, body="no column 9")]
    told = (thrown(0, "no column 9"), thrown(1, "no column 7"))
    (group,) = groups(*failed, thrown=told)
    assert "by its message in the answer (2)" in group.why


def test_the_same_overload_of_another_service_has_the_same_fingerprint() -> None:
    """Names in a router's text do not count."""
    texts = ("Too many requests for service churn (overloaded)", "Too many requests for service fraud (overloaded)")
    prints = {groups(client(0, 503, body=text))[0].fingerprint for text in texts}
    assert len(prints) == 1
    (group,) = groups(client(0, 503, body=texts[0]))
    assert group.cause == "503 overloaded"


def test_the_client_and_the_traffic_log_give_one_fingerprint() -> None:
    """The reason in a header and the reason in the log are one."""
    seen = client(0, 429, reason="too_many_pending_request")
    logged = replace(seen, source=Source.TRAFFIC_LOG, failure=None)
    log = Account(Source.TRAFFIC_LOG, (Cell(T0, "429", 1),), rows=(logged,), first_at=T0, last_at=T0)
    by_log = diagnose(Told(MANAGED, None, None, accounts=(log,))).groups
    assert groups(seen, endpoint=MANAGED)[0].fingerprint == by_log[0].fingerprint


def test_the_most_frequent_outcome_names_the_group() -> None:
    """One exception behind two statuses: the count per status is told."""
    failed = [
        client(0, 500, function_failed=True),
        client(1, 502, function_failed=True),
        client(2, 502, function_failed=True),
    ]
    told = tuple(thrown(i, "bad", request_id=f"{i:032x}") for i in range(3))
    (group,) = groups(*failed, thrown=told)
    assert (group.status, dict(group.by_label), group.thrown_count) == ("502", {"500": 1, "502": 2}, 3)


def test_a_trend_has_24_buckets_that_add_up() -> None:
    """Failures at the start and at the end of a day."""
    failed = [client(0, 503), client(1, 503), client(86_399, 503)]
    (group,) = groups(*failed)
    assert group.trend == (2, *[0] * 22, 1)


def test_failures_known_by_count_only_have_their_place_in_the_trend() -> None:
    """The cells tell when, although no row does."""
    cells = (Cell(T0, "200", 5), Cell(at(60), "503", 7), Cell(at(1_380), "200", 5))
    account = Account(Source.CLIENT, cells, first_at=T0, last_at=at(1_440))
    (group,) = diagnose(Told(AKS, None, None, accounts=(account,))).groups
    assert (group.count, group.trend) == (7, (0, 7, *[0] * 22))


def test_rare_groups_beyond_the_bound_are_one() -> None:
    """A thousand different texts do not make a thousand groups, and none is lost."""
    words = [a + b + c for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzabcd"]
    found = groups(*(client(i, 500, body=f"failed for {word}") for i, word in enumerate(words)))
    assert len(found) == MOST_GROUPS
    assert sum(group.count for group in found) == 1_000
    assert found[-1].cause == "other failures, each rare"


def test_bodies_that_are_answers_do_not_split_a_group() -> None:
    """A body that breaks the schema is another one each time; why it does is the same."""
    failed = [
        client(i, 200, failure="schema_mismatch", body=f"[{i}]", detail=f"{i} is not of type 'string'")
        for i in range(5)
    ]
    (group,) = groups(*failed)
    assert (group.count, group.status) == (5, "schema_mismatch")


def test_a_sample_is_the_end_of_the_stack() -> None:
    """What a person reads first is where it broke."""
    told = (thrown(0, "bad", request_id=f"{0:032x}", stack="first\n" * 900 + "ValueError: bad"),)
    (group,) = groups(client(0, 500, function_failed=True), thrown=told)
    assert group.sample.endswith("ValueError: bad")
    assert len(group.sample) <= 2_000
