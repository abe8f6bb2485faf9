"""The report on a fixed load as text."""

from __future__ import annotations

import re

import pytest

from reports.load_text import load_text
from tests.reports import load_samples, samples


def test_a_load_is_reported_with_thresholds_and_intervals() -> None:
    """Each threshold says pass or fail with its counts, each percentile its interval."""
    text = load_text(load_samples.load(), color=False, width=80)
    assert text.startswith("MISSED  churn-prod answers 294 requests/s at 6 concurrent requests;")
    assert re.search(r"p95<=20ms +fail +53\.26 % \(4,700 of 8,824\)", text)
    assert re.search(r"p99 +33\.0 ms +31\.9 ms to 34\.4 ms +34\.2 ms", text)
    assert re.search(r"max +59\.2 ms +– +59\.2 ms", text)


def test_corrected_percentiles_are_shown_only_when_known() -> None:
    """A column of dashes says nothing."""
    raw = tuple(
        load_samples.Percentile(one.name, one.ms, one.low_ms, one.high_ms) for one in load_samples.load().percentiles
    )
    assert "corrected" in load_text(load_samples.load(), color=False, width=80)
    assert "corrected" not in load_text(load_samples.load(percentiles=raw), color=False, width=80)


def test_a_correction_that_matters_is_explained() -> None:
    """What it adds and how to measure it instead; nothing of it where both figures are alike."""
    slow = (load_samples.Percentile("p99", 33.0, corrected_ms=1892.0),)
    assert "`--rps` measures it" in load_text(load_samples.load(percentiles=slow), color=False, width=200)
    assert "`--rps` measures it" not in load_text(load_samples.load(), color=False, width=200)


def test_an_open_load_is_told_by_its_rate_and_from_when_due() -> None:
    """The interval is that of the latency from when due, the uncorrected figure stands beside it."""
    text = load_text(load_samples.open_load(thresholds=()), color=False, width=100)
    assert text.startswith("MEASURED  churn-prod answers 294 requests/s at 300 requests/s due;")
    assert re.search(r"latency +from when due +95 % interval +from sending", text)
    assert re.search(r"p99 +1,892 ms +1,850 ms to 1,911 ms +33\.0 ms", text)
    assert re.search(r"sent +9,012, 300 a second; 0\.10 % \(9 of 9,012\) late, the latest by 3\.20 ms", text)
    assert re.search(r"in flight +6\.10 \(mean\), 21 at most", text)
    assert "users" not in text


WORDS = [
    ({"last_rps": 900.0}, "at 300 to 900 requests/s due;"),
    (
        {"first_rps": None, "spacing": None, "replay": "monday.csv", "speed": 2.0},
        "at a replay of monday.csv at 2 times its speed, 300 requests/s due;",
    ),
    ({"unsent_count": 1}, "1 request was due and never sent: in no percentile, so these are too low."),
    ({"exhausted_count": 40}, "1,000; all were in use when 40 requests were due"),
    ({"due_count": None, "due_rps": None, "unsent_count": None}, "requests due         –, – a second"),
]


@pytest.mark.parametrize(("changed", "words"), WORDS)
def test_an_open_load_says_what_was_asked_and_what_became_of_it(changed: dict[str, object], words: str) -> None:
    """Ramp, replay, what was never sent, a pool that ran out, and what is not known."""
    report = load_samples.open_load(schedule=load_samples.schedule(**changed))
    assert words in load_text(report, color=False, width=200)


RENEWALS = [
    ({"renewed_count": 1}, "  1 attempt was answered 401 while the credential was renewed; it was sent again"),
    ({"renewed_count": 3}, "  3 attempts were answered 401 while the credential was renewed; they were sent again"),
    ({"waited_s": 3.1}, "  Users waited 3.10 s for a renewed credential and sent nothing meanwhile."),
    (
        {"waited_s": 3.1, "schedule": load_samples.schedule()},
        "  Users waited 3.10 s for a renewed credential and sent late what was due meanwhile.",
    ),
    ({"lost": "no tenant"}, "  Nothing could be sent after 30.0 s, the credential could not be renewed: no tenant"),
]


@pytest.mark.parametrize(("changed", "words"), RENEWALS)
def test_a_load_says_what_became_of_its_credential(changed: dict[str, object], words: str) -> None:
    """Beside the headline, and nothing where it served to the end."""
    text = load_text(load_samples.load(**changed), color=False, width=200)
    assert words in text
    assert "credential" not in load_text(load_samples.load(), color=False, width=200)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "MISSED"),
        ({"thresholds": ()}, "MEASURED"),
        ({"thresholds": (load_samples.Threshold("errors<=1%", True, 0, 100),)}, "KEPT"),
        ({"thresholds": (load_samples.Threshold("errors<=1%", None, 0, 0),)}, "MEASURED"),
        ({"thresholds": (load_samples.Threshold("errors<=1%", True, 0, 100),), "client": samples.SATURATED}, "UNFAIR"),
    ],
)
def test_a_load_opens_with_what_came_of_its_thresholds(changed: dict[str, object], word: str) -> None:
    """MISSED beats UNFAIR beats KEPT; without thresholds the load is only measured."""
    assert load_text(load_samples.load(**changed), color=False, width=80).split()[0] == word
