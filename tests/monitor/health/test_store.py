"""The state folder: who may read it, what is refused, what is kept for how long, what reports are told."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health import history
from monitor.health.deciding import Open, Row, Standing
from monitor.health.keeping import Keeper
from monitor.health.remembered import standing_of, standing_text
from monitor.health.store import FILE, opened, opened_to_read, version_of
from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan, parse_percentile
from scoring.errors import RedlineError
from scoring.health import Health
from scoring.units import MIN, MS
from tests.monitor.health.worlds import CHANNEL, START_S, World, health

TIMES = st.floats(0, 4e9)
ROWS = st.builds(Row, st.integers(0, 9), TIMES)
STANDINGS = st.builds(
    Standing,
    st.text(),
    st.sampled_from(Health),
    st.text(),
    st.text(),
    st.sampled_from(Health),
    st.none() | TIMES,
    TIMES,
    ROWS,
    ROWS,
    ROWS,
    ROWS,
    st.none() | TIMES,
    st.lists(TIMES, max_size=3).map(tuple),
    st.none() | st.builds(Open, st.text(), TIMES, st.sampled_from(Health), st.text(), TIMES, st.integers(1, 9)),
)


@given(STANDINGS)
def test_a_standing_survives_a_restart_exactly(standing: Standing) -> None:
    """What is read back is what was written."""
    assert standing_of(standing_text(standing)) == standing


def test_the_folder_and_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """0700 and 0600, the files that SQLite puts beside included."""
    with opened(tmp_path / "state") as connection:
        connection.execute("CREATE TABLE x (y)")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert len(modes) > 1


def test_a_file_that_is_none_of_ours_is_refused_in_one_line(tmp_path: Path) -> None:
    """No traceback and no change of the file."""
    (tmp_path / FILE).write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(RedlineError, match="file is not a database"), opened(tmp_path):
        pass


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """What is not understood is not written to."""
    with opened(tmp_path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(RedlineError, match="of a later version"), opened(tmp_path):
        pass


def test_a_migration_that_is_cut_short_left_nothing_behind(tmp_path: Path) -> None:
    """Tables and version number come together."""
    with sqlite3.connect(tmp_path / FILE) as half:
        half.execute("CREATE TABLE gaps (x)")
    with pytest.raises(RedlineError, match="already exists"), opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / FILE) as after:
        assert [name for (name,) in after.execute("SELECT name FROM sqlite_master")] == ["gaps"]
        assert version_of(after) == 0


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    """A report of a folder that is not there says so."""
    with pytest.raises(RedlineError, match="holds no health history"), opened_to_read(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


def test_good_checks_go_before_bad_ones_and_hours_stay(tmp_path: Path) -> None:
    """After 20 days the good check is gone, after 100 days the bad one; the counts by hour outlast both."""
    world = World(tmp_path)
    world.check("parent", Health.OK)
    world.check("parent", Health.FAILED)
    for days, left in ((20, ["FAILED"]), (100, [])):
        history.prune(world.connection, START_S + days * 86_400)
        assert [state for (state,) in world.connection.execute("SELECT state FROM checks")] == left
    counts = history.counts_of_hours(world.connection, "parent", START_S)
    assert counts == {Health.OK: 1, Health.FAILED: 1}
    world.stop()


def test_an_incident_that_is_not_yet_told_is_kept_whatever_its_age(tmp_path: Path) -> None:
    """Pruning loses no notice."""
    world = World(tmp_path)
    for outcome in (Health.FAILED, Health.FAILED, Health.OK, Health.OK):
        world.check("parent", outcome)
    history.prune(world.connection, START_S + 500 * 86_400)
    assert len(history.incidents(world.connection)) == 1
    world.send_all()
    history.prune(world.connection, START_S + 500 * 86_400)
    assert history.incidents(world.connection) == []
    world.stop()


def test_the_end_of_watching_closes_what_was_open(tmp_path: Path) -> None:
    """An endpoint that left the file has no incident that nobody can close."""
    world = World(tmp_path)
    world.check("child", Health.FAILED)
    world.check("child", Health.FAILED)
    world.plans = {"parent": CheckPlan()}
    world.restart()
    world.wait(1.0)
    (incident,) = history.incidents(world.connection)
    assert incident.closed_s == world.now_s
    assert [one.kind.value for one in incident.notifications] == ["fire", "resolve"]
    world.stop()


def test_a_cause_that_is_not_watched_blocks_nothing(tmp_path: Path) -> None:
    """`redline watch child` alone knows nothing of the parent."""
    world = World(tmp_path, {"child": CheckPlan(every_ns=MIN, depends_on=("parent",))})
    world.check("child", Health.FAILED)
    world.check("child", Health.FAILED)
    assert len(world.notices()) == 1
    world.stop()


def test_a_budget_without_an_objective_is_closed(tmp_path: Path) -> None:
    """Taking `slo` out of the file ends the incident that it had opened."""
    world = World(tmp_path, {"one": CheckPlan(every_ns=MIN, slo_ratio=0.99)}, AlertPlan(remind_ns=None))
    for letter in "oof" * 40:
        world.check("one", {"f": Health.FAILED, "o": Health.OK}[letter])
    world.plans = {"one": CheckPlan(every_ns=MIN)}
    world.restart()
    world.wait(1.0)
    assert [(one.subject, one.kind) for one in world.notices()] == [("one:budget", "fire"), ("one:budget", "resolve")]
    world.stop()


def test_a_percentile_over_a_window_is_a_check_of_its_own(tmp_path: Path) -> None:
    """p50 of 5 answers within ten minutes is the third smallest; four answers are too few to say."""
    plan = CheckPlan(every_ns=MIN, percentiles=(parse_percentile("p50(10m)<100ms"),), degraded_after=1)
    world = World(tmp_path, {"one": plan})
    states = []
    for latency_ms in (50, 200, 200, 60, 150):
        world.now_s += 60
        world.keeper.observe(health("one", Health.OK, world.now_s, latency_ms * MS), world.now_s)
        states.append(world.keeper.standings["one"].last)
    assert states == [Health.OK] * 4 + [Health.DEGRADED]
    assert world.keeper.standings["one"].reason == "slow_percentile"
    world.stop()


def test_a_budget_that_burns_is_told_once_and_not_beside_an_outage(tmp_path: Path) -> None:
    """Where every third check fails no two do in a row, and only the budget tells; a total outage is the checks'."""
    plan = CheckPlan(every_ns=MIN, slo_ratio=0.99)
    world = World(tmp_path / "slow", {"one": plan}, AlertPlan(remind_ns=None))
    for letter in "oof" * 40:
        world.check("one", {"f": Health.FAILED, "o": Health.OK}[letter])
    assert [(one.subject, one.kind) for one in world.notices()] == [("one:budget", "fire")]
    world.stop()
    world = World(tmp_path / "total", {"one": plan}, AlertPlan(remind_ns=None))
    for _ in range(10):
        world.check("one", Health.FAILED)
    assert [one.subject for one in world.notices()] == ["one"]
    world.stop()


def test_our_own_network_is_one_incident_and_not_one_of_every_endpoint(tmp_path: Path) -> None:
    """Twenty endpoints without a route for ten rounds, then back: one fire and one resolve, with a tick after each."""
    names = [f"e{place}" for place in range(20)]
    world = World(tmp_path, {name: CheckPlan(every_ns=MIN) for name in names}, AlertPlan(remind_ns=None))
    hosts = {name: f"{name}.example" for name in names}
    world.keeper = Keeper(world.connection, world.plans, world.alerts, [], [CHANNEL], hosts)

    def look(name: str, reason: str) -> None:
        world.now_s += 1
        outcome = Health.OK if reason == "ok" else Health.UNKNOWN
        world.keeper.observe(health(name, outcome, world.now_s, reason=reason), world.now_s)
        world.wait(1.0)

    for reason, rounds in (("ok", 2), ("network_unreachable", 10), ("ok", 3)):
        for _ in range(rounds):
            for name in names:
                look(name, reason)
    assert [(one.subject, one.kind) for one in world.notices()] == [
        ("redline:network", "fire"),
        ("redline:network", "resolve"),
    ]
    for _ in range(3):
        for name in names[:3]:
            look(name, "dns_timeout" if name == "e0" else "ok")
    assert [one.subject for one in world.notices()[2:]] == ["e0"]  # one host alone is that host's trouble
    world.stop()
