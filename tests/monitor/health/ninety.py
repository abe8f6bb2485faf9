"""Ninety days of twelve endpoints in a real state folder, through the keeper and the outbox, in virtual time."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from monitor.health import history
from monitor.health.history import Timer
from monitor.health.keeping import Keeper
from monitor.health.lease import leased
from monitor.health.outbox import Outcome, attempted, next_batch, settled, waiting
from monitor.health.recorded import Known, record_of, since_of_days
from monitor.health.store import opened, opened_to_read
from scoring.alertplan import AlertPlan, Window
from scoring.checkplan import CheckPlan
from scoring.cron import Cron
from scoring.endpoint import Hosting
from scoring.health import CheckResult, EndpointHealth, Health, HealthRecord, Watch
from scoring.units import DAY, HOUR, MS, S

CHANNEL = "webhook"
DAY_S, HOUR_S = DAY / S, HOUR / S
END_S = 1_790_000_000.0 // DAY_S * DAY_S + 13 * HOUR_S + 140.0
"""Early in the afternoon of a Monday, in UTC."""
START_S = (END_S // DAY_S - 89) * DAY_S
NAMES = (
    *("churn-aks", "churn-blue", "churn-prod", "credit-score", "demand-eu", "demand-us"),
    *("fraud-eu", "fraud-us", "image-tags"),
    *("legacy-scorer", "nightly-batch", "price-v2"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """From `from_s` on, for so long, this share of the checks comes to `outcome`."""

    from_s: float
    for_s: float
    outcome: Health
    reason: str
    evidence: str
    ratio: float = 1.0

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.from_s + self.for_s


def _ago(days: float, hours: float, fault: tuple[Health, str, str], ratio: float = 1.0) -> Fault:
    return Fault(END_S - days * DAY_S, hours * HOUR_S, *fault, ratio)


FULL = (Health.FAILED, "status_503", "answered 503 after 12.1 ms: Service Unavailable; expected status 200")
SLOW = (Health.DEGRADED, "slow", "a good answer took 412 ms, the bound is 300 ms")
WRONG = (Health.FAILED, "golden_mismatch", "$.result[0] is 0.91, expected 0.73 ± 0.01")
EXPIRES = (Health.DEGRADED, "certificate_expires_soon", "the certificate has 6.2 days left")
NO_NAME = (Health.UNKNOWN, "dns_timeout", "no name server answered within 5 s")
NO_AUTH = (Health.UNKNOWN, "auth_failed", "the token endpoint answered 401: invalid_client")
FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "churn-prod": (_ago(61, 5, FULL), _ago(33, 3, FULL), _ago(0.2, 24, FULL)),
    "churn-blue": (_ago(20, 30, SLOW, 0.5),),
    "credit-score": (_ago(75, 9, WRONG), _ago(12, 4, FULL)),
    "demand-eu": (_ago(2.4, 90, EXPIRES),),
    "demand-us": tuple(_ago(days, 2.5, FULL) for days in (80, 71, 58, 44, 29, 16, 5)),
    "fraud-eu": (_ago(50, 60, FULL, 0.04), _ago(8, 70, SLOW, 0.2)),
    "fraud-us": (_ago(41, 26, FULL),),
    "image-tags": (_ago(0.3, 24, NO_AUTH),),
    "price-v2": (_ago(9, 14, FULL, 0.6),),
}
NETWORK = Fault(END_S - 37 * DAY_S, 13 * HOUR_S, *NO_NAME)
GAPS = (
    (END_S - 66 * DAY_S, END_S - 64.6 * DAY_S, "no watcher"),
    (END_S - 24 * DAY_S, END_S - 23.7 * DAY_S, "asleep"),
)
WINDOWS = (
    Window("patching", ("fraud-eu", "fraud-us"), Cron("0 2 * * SUN", "UTC"), 4 * HOUR),
    Window("move", ("nightly-batch",), from_s=END_S - HOUR_S, until_s=END_S + HOUR_S),
)
YOUNG = {"price-v2": END_S - 15 * DAY_S}
LEFT = {"legacy-scorer": END_S - 30 * DAY_S}


def plans(every_s: float) -> dict[str, CheckPlan]:
    """Each endpoint's plan; every third has no objective."""
    plan = CheckPlan(every_ns=round(every_s * S), calm_ns=HOUR)
    return {
        name: replace(plan, slo_ratio=None if place % 3 == 2 else (0.99, 0.999)[place % 2])
        for place, name in enumerate(NAMES)
    }


def known(every_s: float) -> Known:
    """What redline.toml says at the end."""
    hosting = dict(zip(NAMES, list(Hosting) * 3, strict=False))
    now = tuple(name for name in NAMES if name not in LEFT)
    return Known({name: plan for name, plan in plans(every_s).items() if name in now}, hosting, WINDOWS, (*now, "zero"))


def lived(folder: Path, every_s: float = 2 * HOUR_S, seed: int = 1) -> None:
    """The folder as a watcher leaves it that checked every `every_s` from START_S to END_S."""
    chance = Random(seed)
    with leased(folder) as lease, opened(folder) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        hosts = {name: f"{name}.example" for name in NAMES}
        keeper = Keeper(connection, plans(every_s), AlertPlan(), WINDOWS, [CHANNEL], hosts)
        for from_s, until_s, cause in GAPS:
            history.add_gap(connection, from_s, until_s, cause)
        at_s, is_left = START_S, False
        while at_s < END_S:
            if not any(from_s <= at_s < until_s for from_s, until_s, _ in GAPS):
                for place, name in enumerate(NAMES):
                    _check(keeper, connection, name, at_s + place, chance)
            if at_s >= min(LEFT.values()) and not is_left:
                is_left = True
                keeper = Keeper(connection, known(every_s).plans, AlertPlan(), WINDOWS, [CHANNEL], hosts)
            keeper.tick(at_s + 30)
            _deliver(connection, at_s + 31)
            at_s += every_s
        lease.beat(END_S - 4.0)


def record(folder: Path, every_s: float = 2 * HOUR_S) -> HealthRecord:
    """What the folder tells at END_S, while its watcher is at work."""
    with opened_to_read(folder) as connection:
        watch = Watch(END_S - 4.0, END_S + 120.0)
        return record_of(connection, END_S, known(every_s), since_of_days(END_S, 90), watch)


def _check(keeper: Keeper, connection: sqlite3.Connection, name: str, at_s: float, chance: Random) -> None:
    if at_s < YOUNG.get(name, 0.0) or at_s >= LEFT.get(name, END_S):
        return
    fault = next((one for one in (NETWORK, *FAULTS.get(name, ())) if one.holds(at_s)), None)
    latency_ns = round((40 + 8 * NAMES.index(name)) * MS * chance.lognormvariate(0, 0.25))
    if fault is not None and chance.random() < fault.ratio:
        found = CheckResult("answer", fault.outcome, fault.reason, fault.evidence)
        latency = latency_ns * 5 if fault.outcome is Health.DEGRADED else None
    else:
        found, latency = CheckResult("answer", Health.OK, "ok", "answered 200"), latency_ns
    before = history.timers(connection).get(name, Timer(0.0, 0.0))
    missed = before.missed_count + (fault is NETWORK)
    health = EndpointHealth(name, f"{name}.example", (found,), at_s, latency_ns, latency)
    keeper.observe(health, at_s, at_s, Timer(at_s, at_s, missed, before.late_count))


def _deliver(connection: sqlite3.Connection, at_s: float) -> None:
    batch = next_batch(waiting(connection, CHANNEL), at_s)
    if batch:
        attempted(connection, batch, CHANNEL)
        settled(connection, batch, CHANNEL, Outcome(), at_s)
