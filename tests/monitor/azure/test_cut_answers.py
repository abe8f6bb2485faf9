"""Answers that Azure Monitor cuts, or is too late for, over a real socket and through the real client."""

from __future__ import annotations

from datetime import timedelta

from scoring.endpoint import Hosting
from scoring.served import Source
from tests.monitor.azure.canned import (
    JSON,
    PARTIAL,
    UNTIL_AT,
    Reply,
    counts,
    error,
    lets,
    outcomes,
    serving,
    table,
    watermark,
)


def test_an_answer_that_is_cut_is_asked_for_in_slices() -> None:
    """The whole hour is cut once; the two halves are whole, so that nothing is missing and nothing counted twice."""
    cut = table("requests_counts", more=PARTIAL)
    with serving({"requests_counts": [cut, counts("requests_counts", ("200", 4))]}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert azure.asked.count("requests_counts") == 3
    assert told.accounts[0].by_label == {"200": 8}
    assert (told.accounts[0].is_partial, told.problems) == (False, ())


def test_slices_meet_without_gap_or_overlap() -> None:
    """The two queries of the halves name the same middle, one as its end and one as its beginning."""
    cut = table("requests_counts", more=PARTIAL)
    with serving({"requests_counts": [cut, counts("requests_counts", ("200", 4))]}) as azure:
        azure.tell(hosting=Hosting.AKS)
    of_counts = [text for name, text in zip(azure.asked, azure.queries, strict=True) if name == "requests_counts"]
    values = [lets(text) for text in of_counts]
    ends = sorted((one["from_at"], one["until_at"]) for one in values[1:])
    assert ends[0][1] == ends[1][0] == "datetime(2026-11-22T11:30:00.000000Z)"
    assert (ends[0][0], ends[1][1]) == (values[0]["from_at"], values[0]["until_at"])


def test_single_rows_are_asked_for_where_the_table_has_rows() -> None:
    """A day of which one instant has rows: the rows one by one are asked for at that instant, not in the whole day."""
    told = {"requests_counts": counts("requests_counts", ("200", 2))}
    with serving({**told, "requests_watermark": watermark("requests_watermark", 2)}) as azure:
        azure.tell(hosting=Hosting.AKS, since_at=UNTIL_AT - timedelta(days=1))
    periods = {name: lets(text) for name, text in zip(azure.asked, azure.queries, strict=True)}
    assert periods["requests_counts"]["from_at"] == "datetime(2026-11-21T12:00:00.000000Z)"
    assert periods["requests_all"]["from_at"] == "datetime(2026-11-22T11:50:00.000000Z)"
    assert periods["requests_all"]["until_at"] == "datetime(2026-11-22T11:50:00.001000Z)"


def test_what_stays_cut_is_told_with_what_is_missing() -> None:
    """Cut down to 10 ms and still cut: its rows count, the account is partial, and the problem says so."""
    part = counts("requests_counts", ("200", 1))
    cut = Reply(
        200, part.body.replace(b'{"tables"', b'{"error": {"code": "PartialError", "message": "limit"}, "tables"'), JSON
    )
    with serving({"requests_counts": cut}) as azure:
        told = azure.tell(hosting=Hosting.AKS, since_at=UNTIL_AT - timedelta(milliseconds=40))
    account = told.accounts[0]
    assert (account.requests, account.is_partial, account.rows_are_all) == (4, True, False)
    assert outcomes(told) == {Source.APP_INSIGHTS: "partial"}
    assert "0.04 s of the period" in told.problems[0].sentence


def test_a_service_that_cuts_every_answer_is_given_up_soon() -> None:
    """A day, cut down to the shortest slice and always cut: five chains of halves at most, not a million questions."""
    cut = table("requests_counts", more=PARTIAL)
    with serving({"requests_counts": cut}) as azure:
        told = azure.tell(hosting=Hosting.AKS, since_at=UNTIL_AT - timedelta(days=1))
    assert azure.asked.count("requests_counts") < 150
    assert outcomes(told) == {Source.APP_INSIGHTS: "partial"}
    assert "86,400 s of the period" in told.problems[0].sentence


def test_a_service_that_is_always_late_is_given_up_soon() -> None:
    """Six questions out of time in a row end the asking, not a day of halves."""
    with serving({"requests_counts": error(504, "x")}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert azure.asked.count("requests_counts") <= 11  # some are under way when it is given up
    assert outcomes(told) == {Source.APP_INSIGHTS: "timed_out"}
    assert "3,600 s of the period" in told.problems[0].sentence
