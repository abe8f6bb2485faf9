"""From the attempts of a load to its report, with figures that can be worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from capacity.plan import Plan
from capacity.recorded import recorded
from capacity.runfolder import ATTEMPTS, Anchor, append_level, create
from reports.load import LoadReport, load_word
from reports.of_load import load_report
from scoring.attempt import Attempt, Failure, to_record
from scoring.endpoint import Endpoint, Hosting
from scoring.units import MS, S

OPENED_NS = 50 * S
ENDPOINT = Endpoint("churn", "http://127.0.0.1:8080/score", Hosting.AKS)
REJECTED = Failure.UNEXPECTED_STATUS


def attempt(number: int, due_ms: float, late_ms: float, took_ms: float, status: int = 200) -> Attempt:
    """One that was due so long after the opening, and sent so much later."""
    due_ns = OPENED_NS + int(due_ms * MS)
    sent_ns = due_ns + int(late_ms * MS)
    done_ns = sent_ns + int(took_ms * MS)
    failure = None if status == 200 else REJECTED
    return Attempt(f"{number:032x}", due_ns, sent_ns, done_ns - 1, done_ns, status, failure, trial=1)


def report_of(tmp_path: Path, attempts: list[Attempt], level: dict[str, Any] | None, **plan: Any) -> LoadReport:
    """The report of a run folder with these attempts."""
    made = Plan(command="load", endpoint=ENDPOINT, duration_s=1.0, **plan)
    folder = create(tmp_path, made, versions={}, anchor=Anchor(datetime(2026, 11, 22, tzinfo=UTC), OPENED_NS))
    (folder / ATTEMPTS).write_bytes(b"".join(map(to_record, attempts)))
    if level is not None:
        append_level(folder, {"opened_monotonic_ns": OPENED_NS, "seconds": 1.0, "ended_by": "max_s", **level})
    report = load_report(recorded(folder))
    assert report is not None
    return report


def open_report(tmp_path: Path, attempts: list[Attempt], level: dict[str, Any] | None, **plan: Any) -> LoadReport:
    return report_of(tmp_path, attempts, level, **{"is_open": True, "rps": 10.0, "max_users": 4, **plan})


STALLED = [attempt(n, 100 * n, 0, 20) for n in range(9)] + [attempt(9, 900, 80, 20)]
HELD = {"attempt_count": 10, "exhausted_count": 0, "unsent_count": 0, "spoiled": None}


def test_latency_of_an_open_load_counts_from_when_due(tmp_path: Path) -> None:
    """Ten answers of 20 ms, the last sent 80 ms late: 100 ms from when due, which misses a threshold of 50 ms."""
    report = open_report(tmp_path, STALLED, HELD, thresholds=("p95<=50ms",))
    p99 = next(one for one in report.percentiles if one.name == "p99")
    assert (p99.ms, p99.from_due_ms, p99.corrected_ms) == (20.0, 100.0, None)
    assert (report.mean_ms, report.mean_from_due_ms) == (20.0, 28.0)
    assert (report.thresholds[0].bad_count, report.thresholds[0].met) == (1, False)
    assert report.level.p99_from_due_ms == 100.0


def test_what_was_due_is_sent_or_unsent(tmp_path: Path) -> None:
    """Ten sent and five not are fifteen due, 15 in the second that the load was held."""
    level = {**HELD, "unsent_count": 5, "exhausted_count": 6, "spoiled": "the pool ran out: raise --max-users"}
    report = open_report(tmp_path, STALLED, level)
    schedule = report.schedule
    assert schedule is not None
    assert (schedule.due_count, schedule.sent_count, schedule.unsent_count) == (15, 10, 5)
    assert (schedule.due_rps, schedule.sent_rps) == (15.0, 10.0)
    assert (schedule.late_count, schedule.latest_ms, schedule.in_flight_max) == (1, 80.0, 1)
    assert report.level.due_count == 15
    assert report.level.users == 1000  # hundredths of a request per second: what was asked
    assert report.client.reasons == ("the pool ran out: raise --max-users",)
    assert load_word(report) == "UNFAIR"


def test_a_ramp_stands_for_its_mean_rate(tmp_path: Path) -> None:
    """From 10 to 30 a second: 20."""
    assert open_report(tmp_path, STALLED, HELD, last_rps=30.0).level.users == 2000


def test_a_load_that_was_killed_does_not_know_what_was_due(tmp_path: Path) -> None:
    """Without its last line nothing is known of requests that were not sent: absent, not 0."""
    schedule = open_report(tmp_path, STALLED, None).schedule
    assert schedule is not None
    assert (schedule.due_count, schedule.unsent_count, schedule.exhausted_count, schedule.due_rps) == (None,) * 4
    assert schedule.sent_count == 10


def test_rejections_of_an_open_load_are_counted_by_code(tmp_path: Path) -> None:
    """One of three was rejected; the percentiles are those of the other two."""
    attempts = [attempt(0, 0, 0, 20), attempt(1, 100, 0, 1, 503), attempt(2, 200, 0, 30)]
    report = open_report(tmp_path, attempts, {**HELD, "attempt_count": 3}, thresholds=("rejected<=1%",))
    assert (report.rejected_count, report.level.status_count) == (1, {"200": 2, "503": 1})
    assert report.percentiles[-1].from_due_ms == 30.0
    assert report.thresholds[0].met is False


def test_a_closed_load_shows_the_corrected_figure_beside_the_raw_one(tmp_path: Path) -> None:
    """Nine answers of 20 ms and one of 200 ms, which stands for nine more: p90 is 20 ms raw, and 180 ms corrected."""
    attempts = [attempt(n, 20 * n, 0, 20) for n in range(9)] + [attempt(9, 180, 0, 200)]
    report = report_of(tmp_path, attempts, HELD, users=1)
    p90 = next(one for one in report.percentiles if one.name == "p90")
    assert (p90.ms, p90.corrected_ms) == (20.0, 180.0)
    assert report.schedule is None
    assert (report.level.users, report.level.due_count) == (1, None)
