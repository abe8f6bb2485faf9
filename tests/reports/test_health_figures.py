"""How far off an availability may be."""

from __future__ import annotations

import pytest

from capacity.stats import wilson
from reports.health_figures import good_interval, together
from scoring.health import Day, EndpointRecord, Health


def test_days_alike_are_worth_all_of_their_checks() -> None:
    """One failure a day of a hundred checks: Wilson's interval of 30 of 3,000."""
    low, high = wilson(30, 3_000)
    days = [Day(number, ok_count=99, failed_count=1) for number in range(30)]
    assert good_interval(days) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_one_outage_says_less_than_as_many_failures_here_and_there() -> None:
    """Thirty failures in one day of thirty leave the interval wider than one a day."""
    outage = [Day(0, ok_count=70, failed_count=30), *(Day(number, ok_count=100) for number in range(1, 30))]
    spread = [Day(number, ok_count=99, failed_count=1) for number in range(30)]
    wide, narrow = good_interval(outage), good_interval(spread)
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_checks_that_found_nothing_out_are_no_availability() -> None:
    """UNKNOWN and maintenance alone give no figure, nor does no day at all."""
    assert good_interval([Day(0, unknown_count=10, quiet_count=5)]) is None
    assert good_interval([]) is None


def test_the_days_of_all_endpoints_are_added_up() -> None:
    """By their number, each kind of check apart."""
    one = EndpointRecord("a", Health.OK, "ok", 0.0, {}, days=(Day(1, 1, 2, 3, 4, 5), Day(2, 1)))
    other = EndpointRecord("b", Health.OK, "ok", 0.0, {}, days=(Day(0, 7), Day(1, 10, 20, 30, 40, 50)))
    assert together([one, other]) == (Day(0, 7), Day(1, 11, 22, 33, 44, 55), Day(2, 1))
