"""What a state folder tells: days, since when, budgets, latencies, and what is no longer watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.health import history
from monitor.health.history import Timer
from monitor.health.recorded import Known, record_of, since_of_days
from monitor.health.store import opened_to_read
from scoring.alertplan import Window
from scoring.checkplan import CheckPlan
from scoring.cron import Cron
from scoring.endpoint import Hosting
from scoring.health import Budget, Day, EndpointRecord, Health, HealthRecord, Latencies, Recovery
from scoring.status import meaning
from scoring.units import HOUR, MIN, MS
from tests.monitor.health import ninety
from tests.monitor.health.worlds import START_S, World, health

DAY_S = 86_400.0
MIDNIGHT_S = (START_S // DAY_S + 1) * DAY_S
NUMBER = int(MIDNIGHT_S // DAY_S)


def told(world: World, known: Known | None = None, since_s: float = START_S) -> HealthRecord:
    """The record of the world now."""
    return record_of(world.connection, world.now_s, known or Known(world.plans), since_s)


def of(record: HealthRecord, name: str) -> EndpointRecord:
    return next(one for one in record.endpoints if one.name == name)


def seen(world: World, name: str, outcome: Health, at_s: float, latency_ns: int | None = None) -> None:
    """One check, and when it was made."""
    world.now_s = at_s
    world.keeper.observe(health(name, outcome, at_s, latency_ns), at_s, at_s, Timer(at_s, at_s, 2, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety days of twelve endpoints."""
    folder = tmp_path_factory.mktemp("ninety")
    ninety.lived(folder, 6 * 3600.0)
    return folder


def test_a_day_in_utc_has_its_own_counts_and_one_without_checks_is_none(tmp_path: Path) -> None:
    """A check a second before midnight, two after it, then two days later one in maintenance."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    seen(world, "one", Health.OK, MIDNIGHT_S - 1)
    seen(world, "one", Health.FAILED, MIDNIGHT_S)
    seen(world, "one", Health.DEGRADED, MIDNIGHT_S + 60)
    world.windows = [Window("move", from_s=MIDNIGHT_S + 2 * DAY_S, until_s=MIDNIGHT_S + 3 * DAY_S)]
    world.restart()
    seen(world, "one", Health.FAILED, MIDNIGHT_S + 2 * DAY_S + 5)
    record = told(world, Known(world.plans, windows=world.windows))
    one = of(record, "one")
    assert one.days == (
        Day(NUMBER - 1, ok_count=1),
        Day(NUMBER, degraded_count=1, failed_count=1),
        Day(NUMBER + 2, quiet_count=1),
    )
    assert one.counts == {Health.OK: 1, Health.DEGRADED: 1, Health.FAILED: 1}
    assert (one.good_ratio, one.is_quiet) == (pytest.approx(2 / 3), True)
    world.stop()


def test_the_days_add_up_to_the_counts_of_the_hours(folder: Path) -> None:
    """The twin is the query that the budgets use; a record of ninety days writes nothing."""
    record = ninety.record(folder, 6 * 3600.0)
    with opened_to_read(folder) as connection:
        connection.execute("PRAGMA query_only = ON")
        for one in record.endpoints:
            assert one.counts == history.counts_of_hours(connection, one.name, record.since_s), one.name
        assert record_of(connection, ninety.END_S, ninety.known(6 * 3600.0), record.since_s, record.watch) == record


def test_the_first_day_of_ninety_is_a_whole_one(folder: Path) -> None:
    """Today and eighty-nine days before it."""
    since_s = since_of_days(ninety.END_S, 90)
    assert (since_s % DAY_S, ninety.END_S // DAY_S - since_s // DAY_S) == (0.0, 89)
    assert (
        min(day.number for one in ninety.record(folder, 6 * 3600.0).endpoints for day in one.days) == since_s // DAY_S
    )


def test_a_state_that_is_not_ok_began_with_its_incident(tmp_path: Path) -> None:
    """And OK again began with the end of it; without any incident nobody can say."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    seen(world, "one", Health.OK, START_S)
    assert of(told(world), "one").since_s is None
    for step in range(1, 4):
        seen(world, "one", Health.FAILED, START_S + 60 * step)
    failed = of(told(world), "one")
    assert (failed.state, failed.last, failed.since_s) == (Health.FAILED, Health.FAILED, START_S + 60)
    assert (failed.evidence, failed.missed_count, failed.late_count) == ("made up", 2, 1)
    seen(world, "one", Health.OK, START_S + 300)
    unproved = of(told(world), "one")
    assert (unproved.state, unproved.last, unproved.next_step) == (Health.FAILED, Health.OK, None)
    seen(world, "one", Health.OK, START_S + 360)
    again = of(told(world), "one")
    assert (again.state, again.since_s, again.recovery) == (Health.OK, START_S + 360, Recovery(1, 300.0))
    world.stop()


def test_what_to_do_is_said_of_the_endpoint_and_of_its_incident(tmp_path: Path) -> None:
    """The step is that of the hosting: a 503 means something else on each."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    for step in range(1, 4):
        world.now_s = START_S + 60 * step
        world.keeper.observe(health("one", Health.FAILED, world.now_s, reason="status_503"), world.now_s)
    record = told(world, Known(world.plans, {"one": Hosting.AKS}, watched=("one",)))
    (incident,) = record.incidents
    assert of(record, "one").next_step == incident.next_step == meaning(503, Hosting.AKS).next_step
    assert (incident.evidence, incident.is_recovery, incident.is_down) == ("made up", True, True)
    world.stop()


def test_the_budget_says_what_it_is_of(tmp_path: Path) -> None:
    """A check a minute over seven days is 10,080; with 99 % allowed failures are 100.8, of which two are spent."""
    plan = CheckPlan(every_ns=MIN, slo_ratio=0.99, slo_window_ns=7 * 24 * HOUR)
    world = World(tmp_path, {"one": plan})
    for outcome in (Health.OK, Health.FAILED, Health.FAILED):
        seen(world, "one", outcome, world.now_s + 60)
    found = of(told(world), "one")
    assert found.budget == Budget(7 * DAY_S, 2, 10_080, pytest.approx(1 - 2 / 100.8))
    assert found.budget_left_ratio == found.budget.left_ratio
    world.stop()


def test_percentiles_are_of_the_latest_good_answers_of_a_day(tmp_path: Path) -> None:
    """Of 10, 20, 30 and 40 ms the median is the second and p95 the fourth; an older answer is left out."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    seen(world, "one", Health.OK, START_S, 999 * MS)
    for place, latency_ms in enumerate((30, 10, 40, 20)):
        seen(world, "one", Health.OK, START_S + DAY_S + 60 * place, latency_ms * MS)
    assert of(told(world), "one").latencies == Latencies(4, START_S + DAY_S, 20 * MS, 40 * MS)
    world.stop()


def test_an_endpoint_that_left_the_file_is_watched_no_longer_and_has_not_recovered(tmp_path: Path) -> None:
    """Its incident is over, but nobody saw it well."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN), "two": CheckPlan(every_ns=MIN)})
    for step in range(1, 4):
        seen(world, "one", Health.FAILED, START_S + 60 * step)
    world.plans = {"two": CheckPlan(every_ns=MIN)}
    world.restart()
    world.wait(60.0)
    record = told(world)
    (incident,) = record.incidents
    assert (of(record, "one").is_watched, incident.closed_s, incident.is_recovery) == (False, world.now_s, False)
    assert (record.recovery, of(record, "one").recovery) == (Recovery(0), Recovery(0))
    world.stop()


def test_an_endpoint_that_was_never_checked_is_there_where_it_is_watched(tmp_path: Path) -> None:
    """No data is a row of its own, and no zero."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    one = of(told(world, Known(world.plans, watched=("one",))), "one")
    assert (one.checked_s, one.state, one.good_ratio, one.days, one.latencies) == (None, Health.UNKNOWN, None, (), None)
    assert one.is_watched
    world.stop()


def test_an_endpoint_is_overdue_after_three_intervals_and_a_minute(tmp_path: Path) -> None:
    """With a check a minute that is after four; with cron nobody can say."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    seen(world, "one", Health.OK, START_S)
    cron = Known({"one": CheckPlan(cron=Cron("0 3 * * *", "UTC"))})
    found = []
    for after_s in (240.0, 241.0):
        world.now_s = START_S + after_s
        found.append((of(told(world), "one").is_overdue, of(told(world, cron), "one").is_overdue))
    assert found == [(False, False), (True, False)]
    world.stop()


def test_notices_that_wait_are_counted(tmp_path: Path) -> None:
    """One fire to one channel that has not taken it."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN)})
    for step in range(1, 3):
        seen(world, "one", Health.FAILED, START_S + 60 * step)
    assert told(world).watch.waiting_count == 1
    world.send_all()
    assert told(world).watch.waiting_count == 0
    world.stop()


def test_recovery_over_ninety_days_leaves_out_budgets_and_our_own_network(folder: Path) -> None:
    """The mean is that of the endpoints' incidents that are over."""
    record = ninety.record(folder, 6 * 3600.0)
    over = [one for one in record.incidents if one.closed_s is not None and one.rule == "checks"]
    lengths_s = [(one.closed_s or 0.0) - one.opened_s for one in over if one.endpoint not in ninety.LEFT]
    assert {one.rule for one in record.incidents} >= {"checks", "network"}
    assert record.recovery.count == len(lengths_s)
    assert record.recovery.mean_s == pytest.approx(sum(lengths_s) / len(lengths_s))
    assert len(record.gaps) == len(ninety.GAPS)
