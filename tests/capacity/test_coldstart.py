"""The cold start, from the attempts of a warm-up."""

from __future__ import annotations

import numpy as np
import pytest

from capacity.coldstart import cold_start
from capacity.summary import RECORD_DTYPE, Rows
from capacity.verdict import Trial, Verdict
from scoring.attempt import FAILURE_NUMBER, FLAG_NEW_CONNECTION, Failure
from scoring.units import MS, S
from tests.capacity.verdicts import verdict

PARTS = (Trial(1, 1, "warm-up", 0.0, 2.5, 0, 0, "warm-up", ""), Trial(2, 1, "warm-up", 2.5, 2.5, 0, 0, "warm-up", ""))


def _warmed(*latency_ms: float, failed: int = 0) -> tuple[Rows, Verdict]:
    """One user, one request after the other; the last thirty answers are the second part of the warm-up."""
    rows = np.zeros(failed + len(latency_ms), dtype=RECORD_DTYPE)
    took_ms = [*([10.0] * failed), *latency_ms]
    done_ns = np.cumsum([round(ms * MS) for ms in took_ms])
    rows["done_ns"], rows["sent_ns"] = done_ns, done_ns - [round(ms * MS) for ms in took_ms]
    rows["trial"] = np.where(np.arange(len(rows)) < len(rows) - 30, 1, 2)
    rows["status"][:failed], rows["failure"][:failed] = 503, FAILURE_NUMBER[Failure.UNEXPECTED_STATUS]
    rows["flags"][0] = FLAG_NEW_CONNECTION
    return rows, verdict(trials=PARTS)


def test_first_answers_that_take_long_are_a_cold_start() -> None:
    """Twenty answers of 200 ms, then 20 ms: seen, and steady after the four seconds of the slow ones."""
    found = cold_start(*_warmed(*[200.0] * 20, *[20.0] * 60))
    assert found is not None
    assert (found.seen, found.first_ms, found.steady_ms) == (True, 200.0, 20.0)
    assert found.steady_after_s == pytest.approx(4.0, abs=1.0)


def test_a_first_request_that_connects_is_no_cold_start() -> None:
    """The connection of the first request is in its latency."""
    found = cold_start(*_warmed(180.0, *[20.0] * 60))
    assert found is not None
    assert (found.seen, found.first_ms) == (False, 20.0)


def test_an_endpoint_that_is_not_ready_yet_is_cold() -> None:
    """Ten rejections before the first answer: seen, and counted."""
    found = cold_start(*_warmed(*[20.0] * 60, failed=10))
    assert found is not None
    assert (found.seen, found.failed_count) == (True, 10)
    assert found.steady_after_s == pytest.approx(0.1)


def test_answers_that_are_fast_from_the_start_show_no_cold_start() -> None:
    """Nothing is seen, and its figures are there all the same."""
    found = cold_start(*_warmed(*[20.0] * 60))
    assert found is not None
    assert (found.seen, found.first_ms, found.steady_after_s) == (False, 20.0, 0.0)


def test_a_run_without_a_warm_up_tells_nothing_of_a_cold_start() -> None:
    """Absence is a value."""
    rows, _ = _warmed(*[20.0] * 60)
    assert cold_start(rows, verdict()) is None
    assert cold_start(rows[:0], verdict(trials=PARTS)) is None


def test_an_endpoint_that_never_answered_well_has_no_steady_latency() -> None:
    """What failed is counted, and no latency is made up."""
    rows, found = _warmed(*[20.0] * 60)
    rows["failure"] = FAILURE_NUMBER[Failure.UNEXPECTED_STATUS]
    seen = cold_start(rows, found)
    assert seen is not None
    assert (seen.steady_ms, seen.steady_after_s, seen.failed_count) == (None, None, 60)


def test_times_count_from_the_first_request_whatever_the_clock() -> None:
    """Monotonic times of a machine that has been up for days give the same answer."""
    rows, found = _warmed(*[200.0] * 20, *[20.0] * 60)
    before = cold_start(rows, found)
    rows["sent_ns"] += 400_000 * S
    rows["done_ns"] += 400_000 * S
    assert cold_start(rows, found) == before
