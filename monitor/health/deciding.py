"""From single observations to incidents: when an endpoint is not well, when people are told, and when it is over. Pure.

Promises, which tests/monitor/health/test_deciding_model.py holds against any sequence of events:

* what was told last is true: `fire` or `remind` while an incident is open, `resolve` or nothing otherwise;
* every notice of an incident has the incident's id as its key, and nothing is told in a quiet time;
* one failure opens nothing; `fail_after_count` in a row do, whatever the time between them;
* "no data" neither opens FAILED nor closes anything;
* between two notices of an open incident lies `remind_s`, unless it got worse.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from scoring.health import REASON_NONE, Health, NoticeKind


@dataclass(frozen=True, slots=True)
class Policy:
    """When to tell. Counts are of observations in a row."""

    fail_after_count: int = 2
    fail_for_s: float | None = None  # or failing for so long, with two observations at least
    degraded_after_count: int = 3  # FAILED ones count as well
    unknown_after_count: int = 3  # whatever is not OK counts
    recover_after_count: int = 2
    flap_count: int = 3  # so many incidents within flap_window_s are flapping
    flap_window_s: float = 3600.0
    calm_s: float = 900.0  # flapping is over after so long without anything but OK
    remind_s: float | None = 14400.0  # None: never
    stale_s: float | None = 900.0  # after so long without an observation, rows are counted anew; None: never
    tells_degraded: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation of a subject."""

    outcome: Health
    reason: str
    evidence: str = ""
    silence_s: float = 0.0  # the endpoint asked not to be asked again for so long


@dataclass(frozen=True, slots=True)
class Row:
    """How many observations in a row had a property, and since when. Times are seconds since 1970."""

    count: int = 0
    since_s: float = 0.0

    def grown(self, holds: bool, at_s: float) -> Row:
        """One more, begun now where there was none; empty where the property does not hold."""
        if not holds:
            return Row()
        return Row(self.count + 1, min(self.since_s, at_s) if self.count else at_s)  # a clock may be set back


@dataclass(frozen=True, slots=True)
class Open:
    """An incident that people know of. `state` is the worst it came to."""

    id: str
    opened_s: float
    state: Health
    reason: str
    told_s: float  # the last fire or remind
    notice_count: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is remembered of one subject: enough to go on after a restart as if there had been none."""

    subject: str
    state: Health = Health.UNKNOWN
    reason: str = REASON_NONE
    evidence: str = ""
    last: Health = Health.UNKNOWN  # the last observation, proved or not
    seen_s: float | None = None
    silence_s: float = 0.0  # what the last observation asked for: no gap of ours
    failed: Row = field(default_factory=Row)  # UNKNOWN ones between them do not end it
    bad: Row = field(default_factory=Row)  # DEGRADED or FAILED
    dark: Row = field(default_factory=Row)  # anything but well
    good: Row = field(default_factory=Row)  # well: OK, and DEGRADED where that is not told
    quiet_s: float | None = None  # the last time that nothing might be told
    opened_s: tuple[float, ...] = ()  # incidents of the last flap_window_s
    incident: Open | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people: `number` counts the notices of the incident, from 1."""

    kind: NoticeKind
    key: str
    number: int
    subject: str
    state: Health
    reason: str
    evidence: str
    opened_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Now:
    """The time, seconds since 1970, and what holds people's ears shut."""

    at_s: float
    is_quiet: bool = False  # maintenance: nothing opens, closes or reminds
    is_blocked: bool = False  # something it depends on is not well: nothing opens


def decided(policy: Policy, standing: Standing, seen: Seen | None, now: Now) -> tuple[Standing, Notice | None]:
    """The standing after an observation, or after time alone for None; and what is to be told of it now."""
    if seen is not None:
        standing = _after(policy, standing, seen, now.at_s)
    if now.is_quiet:
        return replace(standing, quiet_s=now.at_s), None
    level = confirmed(policy, standing, now.at_s)
    if standing.incident is None:
        return _without_incident(policy, standing, level, now)
    return _within_incident(policy, standing, standing.incident, level, now.at_s)


def confirmed(policy: Policy, standing: Standing, at_s: float) -> Health | None:
    """The state that the rows prove, the worst first; None while they prove none."""
    failing_s = at_s - standing.failed.since_s
    long_enough = policy.fail_for_s is not None and standing.failed.count >= 2 and failing_s >= policy.fail_for_s
    if standing.failed.count >= policy.fail_after_count or long_enough:
        return Health.FAILED
    if standing.bad.count >= policy.degraded_after_count:
        return Health.DEGRADED
    if standing.dark.count >= policy.unknown_after_count:
        return Health.UNKNOWN
    return Health.OK if standing.good.count else None


def let_go(standing: Standing, reason: str, at_s: float) -> Notice | None:
    """What is told of a subject that is looked at no longer: the end of its incident, where it has one."""
    if standing.incident is None:
        return None
    left = replace(standing, state=Health.UNKNOWN, evidence=reason)
    return replace(_notice(NoticeKind.RESOLVE, left, _told(standing.incident, at_s), at_s), reason=reason)


def is_flapping(policy: Policy, standing: Standing, at_s: float) -> bool:
    """True when so many incidents were opened within the window that the next end is waited for longer."""
    recent = [opened_s for opened_s in standing.opened_s if at_s - opened_s < policy.flap_window_s]
    return len(recent) >= policy.flap_count


def _after(policy: Policy, standing: Standing, seen: Seen, at_s: float) -> Standing:
    """The rows with the observation. After a gap they begin anew: what was in between nobody knows."""
    if _is_stale(policy, standing, at_s):
        standing = replace(standing, failed=Row(), bad=Row(), dark=Row(), good=Row())
    outcome = seen.outcome
    is_failed, is_unknown = outcome is Health.FAILED, outcome is Health.UNKNOWN
    is_well = outcome is Health.OK or (outcome is Health.DEGRADED and not policy.tells_degraded)
    return replace(
        standing,
        reason=seen.reason,
        evidence=seen.evidence,
        last=outcome,
        seen_s=at_s,
        silence_s=seen.silence_s,
        failed=standing.failed if is_unknown else standing.failed.grown(is_failed, at_s),
        bad=standing.bad if is_unknown else standing.bad.grown(outcome is not Health.OK, at_s),
        dark=standing.dark.grown(not is_well, at_s),
        good=standing.good.grown(is_well, at_s),
    )


def _is_stale(policy: Policy, standing: Standing, at_s: float) -> bool:
    """True after a gap of ours. A silence that the endpoint asked for is none: its outage would never be told."""
    if standing.seen_s is None or policy.stale_s is None:
        return False
    return at_s - standing.seen_s > policy.stale_s + standing.silence_s


def _without_incident(
    policy: Policy, standing: Standing, level: Health | None, now: Now
) -> tuple[Standing, Notice | None]:
    standing = replace(standing, state=level or standing.state)
    if level in (None, Health.OK) or (level is Health.DEGRADED and not policy.tells_degraded) or now.is_blocked:
        return standing, None
    since_s = _began_s(standing, level)
    if standing.quiet_s is not None:
        since_s = min(max(since_s, standing.quiet_s), now.at_s)
    incident = Open(_id(standing.subject, now.at_s), since_s, level, standing.reason, now.at_s)
    recent = tuple(one for one in standing.opened_s if 0 <= now.at_s - one < policy.flap_window_s)
    opened = replace(standing, incident=incident, opened_s=(*recent, now.at_s))
    return opened, _notice(NoticeKind.FIRE, opened, incident, now.at_s)


def _within_incident(
    policy: Policy, standing: Standing, incident: Open, level: Health | None, at_s: float
) -> tuple[Standing, Notice | None]:
    if _is_over(policy, standing, at_s):
        closed = replace(standing, state=Health.OK, incident=None)
        return closed, _notice(NoticeKind.RESOLVE, closed, _told(incident, at_s), at_s)
    if level is None or level is Health.OK:  # not well until it is proved
        level = standing.state if standing.state is not Health.OK else incident.state
    standing = replace(standing, state=level)
    if level.rank > incident.state.rank and (level is not Health.DEGRADED or policy.tells_degraded):
        worse = replace(_told(incident, at_s), state=level, reason=standing.reason)
        return replace(standing, incident=worse), _notice(NoticeKind.FIRE, standing, worse, at_s)
    told_s = min(incident.told_s, at_s)  # a clock that was set back moves the next reminder, and sends none
    if policy.remind_s is not None and at_s - told_s >= policy.remind_s:
        again = _told(incident, at_s)
        return replace(standing, incident=again), _notice(NoticeKind.REMIND, standing, again, at_s)
    return replace(standing, incident=replace(incident, told_s=told_s)), None


def _is_over(policy: Policy, standing: Standing, at_s: float) -> bool:
    if standing.good.count < policy.recover_after_count:
        return False
    return not is_flapping(policy, standing, at_s) or at_s - standing.good.since_s >= policy.calm_s


def _began_s(standing: Standing, level: Health) -> float:
    """When the row began that proves the level."""
    rows = {Health.FAILED: standing.failed, Health.DEGRADED: standing.bad, Health.UNKNOWN: standing.dark}
    return rows[level].since_s


def _told(incident: Open, at_s: float) -> Open:
    return replace(incident, told_s=at_s, notice_count=incident.notice_count + 1)


def _notice(kind: NoticeKind, standing: Standing, incident: Open, at_s: float) -> Notice:
    return Notice(
        kind=kind,
        key=incident.id,
        number=incident.notice_count,
        subject=standing.subject,
        state=standing.state,
        reason=incident.reason if kind is NoticeKind.RESOLVE or standing.good.count else standing.reason,
        evidence=standing.evidence,
        opened_s=incident.opened_s,
        at_s=at_s,
    )


def _id(subject: str, at_s: float) -> str:
    """The same for the same subject and time, so that a decision made again after a crash has the same key."""
    return hashlib.sha256(f"{subject}\n{at_s!r}".encode()).hexdigest()[:24]
