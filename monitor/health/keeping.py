"""Checks come in, decisions and notices go into the store: all of a watcher but its clock, threads and senders."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.health import history
from monitor.health.budget import Counts, Objective, budget_seen
from monitor.health.deciding import Notice, Now, Row, Seen, Standing, decided, let_go
from monitor.health.dependencies import is_blocked
from monitor.health.history import BUDGET_SUFFIX, TELEMETRY_SUFFIX, Made, Step, Timer, endpoint_and_rule
from monitor.health.judging import percentile_check
from monitor.health.ownnetwork import POLICY, SUBJECT, is_to_blame, network_seen
from monitor.health.policies import budget_policy, policy_of, telemetry_policy, told_window_s
from monitor.health.sharedsource import is_told_elsewhere
from monitor.health.telemetry_judging import Asked
from scoring.alertplan import AlertPlan, Window
from scoring.checkplan import CheckPlan
from scoring.health import EndpointHealth, Health
from scoring.units import S

UNWATCHED = "not_watched"
CAUSE_SLACK_S = 60.0


class Keeper:
    """Owns what is remembered of every subject, in the store and, read once, in memory."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        plans: Mapping[str, CheckPlan],
        alerts: AlertPlan,
        windows: Sequence[Window],
        channels: Sequence[str],
        hosts: Mapping[str, str] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """`hosts`: of the endpoints that are not on this machine, by name; `sources`: where their telemetry is."""
        self._connection = connection
        self._plans = dict(plans)
        self._alerts = alerts
        self._windows = tuple(windows)
        self._channels = tuple(channels)
        self._hosts = dict(hosts or {})
        self._sources = dict(sources or {})
        self._policies = {name: policy_of(plan, alerts) for name, plan in plans.items()}
        self._telemetry_policies = {name: telemetry_policy(plan, alerts) for name, plan in plans.items()}
        self._budget_policy = budget_policy(alerts)
        self._on_at_s: float | None = None
        self._on: list[Window] = []
        self.standings = history.standings(connection)

    def observe(
        self, health: EndpointHealth, at_s: float, due_s: float | None = None, timer: Timer | None = None
    ) -> None:
        """The check is in the store, and what follows from it."""
        health = self._with_percentiles(health, at_s)
        found = health.deciding
        said = "" if found is None else found.evidence
        seen = Seen(health.state, health.reason, said, health.retry_after_s or 0.0)
        quiet = self.is_quiet(health.name, at_s)
        standing, notice = self._decided(health.name, seen, at_s)
        notices = () if notice is None else (notice,)
        step = Step(Made(health, due_s, quiet), (standing,), notices, timer)
        history.record(self._connection, step, self._channels)
        self.standings[health.name] = standing
        self._look_at_network(at_s)
        self._look_at_budget(health.name, at_s)

    def observe_telemetry(self, endpoint: str, asked: Asked, at_s: float) -> None:
        """What Azure Monitor tells of the endpoint is remembered beside its checks, which it does not count among."""
        found = asked.deciding
        said = ("no_data", "") if found is None else (found.reason, found.evidence)
        seen = Seen(asked.state, *said, asked.retry_after_s or 0.0)
        self._keep(*self._decided(endpoint + TELEMETRY_SUFFIX, seen, at_s))

    def tick(self, at_s: float) -> None:
        """What time alone brings: reminders, the end of maintenance, the end of what is watched no longer."""
        for subject, before in list(self.standings.items()):
            if not self._is_watched(subject):
                self._let_go(before, at_s)
                continue
            standing, notice = self._decided(subject, None, at_s)
            if notice is not None or standing != replace(before, quiet_s=standing.quiet_s):
                self._keep(standing, notice)
            self.standings[subject] = standing

    def is_quiet(self, endpoint: str, at_s: float) -> bool:
        """True in maintenance."""
        if self._on_at_s != at_s:  # cron is asked once for all endpoints
            self._on_at_s, self._on = at_s, [window for window in self._windows if window.is_on(at_s)]
        return any(window.covers(endpoint) for window in self._on)

    def _decided(self, subject: str, seen: Seen | None, at_s: float) -> tuple[Standing, Notice | None]:
        endpoint, rule = endpoint_and_rule(subject)
        standing = self.standings.get(subject, Standing(subject))
        if rule == "network":
            return decided(replace(POLICY, remind_s=self._budget_policy.remind_s), standing, seen, Now(at_s))
        quiet = self.is_quiet(endpoint, at_s)
        if rule == "budget":
            now = Now(at_s, quiet, self._has_incident(endpoint))
            return decided(self._budget_policy, standing, seen, now)
        if rule == "telemetry":
            looked = standing if seen is None else _looked(standing, seen, at_s)
            is_told = is_told_elsewhere(self._sources, looked, self.standings.values())
            now = Now(at_s, quiet, is_told or self._is_told(endpoint, at_s))
            return decided(self._telemetry_policies[endpoint], standing, seen, now)
        policy = self._policies[endpoint]
        looked = standing if seen is None else _looked(standing, seen, at_s)
        blocked = self._is_our_network(looked) or self._is_blocked(endpoint, looked, at_s)
        return decided(policy, standing, seen, Now(at_s, quiet, blocked))

    def _is_blocked(self, endpoint: str, standing: Standing, at_s: float) -> bool:
        names = [name for name in self._plans[endpoint].depends_on if name in self._plans]
        causes = [self.standings[name] for name in names if name in self.standings]
        waits_s = [self._plans[name].interval_s or 0.0 for name in names]
        return is_blocked(standing, causes, at_s, max(waits_s, default=0.0) + CAUSE_SLACK_S)

    def _is_watched(self, subject: str) -> bool:
        endpoint, rule = endpoint_and_rule(subject)
        if rule == "network":
            return bool(self._hosts)
        plan = self._plans.get(endpoint)
        if plan is None or rule == "checks":
            return plan is not None
        return plan.slo_ratio is not None if rule == "budget" else plan.asks_azure

    def _has_incident(self, endpoint: str) -> bool:
        standing = self.standings.get(endpoint)
        return standing is not None and standing.incident is not None

    def _is_told(self, endpoint: str, at_s: float) -> bool:
        """True while what the telemetry shows may be what an incident of the checks tells or has told."""
        if self._has_incident(endpoint) or self._has_incident(SUBJECT):
            return True
        ended_s = history.told_until_s(self._connection, endpoint)
        return at_s - ended_s < told_window_s(self._plans[endpoint])

    def _is_our_network(self, standing: Standing) -> bool:
        """True when the endpoint is out of reach as all the others are."""
        others = [one for name, one in self.standings.items() if name != standing.subject]
        return is_to_blame(self._hosts, standing, others, self.standings.get(SUBJECT))

    def _look_at_network(self, at_s: float) -> None:
        seen = network_seen(self._hosts, self.standings.values())
        if seen is not None and (seen.outcome is not Health.OK or SUBJECT in self.standings):
            self._keep(*self._decided(SUBJECT, seen, at_s))

    def _look_at_budget(self, endpoint: str, at_s: float) -> None:
        plan = self._plans[endpoint]
        if plan.slo_ratio is None:
            return

        def counts_over(span_s: float) -> Counts:
            return history.counts(self._connection, endpoint, at_s - span_s, at_s)

        objective = Objective(plan.slo_ratio, plan.slo_window_ns / S, plan.interval_s)
        since_told_s = at_s - history.told_until_s(self._connection, endpoint)
        seen = budget_seen(objective, since_told_s, counts_over)
        self._keep(*self._decided(endpoint + BUDGET_SUFFIX, seen, at_s))

    def _let_go(self, standing: Standing, at_s: float) -> None:
        """A subject that left the file: its incident is closed and told, and nothing is remembered of it."""
        del self.standings[standing.subject]
        last = let_go(standing, UNWATCHED, at_s)
        history.forget(self._connection, standing.subject, last, self._channels)

    def _keep(self, standing: Standing, notice: Notice | None) -> None:
        notices = () if notice is None else (notice,)
        history.record(self._connection, Step(standings=(standing,), notices=notices), self._channels)
        self.standings[standing.subject] = standing

    def _with_percentiles(self, health: EndpointHealth, at_s: float) -> EndpointHealth:
        goals = self._plans[health.name].percentiles
        if not goals:
            return health
        checks = []
        for goal in goals:
            latencies_ns = history.latencies_ns(self._connection, health.name, at_s - goal.window_ns / S)
            latest = [] if health.latency_ns is None else [health.latency_ns]
            checks += percentile_check(goal, latencies_ns + latest)
        return replace(health, checks=(*health.checks, *checks))


def _looked(standing: Standing, seen: Seen, at_s: float) -> Standing:
    """The standing as far as it decides who is to blame: the observation, and the row of faults that it may begin."""
    began = seen.outcome is not Health.OK and not standing.dark.count
    dark = Row(1, at_s) if began else standing.dark
    return replace(standing, dark=dark, last=seen.outcome, reason=seen.reason, seen_s=at_s)
