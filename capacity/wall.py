"""Which wall it was that set the limit, with what speaks for it and what against; "unknown" where that is not known.

From the levels, the settings and the signs in the attempts. A rate that stops growing is no wall by itself: a count of
places, a quota and a busy processor all look like that, and what tells them apart is how answers get worse beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt

from capacity.goals import REJECTED_LABELS, TIMEOUT_LABELS, GoalKind, parse_goal
from capacity.overload import PhaseKind
from capacity.signs import Signs
from capacity.verdict import Kind, Level, Limit, Verdict
from capacity.wall_steps import next_step
from scoring.attempt import UNREACHED, Failure
from scoring.endpoint import Endpoint, Hosting
from scoring.units import rate_number, show_ms, show_ratio

MANAGED_RPS, MANAGED_CONNECTIONS, MANAGED_BYTES_RPS = 500.0, 500, 5e6
NEAR, ABOUT = 0.03, 0.10
TOLD_APART, NOT_TOLD_APART = 0.85, 0.65
GROWN, FLAT, MOST_OF_IT = 1.3, 1.15, 0.5
FALLEN, FALLEN_SHORT, FALLEN_FROM_S, FALLEN_Z = 0.85, 0.7, 3.0, 4.0
"""A rate has fallen to this share of its peak; further, where it was looked at for a shorter time."""
FASTER = 0.75
MOVED = 1.1
WAITED_MS = 50.0
NETWORK_LABELS = frozenset(map(str, (*UNREACHED, Failure.CONN_RESET, Failure.EMPTY_REPLY, Failure.BODY_TRUNCATED)))


class WallKind(StrEnum):
    SERVER_CONCURRENCY = "server_concurrency"
    CPU = "cpu"
    QUEUE = "queue"
    QUOTA = "quota"
    AUTOSCALER = "autoscaler"
    TIMEOUT = "timeout"
    CLIENT = "client"
    NETWORK = "network"
    NOT_REACHED = "not_reached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wall:
    """What set the limit. `confidence` is high, medium or low; for "unknown" the evidence says what is missing."""

    kind: WallKind
    confidence: str
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class _Case:
    """The run as the rules see it: the lightest level, the one at the limit, and what lies above."""

    verdict: Verdict
    limit: Limit
    endpoint: Endpoint
    signs: Signs
    light: Level
    at: Level
    above: tuple[Level, ...]

    @property
    def level(self) -> int:
        """The limit."""
        return self.limit.level or 0

    @property
    def busy(self) -> Level:
        """The first level above the limit with a latency; else the one at it."""
        return next((level for level in self.above if level.p50_ms is not None), self.at)

    def failed(self, labels: frozenset[str]) -> int:
        """Answers of these labels above the limit."""
        return sum(count for level in self.above for name, count in level.status_count.items() if name in labels)


def wall_of(verdict: Verdict, endpoint: Endpoint, signs: Signs | None = None) -> Wall:
    """The wall, with the next step for this hosting."""
    wall = _of_kind(verdict) or _found(verdict, endpoint, signs or Signs())
    return replace(wall, next_step=next_step(wall.kind, endpoint.hosting))


def _of_kind(verdict: Verdict) -> Wall | None:
    """The wall that the kind of the verdict already tells."""
    if verdict.kind is Kind.CLIENT_LIMITED:
        return Wall(WallKind.CLIENT, "high", verdict.client.reasons or (verdict.reason,))
    if verdict.kind is Kind.AT_LEAST:
        return Wall(WallKind.NOT_REACHED, "high", ("nothing failed up to the highest load tried",))
    if verdict.kind in (Kind.NOT_A_LOAD_PROBLEM, Kind.MISSED_AT_ZERO_LOAD):
        return Wall(WallKind.UNKNOWN, "high", (f"it is not a matter of load: {verdict.reason}",))
    return None


def _found(verdict: Verdict, endpoint: Endpoint, signs: Signs) -> Wall:
    case = _case(verdict, endpoint, signs)
    if case is None:
        return Wall(WallKind.UNKNOWN, "low", ("no limit with levels on both sides of it was measured",))
    moved = _autoscaler(case)
    if moved is not None:
        return moved
    rejected, timed_out = case.failed(REJECTED_LABELS), case.failed(TIMEOUT_LABELS)
    unreached = case.failed(NETWORK_LABELS)
    total = sum(level.attempt_count for level in case.above)
    goal = parse_goal(case.limit.goal)
    if goal.kind is GoalKind.LATENCY and rejected + timed_out + unreached <= goal.allowed_ratio * total:
        return _slow(case)
    if unreached > max(rejected, timed_out):
        said = f"{show_ratio(unreached, total)} above the limit failed before an answer began"
        return Wall(WallKind.NETWORK, "medium", (said,), ("a server whose backlog is full refuses connections too",))
    if timed_out > rejected:
        return Wall(
            WallKind.TIMEOUT, "high", (f"{show_ratio(timed_out, total)} above the limit timed out", *_grew(case))
        )
    if rejected:
        return _rejecting(case)
    return Wall(WallKind.UNKNOWN, "low", ("the answers above the limit failed neither by rejection nor by time",))


def _case(verdict: Verdict, endpoint: Endpoint, signs: Signs) -> _Case | None:
    limit = verdict.binding
    told = [level for level in verdict.levels if level.p50_ms is not None]
    if limit is None or not limit.level or not told:
        return None
    within = [level for level in told if level.users <= limit.level]
    above = tuple(level for level in verdict.levels if level.users > limit.level and level.attempt_count)
    if not within or not above:
        return None
    return _Case(verdict, limit, endpoint, signs, within[0], within[-1], above)


def _autoscaler(case: _Case) -> Wall | None:
    """The limit moved up while it was looked for: what failed at first was carried later, and not for being warm."""
    signs, unit = case.signs, case.verdict.unit
    told = signs.early_ms is not None and signs.late_ms is not None
    if told and (signs.late_ms or 0.0) < FASTER * (signs.early_ms or 0.0):
        return None
    for trial in case.verdict.trials:
        if trial.outcome != "fail" or trial.users <= case.light.users or case.level < MOVED * trial.users:
            continue
        later = [one for one in case.verdict.trials if one.number > trial.number and one.outcome == "pass"]
        best = max((one for one in later if one.users >= trial.users), key=lambda one: one.users, default=None)
        if best is None:
            continue
        said = f"{unit.words(trial.users)} failed after {trial.started_s:.0f} s, and "
        said += f"{unit.words(best.users)} held after {best.started_s:.0f} s"
        against = () if told else ("an endpoint that was cold at first looks the same",)
        return Wall(WallKind.AUTOSCALER, "medium" if told else "low", (said, *_bursts(case.verdict)), against)
    return None


def _bursts(verdict: Verdict) -> tuple[str, ...]:
    bursts = verdict.beyond.of(PhaseKind.BURST) if verdict.beyond else ()
    return tuple(
        f"a burst of {one.of_limit_ratio:.2g} times the limit was good after {one.good_after_s:.1f} s"
        for one in bursts
        if one.good_after_s
    )


def _rejecting(case: _Case) -> Wall:
    """Rejections: by a count of places, a rate, or a wait in a queue."""
    quota = _quota(case)
    if quota is not None:
        return quota
    admitted, signs = case.endpoint.expected_admitted, case.signs
    told = _told_apart(signs)
    if admitted is not None and not case.verdict.per_second and case.level:
        words = f"the settings let in {admitted} ({_settings(case.endpoint)})"
        if _within(case.limit, admitted):
            said = (f"{words}, and that many hold while one more is rejected",)
            return Wall(WallKind.SERVER_CONCURRENCY, "high", said + told)
        told = (*told, f"{words}, but {case.level} was seen")
    waited_ms = signs.rejection_p50_ms
    if waited_ms is not None and waited_ms >= max(WAITED_MS, 0.5 * (case.light.p50_ms or 0.0)):
        said = (f"half of the rejections came only after {show_ms(waited_ms)}: they had waited in a queue",)
        return Wall(WallKind.QUEUE, "high", said + _grew(case), told[-1:] if admitted is not None else ())
    if (case.at.p50_ms or 0.0) >= GROWN * (case.light.p50_ms or 0.0):
        said = ("answers wait on the way to the limit, and then there is no more room to wait",)
        return Wall(WallKind.QUEUE, "medium", said + _grew(case) + told)
    return _places(case, told)


def _places(case: _Case, told: tuple[str, ...]) -> Wall:
    """As a count of places: nothing waits, and what is too many is refused at once."""
    said = f"latency is flat up to the limit ({show_ms(case.light.p50_ms)} to {show_ms(case.at.p50_ms)})"
    fast = case.signs.rejection_p50_ms
    more = () if fast is None else (f"what is too many is rejected at once, half of it within {show_ms(fast)}",)
    is_counted = (case.signs.separation_ratio or 0.0) >= TOLD_APART
    against = () if is_counted else ("a quota on the rate looks the same where each answer takes the same time",)
    return Wall(WallKind.SERVER_CONCURRENCY, "medium" if is_counted else "low", (said, *more, *told), against)


def _told_apart(signs: Signs) -> tuple[str, ...]:
    said = [f"{count:,} rejections say `{reason}`" for reason, count in signs.reasons.items()]
    if (signs.separation_ratio or 0.0) >= TOLD_APART:
        said.append(f"a request was rejected when {signs.separated_at} others were being served, and hardly otherwise")
    return tuple(said)


def _quota(case: _Case) -> Wall | None:
    """A quota on rate or connections: rejections at a round rate, whatever is in flight."""
    signs, peak = case.signs, case.verdict.peak_rps
    if any("pending" in reason for reason in signs.reasons):
        return None
    limit, admitted = case.limit, case.endpoint.expected_admitted
    by_settings = admitted is not None and not case.verdict.per_second and _within(limit, admitted)
    managed = case.endpoint.hosting is Hosting.MANAGED
    rated = [level.timed_rps for level in case.above if level.timed_rps is not None]
    flat = bool(rated) and max(rated) <= (1 + NEAR) * peak
    blind = signs.separation_ratio is not None and signs.separation_ratio <= NOT_TOLD_APART
    whatever = ("with as many in flight some were served and some rejected: no count of places does that",)
    if managed and abs(peak - MANAGED_RPS) <= NEAR * MANAGED_RPS and flat and (blind or not by_settings):
        said = f"the rate stands at {rate_number(peak)} requests/s, the quota of a managed endpoint"
        return Wall(WallKind.QUOTA, "high" if blind else "medium", (said, *(whatever if blind else ())))
    if managed and not by_settings and abs((limit.level or 0) - MANAGED_CONNECTIONS) <= NEAR * MANAGED_CONNECTIONS:
        said = f"{MANAGED_CONNECTIONS} connections are the quota of a managed endpoint, and {limit.level} held"
        return Wall(WallKind.QUOTA, "medium", (said,))
    if blind and not by_settings and case.failed(frozenset({"429"})) >= case.failed(frozenset({"503"})):
        said = f"beyond {rate_number(peak)} requests/s the rest was rejected with 429"
        return Wall(WallKind.QUOTA, "medium", (*whatever, said))
    return None


def _slow(case: _Case) -> Wall:
    """Answers come too late: they wait for their turn, take longer to make, or longer to travel."""
    transfer = _travel(case)
    if transfer is not None:
        return transfer
    light, busy = case.light, case.busy
    grown_ms = (busy.p50_ms or 0.0) - (light.p50_ms or 0.0)
    if (busy.p50_ms or 0.0) < GROWN * (light.p50_ms or 0.0):
        said = f"only the slowest answers grew: p99 {show_ms(light.p99_ms)} to {show_ms(busy.p99_ms)}, median flat"
        return Wall(WallKind.UNKNOWN, "low", (said,))
    if light.server_p50_ms is not None and busy.server_p50_ms is not None:
        work_ms = busy.server_p50_ms - light.server_p50_ms
        if busy.server_p50_ms >= GROWN * light.server_p50_ms and work_ms >= MOST_OF_IT * grown_ms:
            return Wall(WallKind.CPU, "high" if _stands(case) else "medium", _grew(case) + _rate_words(case))
        if busy.server_p50_ms <= FLAT * light.server_p50_ms:
            return Wall(WallKind.QUEUE, "high", _grew(case) + _rate_words(case))
        return Wall(WallKind.UNKNOWN, "low", (*_grew(case), "neither work nor waiting explains most of it"))
    return _slow_untold(case)


def _slow_untold(case: _Case) -> Wall:
    """The endpoint does not tell how long it worked."""
    missing = "the endpoint does not tell its own time (x-ms-run-fn-exec-ms)"
    fallen = _fallen(case)
    if fallen is not None:
        said = f"the rate falls from {rate_number(case.verdict.peak_rps)} to {rate_number(fallen)} requests/s"
        against = ("work that a gateway tries again, or that nobody waits for any more, looks the same", missing)
        return Wall(
            WallKind.CPU, "medium", (f"{said} as load grows: requests slow each other down", *_grew(case)), against
        )
    alike = f"a busy processor would look the same: {missing}"
    return Wall(WallKind.QUEUE, "low", _grew(case) + _rate_words(case), (alike,))


def _fallen(case: _Case) -> float | None:
    """The lowest rate at more load than the peak's, of those that chance and a short look do not explain."""
    timed = [level for level in case.verdict.levels if level.timed_rps]
    peak = max(timed, key=lambda level: level.timed_rps or 0.0)
    heavier = [level for level in timed if level.users > peak.users and _has_fallen(peak, level)]
    return min((level.completed_rps for level in heavier), default=None)


def _has_fallen(peak: Level, level: Level) -> bool:
    ratio = level.completed_rps / peak.completed_rps
    error = sqrt(1 / max(level.good_count, 1) + 1 / max(peak.good_count, 1))
    return ratio <= (FALLEN if level.seconds >= FALLEN_FROM_S else FALLEN_SHORT) and 1 - ratio > FALLEN_Z * error


def _travel(case: _Case) -> Wall | None:
    light_ms, busy_ms = case.signs.light_transfer_ms, case.signs.busy_transfer_ms
    grown_ms = (case.busy.p50_ms or 0.0) - (case.light.p50_ms or 0.0)
    if light_ms is None or busy_ms is None or busy_ms - light_ms < max(MOST_OF_IT * grown_ms, 5.0):
        return None
    said = f"from the first byte of an answer to its last {show_ms(light_ms)} grow to {show_ms(busy_ms)}"
    received = case.signs.received_bytes_rps
    if case.endpoint.hosting is Hosting.MANAGED and received and received >= (1 - ABOUT) * MANAGED_BYTES_RPS:
        quota = f"{received / 1e6:.1f} MB/s came back; the quota of a managed endpoint is 5 MB/s, and delays the rest"
        return Wall(WallKind.QUOTA, "medium", (said, quota))
    return Wall(WallKind.NETWORK, "medium", (said,))


def _grew(case: _Case) -> tuple[str, ...]:
    light, busy, unit = case.light, case.busy, case.verdict.unit
    said = [
        f"half the answers take {show_ms(light.p50_ms)} at {unit.words(light.users)} and "
        f"{show_ms(busy.p50_ms)} at {unit.words(busy.users)}"
    ]
    if light.server_p50_ms is not None and busy.server_p50_ms is not None:
        said.append(
            f"of that the server's own time is {show_ms(light.server_p50_ms)} and {show_ms(busy.server_p50_ms)}"
        )
    return tuple(said)


def _rate_words(case: _Case) -> tuple[str, ...]:
    rates = [level.timed_rps for level in case.above if level.timed_rps is not None]
    kept = bool(rates) and rates[-1] >= FALLEN * (case.at.timed_rps or 0.0)
    peak = rate_number(case.verdict.peak_rps)
    return (f"the rate stands at {peak} requests/s however many more wait",) if kept and _stands(case) else ()


def _stands(case: _Case) -> bool:
    """Above the limit the rate hardly grows any more."""
    rates = [level.timed_rps for level in case.above if level.timed_rps is not None]
    at = case.at.timed_rps
    return bool(rates) and at is not None and rates[-1] <= (1 + ABOUT) * at


def _within(limit: Limit, admitted: int) -> bool:
    high = limit.low if limit.high is None else limit.high
    return limit.low <= admitted <= high or limit.level == admitted


def _settings(endpoint: Endpoint) -> str:
    twice = "2 x " if endpoint.hosting is Hosting.MANAGED else ""
    return f"{twice}{endpoint.max_concurrent} at once x {endpoint.instances} instances"
