"""Single pieces of advice: slots, replicas, time-out, retries. Each is settings under Azure's names, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from capacity.goals import GoalKind, parse_goal
from capacity.sizing import AZURE_TARGET_UTILISATION, rejected_ratio, sizing
from capacity.validity import REMEDIES
from capacity.verdict import Kind, Level, Limit, Sizing, Verdict
from scoring.endpoint import Endpoint, Hosting
from scoring.units import MS, show_ms

DEFAULT_REJECT_GOAL = 0.001
IN_FLIGHT_RATIO = 0.2
"""λ·R and the number of requests that the settings let in may differ by this much without a reason."""
TIMEOUT_SHARE = 2.0
"""A time-out of so many times the slow answers at the limit cuts off what hangs, not what is only slow."""
SPIKE_SHARE = 1.5
"""Replicas the autoscaler may add, over the minimum."""
V2_DEFAULT_TIMEOUT_MS = 5_000
AKS_DEFAULT_TIMEOUT_MS = 60_000
LONGEST_TIMEOUT_MS = {Hosting.MANAGED: 180_000, Hosting.KUBERNETES: 300_000}
MANAGED_RPS_QUOTA = 500
MANAGED_INSTANCE_QUOTA = 50
TARGET_PERCENT = round(100 * AZURE_TARGET_UTILISATION)
SHORTEST_WAIT_MS = 50.0
REPLICATED = (Hosting.MANAGED, Hosting.KUBERNETES, Hosting.AKS)
V2_SLOTS = "max_concurrent_requests_per_instance"
V2_TIMEOUT = "request_timeout_ms"
AKS_SCALE = ("autoscale_min_replicas", "autoscale_max_replicas", "autoscale_target_utilization")
KUBERNETES_SCALE = ("min_instances", "max_instances", "target_utilization_percentage")
WORKERS_WHY = "WORKER_COUNT equals it: one worker of the inference server serves one request at a time"
QUOTA_WHY = f"a managed endpoint takes {MANAGED_RPS_QUOTA} requests/s unless Microsoft raises the quota"
INSTANCES_WHY = (
    f"a deployment has at most {MANAGED_INSTANCE_QUOTA} instances: ask for more, or share the load over several"
)


@dataclass(frozen=True, slots=True)
class Advice:
    settings: dict[str, str] = field(default_factory=dict)
    why: tuple[str, ...] = ()
    sizing: tuple[Sizing, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """Mean time for which one request occupies a slot, and how that is known."""

    seconds: float
    source: str


def joined(parts: Sequence[Advice]) -> Advice:
    """All settings, reasons and sizings in order."""
    return Advice(
        settings={name: value for part in parts for name, value in part.settings.items()},
        why=tuple(why for part in parts for why in part.why),
        sizing=tuple(one for part in parts for one in part.sizing),
    )


def context(verdict: Verdict, limit: Limit, endpoint: Endpoint) -> Advice:
    """What must be known to use the rest: a knee below the limit, a client at its end, a hosting that limits advice."""
    why = []
    if verdict.knee_users is not None and verdict.knee_users < limit.low:
        knee = verdict.unit.words(verdict.knee_users)
        more = "more requests" if verdict.unit.is_open else "more in flight"
        why.append(f"throughput hardly grows beyond {knee}: {more} only wait longer")
    if verdict.kind is Kind.CLIENT_LIMITED:
        why.append("the load generator was at its end, so the endpoint carries at least this; to learn how much more:")
        why += REMEDIES
    why += {
        None: ["the hosting is not known: give --hosting or `hosting` in redline.toml to get settings to paste"],
        Hosting.ACI: ["ACI runs one container and never rejects: requests queue, and no replica setting applies"],
        Hosting.LOCAL: ["a local container never rejects: requests queue, and no Azure setting applies"],
    }.get(endpoint.hosting, [])
    return Advice(why=tuple(why))


def in_flight(verdict: Verdict, limit: Limit, endpoint: Endpoint, spacing: str) -> Advice:
    """Of an open loop: λ·R, the requests in flight at the limit, beside the number that the settings let in, and why
    they differ where they do by more than a fifth."""
    admitted = endpoint.expected_admitted
    kept = [row for row in verdict.levels if row.in_flight_mean is not None]
    if not verdict.unit.is_open or admitted is None or not kept:
        return Advice()
    row = min(kept, key=lambda row: abs(row.users - (limit.low if limit.level is None else limit.level)))
    mean = row.in_flight_mean or 0.0
    said = f"at {verdict.unit.words(row.users)} λ·R is {mean:.3g} requests in flight, the settings let in {admitted}"
    if abs(mean - admitted) <= IN_FLIGHT_RATIO * admitted:
        return Advice(why=(said,))
    return Advice(why=(f"{said}: {_why_in_flight(mean > admitted, limit, spacing)}",))


def _why_in_flight(is_above: bool, limit: Limit, spacing: str) -> str:
    if is_above:
        return "the front end queues, an autoscaler adds replicas, or the settings are not those of redline.toml"
    if parse_goal(limit.goal).kind is GoalKind.LATENCY:
        return f"`{limit.goal}` is missed by requests that wait, long before all places are taken"
    if spacing == "poisson":
        return "requests that arrive at random come in bursts, and the free places are for these"
    return "answers that take longer than most hold places while the next requests come, whatever the mean"


def slots(verdict: Verdict, limit: Limit, endpoint: Endpoint) -> Advice:
    """Requests one instance takes at once, and as many workers: as configured, unless answers then come too late."""
    if endpoint.hosting not in REPLICATED:
        return Advice()
    name = "replica_max_concurrent_requests" if endpoint.hosting is Hosting.AKS else V2_SLOTS
    configured, admitted = endpoint.max_concurrent, endpoint.expected_admitted
    if configured is None:
        return Advice(why=(f"{name} is not known: give max_concurrent in redline.toml to have it judged",))
    if admitted is None:
        known = {name: str(configured), "WORKER_COUNT": str(configured)}
        return Advice(
            known, (f"{name} {configured}: as configured, not judged, for `instances` is not known", WORKERS_WHY)
        )
    if verdict.unit.is_open:
        known = {name: str(configured), "WORKER_COUNT": str(configured)}
        return Advice(known, (f"{name} {configured}: as configured; a search without --open judges it", WORKERS_WHY))
    advised = _slots_in_time(limit, configured, admitted)
    seen = _admitted_as_seen(verdict, admitted)
    why = f"{name} {configured}: {seen}"
    if advised != configured:
        why = (
            f"{name} {advised} instead of {configured}: `{limit.goal}` holds up to {users_words(limit.low)}, yet "
            f"{admitted} are let in; with fewer slots the surplus is rejected at once and not answered late; {seen}"
        )
    return Advice({name: str(advised), "WORKER_COUNT": str(advised)}, (why, WORKERS_WHY))


def slots_of(advice: Advice) -> int | None:
    """The slots per instance that `slots` advised; None where they are not known."""
    return int(advice.settings["WORKER_COUNT"]) if "WORKER_COUNT" in advice.settings else None


def replicas(
    verdict: Verdict,
    limit: Limit,
    endpoint: Endpoint,
    slot_count: int | None,
    need_rps: float | None,
    need_users: int | None,
) -> Advice:
    """Instances (managed), or least and most replicas (AKS, Kubernetes), for the need."""
    if endpoint.hosting not in REPLICATED:
        return Advice()
    wanted = []
    if need_rps is not None:
        wanted = [
            _for_rate(verdict, limit, endpoint, slot_count, need_rps),
            _in_proportion(verdict, limit, endpoint, need_rps),
        ]
    wanted += [_for_users(verdict, limit, endpoint, need_users)] if need_users is not None else []
    found = joined([advice for _, advice in wanted])
    counts = [count for count, _ in wanted if count is not None]
    return joined([found, _replica_settings(endpoint, max(counts), found.sizing)]) if counts else found


def _for_rate(
    verdict: Verdict, limit: Limit, endpoint: Endpoint, slot_count: int | None, need_rps: float
) -> tuple[int | None, Advice]:
    """Replicas for a rate by the queueing model, from the service time as measured."""
    service = service_time(verdict, limit, endpoint)
    if slot_count is None or service is None:
        missing = "the service time was not measured" if service is None else "give max_concurrent in redline.toml"
        return None, Advice(why=(f"replicas for {need_rps:g} requests/s are not known: {missing}",))
    places = slot_count if endpoint.hosting is Hosting.MANAGED else 0
    goal = _reject_goal(verdict)
    sized = sizing(need_rps, service.seconds, slot_count, goal, queue_places=places)
    queue = f"as many may wait ({places} per instance)" if places else "none waits"
    why = [
        f"{sized.replicas} replicas for {need_rps:g} requests/s: {need_rps * service.seconds:.3g} erlangs "
        f"({service.source}), {slot_count} served at once by each and {queue}: {percent_words(sized.rejected_ratio)} "
        f"of requests that arrive at random are rejected, {percent_words(goal)} allowed; Microsoft's formula gives "
        f"{sized.formula_replicas} and rejects {percent_words(sized.formula_rejected_ratio)}"
    ]
    if endpoint.instances is not None and endpoint.instances < sized.replicas:
        ratio = rejected_ratio(endpoint.instances * slot_count, need_rps * service.seconds, endpoint.instances * places)
        why.append(
            f"with {endpoint.instances}, as measured, {percent_words(ratio)} of {need_rps:g} requests/s that arrive "
            "at random are rejected, whatever a closed loop completes: its users wait for each answer"
        )
    if endpoint.hosting is Hosting.MANAGED and need_rps > MANAGED_RPS_QUOTA:
        why.append(QUOTA_WHY)
    return sized.replicas, Advice(why=tuple(why), sizing=(sized,))


def _in_proportion(verdict: Verdict, limit: Limit, endpoint: Endpoint, need_rps: float) -> tuple[int | None, Advice]:
    """Replicas for a rate, in proportion to what the measured instances carried in an open loop."""
    if endpoint.instances is None or not verdict.unit.is_open:
        return None, Advice()
    low_rps = verdict.unit.amount(limit.low)
    count = math.ceil(need_rps * endpoint.instances / low_rps)
    carried = f"{endpoint.instances} carried {low_rps:.3g}, the low end of the interval of `{limit.goal}`"
    return count, Advice(why=(f"{count} replicas for {need_rps:g} requests/s: {carried}, taken in proportion",))


def _for_users(verdict: Verdict, limit: Limit, endpoint: Endpoint, need_users: int) -> tuple[int | None, Advice]:
    """Replicas for a number of users, in proportion to what the measured instances carried."""
    if verdict.unit.is_open:
        return None, Advice(
            why=(f"replicas for {users_words(need_users)} are not known from a rate: search without --open",)
        )
    if endpoint.instances is None:
        return None, Advice(
            why=(f"replicas for {users_words(need_users)} are not known: give instances in redline.toml",)
        )
    count = math.ceil(need_users * endpoint.instances / limit.low)
    carried = f"{endpoint.instances} carried {limit.low}, the low end of the interval of `{limit.goal}`"
    return count, Advice(why=(f"{count} replicas for {users_words(need_users)}: {carried}, taken in proportion",))


def _replica_settings(endpoint: Endpoint, count: int, sized: Sequence[Sizing]) -> Advice:
    if endpoint.hosting is Hosting.MANAGED:
        quota = (INSTANCES_WHY,) if count > MANAGED_INSTANCE_QUOTA else ()
        return Advice({"instance_count": str(count)}, quota)
    formula = max((one.formula_replicas for one in sized), default=0)
    spike = math.ceil(SPIKE_SHARE * count)
    most = max(formula, spike)
    reason = (
        "half as many again, for spikes" if most == spike else f"where a target of {TARGET_PERCENT} % comes to rest"
    )
    names = AKS_SCALE if endpoint.hosting is Hosting.AKS else KUBERNETES_SCALE
    why = (
        f"at least {count} replicas, so that the need is met before the autoscaler acts; at most {most}: {reason}",
        f"{names[2]} {TARGET_PERCENT}: Azure's default; a lower target adds replicas earlier, not faster",
    )
    return Advice(dict(zip(names, (str(count), str(most), str(TARGET_PERCENT)), strict=True)), why)


def service_time(verdict: Verdict, limit: Limit, endpoint: Endpoint) -> Service | None:
    """How long a request occupies a slot: the server's own time where told, else the client's, network included.

    The larger of the times at the lowest and the highest level within the limit: slots that share a CPU slow each
    other down. Medians are raised by what the mean latency exceeds the median latency at the lowest level.
    """
    rows = [row for row in sorted(verdict.levels, key=lambda row: row.users) if row.p50_ms is not None]
    if not rows:
        return None
    skew_ms = _mean_over_median_ms(rows[0])
    told = [row for row in rows if row.server_p50_ms is not None and row.users <= max(limit.low, rows[0].users)]
    if told:
        slowest = max((told[0], told[-1]), key=lambda row: row.server_p50_ms or 0.0)
        service_ms = (slowest.server_p50_ms or 0.0) + skew_ms
        return Service(service_ms / 1000, f"server time {show_ms(service_ms)} at {verdict.unit.words(slowest.users)}")
    alone_s = ((rows[0].p50_ms or 0.0) + skew_ms) / 1000
    busy_s = None if verdict.unit.is_open else _slot_time_when_full_s(rows, limit, endpoint)
    if busy_s is not None and busy_s > alone_s:
        return Service(busy_s, f"{show_ms(1000 * busy_s)} per slot when all are busy, network included")
    return Service(
        alone_s, f"latency {show_ms(1000 * alone_s)} at {verdict.unit.words(rows[0].users)}, network included"
    )


def _mean_over_median_ms(row: Level) -> float:
    """How far the mean latency lies above the median, 0 where it is not known. Mean by Little's law: R = N / X."""
    if row.in_flight_mean is None or row.p50_ms is None or row.good_count < max(row.attempt_count, 1):
        return 0.0
    return max(0.0, 1000 * row.in_flight_mean * row.seconds / row.attempt_count - row.p50_ms)


def _slot_time_when_full_s(rows: Sequence[Level], limit: Limit, endpoint: Endpoint) -> float | None:
    """Slots over the best rate within the limit; None when the limit leaves slots idle or their number is unknown."""
    if endpoint.instances is None or endpoint.max_concurrent is None:
        return None
    total = endpoint.instances * endpoint.max_concurrent
    best_rps = max((row.timed_rps or 0.0 for row in rows if total <= row.users <= limit.low), default=0.0)
    return total / best_rps if best_rps > 0 else None


def timeout(verdict: Verdict, limit: Limit, endpoint: Endpoint) -> Advice:
    """Azure's default, or twice the slow answers at the limit where that is more, within what Azure allows."""
    if endpoint.hosting not in REPLICATED:
        return Advice()
    aks = endpoint.hosting is Hosting.AKS
    name, default_ms = ("scoring_timeout_ms", AKS_DEFAULT_TIMEOUT_MS) if aks else (V2_TIMEOUT, V2_DEFAULT_TIMEOUT_MS)
    slow = _slow_answer(verdict, limit)
    if slow is None:
        return Advice(why=(f"{name} is not judged: no latencies within the limit",))
    slow_ms, what = slow
    needed_ms = TIMEOUT_SHARE * slow_ms
    longest_ms = LONGEST_TIMEOUT_MS.get(endpoint.hosting, math.inf)
    value_ms = min(max(default_ms, 100 * math.ceil(needed_ms / 100)), longest_ms)
    rest = "Azure's default is enough" if value_ms == default_ms else "rounded up"
    if needed_ms > longest_ms:
        rest = "more than Azure allows: move such requests to a batch endpoint"
    why = f"{name} {value_ms:.0f}: twice the {what} is {show_ms(needed_ms)}; {rest}"
    set_ns = endpoint.request_timeout_ns
    short = f"; the settings' {show_ms(set_ns / MS)} is less" if set_ns is not None and set_ns < needed_ms * MS else ""
    return Advice({name: f"{value_ms:.0f}"}, (why + short,))


def _slow_answer(verdict: Verdict, limit: Limit) -> tuple[float, str] | None:
    """(milliseconds, what they are) of the slow answers at the highest level within the limit."""
    for row in sorted(verdict.levels, key=lambda row: -row.users):
        known = [(row.p999_ms, "p99.9"), (row.p99_ms, "p99"), (row.max_ms, "slowest answer")]
        for value_ms, word in known:
            if value_ms is not None and row.users <= limit.low:
                return value_ms, f"{word} of {show_ms(value_ms)} at {verdict.unit.words(row.users)}"
    return None


def retries(verdict: Verdict, endpoint: Endpoint) -> Advice:
    """What clients do when they are rejected; nothing where the hosting never rejects."""
    if endpoint.hosting in (Hosting.ACI, Hosting.LOCAL):
        return Advice()
    statuses = {Hosting.MANAGED: "429", Hosting.AKS: "503", Hosting.KUBERNETES: "503", None: "429 and 503"}
    medians = [row.p50_ms for row in sorted(verdict.levels, key=lambda row: row.users) if row.p50_ms is not None]
    wait = show_ms(max([SHORTEST_WAIT_MS, *medians[:1]]))
    policy = f"{statuses[endpoint.hosting]} only, after Retry-After or else {wait} doubling with jitter, 4 times"
    why = (
        "clients retry rejections only: they were not worked on, and a slot is free after about a service time; "
        "other 4xx fail again, and after 408 or 504 the container may still be at work"
    )
    return Advice({"client retry policy": policy}, (why,))


def _slots_in_time(limit: Limit, configured: int, admitted: int) -> int:
    """The most slots per instance whose admitted requests a latency goal still holds for; at least 1."""
    if parse_goal(limit.goal).kind is not GoalKind.LATENCY or limit.level is None or limit.level >= admitted:
        return configured
    return max(1, limit.low * configured // admitted)


def _admitted_as_seen(verdict: Verdict, admitted: int) -> str:
    """What was seen of the front end's limit beside what the settings promise."""
    first = verdict.first_rejected_users
    if first is None:
        most = max((row.users for row in verdict.levels), default=0)
        return f"the settings let in {admitted}, and no rejection was seen up to {users_words(most)}"
    goals = [row for row in verdict.limits if parse_goal(row.goal).kind is GoalKind.REJECTED]
    low, high = (goals[0].low, goals[0].high) if goals else (first - 1, first - 1)
    if first == admitted + 1 or (high is not None and low <= admitted <= high):
        return f"as configured: rejections begin above the {admitted} requests in flight that the settings let in"
    if low > admitted:
        causes = "the front end queues, an autoscaler adds replicas, or the settings are not those of redline.toml"
        return f"observed {low}, settings say {admitted}: {causes}"
    if high is not None and high < admitted:
        causes = "others use the endpoint, an instance is not ready, or the settings are not those of redline.toml"
        return f"observed {high}, settings say {admitted}: {causes}"
    return f"the settings let in {admitted}, and rejections begin somewhere above {users_words(low)}"


def _reject_goal(verdict: Verdict) -> float:
    """The ratio of the goal on rejections; 0.1 % where there is none."""
    goals = [parse_goal(row.goal) for row in verdict.limits]
    return next((goal.allowed_ratio for goal in goals if goal.kind is GoalKind.REJECTED), DEFAULT_REJECT_GOAL)


def users_words(count: int) -> str:
    """The number with its noun.

    >>> users_words(1), users_words(1200)
    ('1 user', '1,200 users')
    """
    return "1 user" if count == 1 else f"{count:,} users"


def percent_words(ratio: float) -> str:
    """The ratio as a percentage with two significant digits; what is below a thousandth of a percent is said to be.

    >>> percent_words(1.0), percent_words(0.00123), percent_words(0.0)
    ('100 %', '0.12 %', 'less than 0.001 %')
    """
    percent = 100 * ratio
    if percent >= 10:
        return f"{percent:.0f} %"
    return f"{percent:.2g} %" if percent >= 0.001 else "less than 0.001 %"
