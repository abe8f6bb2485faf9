"""Findings that explain no counted failure and that a person must know all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from monitor.diagnosis.facts import WITNESS
from monitor.diagnosis.ids import ABSENT
from monitor.diagnosis.join import Joined
from monitor.diagnosis.setting import Setting, first_account
from monitor.diagnosis.signs import read_logs, switch_on_telemetry
from monitor.diagnosis.timeouts import busy_figures, is_busy
from scoring.account import is_good
from scoring.endpoint import Hosting
from scoring.served import Event, EventKind, Source
from scoring.told import Finding

_STOPPING = timedelta(seconds=30)
_STARTING = timedelta(seconds=60)


def informative(findings: Sequence[Finding], slowest: Sequence[Joined], setting: Setting) -> list[Finding]:
    """An open endpoint, a busy load generator, processes that ended, telemetry that was lost."""
    rules = {finding.rule for finding in findings}
    found = [*_open_endpoint(setting), *_hole(slowest)]
    if "D21" not in rules:
        found += _busy_generator(setting)
    return found + _ended_processes(rules, setting)


def _open_endpoint(setting: Setting) -> list[Finding]:
    client = setting.client
    if client is None or not client.answers_without_key or setting.hosting is Hosting.LOCAL:
        return []
    step = {
        Hosting.ACI: "run `service.update(auth_enabled=True)`: key auth is off by default on ACI",
        Hosting.AKS: "run `service.update(auth_enabled=True)`",
    }.get(setting.hosting or Hosting.LOCAL, "set auth_mode: key in the endpoint's YAML, then update it")
    return [
        Finding(
            rule="D23",
            cause="the endpoint is open to the world: it answers 200 to a request without any key",
            confidence="medium",
            count=0,
            labels=(),
            evidence=("a request without a key was answered 200 (client)",),
            counter_evidence=(),
            next_step=step,
        )
    ]


def _busy_generator(setting: Setting) -> list[Finding]:
    if not is_busy(setting) or setting.client is None:
        return []
    return [
        Finding(
            rule="D21",
            cause="the load generator was too busy to measure: its times are too long, and are not the endpoint's",
            confidence="medium",
            count=0,
            labels=(),
            evidence=(*busy_figures(None, setting), *setting.client.reasons),
            counter_evidence=(),
            next_step="use fewer users per machine, and more machines: `locust --worker`; then measure again",
        )
    ]


def _hole(slowest: Sequence[Joined]) -> list[Finding]:
    """Good answers whose telemetry never came, though that of the time around them has."""
    good = [one for one in slowest if is_good(one.row.label)]
    lost = [one for one in good if one.known.get(Source.APP_INSIGHTS) == ABSENT]
    if not lost:
        return []
    times = [one.row.at for one in lost if one.row.at is not None]
    return [
        Finding(
            rule="D39",
            cause="telemetry was lost: requests that were answered have no row in App Insights",
            confidence="medium",
            count=0,
            labels=(),
            evidence=(
                f"{len(lost)} of {len(good)} good answers that were looked up have no row (client, App Insights)",
            ),
            counter_evidence=(),
            next_step="count by the client's own record; what a worker has not sent within 5 s dies with it",
            first_at=min(times, default=None),
            last_at=max(times, default=None),
            request_ids=tuple(one.row.request_id for one in lost if one.row.request_id)[:5],
        )
    ]


_ENDS = {
    EventKind.SCRIPT_FAILED_TO_LOAD: ("D24", "the scoring script did not load: its imports or `init()` raised"),
    EventKind.WORKER_TIMED_OUT: ("D06", "gunicorn killed a worker that took longer than WORKER_TIMEOUT"),
    EventKind.OUT_OF_MEMORY: ("D03", "a process was killed for its memory"),
    EventKind.WORKER_KILLED: ("D03", "a worker was killed by a signal, most likely for its memory"),
    EventKind.WORKER_EXITED: ("D02", "a worker process died; the requests it held left no row of their own"),
    EventKind.WORKER_BOOTED: ("D02", "a worker was replaced in the middle of the period: the one before it had died"),
}


def _ended_processes(rules: set[str], setting: Setting) -> list[Finding]:
    """Deaths that no counted failure shows: a service's own record has no row of what died with it."""
    first = first_account(setting.told)
    if first is not None and first.source in (Source.CLIENT, Source.TRAFFIC_LOG):
        return []
    deaths: dict[str, list[Event]] = {}
    for event in _unexpected(setting.told.events):
        deaths.setdefault(_ENDS[event.kind][0], []).append(event)
    if "D06" in deaths or "D03" in deaths:  # the exits that follow a kill are the same death
        deaths.pop("D02", None)
    return [_ended(rule, events, setting) for rule, events in deaths.items() if rule not in rules]


def _unexpected(events: Iterable[Event]) -> list[Event]:
    """Ends of processes that no stop and no start explains."""
    ordered = sorted((event for event in events if event.at is not None), key=lambda event: str(event.at))
    found: list[Event] = []
    began: dict[EventKind, Event] = {}
    for event in ordered:
        began[event.kind] = event
        if event.kind in _ENDS and not _is_expected(event, began, ordered[0]):
            found.append(event)
    return found


def _is_expected(event: Event, last: dict[EventKind, Event], first: Event) -> bool:
    def within(kind: EventKind, span: timedelta) -> bool:
        return kind in last and event.at is not None and event.at - (last[kind].at or event.at) <= span

    if event.kind is EventKind.SCRIPT_FAILED_TO_LOAD:
        return False
    if event.kind is EventKind.WORKER_BOOTED:
        known = EventKind.SERVER_STARTED in last
        return within(EventKind.SERVER_STARTED, _STARTING) or (not known and event.at == first.at)
    return within(EventKind.SERVER_STOPPED, _STOPPING)


def _ended(rule: str, events: Sequence[Event], setting: Setting) -> Finding:
    kinds = Counter(event.kind for event in events)
    kind = max(kinds, key=lambda one: (list(_ENDS).index(one) * -1, kinds[one]))
    who = sorted({WITNESS[event.source] for event in events})
    times = [event.at for event in events if event.at is not None]
    told = [f"{count} times {one.value.replace('_', ' ')} ({', '.join(who)})" for one, count in kinds.items()]
    return Finding(
        rule=rule,
        cause=_ENDS[kind][1],
        confidence="medium" if kind is not EventKind.WORKER_BOOTED else "low",
        count=0,
        labels=(),
        evidence=(*told, f"first: {events[0].text[:200]}"),
        counter_evidence=(),
        next_step=f"{read_logs(setting)} around these times",
        missing=(f"how many requests were lost: run the load with redline, or {switch_on_telemetry(setting)}",),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )
