"""When checks are made: intervals, cron over clock changes, sleep, clocks that are set, restarts; 400 days of it."""

from __future__ import annotations

import heapq
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.health.history import Timer
from monitor.health.timetable import Clock, Schedule, begun, put_off, set_back, taken, waits_s
from scoring.cron import Cron, checked_cron
from scoring.errors import RedlineError

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
START = datetime(2026, 3, 1, tzinfo=UTC)
START_S = START.timestamp()
VIENNA = "Europe/Vienna"


def at(day_s: float) -> Clock:
    """Both clocks so many seconds after the start, the steady one from 0."""
    return Clock(day_s, START_S + day_s)


def served(schedule: Schedule, until_s: float) -> list[float]:
    """Wall times of the checks that are made when nothing hinders, in seconds after the start."""
    now_s, found = 0.0, []
    while (now_s := now_s + waits_s(schedule, at(now_s))) < until_s:
        schedule, run = taken(schedule, at(now_s))
        assert run is not None
        assert run.missed_count == 0
        found.append(now_s)
    return found


def twin(minutes: str, hours: str, zone: str, days: int) -> list[float]:
    """Exact slow twin of cron at fixed times: each local day, the first real minute at or after each local time."""
    tz, found = ZoneInfo(zone), set()
    local = START.astimezone(tz).date()
    for day in range(-1, days + 2):
        date = local + timedelta(days=day)
        for hour in hours.split(","):
            wanted = datetime(date.year, date.month, date.day, int(hour), int(minutes), tzinfo=tz)
            real = wanted.astimezone(UTC).astimezone(tz)
            while (real.hour, real.minute) != (wanted.hour, wanted.minute):  # inside the gap of a clock change
                wanted = (wanted.replace(tzinfo=None) + timedelta(minutes=1)).replace(tzinfo=tz)
                real = wanted.astimezone(UTC).astimezone(tz)
            found.add(wanted.timestamp() - START_S)
    return sorted(one for one in found if 0 < one < days * DAY_S)


def test_four_hundred_days_of_two_hundred_endpoints_miss_nothing_and_double_nothing() -> None:
    """Intervals on their grid, and fixed times in zones of both hemispheres through every clock change, all once."""
    zones = [VIENNA, "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]
    days = 400
    crons = {f"cron-{place}": (f"{place % 60}", f"{place % 4}", zones[place % 5]) for place in range(50)}
    schedules: dict[str, Schedule] = {
        name: begun(None, Cron(f"{minute} {hour} * * *", zone), None, at(0.0))
        for name, (minute, hour, zone) in crons.items()
    }
    for place in range(150):
        schedules[f"every-{place}"] = begun(HOUR_S * (1 + place % 6), None, None, at(0.0), float(place))
    made: dict[str, list[float]] = {name: [] for name in schedules}
    due = [(waits_s(one, at(0.0)), name) for name, one in schedules.items()]
    heapq.heapify(due)
    while due[0][0] < days * DAY_S:
        now_s, name = heapq.heappop(due)
        schedules[name], run = taken(schedules[name], at(now_s))
        assert run is not None
        made[name].append(now_s)
        heapq.heappush(due, (now_s + waits_s(schedules[name], at(now_s)), name))
    assert sum(one.missed_count + one.late_count for one in schedules.values()) == 0
    for name, (minute, hour, zone) in crons.items():
        assert made[name] == twin(minute, hour, zone, days), (name, zone)
    for place in range(150):
        every_s = HOUR_S * (1 + place % 6)
        assert made[f"every-{place}"] == pytest.approx(
            [place + k * every_s for k in range(len(made[f"every-{place}"]))]
        )
        assert len(made[f"every-{place}"]) == math.ceil((days * DAY_S - place) / every_s)


def test_a_time_that_the_clock_jumps_over_is_served_once_right_after() -> None:
    """02:30 in Vienna on 29 March 2026 does not exist; the check is made at 03:00, which is 01:00 UTC."""
    times = served(begun(None, Cron("30 2 29 3 *", VIENNA), None, at(0.0)), 60 * DAY_S)
    assert [START + timedelta(seconds=one) for one in times] == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]


@pytest.mark.parametrize("begins", [0, 30, 60, 90, 120], ids=lambda minutes: f"begun {minutes} min after midnight UTC")
def test_a_time_that_comes_twice_is_served_once(begins: int) -> None:
    """02:30 on 25 October 2026 comes at 00:30 and 01:30 UTC; whoever starts between the two waits for the next day."""
    began = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=begins)
    cron = Cron("30 2 * * *", VIENNA)
    first = cron.after(began.timestamp())
    expected = datetime(2026, 10, 25, 0, 30, tzinfo=UTC) if begins < 30 else datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    assert first == expected.timestamp()


def test_every_quarter_of_an_hour_goes_on_through_a_clock_change() -> None:
    """Stars count real time: 96 checks on every day of UTC, the long and the short one of the zone included."""
    cron = Cron("*/15 * * * *", VIENNA)
    for day in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        times = []
        for one in cron.from_(day.timestamp() - 1):
            if one >= day.timestamp() + DAY_S:
                break
            times.append(one - day.timestamp())
        assert times == [900.0 * place for place in range(96)]


@given(st.floats(1, 5_000), st.lists(st.floats(0.1, 40_000), max_size=30))
def test_whatever_delays_the_loop_every_interval_is_made_or_counted(every_s: float, pauses_s: list[float]) -> None:
    """Made plus missed is the number of times on the grid, and no two checks are closer than the grid."""
    schedule, now_s, made = begun(every_s, None, None, at(0.0)), 0.0, 0
    for pause_s in [0.0, *pauses_s]:
        now_s += pause_s
        while waits_s(schedule, at(now_s)) == 0:
            schedule, run = taken(schedule, at(now_s))
            made += run is not None
    grid = now_s / every_s
    assume(abs(grid - round(grid)) > 1e-6 * (1 + grid))  # else it is rounding that decides whether the last is due
    assert made + schedule.missed_count == math.floor(grid) + 1


def test_a_night_asleep_is_one_check_and_a_number() -> None:
    """Eight hours of sleep at an interval of five minutes: one check at once, 95 missed, the next on the grid."""
    schedule, _ = taken(begun(300.0, None, None, at(0.0)), at(0.0))
    schedule, run = taken(schedule, at(300.0 + 8 * HOUR_S - 1))
    assert run is not None
    assert (run.missed_count, schedule.missed_count) == (95, 95)
    assert schedule.due_steady_s == 300.0 + 8 * HOUR_S


def test_a_wall_clock_that_is_set_moves_no_interval() -> None:
    """An hour forward or back: the next check comes when it would have come."""
    schedule, _ = taken(begun(300.0, None, None, at(0.0)), at(0.0))
    for step_s in (HOUR_S, -HOUR_S):
        assert waits_s(schedule, Clock(100.0, START_S + 100.0 + step_s)) == 200.0


def test_cron_serves_no_time_twice_when_the_clock_is_set_back() -> None:
    """Set back by ten minutes after noon, the clock passes noon again, and nothing is made."""
    schedule = begun(None, Cron("0 12 * * *"), None, at(0.0))
    schedule, _ = taken(schedule, at(12 * HOUR_S + 1))
    back = Clock(12 * HOUR_S + 2, START_S + 12 * HOUR_S - 600)
    assert set_back(schedule, back) == schedule
    assert waits_s(schedule, back) == DAY_S + 600


def test_cron_begins_anew_after_a_clock_that_was_wrong_by_days() -> None:
    """A year ahead and back again: the next check is the next noon, not that of next year."""
    schedule, _ = taken(begun(None, Cron("0 12 * * *"), None, at(0.0)), Clock(1.0, START_S + 365 * DAY_S))
    assert set_back(schedule, at(2.0)).due_s == START_S + 12 * HOUR_S


def test_a_restart_goes_on_where_the_last_watcher_ended() -> None:
    """A check two minutes ago at an interval of five is next in three; after an hour one is made, eleven are missed."""
    assert begun(300.0, None, Timer(START_S - 120, START_S - 120), at(0.0)).due_steady_s == 180.0
    late = begun(300.0, None, Timer(START_S - HOUR_S, START_S - HOUR_S), at(0.0), 2.0)
    assert (late.due_steady_s, late.missed_count) == (2.0, 11)
    ahead = begun(300.0, None, Timer(START_S + HOUR_S, START_S + HOUR_S), at(0.0))
    assert (ahead.due_steady_s, ahead.missed_count) == (0.0, 0)


def test_a_restart_makes_a_missed_cron_time_up_once() -> None:
    """Down over three noons: one check at once, two missed."""
    schedule = begun(None, Cron("0 12 * * *"), Timer(START_S - 3.5 * DAY_S, START_S - 3.5 * DAY_S), at(0.0))
    assert waits_s(schedule, at(0.0)) == 0
    schedule, run = taken(schedule, at(0.0))
    assert run is not None
    assert (run.missed_count, schedule.due_s) == (2, START_S + 12 * HOUR_S)


def test_a_check_that_is_still_running_makes_the_next_one_missed() -> None:
    """No endpoint is asked twice at a time."""
    schedule, run = taken(begun(60.0, None, None, at(0.0)), at(0.0), is_busy=True)
    assert (run, schedule.missed_count, schedule.due_steady_s) == (None, 1, 60.0)


def test_an_endpoint_that_asks_for_silence_is_put_off() -> None:
    """Retry-After of two minutes moves the next check, a shorter one than the interval does not."""
    schedule, _ = taken(begun(60.0, None, None, at(0.0)), at(0.0))
    assert put_off(schedule, at(1.0), 120.0).due_steady_s == 121.0
    assert put_off(schedule, at(1.0), 30.0) == schedule


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("* * * *", "UTC"),
        ("61 * * * *", "UTC"),
        ("* * * * * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("* * * * *", "Mars/Base"),
        ("* * * * *", "../x"),
        ("", "UTC"),
    ],
)
def test_a_bad_cron_expression_or_zone_is_refused(expression: str, zone: str) -> None:
    """One line, with what is allowed."""
    with pytest.raises(RedlineError) as caught:
        checked_cron(expression, zone)
    assert caught.value.hint
