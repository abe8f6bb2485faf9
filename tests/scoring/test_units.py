"""Durations, ratios and rates as people type and read them; what a code means per hosting."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.attempt import Failure
from scoring.endpoint import Hosting
from scoring.errors import Exit, RedlineError
from scoring.status import AUTH, NOT_LOAD, REJECTED, TIMED_OUT, failure_meaning, meaning
from scoring.units import DAY, HOUR, MIN, MS, S, parse_duration_ns, parse_rate_rps, parse_ratio, show_ms, show_ratio


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("0ms", 0),
        ("1ns", 1),
        ("1us", 1_000),
        ("20ms", 20 * MS),
        ("1.5s", 1_500 * MS),
        ("5s", 5 * S),
        ("10m", 10 * MIN),
        ("1h", HOUR),
        ("2d", 2 * DAY),
        (" 5 s ", 5 * S),
        ("0.1s", 100 * MS),
        ("0.3ns", 0),
    ],
)
def test_a_duration_is_exact(text: str, duration_ns: int) -> None:
    """A number with its unit is so many nanoseconds, without binary fractions."""
    assert parse_duration_ns(text) == duration_ns


@pytest.mark.parametrize("parse", [parse_duration_ns, parse_ratio, parse_rate_rps])
@pytest.mark.parametrize(
    "text", ["", "x", "-1s", "5 5s", "1e3s", "5S", "infs", "nan%", "٣s", "1,5s", "5sec", "9" * 20 + "s"]
)
def test_what_is_no_quantity_is_told_with_the_forms_allowed(parse: Callable[[str], float], text: str) -> None:
    """Each parser names the value it saw and an example that can be typed."""
    with pytest.raises(RedlineError) as caught:
        parse(text)
    assert text[:40] in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code is Exit.USAGE


@pytest.mark.parametrize(("text", "ratio"), [("0.1%", 0.001), ("0.001", 0.001), ("0%", 0.0), ("100%", 1.0), ("1", 1.0)])
def test_a_ratio_lies_between_0_and_1(text: str, ratio: float) -> None:
    """A percentage is divided by 100, a plain number is the ratio."""
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize("text", ["101%", "1.01", "25"])
def test_more_than_all_is_no_ratio(text: str) -> None:
    """Above 1 nothing is a share; a forgotten percent sign is told, not guessed."""
    with pytest.raises(RedlineError):
        parse_ratio(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("25rps", 25.0), ("25/s", 25.0), ("0.5/s", 0.5), ("90/min", 1.5), ("36/h", 0.01)]
)
def test_a_rate_is_per_second(text: str, rate: float) -> None:
    """Per minute and per hour are divided down."""
    assert parse_rate_rps(text) == rate


def test_a_rate_of_zero_is_none() -> None:
    """Zero requests per second is no load."""
    with pytest.raises(RedlineError):
        parse_rate_rps("0rps")


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_rounding_never_makes_some_into_none_or_all(count: int, total: int) -> None:
    """0 % is shown for no failure alone and 100 % for nothing but failures."""
    if count <= total:
        shown = show_ratio(count, total)
        assert shown.startswith("0 %") == (count == 0)
        assert shown.startswith("100 %") == (count == total)


@given(st.floats(0, 1e9))
def test_every_duration_is_shown_with_its_unit(ms: float) -> None:
    """A shown duration ends in a unit."""
    assert show_ms(ms).endswith((" ms", " s", " min"))


@pytest.mark.parametrize("hosting", [None, *Hosting])
@pytest.mark.parametrize("status", [*range(200, 600), 999])
def test_every_status_has_a_name_a_cause_and_a_next_step(status: int, hosting: Hosting | None) -> None:
    """Known codes are explained, unknown ones are called unknown; no placeholder is left."""
    told = meaning(status, hosting)
    assert told.name
    assert told.cause
    assert told.next_step
    assert "{" not in told.next_step


@pytest.mark.parametrize(
    ("status", "hosting", "name"),
    [
        (503, Hosting.AKS, "overloaded"),
        (503, Hosting.KUBERNETES, "overloaded"),
        (503, Hosting.ACI, "not ready"),
        (429, Hosting.MANAGED, "too many pending"),
        (408, Hosting.MANAGED, "model too slow"),
        (504, Hosting.AKS, "model too slow"),
        (424, Hosting.MANAGED, "model error"),
        (502, Hosting.AKS, "script crashed"),
        (500, Hosting.LOCAL, "script error"),
        (500, Hosting.MANAGED, "platform fault"),
        (404, Hosting.MANAGED, "no deployment"),
        (418, Hosting.AKS, "I'm a Teapot"),
        (999, None, "unlisted status"),
    ],
)
def test_the_same_trouble_has_its_hostings_code(status: int, hosting: Hosting | None, name: str) -> None:
    """Overload, time-out and script crash are named alike under the code that each hosting uses."""
    assert meaning(status, hosting).name == name


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_explained(failure: Failure) -> None:
    """No failure class is without a cause and a next step."""
    told = failure_meaning(failure)
    assert told.name
    assert told.cause
    assert told.next_step


def test_a_rejection_is_neither_a_time_out_nor_beside_the_load() -> None:
    """The sets that searches rely on do not overlap, except that auth has nothing to do with load."""
    assert not REJECTED & (TIMED_OUT | NOT_LOAD)
    assert not TIMED_OUT & NOT_LOAD
    assert AUTH <= NOT_LOAD
