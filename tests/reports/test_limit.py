"""The sentences and tables of values that every rendering is made from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.limit import (
    first_rejection,
    headline,
    interval_words,
    kind_word,
    latency_table,
    level_marks,
    limits_table,
    peak_words,
    rejection_label,
    remarks,
    safe_words,
    title,
    verdict_tone,
    verdict_word,
)
from reports.numbers import three_numbers
from tests.reports import samples

HEADLINES = {
    "cliff": "churn-prod takes 8 concurrent requests; the first 503 came at 9.",
    "managed": "fraud-blue takes 16 concurrent requests; the first 429 came at 17.",
    "latency_goal": "embeddings takes 20 concurrent requests within p95<=300ms; no 429 or 503 was seen.",
    "at_least": "churn-prod takes at least 512 concurrent requests; every goal was kept up to there.",
    "missed_at_zero_load": "churn-prod misses p95<=300ms at the lowest load: not a matter of load.",
    "client_limited": (
        "The client, not churn-prod, set the limit of this run; it takes at least 32 concurrent requests."
    ),
    "not_a_load_problem": "churn-prod answered 401 to a key: not a matter of load.",
    "budget_spent": (
        "The budget ended before the limit of churn-prod was settled; it lies between 8 and 16 concurrent requests."
    ),
    "not_steady": (
        "churn-prod did not answer steadily enough to say a limit: latency was still falling after 90 s of warm-up."
    ),
}


@pytest.mark.parametrize(("name", "sentence"), HEADLINES.items())
def test_the_headline_answers_the_question_for_every_kind_of_verdict(name: str, sentence: str) -> None:
    """Each kind of verdict has a sentence of its own that says what was found."""
    assert headline(samples.ALL[name]()) == sentence


def test_the_headline_names_the_endpoint_once_when_the_reason_does_not() -> None:
    """A reason without the endpoint's name gets it in front."""
    report = samples.not_a_load_problem()
    report = replace(report, verdict=replace(report.verdict, reason="401 to every request"))
    assert headline(report) == "churn-prod: 401 to every request: not a matter of load."


def test_a_limit_of_one_is_said_in_the_singular() -> None:
    """One user is one concurrent request."""
    verdict = replace(
        samples.cliff_verdict(), limits=(samples.limit("rejected<=0.1%", 1, 1, 1),), first_rejected_users=2
    )
    assert headline(samples.report(verdict)) == "churn-prod takes 1 concurrent request; the first 503 came at 2."


def test_found_without_a_level_falls_back_to_the_reason() -> None:
    """A verdict whose binding goal has no level never prints `None`."""
    verdict = replace(samples.cliff_verdict(), binding_goal=None)
    assert headline(samples.report(verdict)) == "churn-prod: 8 users kept every goal and 9 missed rejected<=0.1%."


def test_the_word_is_the_decision_where_one_was_asked_for() -> None:
    """With a need the page opens with GO or NO-GO, without one with the kind of verdict."""
    assert verdict_word(samples.cliff()) == "GO"
    assert kind_word(samples.cliff()) == "FOUND"
    assert verdict_word(samples.managed()) == "FOUND"
    assert verdict_word(samples.client_limited()) == "CLIENT LIMITED"


@pytest.mark.parametrize(
    ("name", "tone"),
    [
        ("cliff", "good"),
        ("managed", "plain"),
        ("missed_at_zero_load", "bad"),
        ("not_a_load_problem", "bad"),
        ("client_limited", "warn"),
        ("budget_spent", "warn"),
        ("not_steady", "warn"),
    ],
)
def test_a_found_limit_is_neither_good_nor_bad_until_a_need_is_stated(name: str, tone: str) -> None:
    """The tone follows the decision, and without one only verdicts that need action are marked."""
    assert verdict_tone(samples.ALL[name]()) == tone


def test_the_title_starts_with_the_word() -> None:
    """A window title or subject line shows the verdict first."""
    assert title(samples.cliff()) == "GO: churn-prod takes 8 concurrent requests; the first 503 came at 9"


def test_an_interrupted_run_says_so() -> None:
    """What was measured until an interruption is never presented as a whole run."""
    assert remarks(samples.interrupted())[0] == "The run was interrupted; this is what had been measured until then."


def test_a_run_whose_writer_was_killed_says_so() -> None:
    """An unfinished run folder is a remark of its own."""
    report = replace(samples.cliff(), run_facts=samples.facts(finished=False))
    assert remarks(report)[0] == "The run did not finish; this is what its folder holds."


def test_a_reason_that_the_headline_holds_is_not_said_twice() -> None:
    """The remark is left out where it would repeat the headline."""
    assert remarks(samples.not_a_load_problem()) == ()


def test_the_binding_goal_stands_first_in_the_limits_table() -> None:
    """The goal that sets the limit is read first."""
    rows = limits_table(samples.latency_goal())
    assert [row.goal for row in rows] == ["p95<=300ms", "rejected<=0.1%", "errors<=1%"]
    assert [row.binding for row in rows] == [True, False, False]


def test_every_limit_shows_the_counts_it_rests_on() -> None:
    """A ratio never stands without its counts, nor a limit without its bound."""
    row = limits_table(samples.latency_goal())[0]
    assert (row.users, row.interval, row.rests_on, row.bound) == ("20", "19 to 21", "4.55 % (91 of 2,000)", "5.6 %")
    assert row.state == "not confirmed, binding"


@pytest.mark.parametrize(
    ("low", "high", "said"), [(8, 8, "8 to 8"), (8, 16, "8 to 16"), (1200, None, "1,200 or more"), (0, 0, "0 to 0")]
)
def test_an_interval_is_said_with_both_ends(low: int, high: int | None, said: str) -> None:
    """The interval is closed, and open above where nothing failed."""
    assert interval_words(samples.limit("errors<=1%", low, low, high)) == said


def test_a_goal_missed_at_the_lowest_load_has_the_limit_none() -> None:
    """`none` is an answer; `not known` is the lack of one."""
    assert limits_table(samples.missed_at_zero_load())[0].users == "none"
    unknown = replace(samples.cliff_verdict(), limits=(samples.limit("rejected<=0.1%", None, 0, None),))
    assert limits_table(samples.report(unknown))[0].users == "not known"


def test_a_limit_without_attempts_does_not_show_a_ratio_of_nothing() -> None:
    """Nothing measured is said in words."""
    empty = samples.limit("errors<=1%", None, 0, None, attempt_count=0, bound_ratio=None)
    row = limits_table(samples.report(replace(samples.cliff_verdict(), limits=(empty,))))[0]
    assert (row.rests_on, row.bound) == ("no attempts", "–")


def test_latency_rows_are_measured_levels_under_their_true_share() -> None:
    """Where no level was measured at 25 % of the limit the nearest one stands in, labelled with its own share."""
    rows = latency_table(samples.latency_goal())  # limit 20; measured: 1 2 4 8 12 16 19 20 21 24 32
    assert [(row.share, row.level.users) for row in rows] == [("20 %", 4), ("40 %", 8), ("80 %", 16), ("100 %", 20)]


def test_latency_rows_without_a_limit_have_no_share() -> None:
    """A share of an unknown limit is not made up."""
    assert [row.share for row in latency_table(samples.missed_at_zero_load())] == ["–"]
    assert latency_table(samples.not_a_load_problem()) == ()


def test_the_rejection_is_named_by_the_code_that_came() -> None:
    """429 on managed endpoints, 503 on AKS; from the levels where the first sight was not recorded."""
    verdict = replace(samples.cliff_verdict(), first_seen={})
    assert rejection_label(verdict) == "503"
    assert rejection_label(replace(verdict, levels=())) == "429 or 503"


def test_rejections_outside_every_level_are_not_hidden() -> None:
    """Rejections of transients belong to no level, and the sentence does not claim that there were none."""
    verdict = replace(samples.cliff_verdict(), first_rejected_users=None, rejected_count=3)
    assert first_rejection(verdict) == "no 429 or 503 counts against a level"


def test_marks_say_what_a_level_is() -> None:
    """The limit, the first rejection and the knee are marked at their levels."""
    verdict = samples.cliff_verdict()
    assert level_marks(verdict, 8) == ("limit", "knee")
    assert level_marks(verdict, 9) == ("first 503",)
    assert level_marks(verdict, 7) == ()
    assert level_marks(samples.at_least().verdict, 512) == ("highest level kept",)


def test_what_was_not_measured_is_said_in_words() -> None:
    """No rate and no safe load are not shown as 0."""
    report = samples.not_a_load_problem()
    assert peak_words(report.verdict) == "not measured"
    assert safe_words(report.recommended) == "not known"
    assert [number.value for number in three_numbers(report)] == ["–", "–", "–"]


def test_the_three_numbers_are_limit_safe_load_and_p95() -> None:
    """What a person looks for first, each with how sure it is."""
    limit, safe, latency = three_numbers(samples.cliff())
    assert (limit.value, limit.unit, limit.note) == ("8", "concurrent requests", "95 % interval 8 to 8; confirmed")
    assert (safe.value, safe.note) == ("6", "294 requests/s; the peak is 392 requests/s at 8 users")
    assert (latency.label, latency.value, latency.unit) == ("p95 at the limit", "26.7", "ms")


def test_an_open_limit_is_shown_as_at_least() -> None:
    """A lower bound never looks like a limit."""
    assert three_numbers(samples.at_least())[0].value == "≥ 512"
