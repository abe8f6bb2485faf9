"""[checks], [alerts] and [maintenance]: what they may say, one bad line per rule, and windows across clock changes."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.alertplan import AlertPlan, Window, alert_plan, windows
from scoring.checkplan import CheckPlan, PercentileGoal, check_plan, parse_percentile
from scoring.cron import Cron
from scoring.errors import RedlineError
from scoring.settings import read_settings
from scoring.tomlfile import Document
from scoring.units import DAY, HOUR, MIN, MS, S

ENDPOINT = '[endpoints.a]\nscoring_uri = "https://churn.example/score"\n'
EVERY_KEY = """
[endpoints.a.checks]
enabled = false
cron = "*/10 8-18 * * MON-FRI"
zone = "Europe/Vienna"
payloads = 5
deadline = "10s"
latency = "300ms"
latency_failed = "2s"
percentiles = ["p95(10m) < 300ms"]
max_body_bytes = 100_000
certificate_days = 30
certificate_failed_days = 7
negative = []
fail_after = 1
fail_for = "10m"
degraded_after = 4
unknown_after = 5
recover_after = 6
flap_changes = 7
flap_window = "2h"
calm = "20m"
depends_on = ["b"]
slo = "99.9%"
slo_window = "7d"
[endpoints.b]
scoring_uri = "https://b.example/score"
[alerts]
webhook_env = "HOOK"
apprise_env = "WHERE"
apprise_file = "apprise.txt"
remind = "never"
degraded = false
link = "https://wiki.example/churn"
dead_man_env = "PING"
dead_man_every = "5m"
[maintenance.once]
from = 2026-03-01T10:00:00+01:00
until = "2026-03-01T12:00:00+01:00"
"""
EVERY_CHECK = CheckPlan(
    enabled=False,
    cron=Cron("*/10 8-18 * * MON-FRI", "Europe/Vienna"),
    payloads=5,
    deadline_ns=10 * S,
    latency_ns=300 * MS,
    latency_failed_ns=2 * S,
    percentiles=(PercentileGoal("p95(10m)<300ms", 0.95, 10 * MIN, 300 * MS),),
    max_body_bytes=100_000,
    certificate_days=30,
    certificate_failed_days=7,
    negative=(),
    fail_after=1,
    fail_for_ns=10 * MIN,
    degraded_after=4,
    unknown_after=5,
    recover_after=6,
    flap_changes=7,
    flap_window_ns=2 * HOUR,
    calm_ns=20 * MIN,
    depends_on=("b",),
    slo_ratio=0.999,
    slo_window_ns=7 * DAY,
)


def mistakes(text: str, tmp_path: Path) -> list[str]:
    """The mistakes of a redline.toml whose first two lines are an endpoint, without the file's name."""
    file = tmp_path / "redline.toml"
    file.write_text(ENDPOINT + text)
    with pytest.raises(RedlineError) as caught:
        read_settings(file)
    return [line.removeprefix(f"{file}:") for line in caught.value.message.splitlines()]


def test_every_key_of_the_tables_is_read(tmp_path: Path) -> None:
    """What docs/checks.md shows arrives, in nanoseconds and ratios, files beside the file."""
    file = tmp_path / "redline.toml"
    file.write_text(ENDPOINT + EVERY_KEY)
    settings = read_settings(file)
    assert settings.checks["a"] == EVERY_CHECK
    assert settings.checks["b"] == CheckPlan()
    assert settings.alerts == AlertPlan(
        webhook_env="HOOK",
        apprise_env="WHERE",
        apprise_file=str(tmp_path / "apprise.txt"),
        remind_ns=None,
        degraded=False,
        link="https://wiki.example/churn",
        dead_man_env="PING",
        dead_man_every_ns=5 * MIN,
    )
    began_s = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()
    assert settings.maintenance == (Window("once", from_s=began_s, until_s=began_s + 7200),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'every = "500ms"',
            '4: endpoints.a.checks.every: `500ms` is too often; allowed: a second at least: "30s", "5m"',
        ),
        (
            'every = "5m"\ncron = "* * * * *"',
            "4: endpoints.a.checks.every: every and cron are both given; allowed: one of them",
        ),
        (
            'cron = "* * *"',
            "4: endpoints.a.checks.cron: `* * *` is no cron expression; allowed: five fields:"
            ' "*/5 * * * *", "0 8-18 * * MON-FRI"',
        ),
        (
            'cron = "0 0 30 2 *"',
            "4: endpoints.a.checks.cron: `0 0 30 2 *` is no cron expression: Bad day-of-month; allowed: five fields:"
            ' "*/5 * * * *", "0 8-18 * * MON-FRI"',
        ),
        ('zone = "UTC"', "4: endpoints.a.checks.zone: a zone without cron; allowed: beside cron"),
        (
            'cron = "* * * * *"\nzone = "Mars/Base"',
            '4: endpoints.a.checks.cron: `Mars/Base` is no time zone; allowed: a name such as "Europe/Vienna", "UTC"',
        ),
        (
            'latency = "2s"\nlatency_failed = "1s"',
            "4: endpoints.a.checks.latency: latency is longer than latency_failed; allowed: the other way round",
        ),
        (
            "certificate_days = 1",
            "4: endpoints.a.checks.certificate_days: certificate_failed_days is more than certificate_days;"
            " allowed: the other way round",
        ),
        (
            'negative = ["put"]',
            "4: endpoints.a.checks.negative: `put` is unknown; allowed: no_key, wrong_key, get",
        ),
        (
            'percentiles = ["p95<300ms"]',
            "4: endpoints.a.checks.percentiles: `p95<300ms` is no goal over a window;"
            ' allowed: "p95(10m)<300ms", "p99.9(1h)<2s"',
        ),
        (
            'slo = "100%"',
            '4: endpoints.a.checks.slo: `100%` is no objective; allowed: a percentage below 100 in quotes: "99.9%"',
        ),
        ('depends_on = ["b"]', "4: endpoints.a.checks.depends_on: `b` is no endpoint; allowed: a"),
        (
            'depends_on = ["a"]',
            "4: endpoints.a.checks.depends_on: `a` depends on itself; allowed: endpoints that do not depend on it",
        ),
    ],
)
def test_a_mistake_of_checks_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    """One bad line gives exactly one message."""
    assert mistakes(f"[endpoints.a.checks]\n{text}\n", tmp_path) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[alerts]\nremind = "5ms"',
            '4: alerts.remind: `5ms` is too often; allowed: a second at least: "4h"; or "never"',
        ),
        (
            '[alerts]\nwebhook = "https://hooks.example/x?sig=abc"',
            "4: alerts.webhook: the address has a query, which may be a secret (value not shown); allowed: webhook_env",
        ),
        (
            '[alerts]\nslack_token = "x"',
            "4: alerts.slack_token: a secret never stands in this file (value not shown);"
            " allowed: key_env, key_file or key_vault",
        ),
        (
            '[maintenance.x]\ncron = "0 2 * * *"',
            "3: maintenance.x: cron is given; allowed: cron and for (with zone), or from and until",
        ),
        (
            "[maintenance.x]\nfrom = 2026-01-01T00:00:00\nuntil = 2026-01-02T00:00:00Z",
            "4: maintenance.x.from: a date or time is no point in time;"
            " allowed: 2026-01-02T03:04:05Z or with an offset, +01:00",
        ),
        (
            "[maintenance.x]\nfrom = 2026-01-02T00:00:00Z\nuntil = 2026-01-01T00:00:00Z",
            "5: maintenance.x.until: the end is not after the start; allowed: a later time",
        ),
        (
            '[maintenance.x]\ncron = "0 2 * * *"\nfor = "2h"\nendpoints = ["b"]',
            "6: maintenance.x.endpoints: `b` is no endpoint; allowed: a",
        ),
        (
            '[maintenance.x]\ncron = "0 2 * * *"\nfor = "60d"',
            '5: maintenance.x.for: `60d` is too long for a window; allowed: at most "31d"',
        ),
    ],
)
def test_a_mistake_of_alerts_or_maintenance_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    """One bad line gives exactly one message, and no secret is repeated."""
    assert mistakes(text + "\n", tmp_path) == [told]


def test_endpoints_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    """A circle over three is found, at each of its members."""
    others = "".join(
        f'[endpoints.{name}]\nscoring_uri = "https://x.example/"\nchecks = {{ depends_on = ["{other}"] }}\n'
        for name, other in (("b", "c"), ("c", "a"))
    )
    told = mistakes(f'checks = {{ depends_on = ["b"] }}\n{others}', tmp_path)
    assert sum("depends on itself" in line for line in told) == 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = "every cron zone slo negative percentiles payloads calm depends_on remind from for until endpoints webhook x"
KEYS = st.sampled_from(NAMES.split())


@given(st.dictionaries(KEYS, VALUES, max_size=6) | VALUES)
def test_whatever_a_table_holds_is_read_or_noted(table: object) -> None:
    """No value of any type breaks the reading: a plan comes out, or mistakes are noted, or both."""
    document = Document("f", "")
    check_plan(document, ("checks",), table)
    alert_plan(document, ("alerts",), table)
    windows(document, ("maintenance",), {"w": table}, ["a"])
    assert all(line >= 1 and what for line, what in document.mistakes)


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_a_percentile(text: str) -> None:
    """A goal, or an error with a hint."""
    with contextlib.suppress(RedlineError):
        goal = parse_percentile(text)
        assert 0 < goal.q < 1
        assert S <= goal.window_ns <= DAY


@pytest.mark.parametrize(
    ("at", "is_on"),
    [
        ("2026-03-28T23:59:59Z", False),
        ("2026-03-29T01:00:00Z", True),  # 02:00 does not exist on this day: the window begins at 03:00, its next minute
        ("2026-03-29T02:59:59Z", True),
        ("2026-03-29T03:00:00Z", False),  # two real hours later
        ("2026-10-25T00:00:00Z", True),  # 02:00 comes twice: the window begins with the first
        ("2026-10-25T01:59:59Z", True),
        ("2026-10-25T02:00:00Z", False),
    ],
)
def test_a_window_lasts_its_time_through_a_clock_change(at: str, is_on: bool) -> None:
    """02:00 to 04:00 on Sundays in Vienna is two real hours on the short day and on the long one."""
    window = Window("patching", cron=Cron("0 2 * * SUN", "Europe/Vienna"), for_ns=2 * HOUR)
    assert window.is_on(datetime.fromisoformat(at).timestamp()) is is_on
