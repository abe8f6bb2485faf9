"""Against an earlier report: what became more, slower, new or gone."""

from __future__ import annotations

import json
from math import comb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors_change import code_change, rate_ratio_interval
from reports.errors_json import errors_json
from reports.errors_renderings import rendered_errors
from tests.reports import error_samples as samples


def earlier(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(errors_json(samples.report(name)))
    return found


def tail(least: int, n: int, p: float) -> float:
    """P(binomial(n, p) >= least), term by term."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 30), st.integers(100, 900), st.integers(0, 30), st.integers(100, 900))
def test_the_interval_of_a_rate_ratio_leaves_a_fortieth_on_each_side(a: int, n: int, b: int, m: int) -> None:
    """The slow twin: at each bound, counts as extreme as seen have a probability of 2.5 % given their sum."""
    low, high = rate_ratio_interval(a, n, b, m)
    if b:
        p = low * m / (low * m + n)
        assert tail(b, a + b, p) == pytest.approx(0.025, abs=1e-6)
    else:
        assert low == 0
    if a:
        p = high * m / (high * m + n)
        assert 1 - tail(b + 1, a + b, p) == pytest.approx(0.025, abs=1e-6)
    else:
        assert high == float("inf")


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ((10, 1000), (30, 1000), "more"),
        ((30, 1000), (10, 1000), "fewer"),
        ((10, 1000), (12, 1000), "no clear change"),
        ((0, 1000), (1, 1000), "no clear change"),
        ((0, 1000), (20, 1000), "more"),
        ((10, 1000), (100, 10_000), "no clear change"),  # ten times the count of ten times the requests
        ((0, 1000), (0, 1000), "no clear change"),
    ],
)
def test_a_plain_word_stands_for_the_interval(before: tuple[int, int], after: tuple[int, int], word: str) -> None:
    """Rates are compared, not counts."""
    assert code_change("503", *before, *after).word == word


def test_a_code_that_is_new_has_no_ratio() -> None:
    """Nothing can be divided by zero earlier requests, and no upper bound is known."""
    one = code_change("503", 0, 1000, 20, 1000)
    assert (one.rate_ratio, one.high_ratio) == (None, None)


def test_the_same_report_shows_no_change() -> None:
    """Every word is "no clear change", every group is known."""
    found = samples.report("managed", baseline=earlier("managed")).change
    assert found is not None
    assert {one.word for one in (*found.codes, *found.times)} == {"no clear change"}
    assert (found.new_groups, found.known_groups, found.gone_groups) == ((), 2, ())


def test_groups_are_new_known_or_gone_by_their_fingerprint() -> None:
    """Nothing else of a group is compared."""
    found = samples.report("managed", baseline=earlier("log_only")).change
    assert found is not None
    assert [group.fingerprint for group in found.new_groups] == ["v1:aaaaaaaaaaaa", "v1:bbbbbbbbbbbb"]
    assert [one[0] for one in found.gone_groups] == ["v1:cccccccccccc", "v1:dddddddddddd"]


def test_groups_that_an_earlier_report_left_out_are_known_all_the_same() -> None:
    """Of thousands of groups the fingerprints at least are kept."""
    told, diagnosis = samples.huge()
    first = json.loads(errors_json(samples.of(told, diagnosis)))
    found = samples.of(told, diagnosis, baseline=first).change
    assert found is not None
    assert (found.new_groups, found.known_groups) == ((), 3000)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"by_status": None},
        {"by_status": {"200": "many", "503": -1, "500": True, "504": 1e300}},
        {"by_status": {"200": 10**400}},
        {"by_status": [], "groups": {}, "duration_ms": [], "duration_interval_ms": 7},
        {"groups": [1, None, {"fingerprint": 7}, {"fingerprint": "v1:x", "cause": 9, "count": "n"}]},
        {"by_status": {"200": 5}, "duration_ms": {"p95": "slow"}, "duration_interval_ms": {"p95": ["a", None]}},
        {"made_at": {"a": 1}, "more_fingerprints": 3},
        {"by_status": {"<script>": 3}, "made_at": "\x1b[31m<b>"},
    ],
)
def test_an_earlier_report_that_is_broken_breaks_nothing(broken: dict[str, Any]) -> None:
    """It is a file: what is not as expected counts as not told."""
    alone = rendered_errors(samples.report("managed"), color=False, width=80)
    assert (
        rendered_errors(samples.report("managed", baseline=broken), color=False, width=80).exit_code == alone.exit_code
    )
